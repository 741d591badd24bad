"""STAGATE's decoder uses the encoder's product with W1 a second time."""

from __future__ import annotations

import scipy.sparse as sp
import torch

from methods.shared.nn.sparse import TiledMatrix
from methods.stagate.losses import reuse
from tests.methods.toys import leaves, same_gradients


def test_a_product_known_already_passes_its_gradient_to_the_weights():
    """X W is neither computed nor copied again; its gradient X^T G goes to W alone."""
    x = sp.random(40, 25, 0.3, format="csr", random_state=0)
    dense = torch.tensor(x.toarray())
    weight, factor = leaves((25, 7), (40, 7))
    known = dense @ weight
    found = reuse(weight, known, TiledMatrix(x))
    assert found.data_ptr() == known.data_ptr()
    same_gradients((found * factor).sum(), (dense @ weight * factor).sum(), [weight, factor])
