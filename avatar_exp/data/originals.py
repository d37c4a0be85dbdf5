"""Which of two files that hold nearly the same picture is the original, and which a messenger's or an editor's copy."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from PIL import ExifTags, Image

from avatar_exp.data.listing import nfc
from avatar_exp.data.photos import formats

MORE = 1.05  # times the bytes: what differs less is the same
# In small letters: what systems, messengers and editors call a copy. "-WA0001" is WhatsApp's.
COPIED = re.compile(r"\(\d+\)$|[ _-]copy( ?\d+)?$|^copy of |-wa\d+$|~\d+$|[ _-](edited|mirrored|flipped|flip)$|bản sao")


@dataclass(frozen=True)
class Stored:
    """How a picture is stored."""

    name: str
    kind: str = ""  # the format, by Pillow's name
    density: float = 0.0  # bytes of the file for each pixel
    camera: bool = False  # whether the file says what camera took it

    @property
    def named_as_copy(self) -> bool:
        """Whether it is called what a copy is called."""
        return COPIED.search(nfc(Path(self.name).stem).casefold()) is not None


def stored(file: Path) -> Stored:
    """How the picture in a file is stored; of a file that cannot be read only its name is known."""
    try:
        with Image.open(file, formats=formats()) as image:
            pixels, exif = image.width * image.height, image.getexif()
            camera = any(exif.get(tag) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
            return Stored(file.name, image.format or "", file.stat().st_size / pixels, camera)
    except Exception:  # of a broken file a reader makes anything; what is wrong with it is said elsewhere
        return Stored(file.name)


def nearer(one: Stored, other: Stored) -> str | None:
    """Why ``one`` is nearer to the original, in words that follow its name; None if it is not, or nothing tells.

    Bytes tell only of one format: HEIC needs half of what JPEG needs.
    """
    if one.kind == other.kind and max(one.density, other.density) > MORE * min(one.density, other.density):
        return "which has more bytes for each pixel" if one.density > other.density else None
    if one.camera != other.camera:
        return "which says what camera took it" if one.camera else None
    return "whose name is no copy's" if other.named_as_copy and not one.named_as_copy else None


def original(files: Iterable[Stored]) -> Stored:
    """The one that is nearest to the original; where nothing tells, the first."""
    return reduce(lambda best, one: one if nearer(one, best) else best, files)
