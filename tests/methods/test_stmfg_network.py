"""stMFG's network: sizes and trunk."""

from __future__ import annotations

import torch

from methods.shared.losses.zinb import ZinbDecoder
from methods.stmfg.network import Network


def network(*kinds: str) -> Network:
    chosen = kinds or ("scorer", "residual", "all")
    return Network(3000, *chosen, torch.Generator().manual_seed(0))


def test_network_has_the_weights_of_its_layers():
    """1,978,152 trainable numbers at 3,000 genes with the defaults."""
    net = network()
    assert sum(p.numel() for p in net.parameters()) == 1_978_152
    assert sum(p.numel() for p in net.attention.parameters()) == 3136
    assert sum(p.numel() for p in net.out.parameters()) == 12_352
    assert sum(p.numel() for p in net.decoder.parameters()) == 1_169_576
    assert network("scorer", "residual", "last").out.weight.shape == (64, 64)


def test_trunk_is_that_of_torch():
    """Linear, batch normalisation over all spots, ReLU."""
    decoder = ZinbDecoder(64, 128, 20, torch.Generator().manual_seed(0))
    with torch.no_grad():
        decoder.scale.uniform_(0.5, 2)
        decoder.shift.uniform_(-1, 1)
    z = torch.randn(50, 64)
    normed = torch.nn.functional.batch_norm(
        decoder.trunk(z), None, None, decoder.scale, decoder.shift, training=True
    )
    torch.testing.assert_close(decoder.hidden(z), torch.relu(normed), rtol=1e-4, atol=1e-5)
