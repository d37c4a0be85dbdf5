"""Where the face is in a photo, as fractions of the square that is trained on: where a face-weighted loss looks."""

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from avatar_exp.data.faces import Box, find_faces
from avatar_exp.data.listing import nfc
from avatar_exp.data.photos import open_photo, square_of
from avatar_exp.data.texts import read_text
from avatar_exp.errors import UserError, raise_all

log = logging.getLogger("avatar_exp")

BOXES = "boxes.csv"  # beside the photos: faces that no detector needs to find, or finds wrongly
COLUMNS = ["photo", "left", "top", "right", "bottom"]
EXPECTED = f"expected a line {','.join(COLUMNS)} and one like it for each photo: 01.jpg,120,80,360,340"
SEPARATORS = ",;\t"  # in many countries a spreadsheet writes semicolons
TOO_FAR = 1e6  # pixels; no picture is so large
BEYOND = 0.05  # of a side: a face that is cut by the edge may be said whole
NO_FACE = torch.zeros(4)  # an empty box


class BoxError(ValueError):
    """A place that is not in its picture."""


def read_boxes(folder: Path) -> dict[str, Box]:
    """The faces that ``boxes.csv`` names, by the photo's file name in NFC; none without that file.

    Its columns are photo and, in pixels of the upright photo, left, top, right, bottom; four zeros: no face is there.

    Raises:
        UserError: if it is not such a file; with every line that is wrong.
    """
    file = folder / BOXES
    if not file.is_file():
        return {}
    try:
        lines = _lines(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: {error}\n{EXPECTED}") from error
    boxes: dict[str, Box] = {}
    first: dict[str, int] = {}
    wrong = []
    for number, (cell, *edges) in lines:
        name = nfc(cell.rstrip())
        if name in first:
            wrong.append(f"line {number}: {name} is in line {first[name]} too; a photo has one face, leave one of them")
        first.setdefault(name, number)
        try:
            boxes[name] = _box(edges)
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    raise_all(f"{file}: {EXPECTED}", wrong)
    return boxes


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """The lines after the first that are not empty, with their numbers.

    Raises:
        OSError: if it cannot be opened.
        ValueError: if it is no table with the right first line.
    """
    text = read_text(file)
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
    columns = [cell.strip() for cell in lines[0][1]] if lines else []
    if columns != COLUMNS:
        raise ValueError(f"its first line is {_short(separator.join(columns))}" if lines else "it is empty")
    return lines[1:]


def _box(edges: Sequence[str]) -> Box:
    if len(edges) != len(COLUMNS) - 1:
        raise ValueError(f"{len(edges) + 1} columns, expected {len(COLUMNS)}")
    left, top, right, bottom = (_pixels(edge) for edge in edges)
    return left, top, right, bottom


def _pixels(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < TOO_FAR:  # nor is what is no number
        raise ValueError(f"{_short(text)!r} is no number of pixels")
    return round(value)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def in_picture(box: Box, size: tuple[int, int]) -> Box:
    """A box in a picture of that ``size``, cut at the edges.

    Raises:
        BoxError: if it is empty, or reaches far beyond an edge: then it was measured in another size of the picture.
    """
    inside = max(box[0], 0), max(box[1], 0), min(box[2], size[0]), min(box[3], size[1])
    beyond = max(abs(said - cut) / side for said, cut, side in zip(box, inside, size * 2, strict=True))
    if inside[0] >= inside[2] or inside[1] >= inside[3] or beyond > BEYOND:
        raise BoxError(
            f"{','.join(map(str, box))} is no box in a picture of {size[0]}x{size[1]}; "
            "expected left,top,right,bottom in pixels of the upright photo as it is stored"
        )
    return inside


def face_box(photo: Path) -> Tensor:
    """[4]: left, top, right, bottom of the subject's face, in [0, 1] of the square; ``NO_FACE`` where there is none.

    As ``boxes.csv`` says, otherwise the largest that is found: whoever else is there is not the subject. It is looked
    for in the whole square, before that is made small.

    Raises:
        BoxError: if ``boxes.csv`` names a place that is not in the photo.
        UserError: if it cannot be read, or a face is to be found without OpenCV 4.
    """
    image = open_photo(photo)
    left, top, right, bottom = square_of(image.size)
    known = read_boxes(photo.parent).get(nfc(photo.name))
    if known is None:
        faces = find_faces(image.crop((left, top, right, bottom)))
        inside = torch.tensor(faces[0].box) if faces else NO_FACE
    elif any(known):
        inside = torch.tensor(in_picture(known, image.size)) - torch.tensor([left, top, left, top])
    else:
        inside = NO_FACE
    shares = (inside / (right - left)).clamp(0, 1)
    return shares if shares[0] < shares[2] and shares[1] < shares[3] else NO_FACE


def mirrored_box(box: Tensor) -> Tensor:
    """[4]: the same box in the mirrored picture; an empty one stays empty."""
    left, top, right, bottom = box
    return torch.stack([1 - right, top, 1 - left, bottom])


def box_faults(photos: Sequence[Path]) -> list[str]:
    """What keeps faces from being weighted, a line each; photos without one, where others have it, are only said."""
    without, wrong = [], []
    for photo in photos:
        try:
            without += [] if face_box(photo).any() else [photo.name]
        except BoxError as error:
            wrong.append(f"objective.face_weight: {photo.parent / BOXES}: {photo.name}: {error}")
        except UserError as error:  # the same for every photo
            return [f"objective.face_weight: {error}"]
    if wrong:
        return wrong
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
