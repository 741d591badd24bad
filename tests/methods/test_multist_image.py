"""MultiST's second stage: attention, blend, image tokens in their place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from methods.contract import Data, Job
from methods.multist.colour import Boxes
from methods.multist.fusion import Attention, Fusion
from methods.multist.inputs import image_tokens
from methods.multist.model import Model
from methods.multist.neighborhoods import neighborhoods
from methods.multist.network import keep_all
from methods.multist.second_stage import SecondStage, Setting, tokens_of
from methods.shared.image.features import histology_features
from methods.shared.image.spots import image_feature_components
from tests.methods import toys
from tests.methods.test_image import picture
from tests.methods.watch import Largest

SHORT = {"epochs": 6, "cluster_epochs": 4, "fusion_epochs": 2}


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seen(side: int = 8) -> Data:
    data, _ = toys.tissue(side)
    return dataclasses.replace(data, image=picture(data), scale=0.2)


def stage(variant: str = "described", side: int = 8, **changes) -> SecondStage:
    """Return a second stage with an embedding that means nothing."""
    chosen = toys.params("multist", variant, **changes)
    fused = Model(seen(side), chosen, Job(0, 3)).second_stage
    fused.genes = torch.randn(fused.genes.shape, generator=drawn(1))
    return fused


@pytest.mark.parametrize("m", [1, 5])
def test_attention_is_that_of_torch(m):
    """MultiST 7: multi-head attention of each spot to its own tokens."""
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
    """MultiST 7: unchanged when query and key are noise."""
    attention = Attention(32, 4, drawn())
    value, tokens = torch.randn(9, 32), torch.arange(9)[:, None]
    known = torch.ones(9, 1, dtype=torch.bool)
    affine = (value @ attention.maps[2] + attention.biases[2]) @ attention.out.weight
    affine = affine + attention.out.bias
    for _ in range(3):
        query, key = torch.randn(9, 32), torch.randn(9, 32)
        torch.testing.assert_close(attention(query, key, value, tokens, known), affine)


def test_blend_of_img2gene_has_the_rank_of_the_embedding():
    """MultiST 8: rank of F - mean at most 32."""
    blend = stage("released", side=10).embedding().astype(float)
    values = np.linalg.svd(blend - blend.mean(axis=0), compute_uv=False)
    assert (values > 1e-5 * values[0]).sum() <= 32
    both = stage("released", side=10, attention="bidirectional").embedding().astype(float)
    values = np.linalg.svd(both - both.mean(axis=0), compute_uv=False)
    assert (values > 1e-5 * values[0]).sum() > 32


@pytest.mark.parametrize("variant", ["described", "released"])
def test_who_trains_the_map_back(variant):
    """MultiST 8: R has no gradient in released; described trains it on the embedding."""
    fused = stage(variant)
    torch.stack(list(fused.losses(np.arange(40)).values())).sum().backward()
    weight = fused.network.back.weight
    assert (weight.grad is None) == (variant == "released")
    before = weight.detach().clone()
    losses = fused.step(0)
    torch.stack(list(losses.values())).sum().backward()
    fused.optimiser.step()
    moved = not torch.equal(before, weight.detach())
    assert moved == (variant == "described")


def test_modes_written_out():
    """Section 2.6: both ways to blend, from one attended token a spot, normalised twice."""
    for mode in ("img2gene", "bidirectional"):
        net = Fusion(6, mode, 0.7, drawn())
        genes, image = torch.randn(12, 32), torch.randn(12, 6)
        place = neighborhoods(np.random.default_rng(0).random((12, 2)), 3, None, None)
        fused = net(genes, image, tokens_of(np.arange(12), place, True, "cpu"))
        rows = net.norm(net.encoder(image))
        weight = torch.tensor(place.weight, dtype=torch.float32)
        e = (weight[:, :, None] * rows[place.near]).sum(dim=1)

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


@pytest.mark.parametrize("variant", ["described", "released"])
def test_a_batch_is_a_part_of_the_whole(variant):
    """Section 2.4: what a spot becomes does not depend on the batch, over the section."""
    fused = stage(variant, smoothing="slice")
    whole = fused.embedding()
    spots = np.random.default_rng(0).permutation(64)[:20]
    tokens = fused.tokens(spots)
    np.testing.assert_array_equal(tokens.spots[tokens.seen[:, 0]], spots)
    with torch.no_grad():
        part = fused.network(fused.genes, fused.image, tokens, keep_all).blend
    np.testing.assert_allclose(part, whole[spots], rtol=1e-4, atol=1e-4)


def test_smoothing_over_a_batch_stays_within_it():
    """MultiST, section 7.7: neighbours are sought among the spots of the batch."""
    fused = stage("released")
    spots = np.random.default_rng(0).permutation(64)[:20]
    tokens = fused.tokens(spots)
    assert np.isin(tokens.rows, spots).all()
    np.testing.assert_array_equal(tokens.spots[tokens.seen[:, 0]], spots)
    own = tokens.rows[tokens.near[:, 0]]
    np.testing.assert_array_equal(own, tokens.spots)
    place = fused.around(spots)
    np.testing.assert_allclose(tokens.weight[tokens.seen[:, 0]], place.weight)


def test_weights_of_the_neighborhoods():
    """Section 2.4: 0.7 for the spot, 0.3 shared by exp(-d^2 / 2 s^2), s twice the median."""
    data, _ = toys.tissue(9)
    found = neighborhoods(data.coordinates, 7, data.pitch, None)
    assert found.near.shape == (81, 8)
    np.testing.assert_array_equal(found.near[:, 0], np.arange(81))
    np.testing.assert_allclose(found.weight.sum(axis=1), 1)
    np.testing.assert_allclose(found.weight[:, 0], 0.7)
    others = found.near[40, 1:]
    distance = np.linalg.norm(data.coordinates[others] - data.coordinates[40], axis=1)
    expected = np.exp(-(distance**2) / (2 * 200**2))
    np.testing.assert_allclose(found.weight[40, 1:], 0.3 * expected / expected.sum())
    batch = (np.arange(81) < 3).astype(int)
    parts = neighborhoods(data.coordinates, 7, data.pitch, batch)
    assert parts.known[:3].sum() == 9
    assert (parts.near[:3][parts.known[:3]] < 3).all()
    assert (parts.weight[~parts.known] == 0).all()
    far = data.coordinates.copy()
    far[0] = 1e9
    np.testing.assert_allclose(neighborhoods(far, 7, 100.0, None).weight[0, 0], 1)
    for few in (data.coordinates[:1], 0 * data.coordinates[:3]):
        np.testing.assert_allclose(neighborhoods(few, 7, None, None).weight.sum(axis=1), 1)


def test_no_tensor_is_spots_by_spots_or_spots_by_genes():
    """Section 6: above 5,000 spots the largest tensor is linear in spots; batches stay small."""
    data, _ = toys.tissue(72, genes=60)
    image = np.random.default_rng(0).normal(size=(72**2, 50))
    chosen = toys.params("multist")
    fields = ("fusion_epochs", *Setting._fields[1:])
    setting = Setting(*(getattr(chosen, field) for field in fields))
    fused = SecondStage(image, data, setting, lambda *_: None, (drawn(), drawn()), "cpu")
    with Largest() as largest:
        torch.stack(list(fused.losses(np.arange(0, 72**2, 41)).values())).sum().backward()
    assert largest.size <= 128 * 64 * 512
    with Largest() as largest:
        fused.embedding()
    assert largest.size <= 72**2 * 256


def position_picture(data: Data) -> Data:
    """Red tells x and green tells y, one level a pixel."""
    size = np.ceil(data.coordinates.max(axis=0) * 0.1).astype(int) + 20
    y, x = np.mgrid[: size[1], : size[0]]
    image = np.stack([x, y, np.full_like(x, 40)], axis=2).astype(np.uint8)
    return dataclasses.replace(data, image=image, scale=0.1)


@pytest.mark.parametrize("tile", [16, 64, 512])
def test_every_spot_gets_its_own_patch(tile):
    """MultiST 9: patch means tell the positions, however the work is divided or ordered."""
    data = position_picture(toys.tissue(12)[0])
    data = dataclasses.replace(data, coordinates=data.coordinates + 60)
    order = np.random.default_rng(0).permutation(144)
    for spots in (np.arange(144), order):
        xy = data.coordinates[spots]
        found = histology_features(data.image, xy, data.scale, data.pitch, tile=tile)
        np.testing.assert_allclose(found.features[:, :2], 0.1 * xy, atol=1.0)
    boxes = Boxes(0.1 * data.coordinates, 5, data.image.shape[:2])
    means = np.column_stack([boxes.means(data.image[:, :, c]) for c in range(2)])
    np.testing.assert_allclose(means, 0.1 * data.coordinates, atol=1.0)


def test_features_of_the_user_take_the_place_of_the_image():
    """Those of the image itself give its tokens; spots without features count as average."""
    data = seen(10)
    found = histology_features(data.image, data.coordinates, data.scale, data.pitch).features
    found[3] = np.nan
    given = dataclasses.replace(data, image=None, scale=None, image_features=found)
    tokens, notes = image_tokens(given, True, np.random.default_rng(0))
    assert notes == {"image": "features given", "spots_outside_image": 1}
    np.testing.assert_array_equal(tokens, image_feature_components(found, 50))
    assert not tokens[3].any()
    result = toys.run("multist", given, Job(0, 3), **SHORT)
    assert result.notes["image"] == "features given"


def test_image_tokens_follow_the_spots():
    """MultiST 9: tokens of shuffled spots are the shuffled tokens."""
    data = seen(10)
    order = np.random.default_rng(0).permutation(100)
    mixed = dataclasses.replace(data, coordinates=data.coordinates[order])
    first, second = (image_tokens(d, True, np.random.default_rng(0))[0] for d in (data, mixed))
    scale = np.abs(first).max()
    np.testing.assert_allclose(second[:, :5], first[order, :5], atol=0.05 * scale)


@pytest.mark.parametrize("variant", ["described", "released"])
def test_an_image_counts_where_it_is_used(variant):
    """Without one, and with one that is not used, the first stage alone is clustered."""
    data = seen()
    bare = dataclasses.replace(data, image=None, scale=None)
    plain, used, unused = (
        toys.run("multist", d, Job(0, 3), variant, use_image=use, **SHORT)
        for d, use in ((bare, True), (data, True), (data, False))
    )
    assert [r.notes["image"] for r in (plain, used, unused)] == ["none", "used", "not used"]
    assert plain.embedding.tobytes() == unused.embedding.tobytes()
    assert plain.embedding.shape == (64, 32)
    assert plain.embedding.tobytes() != used.embedding.tobytes()
    again = toys.run("multist", data, Job(0, 3), variant, **SHORT)
    assert used.embedding.tobytes() == again.embedding.tobytes()
    first = plain.trace
    assert [row["loss"] for row in used.trace[: len(first)]] == [row["loss"] for row in first]


@pytest.mark.parametrize("variant", ["described", "released"])
@pytest.mark.parametrize("attention", ["img2gene", "bidirectional"])
def test_awkward_images(variant, attention):
    """Bad input: grey, RGBA and cut-off images work; wrong scales and far-off spots do not."""
    data = seen(6)
    short = {**SHORT, "attention": attention}
    opaque = np.full(data.image.shape[:2], 255, np.uint8)
    for other in (data.image[:, :, 0], np.dstack([data.image, opaque])):
        given = dataclasses.replace(data, image=other)
        found = toys.run("multist", given, Job(0, 2), variant, **short)
        assert found.notes["image"] == "used"
        assert np.isfinite(found.embedding).all()
    cut = dataclasses.replace(data, image=data.image[: int(0.7 * len(data.image))])
    found = toys.run("multist", cut, Job(0, 2), variant, **short)
    assert 0 < found.notes["spots_outside_image"] < 18
    assert np.isfinite(found.embedding).all()
    for scale in (None, np.nan, -1.0, 3.0, 1e-4):
        wrong = dataclasses.replace(data, scale=scale)
        with pytest.raises(ValueError, match="scale"):
            toys.run("multist", wrong, Job(0, 2), variant, **short)
    blank = dataclasses.replace(data, image=np.full_like(data.image, 255))
    found = toys.run("multist", blank, Job(0, 2), variant, **short)
    assert np.isfinite(found.embedding).all()
    with pytest.raises(ValueError, match="image: shape"):
        toys.run("multist", dataclasses.replace(data, image=data.image[:, :, :2]), Job(0, 2))


KINDS = [*toys.AWKWARD_TISSUES, "sections"]


@pytest.mark.parametrize("variant", ["described", "released"])
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_tissues_with_an_image(variant, kind):
    """Bad input: few, isolated, duplicate and collinear spots, pieces and tiny sections."""
    data = seen(8) if kind == "sections" else toys.awkward_tissue(kind)
    if kind == "sections":
        data = dataclasses.replace(data, batch=np.repeat([0, 1, 2], [1, 3, 60]))
    xy = data.coordinates
    inside = np.clip(xy, 0, 2000)  # the image does not reach the far pieces
    image = picture(dataclasses.replace(data, coordinates=inside), 0.1)
    given = dataclasses.replace(data, image=image, scale=0.1)
    far = (xy > 2000).any(axis=1).sum()
    clusters = min(2, data.n_cells)
    if 2 * far > len(xy):
        with pytest.raises(ValueError, match="outside"):
            toys.run("multist", given, Job(0, clusters), variant, **SHORT)
        return
    found = toys.run("multist", given, Job(0, clusters), variant, **SHORT)
    assert found.clusters.shape == (data.n_cells,)
    assert np.isfinite(found.embedding).all()
    assert np.isfinite([row["loss"] for row in found.trace]).all()
