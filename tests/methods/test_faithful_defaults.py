"""What runs under a paper's name is the paper's; a choice of ours has a name of its own."""

from __future__ import annotations

import numpy as np
import pytest

from methods.contract import Job
from methods.shared.clustering import mclust
from tests.methods.toys import SHORT, params, run, tissue

MIXTURES = ["graphcvae", "graphst", "multist", "stagate"]


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize(("variant", "expected"), [("described", 0), ("more_starts", 20)])
def test_the_mixture_starts_as_mclust_does_unless_more_starts_are_asked_for(
    monkeypatch, name, variant, expected
):
    """The authors call mclust, whose only start is hierarchical."""
    starts = []

    def counted(*arguments, **settings):
        starts.append(settings["n_starts"])
        return own(*arguments, **settings)

    own = mclust.kmeans
    monkeypatch.setattr(mclust, "kmeans", counted)
    found = run(name, tissue(8)[0], Job(0, 3), variant, **SHORT, width=16)
    assert starts == [1] * expected
    assert len(np.unique(found.clusters)) <= 3


@pytest.mark.parametrize(
    ("name", "variant", "expected"),
    [
        *((name, "more_starts", {"kmeans_starts": 20}) for name in MIXTURES),
        ("scgnn", "normalized", {"normalize": True}),
        ("scrcl", "smoothed_input", {"mlp_hops": 10, "gcn_hops": 8}),
        ("stmfg", "both_scales", {"scales": "all"}),
        ("stmfg", "fused_scale", {"embedding": "fused"}),
        ("stmfg", "late_fusion", {"inject": "none"}),
        ("stmfg", "replaced_views", {"inject": "replace"}),
        ("stmfg", "token_attention", {"fusion": "token"}),
        ("stmfg", "consistency", {"contrast": "gram", "beta": 10.0}),
        ("stmfg", "strong_spatial", {"gamma": 1.0}),
        ("stmfg", "mixture", {"head": "mixture", "kmeans_starts": 0}),
    ],
)
def test_a_choice_of_ours_changes_what_its_name_says_and_nothing_else(name, variant, expected):
    described, ours = (vars(params(name, v)) for v in ("described", variant))
    assert {key: value for key, value in ours.items() if value != described[key]} == expected
