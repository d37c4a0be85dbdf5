"""From a file to an upright RGB square, whatever the camera wrote."""

from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from avatar_exp.data.colour import to_srgb
from avatar_exp.data.listing import listed, no_file

# What photos come in, by Pillow's names. Not all that it opens: a .eps is a program, and a .h5 most likely a network.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "BMP", "GIF", "JPEG2000", "PPM")
HEIF_SUFFIXES = (".heic", ".heif", ".hif")
SUFFIXES = {suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS and kind in Image.OPEN}
SUFFIXES |= {*HEIF_SUFFIXES} if find_spec("pillow_heif") else set()
NEEDS_HEIF = "HEIC needs pillow-heif: pip install 'pillow-heif>=1' (extra [photos])"
NEEDS_AVIF = "AVIF needs a newer Pillow: pip install 'pillow>=11.3'"
UNREAD = {  # of phones and cameras, where they cannot be read: what to do
    **dict.fromkeys(HEIF_SUFFIXES, NEEDS_HEIF),
    **dict.fromkeys((".avif", ".avifs"), NEEDS_AVIF),
    **dict.fromkeys((".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2"), "raw; export it as JPEG or PNG"),
}
BRANDS = {  # how such files begin, whatever they are called
    **dict.fromkeys((b"ftypheic", b"ftypheix", b"ftypmif1"), ("HEIF", NEEDS_HEIF)),
    b"ftypavif": ("AVIF", NEEDS_AVIF),
}
UPRIGHT = {  # EXIF's orientation (CIPA DC-008, tag 274), and what has to be done to see the picture as it was taken
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PORTRAIT_BIAS = 0.35  # of a tall photo: the square sits a little above the middle, where heads are


class UnreadableError(OSError):
    """A file that is no picture or not a whole one; the message says why, without the file's name."""


def photo_files(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted by name: the order must not depend on the file system.

    Raises:
        UserError: if the folder cannot be looked into.
    """
    return [file for file in listed(folder) if file.suffix.lower() in SUFFIXES and no_file(file) is None]


def passed_over(folder: Path) -> dict[Path, str]:
    """What is named like a photo in a folder and cannot be read here, and why: not to be skipped in silence.

    Broken links and folders, too; a picture that is damaged shows only when it is decoded.

    Raises:
        UserError: if the folder cannot be looked into.
    """
    cures: dict[str, str | None] = {**UNREAD, **dict.fromkeys(SUFFIXES)}
    named = (file for file in listed(folder) if file.suffix.lower() in cures)
    return {file: why for file in named if (why := no_file(file) or cures[file.suffix.lower()])}


@cache
def formats() -> tuple[str, ...]:
    """What can be read here. The reader of HEIF is loaded now: phones write it, sometimes under the name of a JPEG."""
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


def format_of(path: Path) -> str | None:
    """In what format a picture is stored, by Pillow's name; None if a file is no picture, as far as its start tells."""
    try:
        with Image.open(path, formats=formats()) as file:
            return file.format
    except Exception:  # of a broken file a reader makes anything
        return None


def open_photo(path: Path, least: int | None = None) -> Image.Image:
    """The whole picture, upright, as 8-bit sRGB (see ``colour.to_srgb``); of an animation the first frame.

    Nothing but pixels: no EXIF, so no place where it was taken.

    Args:
        least: pixels of the shorter side that are enough: a JPEG may come smaller then, and in half the time.

    Raises:
        UnreadableError: if it is no picture, or a broken one, or may not be read.
    """
    if why := no_file(path):
        raise UnreadableError(why)
    try:
        with Image.open(path, formats=formats()) as file:
            if least:
                file.draft(None, (least, least))
            file.load()  # first: a TIFF turns itself
            image = to_srgb(file)
            turn = UPRIGHT.get(_orientation(file))
    except Exception as error:  # of a broken file a reader makes anything
        raise UnreadableError(_why(path, error)) from error
    image = image.transpose(turn) if turn is not None else image
    image.info = {}
    return image


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a viewer shows a photo whose EXIF is broken, too
        return 1


def _why(path: Path, error: Exception) -> str:
    """What is wrong with a file that Pillow gave up on."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as again:  # a file of somebody else's, or a bad disk
        return f"it cannot be opened: {again.strerror or again}"
    if not start:
        return "it is empty"
    kind, cure = BRANDS.get(start[4:], (None, ""))
    if kind and kind not in formats():
        return cure
    if kind is None and isinstance(error, UnidentifiedImageError):
        return "it is no picture, or its beginning is lost"
    if isinstance(error, Image.DecompressionBombError):
        return f"it is too large: {error}"
    return f"it is damaged: {error}"


def square_of(size: tuple[int, int], bias: float = PORTRAIT_BIAS) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the largest square in a picture of that ``size`` (``bias`` 0: top, 0.5: middle)."""
    side = min(size)
    left, top = (size[0] - side) // 2, round((size[1] - side) * bias)
    return left, top, left + side, top + side


def crop_square(image: Image.Image, size: int, bias: float = PORTRAIT_BIAS) -> Image.Image:
    """The largest square, upper-centre (``bias`` 0: top, 0.5: middle), resized to ``size`` pixels (Lanczos)."""
    square = image.crop(square_of(image.size, bias))
    return square if square.width == size else square.resize((size, size), Image.Resampling.LANCZOS)


def to_tensor(image: Image.Image) -> Tensor:
    """[3, H, W] in [-1, 1], the VAE's range."""
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels.permute(2, 0, 1).float() / 127.5 - 1


def to_image(pixels: Tensor) -> Image.Image:
    """The picture of a [3, H, W] tensor in [-1, 1]; values outside are clipped."""
    levels = ((pixels.float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).numpy())
