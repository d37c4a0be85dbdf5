"""The mark of a portrait that was drawn by the world that the built-in base knows."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

DRAWN_BY = "avatar_exp.tiny.world"  # the PNG's text "Software"


def looks_drawn(files: Iterable[Path]) -> bool:
    """Whether every one of these files carries the mark."""
    for file in files:
        with Image.open(file) as image:
            if image.info.get("Software") != DRAWN_BY:
                return False
    return True
