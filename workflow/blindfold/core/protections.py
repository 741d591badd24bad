"""What may stand between a method and the truth, in words for records, tables and pages."""

from __future__ import annotations

from typing import Literal

Wall = Literal["bwrap", "landlock", "tripwire", "none"]

WALLS: dict[Wall, str] = {
    "bwrap": "bwrap (files by allow-list, neutral paths, no network) and tripwire",
    "landlock": "landlock (files by allow-list, no network) and tripwire",
    "tripwire": "unprotected: the tripwire alone, which a method can get around",
    "none": "unprotected: nothing watches what a method opens",
}


def in_a_table(wall: str) -> str:
    """Return the word of a table: the wall, or ``unprotected`` where there is none."""
    return wall if wall in ("bwrap", "landlock") else f"unprotected ({wall})"
