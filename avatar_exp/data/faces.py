"""Faces in a picture, found by OpenCV's Haar cascade, and the squares to cut around them.

Viola and Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001. The cascade comes with
OpenCV 4, so nothing is downloaded. It knows frontal faces: a profile is seldom found, a drawn face one time in four.
"""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from avatar_exp.errors import UserError

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, as Pillow crops

CASCADE = "haarcascade_frontalface_alt2.xml"  # finds as many as the default one, and takes fewer other things for faces
LONGEST = 800  # pixels of the longer side that is searched: a portrait's face has hundreds there, and more only costs
SMALLEST = 0.1  # of the shorter side: what is smaller is a passer-by or no face
TURNS = (-20.0, 20.0)  # degrees; upright, the cascade bears some 15
# How many overlapping hits make a face. Turned pictures are looked at where there may be none: two more chances to err.
SURE, SURE_IF_TURNED = 5, 8


@dataclass(frozen=True)
class Face:
    """A face: its ``box`` from brow to chin and cheek to cheek, inside the picture.

    ``angle``: by how many degrees the picture was turned, counter-clockwise, when it was found.
    """

    box: Box
    angle: float = 0.0

    @property
    def side(self) -> int:
        """The longer side of the box, in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


@cache
def cascade() -> Any:
    """The detector, loaded once.

    Raises:
        UserError: if OpenCV is not installed, or brings no cascades (5 does not).
    """
    try:
        import cv2
        from cv2.data import haarcascades

        found = cv2.CascadeClassifier(str(Path(haarcascades) / CASCADE))
        missing = "it has no file " + CASCADE if found.empty() else None
    except (ImportError, AttributeError) as error:
        missing = str(error)
    if missing:
        raise UserError(
            f"finding faces needs OpenCV 4 ({missing}): pip install 'opencv-python-headless>=4.10,<5' (extra [photos])"
        )
    return found


def find_faces(image: Image.Image) -> list[Face]:
    """The faces of an RGB picture, largest first; turned by 20 degrees either way if none is found upright.

    Raises:
        UserError: if OpenCV 4 is not there.
    """
    scale = min(1.0, LONGEST / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    grey = ImageOps.equalize(image.convert("L").resize((width, height), Image.Resampling.LANCZOS))
    upright = _faces(grey, 0.0, SURE, image.size)
    return upright or max((_faces(grey, turn, SURE_IF_TURNED, image.size) for turn in TURNS), key=_largest)


def _faces(grey: Image.Image, angle: float, sure: int, size: tuple[int, int]) -> list[Face]:
    """What is found in ``grey`` once it is turned, in pixels of the picture of ``size`` that it is a copy of."""
    turned = grey.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=128) if angle else grey
    least = round(SMALLEST * min(grey.size))
    hits = cascade().detectMultiScale(np.asarray(turned), scaleFactor=1.1, minNeighbors=sure, minSize=(least, least))
    boxes = [turned_back((x, y, x + w, y + h), angle, turned.size, size, size[0] / grey.width) for x, y, w, h in hits]
    inside = [box for box in boxes if box[0] < box[2] and box[1] < box[3]]  # not in the corners that turning adds
    return sorted((Face(box, angle) for box in inside), key=lambda face: (-face.side, face.box))


def _largest(faces: list[Face]) -> int:
    return faces[0].side if faces else 0


def turned_back(
    box: tuple[float, float, float, float],
    angle: float,
    turned: tuple[int, int],
    size: tuple[int, int],
    zoom: float = 1.0,
) -> Box:
    """A box of a turned copy, in pixels of the picture: about the same spot and of the same size, for a face is round.

    Args:
        angle: degrees, counter-clockwise, by which the copy was turned about its middle.
        turned: the copy's width and height.
        size: the picture's; the box is cut where it would stick out.
        zoom: the picture's pixels per pixel of the copy.
    """
    left, top, right, bottom = box
    x, y = (left + right - turned[0]) / 2 * zoom, (top + bottom - turned[1]) / 2 * zoom  # from the middle
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = x * cosine - y * sine + size[0] / 2, x * sine + y * cosine + size[1] / 2
    half_width, half_height = (right - left) / 2 * zoom, (bottom - top) / 2 * zoom
    return (
        max(round(x - half_width), 0),
        max(round(y - half_height), 0),
        min(round(x + half_width), size[0]),
        min(round(y + half_height), size[1]),
    )


def head_and_shoulders(face: Face, width: int, height: int, least: int = 1) -> Box:
    """The square of a portrait: the face 0.4 of its side, the eyes above the middle; inside the picture.

    The larger the face has to be, the lower it is, for its hair; the smaller, the higher, for its body.

    Args:
        width: of the picture that the face was found in, in pixels; ``height`` likewise.
        least: pixels of a side where the picture has them: more of the body is better than a small face made larger.
    """
    share = face.side / min(max(face.side / 0.4, least), width, height)
    return _square(face, width, height, share, middle=0.45 + (share - 0.4) * 4 / 9)


def head(face: Face, width: int, height: int) -> Box:
    """The square that a head with its hair fills, 1.6 times as wide as the face's box; inside the picture.

    Networks that tell faces apart see about as much: 1.3 boxes "to include the whole head" (Cao et al., "VGGFace2", FG
    2018). An embedder's own centre crop (DINOv2: 224 of 256 pixels) leaves 1.4 of the 1.6. Hair belongs to likeness.

    Args:
        width: of the picture that the face was found in, in pixels; ``height`` likewise.
    """
    return _square(face, width, height, share=1 / 1.6, middle=0.55)


def _square(face: Face, width: int, height: int, share: float, middle: float) -> Box:
    """The square of which the face is ``share`` of a side, its middle ``middle`` of a side below the top.

    Where it would leave the picture it is shifted, and where it is larger than the picture, made smaller.
    """
    left, top, right, bottom = face.box
    side = min(round(face.side / share), width, height)
    x = round((left + right - side) / 2)
    y = min(max(round((top + bottom) / 2 - side * middle), bottom - side), top)  # the whole face, also of a small side
    x, y = min(max(x, 0), width - side), min(max(y, 0), height - side)
    return x, y, x + side, y + side
