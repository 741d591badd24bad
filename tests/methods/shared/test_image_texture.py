"""Stains and textures: formulas on small pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb_from_hed

from methods.shared.image.texture import binary_patterns, cooccurrence, gabor_energy, levels, stains


def test_stains_of_pure_dyes():
    """White has no stain; a pixel that one dye alone colours has that dye alone."""
    rgb = 256 * np.exp(-1.2 * rgb_from_hed) - 1
    np.testing.assert_allclose(stains(rgb[None])[0], 1.2 * np.eye(3), atol=1e-5)
    np.testing.assert_allclose(stains(np.full((2, 2, 3), 255)), 0, atol=1e-6)


def test_binary_patterns_of_simple_neighbourhoods():
    """A flat patch has all points at least as bright, a peak none, an edge a half, a saddle P+1."""
    for level in range(0, 256, 15):
        flat = np.full((12, 12), level, dtype=np.uint8)
        for points, radius in ((8, 1.0), (16, 2.0)):
            assert (binary_patterns(flat, points, radius)[3:-3, 3:-3] == points).all()
    peak = np.zeros((7, 7), dtype=np.uint8)
    peak[3, 3] = 1
    assert binary_patterns(peak, 8, 1.0)[3, 3] == 0
    edge = np.tile((np.arange(9) > 3).astype(np.uint8), (9, 1))
    assert binary_patterns(edge, 8, 1.0)[4, 4] == 5
    saddle = np.where(np.add.outer(np.arange(9), np.arange(9)) % 2, 1, 0)
    assert binary_patterns(saddle, 4, 1.0)[4, 4] == 4
    crossed = np.full((9, 9), 2)
    crossed[4, [3, 5]] = 0
    assert binary_patterns(crossed, 8, 1.0)[4, 4] == 9


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_binary_patterns_do_not_feel_a_quarter_turn_or_brightness(seed):
    grey = np.random.default_rng(seed).integers(0, 100, (16, 16))
    inner = (slice(3, -3), slice(3, -3))
    for points, radius in ((8, 1.0), (16, 2.0)):
        codes = binary_patterns(grey, points, radius)
        brighter = binary_patterns(2 * grey + 1, points, radius)
        np.testing.assert_array_equal(brighter[inner], codes[inner])
        turned = binary_patterns(np.rot90(grey).copy(), points, radius)
        np.testing.assert_array_equal(turned[inner], np.rot90(codes)[inner])


def test_gabor_answers_to_its_own_wave():
    """Of 12 filters the one of the wave's length and direction answers most; flat gives little."""
    y, x = np.indices((80, 80))
    for number, (wavelength, angle) in enumerate(
        (w, np.pi * o / 4) for w in (3, 6, 12) for o in range(4)
    ):
        wave = np.cos(2 * np.pi / wavelength * (np.cos(angle) * x + np.sin(angle) * y))
        inner = gabor_energy(wave)[:, 30:50, 30:50].mean(axis=(1, 2))
        assert inner.argmax() == number
        assert inner.max() == pytest.approx(0.5, rel=0.05)
    assert gabor_energy(np.ones((30, 30))).max() < 0.02


def test_cooccurrence_by_hand():
    """Flat: contrast 0, homogeneity 1, energy 1, correlation 1; stripes: by pairs counted."""
    flat = np.full((1, 6, 6), 3, dtype=np.uint8)
    np.testing.assert_allclose(cooccurrence(flat), [[0, 1, 1, 1]])
    stripes = np.tile(np.arange(6, dtype=np.uint8) % 2, (1, 6, 1))
    # three directions always meet the other level, one always the same
    expected = [[3 / 4, (3 / 2 + 1) / 4, np.sqrt(1 / 2), (-3 + 1) / 4]]
    np.testing.assert_allclose(cooccurrence(stripes), expected)


def test_levels_cover_every_density():
    np.testing.assert_array_equal(levels(np.array([-1.0, 0, 0.25, 1.99, 9])), [0, 0, 1, 7, 7])
