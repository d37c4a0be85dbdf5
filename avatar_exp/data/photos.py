"""From a file to an upright RGB square, whatever the camera wrote."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

SUFFIXES = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN} - {".pdf", ".mpg"}
UNREAD = {".heic", ".heif", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng"}  # of phones and cameras
PORTRAIT_BIAS = 0.35  # of a tall photo: the square sits a little above the middle, where heads are


def photo_files(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted by name: the order must not depend on the file system."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


def passed_over(folder: Path) -> list[Path]:
    """Files of a folder that look like photos and cannot be read here: they must be named, not skipped in silence."""
    known = SUFFIXES | {".txt", ".json", ".csv", ".yaml", ".md"}
    return sorted(
        file
        for file in folder.iterdir()
        if file.is_file() and not file.name.startswith(".") and file.suffix.lower() in UNREAD - known
    )


def open_photo(path: Path) -> Image.Image:
    """The whole picture: rotated as its EXIF says, transparency on white, 16-bit scaled, as 8-bit RGB.

    Raises:
        OSError: if Pillow cannot read it.
        ValueError: likewise, for some broken files.
    """
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
            values = np.asarray(image, dtype=np.float64)
            white = max(values.max(), 1.0) if image.mode == "F" else 65535
            image = Image.fromarray((values / white * 255).round().clip(0, 255).astype(np.uint8))
        if image.has_transparency_data:
            layer = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        return image.convert("RGB")


def crop_square(image: Image.Image, size: int, bias: float = PORTRAIT_BIAS) -> Image.Image:
    """The largest square, upper-centre (``bias`` 0: top, 0.5: middle), resized to ``size`` pixels (Lanczos)."""
    side = min(image.size)
    left, top = (image.width - side) // 2, round((image.height - side) * bias)
    square = image.crop((left, top, left + side, top + side))
    return square if side == size else square.resize((size, size), Image.Resampling.LANCZOS)


def faults(files: Iterable[Path]) -> list[str]:
    """One line for every file that cannot be decoded to the end."""
    found = []
    for file in files:
        try:
            open_photo(file)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            found.append(f"{file}: cannot be read ({error})")
    return found


def to_tensor(image: Image.Image) -> Tensor:
    """[3, H, W] in [-1, 1], the VAE's range."""
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels.permute(2, 0, 1).float() / 127.5 - 1


def to_image(pixels: Tensor) -> Image.Image:
    """The picture of a [3, H, W] tensor in [-1, 1]; values outside are clipped."""
    levels = ((pixels.float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).numpy())
