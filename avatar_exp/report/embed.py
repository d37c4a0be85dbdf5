"""Pictures within a page: those of a step as one JPEG sheet, as large as a budget of bytes allows."""

import base64
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

from avatar_exp.pictures import open_picture

# Multiples of 16: where chroma is halved a block of JPEG is 16 pixels wide, and none then holds parts of two pictures.
CELLS = (256, 224, 192, 160, 144, 128, 112, 96, 80, 64, 48)
QUALITY = 80
LEAST_BYTES = 1300  # of a picture of 48 pixels
MOST_STEPS = 24  # of a run: more cannot be looked at
TRIED = 10  # sheets, to find the size


@dataclass
class Sheets:
    """The pictures of each (run, step) that is shown, as base64 JPEGs by their hash: equal sheets are stored once."""

    cell: int = 0
    across: int = 1
    shown: dict[tuple[int, int], str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return sum(map(len, self.data.values()))


def sheets(groups: Mapping[tuple[int, int], Sequence[Path]], budget: int) -> Sheets:
    """Every group of pictures as one sheet, all with cells of one size: the largest that keeps to ``budget`` bytes."""
    if not groups:
        return Sheets()
    across = math.ceil(math.sqrt(max(map(len, groups.values()))))
    for cell in sizes_to_try(list(groups.values()), across, budget):
        made = Sheets(cell, across)
        for key, files in groups.items():
            jpeg = sheet(files, cell, across)
            name = hashlib.sha256(jpeg).hexdigest()[:12]
            made.shown[key] = name
            if name not in made.data:
                made.data[name] = base64.b64encode(jpeg).decode()
        if made.size <= budget:
            break
    return made


def sizes_to_try(groups: Sequence[Sequence[Path]], across: int, budget: int) -> list[int]:
    """The sizes of a picture that should keep to the budget, judged by some of the groups; the smallest is always one.

    None is larger than the pictures themselves, but for the smallest.
    """
    tried = groups[:: math.ceil(len(groups) / TRIED)]
    largest = max((side(file) for files in tried for file in files[:1]), default=0)
    sizes = [cell for cell in CELLS if cell <= max(largest, CELLS[-1])]
    for place, cell in enumerate(sizes):
        mean = sum(len(sheet(files, cell, across)) for files in tried) / len(tried)
        if mean * len(groups) * 4 / 3 <= budget:
            return sizes[place:]
    return sizes[-1:]


def sheet(files: Sequence[Path], cell: int, across: int) -> bytes:
    """Pictures row by row, ``across`` in a row; the place of one that cannot be read stays grey."""
    whole = Image.new("RGB", (across * cell, math.ceil(len(files) / across) * cell), (128, 128, 128))
    for place, file in enumerate(files):
        if (shown := small(file, cell)) is not None:
            whole.paste(shown, (place % across * cell, place // across * cell))
    return jpeg(whole)


def small(file: Path, cell: int) -> Image.Image | None:
    """A picture as a square of ``cell`` pixels; None if it cannot be read."""
    try:
        image = open_picture(file)
    except (OSError, ValueError, SyntaxError):  # also one that was cut short, or is none
        return None
    return image if image.size == (cell, cell) else ImageOps.pad(image, (cell, cell), Image.Resampling.LANCZOS)


def jpeg(image: Image.Image) -> bytes:
    """The bytes of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def thumbnail(file: Path, cell: int = 96) -> str | None:
    """One picture as a ``data:`` address; None if it cannot be read."""
    shown = small(file, cell)
    return None if shown is None else as_data(shown)


def as_data(image: Image.Image) -> str:
    """A picture as a ``data:`` address."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(image)).decode()


def side(file: Path) -> int:
    """The longer side of a picture in pixels; 0 if it cannot be read."""
    try:
        with Image.open(file) as image:
            return max(image.size)
    except (OSError, ValueError, SyntaxError):
        return 0


def steps_to_show(steps: Sequence[int], most: int, always: int | None) -> list[int]:
    """At most ``most`` of the steps, evenly: the first, the last and the one that is ``always`` shown among them."""
    if len(steps) <= most:
        return list(steps)
    chosen = {steps[round(n * (len(steps) - 1) / (most - 1))] for n in range(most)}
    if always is not None and always in set(steps) - chosen:
        nearest = sorted(sorted(chosen)[1:-1], key=lambda step: abs(step - always))
        chosen = {*(chosen - set(nearest[:1])), always}
    return sorted(chosen)
