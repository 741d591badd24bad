"""stMFG's network: its sizes."""

from __future__ import annotations

import torch

from methods.stmfg.network import Network


def network(*kinds: str) -> Network:
    chosen = kinds or ("scorer", "residual", "last")
    return Network(3000, *chosen, torch.Generator().manual_seed(0))


def test_network_has_the_weights_of_its_layers():
    """1,969,960 trainable numbers at 3,000 genes, 1,978,152 where the map takes both scales."""
    net = network()
    assert net.out.weight.shape == (64, 64)
    assert sum(p.numel() for p in net.parameters()) == 1_969_960
    net = network("scorer", "residual", "all")
    assert sum(p.numel() for p in net.parameters()) == 1_978_152
    assert sum(p.numel() for p in net.attention.parameters()) == 3136
    assert sum(p.numel() for p in net.out.parameters()) == 12_352
    assert sum(p.numel() for p in net.decoder.parameters()) == 1_169_576
