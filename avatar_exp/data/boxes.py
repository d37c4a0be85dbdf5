"""Where the face is in a photo, as fractions of the square that is trained on: where a face-weighted loss looks."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from avatar_exp.data.faces import Box, find_faces
from avatar_exp.data.photos import open_photo, square_of
from avatar_exp.errors import UserError

log = logging.getLogger("avatar_exp")

BOXES = "boxes.csv"  # beside the photos: faces that no detector needs to find, or finds wrongly
COLUMNS = ["photo", "left", "top", "right", "bottom"]
NO_FACE = torch.zeros(4)  # an empty box


def read_boxes(folder: Path) -> dict[str, Box]:
    """The faces that ``boxes.csv`` names, by the photo's file name; none without that file.

    Its columns are photo and, in pixels of the upright photo, left, top, right, bottom; four zeros: no face is there.

    Raises:
        UserError: if it is not such a file.
    """
    file = folder / BOXES
    if not file.is_file():
        return {}
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            columns, *lines = csv.reader(text)
            if columns != COLUMNS:
                raise ValueError(f"its first line is {','.join(columns)}")
            return {name: _box(*edges) for name, *edges in filter(None, lines)}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{file}: {type(error).__name__}: {error}\n"
            f"expected a line {','.join(COLUMNS)} and one like it for each photo: 01.jpg,120,80,360,340"
        ) from error


def _box(left: str, top: str, right: str, bottom: str) -> Box:
    return round(float(left)), round(float(top)), round(float(right)), round(float(bottom))


def face_box(photo: Path) -> Tensor:
    """[4]: left, top, right, bottom of the subject's face, in [0, 1] of the square; ``NO_FACE`` where there is none.

    As ``boxes.csv`` says, otherwise the largest that is found: whoever else is there is not the subject. It is looked
    for in the whole square, before that is made small.

    Raises:
        UserError: if ``boxes.csv`` cannot be read, or a face is to be found without OpenCV 4.
    """
    image = open_photo(photo)
    left, top, right, bottom = square_of(image.size)
    known = read_boxes(photo.parent).get(photo.name)
    if known is None:
        faces = find_faces(image.crop((left, top, right, bottom)))
        inside = torch.tensor(faces[0].box) if faces else NO_FACE
    else:
        inside = torch.tensor(known) - torch.tensor([left, top, left, top])
    shares = (inside / (right - left)).clamp(0, 1)
    return shares if shares[0] < shares[2] and shares[1] < shares[3] else NO_FACE


def mirrored_box(box: Tensor) -> Tensor:
    """[4]: the same box in the mirrored picture; an empty one stays empty."""
    left, top, right, bottom = box
    return torch.stack([1 - right, top, 1 - left, bottom])


def box_faults(photos: Sequence[Path]) -> list[str]:
    """What keeps faces from being weighted, a line each; photos without one, where others have it, are only said."""
    try:
        without = [photo.name for photo in photos if not face_box(photo).any()]
    except UserError as error:
        return [f"objective.face_weight: {error}"]
    if len(without) == len(photos):
        return [
            f"objective.face_weight: no face is found in any of the {len(photos)} photos in {photos[0].parent} "
            f"(profiles, drawings and animals seldom are); say where they are in a {BOXES} beside them, or leave it out"
        ]
    if without:
        log.warning(
            "objective.face_weight: no face is found in %d of %d photos, whose pixels all count alike: %s",
            len(without), len(photos), ", ".join(without),
        )  # fmt: skip
    return []
