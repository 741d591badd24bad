"""STAGATE's squared error through Gram matrices."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from methods.shared.nn.sparse import SparseMatrix
from methods.stagate.losses import gram, square_error


def test_square_error_through_gram_matrices_is_exact():
    """For any hidden layer; the strips of a Gram matrix too."""
    rng = np.random.default_rng(0)
    x = sp.random(40, 25, 0.3, format="csr", random_state=0)
    weight, hidden = (torch.tensor(rng.normal(size=(n, 7))) for n in (25, 40))
    projected = SparseMatrix(x) @ weight
    found = square_error(projected, hidden, weight, float((x.data**2).sum()))
    expected = (torch.tensor(x.toarray()) - hidden @ weight.T).square().sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gram(hidden), hidden.T @ hidden)
