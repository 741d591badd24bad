"""The knobs of a mosaic."""

from __future__ import annotations

from pydantic import Field

from blindfold.core.config import Strict


class Options(Strict):
    """Options of the reader `mosaic`."""

    total: str = Field("n_counts", description="obs column of each real cell's total count")
    target_sum: float = Field(10_000, gt=0, description="what the totals were scaled to")
    cell_type: str = Field(description="obs column of the real cells' types")
    spots: int = Field(1_200, ge=100, le=100_000, description="number of spots")
    pitch: float = Field(100, gt=0, description="distance of neighbouring spots, in card.unit")
    domains: int = Field(6, ge=3, le=12, description="curved layers, an island and a thin strip")
    signal: float = Field(
        ge=0, le=1,
        description="0: every domain has the same mixture of cell types; 1: its own types alone",
    )  # fmt: skip
    cells_per_spot: float = Field(7, ge=1, description="mean number of real cells in a spot")
    capture: float = Field(0.5, gt=0, le=1, description="typical fraction of counts that is seen")
    depth_spread: float = Field(
        0.4, ge=0, description="standard deviation of the logarithm of that fraction over spots"
    )
    dropout: float = Field(
        0.3, ge=0, lt=1,
        description="chance that a count of 1 is lost; a count of n is lost n times less often",
    )  # fmt: skip
    image_informativeness: float = Field(
        0.6, ge=0, le=1,
        description="0: the image tells nothing of the domains; 1: density and stain differ most",
    )  # fmt: skip
    image_width: int = Field(1_000, ge=200, le=8_000, description="pixels")
    seed: int = Field(0, ge=0, description="another seed is another tissue of the same kind")
