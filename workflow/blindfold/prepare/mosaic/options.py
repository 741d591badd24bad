"""Options of a mosaic."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from blindfold.core.strict import Strict

LayoutName = Literal["mosaic", "layers", "islands", "gradient", "checkerboard", "none"]


class Cells(Strict):
    """Where the real cells come from: any labelled single-cell counts that a reader reads."""

    reader: str = Field(description="module of blindfold.prepare.readers; it gets the card's files")
    options: dict[str, Any] = Field({}, description="options of that reader")
    cell_type: str = Field(
        description="obs column of the cells' types; cells without a type are left out"
    )


class Options(Strict):
    """Options of the reader `mosaic`."""

    cells: Cells
    spots: int = Field(1_200, ge=100, le=100_000, description="number of spots, all batches")
    pitch: float = Field(100, gt=0, description="distance of neighbouring spots, in card.unit")
    layout: LayoutName = Field(
        "mosaic",
        description="mosaic: curved layers, an island and a thin strip; layers: curved layers; "
        "islands: two islands of each domain in a background; gradient: the mixture of cell types "
        "changes continuously along x, and domains are bins of it; checkerboard: square fields; "
        "none: every spot draws its domain, so that neighbours carry no information",
    )
    domains: int = Field(6, ge=2, le=12, description="number of domains; of a mosaic at least 3")
    evenness: float = Field(
        1, gt=0, le=1,
        description="size of the smallest over that of the largest domain, sizes falling "
        "geometrically; among the layers of a mosaic (times their own sizes) and among islands",
    )  # fmt: skip
    signal: float = Field(
        ge=0, le=1,
        description="0: every domain has the same mixture of cell types; 1: its own types alone",
    )  # fmt: skip
    cells_per_spot: float = Field(7, ge=1, description="mean number of real cells in a spot")
    batches: int = Field(1, ge=1, le=10, description="number of batches")
    batch_strength: float = Field(
        0.3, ge=0,
        description="standard deviation of the logarithm of each batch's factor on each gene",
    )  # fmt: skip
    batch_layout: Literal["sections", "interleaved"] = Field(
        "sections",
        description="sections: each batch is a tissue of its own, side by side; interleaved: "
        "neighbouring spots of one tissue belong to batches at random",
    )
    capture: float = Field(
        0.5, gt=0, le=1, description="typical fraction of counts that is measured"
    )
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

    @model_validator(mode="after")
    def _possible(self) -> Options:
        if self.layout == "mosaic" and self.domains < 3:
            raise ValueError("the layout mosaic has at least 3 domains")
        if self.layout == "checkerboard" and self.evenness != 1:
            raise ValueError("the fields of a checkerboard are equally large: evenness is 1")
        return self
