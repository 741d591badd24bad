"""MultiST's attention and blend of image and expression."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.multist.fusion import Attention, Fusion
from methods.multist.neighborhoods import neighborhoods
from methods.multist.second_stage import tokens_of
from tests.methods.test_multist_adversary import drawn
from tests.methods.test_multist_second_stage import stage


@pytest.mark.parametrize("m", [1, 5])
def test_attention_is_that_of_torch(m):
    """Multi-head attention of each spot to its own tokens."""
    ours = Attention(32, 4, drawn())
    theirs = torch.nn.MultiheadAttention(32, 4, batch_first=True)
    with torch.no_grad():
        ours.biases.normal_()
        ours.out.bias.normal_()
        theirs.in_proj_weight.copy_(torch.cat([w.T for w in ours.maps]))
        theirs.in_proj_bias.copy_(ours.biases.reshape(-1))
        theirs.out_proj.weight.copy_(ours.out.weight.T)
        theirs.out_proj.bias.copy_(ours.out.bias)
    query, key, value = torch.randn(9, 32), torch.randn(20, 32), torch.randn(20, 32)
    tokens, known = torch.randint(20, (9, m)), torch.rand(9, m) < 0.7
    known[:, 0] = True
    found = ours(query, key, value, tokens, known)
    expected, _ = theirs(query[:, None], key[tokens], value[tokens], key_padding_mask=~known)
    torch.testing.assert_close(found, expected[:, 0], rtol=1e-4, atol=1e-5)


def test_attention_to_one_token_is_an_affine_map():
    """Its result does not change when query and key are noise."""
    attention = Attention(32, 4, drawn())
    value, tokens = torch.randn(9, 32), torch.arange(9)[:, None]
    known = torch.ones(9, 1, dtype=torch.bool)
    affine = (value @ attention.maps[2] + attention.biases[2]) @ attention.out.weight
    affine = affine + attention.out.bias
    for _ in range(3):
        query, key = torch.randn(9, 32), torch.randn(9, 32)
        torch.testing.assert_close(attention(query, key, value, tokens, known), affine)


def test_blend_of_img2gene_has_the_rank_of_the_embedding():
    """The blend F minus its mean has rank 32 at most."""
    blend = stage("released", side=10).embedding().astype(float)
    values = np.linalg.svd(blend - blend.mean(axis=0), compute_uv=False)
    assert (values > 1e-5 * values[0]).sum() <= 32
    both = stage("released", side=10, attention="bidirectional").embedding().astype(float)
    values = np.linalg.svd(both - both.mean(axis=0), compute_uv=False)
    assert (values > 1e-5 * values[0]).sum() > 32


def test_both_attentions_are_those_of_the_equations():
    """Both ways to blend, from one attended token a spot, normalised twice."""
    for mode in ("img2gene", "bidirectional"):
        net = Fusion(6, mode, 0.7, drawn())
        genes, image = torch.randn(12, 32), torch.randn(12, 6)
        around = neighborhoods(np.random.default_rng(0).random((12, 2)), 3, None, None)
        fused = net(genes, image, tokens_of(np.arange(12), around, True, "cpu"))
        rows = net.norm(net.encoder(image))
        weight = torch.tensor(around.weight, dtype=torch.float32)
        e = (weight[:, :, None] * rows[around.near]).sum(dim=1)

        def crossed(net_part, query, other):
            value = net_part.value(other)
            for layer in net_part.layers:
                query = query + layer.out(value @ layer.maps[2] + layer.biases[2])
                query = net_part.norm(query)
            return query

        gene = crossed(net.to_gene, net.gene(genes), e)
        torch.testing.assert_close(fused.gene, gene, rtol=1e-4, atol=1e-5)
        view = net.image(e)
        if mode == "img2gene":
            blend = net.gene(0.7 * genes + 0.3 * net.back(gene))
        else:
            view = crossed(net.to_image, view, genes)
            blend = 0.7 * gene + 0.3 * view
        torch.testing.assert_close(fused.image, view, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(fused.blend, blend, rtol=1e-4, atol=1e-5)
