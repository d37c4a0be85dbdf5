"""What ``prepare`` said of the photos that it wrote: they were looked at, and what was kept or dropped is settled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avatar_exp.data.intake import small
from avatar_exp.run_folder import read_json
from avatar_exp.store import file_hash

INTAKE = "intake.json"
WRITTEN_BY = "avatar_exp.prepare"


def settled(photos: Sequence[Path], wanted: int) -> dict[str, tuple[str, ...]]:
    """What is left to be said of each photo that is still as ``prepare`` wrote it, by file name; of others nothing.

    Args:
        photos: files of one folder.
        wanted: pixels of a side that are trained on: others may be now than when the photos were prepared.
    """
    intake = read_json(photos[0].parent / INTAKE) if photos else {}
    if intake.get("written_by") != WRITTEN_BY:
        return {}
    try:
        rows = {row["photo"]: row for row in intake["photos"]}
        known = [photo for photo in photos if photo.name in rows]
        same = [photo.name for photo in known if intake["files"].get(photo.name) == file_hash(photo)]
        return {name: _left(rows[name], intake["wanted"], wanted) for name in same}
    except (KeyError, TypeError, AttributeError, OSError):  # somebody changed it
        return {}


def _left(row: dict[str, Any], before: int, wanted: int) -> tuple[str, ...]:
    """The warnings on a photo; of its size what is true for ``wanted`` pixels, when ``before`` were wanted."""
    side, said = min(row["side"], before), small(row["side"], before)
    others = tuple(str(one) for one in row["warnings"] if one != said)
    is_said = wanted > before or said in row["warnings"]  # otherwise it was kept
    return (small(side, wanted), *others) if side < wanted and is_said else others
