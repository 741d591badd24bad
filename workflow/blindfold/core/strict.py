"""What all typed file formats share: strict models, and how one file's keys override another's."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A model that refuses unknown keys and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def override(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return ``old`` with the keys of ``new``.

    Where both hold a mapping, its keys are joined and those of ``new`` win; everything else,
    mappings inside mappings included, is replaced as a whole.
    """
    both = old | new
    for key in old.keys() & new.keys():
        if isinstance(old[key], dict) and isinstance(new[key], dict):
            both[key] = old[key] | new[key]
    return both
