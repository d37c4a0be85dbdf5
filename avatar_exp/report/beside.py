"""What is shown beside samples: the photos that were learnt from, and what the base drew before.

Photos only in a run's own page, which stays where the run is, and never with ``privacy=true``.
"""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from avatar_exp.report.embed import as_data, thumbnail
from avatar_exp.report.runs import Run, mapping
from avatar_exp.run_folder import read_lines

CELL = 72  # pixels
MOST_PHOTOS = 24
PORTRAIT = (0.5, 0.35)  # a square of a tall photo: heads are above the middle


@dataclass(frozen=True)
class Shown:
    """A small picture within the page, what it is, and its file."""

    data: str
    caption: str
    file: Path


def photos(run: Run) -> list[Path]:
    """The files of the photos' folder; none where it is gone, may not be shown, or is not known (several concepts)."""
    values = run.values
    folder = mapping(values.get("concept")).get("instance_data_dir")
    if values.get("privacy") or values.get("concepts") or values.get("concepts_list") or not isinstance(folder, str):
        return []
    try:
        return sorted(file for file in Path(folder).expanduser().iterdir() if not file.name.startswith("."))
    except OSError:
        return []


def strip(run: Run) -> list[Shown]:
    """The first photos, small."""
    found: list[Shown] = []
    for file in photos(run):
        if len(found) < MOST_PHOTOS and (data := photo(file)):
            found.append(Shown(data, file.name, file))
    return found


def photo(file: Path) -> str | None:
    """A photo, upright, as a ``data:`` address; None if it is none."""
    try:
        with Image.open(file) as image:
            image.draft("RGB", (2 * CELL, 2 * CELL))  # of a JPEG: not all of its pixels
            square = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (CELL, CELL), centering=PORTRAIT)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return as_data(square)


def evidence(run: Run, alarm: dict[str, object], own_page: bool) -> list[Shown]:
    """The picture that an alarm is about; beside one that copies its photo, beside one of the class the base's."""
    file, step = alarm.get("picture"), alarm.get("step")
    if not isinstance(file, str):
        return []
    before = base_picture(run, file) if alarm.get("kind") == "drift" else None
    copied = [one for one in photos(run) if own_page and one.name == alarm.get("photo")]
    wanted = [
        *([(thumbnail(before, CELL), "base", before)] if before else []),
        (thumbnail(run.folder.path / file, CELL), f"step {step}", run.folder.path / file),
        *((photo(one), one.name, one) for one in copied),
    ]
    return [Shown(data, caption, path) for data, caption, path in wanted if data]


def base_picture(run: Run, file: str) -> Path | None:
    """What the base drew with the prompt and the seed of a picture of the class."""
    rows = list(read_lines(run.folder.class_records))
    asked = [(row.get("prompt"), row.get("seed")) for row in rows if row.get("file") == file]
    for row in rows:
        if row.get("step") == 0 and (row.get("prompt"), row.get("seed")) in asked and isinstance(row.get("file"), str):
            return run.folder.path / str(row["file"])
    return None
