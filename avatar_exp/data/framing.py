"""The square of a portrait where somebody else is beside the subject."""

from collections.abc import Iterable, Sequence
from itertools import product

from avatar_exp.data.faces import Box, Face, head_and_shoulders

COUNTS = 1 / 3  # of the largest face: what is smaller is in the background, and no portrait
ROOM = (0.1, 0.3, 0.1, 0.05)  # of the face, at its left, top, right and bottom: the head, which stays in the square
MARGINS = (0.3, 0.15, 0.0)  # of another face on each side, left out with it where that can be: its hair and its ears


def framed(faces: Sequence[Box], width: int, height: int, least: int) -> Box:
    """Head and shoulders around the first face, shifted or made smaller where other faces would be cut into.

    Where they cannot be left out, the square stays as it would be without them; ``cut_into`` says so.

    Args:
        faces: in pixels of the picture, the subject's first.
        width: of the picture; ``height`` likewise.
        least: pixels of a side that the square keeps, where it had them.
    """
    face = Face(faces[0])
    square, room = head_and_shoulders(face, width, height, least), around(face, ROOM, width, height)
    lowest = max(min(least, square[2] - square[0]), room[2] - room[0], room[3] - room[1])
    others = rivals(faces)
    if not cut_into(square, faces):
        return square
    for margin in MARGINS:
        avoided = [around(Face(other), (margin,) * 4, width, height) for other in others]
        for side in range(square[2] - square[0], lowest - 1, -max(lowest // 256, 1)):
            places = list(shifted(square, side, room, avoided, (width, height)))
            if places:
                return min(places, key=lambda place: off(place, square))
    return square


def cut_into(square: Box, faces: Sequence[Box]) -> bool:
    """Whether a part of another face than the first is in a square; small ones do not count."""
    return any(overlap(square, other) for other in rivals(faces))


def rivals(faces: Sequence[Box]) -> list[Box]:
    """The other faces that are large enough to be learnt, too."""
    return [other for other in faces[1:] if Face(other).side >= COUNTS * Face(faces[0]).side]


def shifted(square: Box, side: int, room: Box, avoided: Sequence[Box], size: tuple[int, int]) -> Iterable[Box]:
    """Squares of a side that hold ``room`` and nothing that is to be avoided; where ``square`` is, or beside that.

    If there is any such square, there is one at one of these places: it can be moved until it touches something.
    """
    spans = []
    for axis in (0, 1):
        lowest, highest = max(room[axis + 2] - side, 0), min(room[axis], size[axis] - side)
        middle = (square[axis] + square[axis + 2] - side) // 2
        edges = [middle, *(one[axis] - side for one in avoided), *(one[axis + 2] for one in avoided)]
        spans.append({min(max(edge, lowest), highest) for edge in edges} if lowest <= highest else set())
    for x, y in product(*spans):
        place = x, y, x + side, y + side
        if not any(overlap(place, one) for one in avoided):
            yield place


def around(face: Face, margins: Sequence[float], width: int, height: int) -> Box:
    """The box of a face with shares of its side more at its left, top, right and bottom; inside the picture."""
    left, top, right, bottom = face.box
    at_left, at_top, at_right, at_bottom = (round(face.side * margin) for margin in margins)
    return max(left - at_left, 0), max(top - at_top, 0), min(right + at_right, width), min(bottom + at_bottom, height)


def off(place: Box, square: Box) -> int:
    """How far a square's middle is from another's, in half pixels along both axes."""
    return sum(abs(place[k] + place[k + 2] - square[k] - square[k + 2]) for k in (0, 1))


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have a pixel in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
