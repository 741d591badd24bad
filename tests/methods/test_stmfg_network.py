"""stMFG's network: its sizes."""

from __future__ import annotations

import torch

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
