"""What every test may use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from blindfold.run import landlock

# The same examples each time, so that a commit passes or fails by itself;
# pytest --hypothesis-profile=default looks for new ones.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

REPOSITORY = Path(__file__).resolve().parents[1]
MIRROR = REPOSITORY / os.environ.get("BLINDFOLD_MIRROR", "../shared/data/mirror")
needs_mirror = pytest.mark.skipif(
    not MIRROR.is_dir(), reason=f"no mirror of raw data at {MIRROR} (set BLINDFOLD_MIRROR)"
)
needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap not installed")


@pytest.fixture
def blinded(tmp_path: Path) -> Path:
    """Return the input.h5ad of a tiny results folder that has a vault."""
    import anndata
    import pandas as pd
    import scipy.sparse as sp

    from blindfold.core.layout import Layout

    at = Layout(tmp_path / "results" / "tiny")
    counts = sp.csr_matrix(np.random.default_rng(0).poisson(1, (60, 30)).astype(np.float32))
    cells = [f"c{i:07d}" for i in range(1, 61)]
    adata = anndata.AnnData(counts, obs=pd.DataFrame(index=cells))
    for path in (at.input("d"), at.prepared("d")):
        path.parent.mkdir(parents=True)
        adata.write_h5ad(path)
    truth = pd.DataFrame({"cell": cells, "original": cells, "label": ["a", "b"] * 30})
    truth.to_parquet(at.truth("d"), index=False)
    return at.input("d")
