"""Draws hair, behind the head and in front of it, in the face's coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from avatar_exp.tiny.faces import Face
from avatar_exp.tiny.pen import Color, Pen, Point, arc, curve, darker, lighter, mirrored

COLORS: dict[str, Color] = {
    "black": (42, 36, 46),
    "brown": (122, 74, 40),
    "blond": (244, 204, 96),
    "red": (214, 76, 30),
    "grey": (150, 154, 164),
    "white": (242, 242, 246),
    "pink": (246, 100, 170),
    "blue": (50, 104, 224),
    "green": (60, 176, 96),
}

# Lower edges of the hair on the forehead, from right to left: x in half face widths, y in face units.
SWEPT: tuple[Point, ...] = (
    (1.04, 0.02),
    (0.95, -0.3),
    (0.7, -0.5),
    (0.2, -0.56),
    (-0.35, -0.72),
    (-0.8, -0.52),
    (-0.95, -0.28),
    (-1.04, 0.02),
)
PARTED: tuple[Point, ...] = (
    (1.1, 0.5),
    (0.98, 0.1),
    (0.86, -0.3),
    (0.5, -0.58),
    (0.16, -0.84),
    (-0.3, -0.62),
    (-0.8, -0.34),
    (-0.98, 0.1),
    (-1.1, 0.5),
)
FRINGE: tuple[Point, ...] = (
    (1.1, 0.4),
    (0.96, 0.0),
    (0.84, -0.38),
    (0.4, -0.42),
    (0.0, -0.44),
    (-0.4, -0.42),
    (-0.84, -0.38),
    (-0.96, 0.0),
    (-1.1, 0.4),
)
CROPPED: tuple[Point, ...] = (
    (1.02, -0.12),
    (0.92, -0.4),
    (0.62, -0.6),
    (0.0, -0.66),
    (-0.62, -0.6),
    (-0.92, -0.4),
    (-1.02, -0.12),
)
PULLED: tuple[Point, ...] = (
    (1.03, -0.05),
    (0.94, -0.32),
    (0.6, -0.62),
    (0.0, -0.76),
    (-0.6, -0.62),
    (-0.94, -0.32),
    (-1.03, -0.05),
)


@dataclass(frozen=True)
class Hair:
    """What the strokes below need to know: the head, the colour, the volume (-1..1), whether a hat presses it down."""

    face: Face
    color: Color
    volume: float
    hat: bool

    @property
    def rise(self) -> float:
        """How far the hair stands over the skull."""
        return 0.0 if self.hat else 0.17 + 0.04 * self.volume

    @property
    def side(self) -> float:
        """Half the width of a head of hair that lies close."""
        return self.face.width + 0.09 + 0.02 * self.volume

    def shaved(self) -> Hair:
        """Stubble instead: a shade of the skin."""
        return replace(self, color=darker(self.face.skin, 0.2), hat=True)


def _cap(
    pen: Pen, hair: Hair, hairline: tuple[Point, ...], rise: float | None = None, side: float | None = None
) -> None:
    """Hair on the skull down to the hairline, with a soft gloss."""
    rise, edge = hair.rise if rise is None else rise, hairline[0][1]
    side = hair.side if side is None else side
    # Hair that hangs lower than the temples goes straight down from them.
    temple = min(edge, 0.0)
    top = [(-side, edge), *arc(0, temple, side, 1 + rise + temple, 180, 360), (side, edge)]
    pen.shape(top + curve([(x * hair.face.width, y) for x, y in hairline]), hair.color)
    if not hair.hat:
        pen.line(arc(0, temple, side * 0.74, 0.82 + rise + temple, 205, 255, 12), 0.1, lighter(hair.color, 0.22))


def _curls(pen: Pen, hair: Hair, spots: list[Point], radius: float) -> None:
    """Round curls, lighter ones on the left; none where a hat sits."""
    free = [(x, y) for x, y in spots if not hair.hat or y > -0.5]
    for x, y in free:
        pen.oval(x, y, radius, radius, hair.color)
    for x, y in free:
        pen.line(arc(x, y, radius * 0.55, radius * 0.55, 170, 300, 8), 0.07, lighter(hair.color, 0.2))


def _fall(pen: Pen, hair: Hair, right: list[Point]) -> None:
    """Hair that falls behind the head, from its right half's outline, darker inside."""
    color = darker(hair.color, 0.14)
    pen.shape(curve(mirrored(right), closed=True), color)


def _nothing(pen: Pen, hair: Hair) -> None:
    """No hair here."""


def _short(pen: Pen, hair: Hair) -> None:
    _cap(pen, hair, SWEPT)


def _buzz(pen: Pen, hair: Hair) -> None:
    _cap(pen, hair, CROPPED, 0.0 if hair.hat else 0.06, hair.face.width + 0.03)


def _spiky(pen: Pen, hair: Hair) -> None:
    if not hair.hat:
        angles = [198 + 16 * i for i in range(10)]
        for angle in angles:
            tip = 1.42 + 0.06 * hair.volume
            (ax, ay), (bx, by) = arc(0, -0.1, hair.side * 0.85, 0.85, angle - 16, angle + 16, 1)
            c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            pen.shape([(ax, ay), (c * hair.side * tip, -0.1 + s * tip), (bx, by)], hair.color)
    _cap(
        pen,
        hair,
        (
            (1.04, 0.0),
            (0.92, -0.36),
            (0.66, -0.62),
            (0.4, -0.46),
            (0.14, -0.66),
            (-0.14, -0.48),
            (-0.42, -0.66),
            (-0.66, -0.5),
            (-0.92, -0.36),
            (-1.04, 0.0),
        ),
        0.04,
    )


def _curly_back(pen: Pen, hair: Hair) -> None:
    reach = hair.side + 0.08
    _curls(pen, replace(hair, color=darker(hair.color, 0.14)), arc(0, 0.0, reach, 1.0, 140, 400, 15), 0.3)


def _curly(pen: Pen, hair: Hair) -> None:
    _cap(pen, hair, CROPPED, 0.05)
    reach = hair.side + 0.04 + 0.04 * hair.volume
    _curls(pen, hair, arc(0, -0.2, reach, 0.92, 180, 360, 10), 0.26)
    _curls(pen, hair, [(-0.5, -0.7), (0.5, -0.7), (-0.2, -0.78), (0.2, -0.74)], 0.23)


def _afro_back(pen: Pen, hair: Hair) -> None:
    color = darker(hair.color, 0.08)
    if hair.hat:
        for side in (-1, 1):
            pen.oval(side * hair.side, -0.12, 0.48, 0.56, color)
        return
    reach = 1.24 + 0.08 * hair.volume
    pen.oval(0, -0.36, reach, reach, color)
    for x, y in arc(0, -0.36, reach - 0.04, reach - 0.04, 130, 410, 15):
        pen.oval(x, y, 0.24, 0.24, color)
    pen.line(arc(0, -0.36, reach * 0.82, reach * 0.82, 205, 255, 12), 0.12, lighter(hair.color, 0.16))


def _afro(pen: Pen, hair: Hair) -> None:
    _cap(pen, replace(hair, color=darker(hair.color, 0.08), hat=True), CROPPED, 0.05)


def _long_back(pen: Pen, hair: Hair) -> None:
    s = hair.side
    _fall(pen, hair, [(0.3, -1.1), (s, -0.5), (s + 0.1, 0.3), (s + 0.16, 1.1), (s + 0.16, 1.8), (s - 0.2, 2.0)])


def _wavy_back(pen: Pen, hair: Hair) -> None:
    s = hair.side + 0.06 * hair.volume
    _fall(
        pen,
        hair,
        [
            (0.3, -1.1),
            (s, -0.5),
            (s + 0.3, 0.05),
            (s + 0.12, 0.42),
            (s + 0.42, 0.9),
            (s + 0.2, 1.28),
            (s + 0.44, 1.7),
            (s, 1.95),
        ],
    )


def _parted(pen: Pen, hair: Hair) -> None:
    _cap(pen, hair, PARTED)


def _bob_back(pen: Pen, hair: Hair) -> None:
    s = hair.side
    _fall(pen, hair, [(0.3, -1.1), (s, -0.5), (s + 0.17, 0.2), (s + 0.3, 0.86), (s + 0.16, 1.02), (0.5, 1.02)])


def _bob(pen: Pen, hair: Hair) -> None:
    _cap(pen, hair, FRINGE)


def _bun_back(pen: Pen, hair: Hair) -> None:
    if not hair.hat:
        pen.oval(0, -1.32, 0.46, 0.42, darker(hair.color, 0.12))
        pen.line(arc(0, -1.32, 0.28, 0.25, 180, 290, 12), 0.09, lighter(hair.color, 0.15))


def _pulled(pen: Pen, hair: Hair) -> None:
    _cap(pen, hair, PULLED, 0.0 if hair.hat else 0.12)


def _ponytail_back(pen: Pen, hair: Hair) -> None:
    s = hair.side
    tail: list[Point] = [
        (s - 0.3, -0.75),
        (s + 0.2, -0.85),
        (s + 0.62, -0.4),
        (s + 0.6, 0.3),
        (s + 0.36, 1.1),
        (s + 0.16, 0.5),
        (s + 0.1, -0.1),
    ]
    pen.shape(curve(tail, closed=True), darker(hair.color, 0.14))
    pen.line(curve([(s + 0.25, -0.6), (s + 0.42, -0.2), (s + 0.4, 0.3)]), 0.08, lighter(hair.color, 0.12))
    pen.oval(s + 0.02, -0.66, 0.16, 0.16, (240, 70, 110))


def _pigtails_back(pen: Pen, hair: Hair) -> None:
    for side in (-1, 1):
        tail = [
            (side * x, y)
            for x, y in (
                (hair.side - 0.1, -0.42),
                (hair.side + 0.35, -0.5),
                (hair.side + 0.55, 0.1),
                (hair.side + 0.4, 0.72),
                (hair.side + 0.2, 0.95),
                (hair.side + 0.12, 0.4),
            )
        ]
        pen.shape(curve(tail, closed=True), darker(hair.color, 0.14))
        pen.oval(side * (hair.side + 0.08), -0.34, 0.15, 0.15, (80, 200, 220))


def _mohawk(pen: Pen, hair: Hair) -> None:
    _cap(pen, hair.shaved(), CROPPED, 0.01, hair.face.width + 0.005)
    if hair.hat:
        return
    top = 1.72 + 0.08 * hair.volume
    right: list[Point] = [
        (0.0, -top),
        (0.1, -1.48),
        (0.3, -top + 0.1),
        (0.3, -1.38),
        (0.5, -1.42),
        (0.36, -1.12),
        (0.22, -0.78),
        (0.1, -0.5),
    ]
    pen.shape(mirrored(right), hair.color)
    for side in (-1, 1):
        pen.line(
            curve([(side * 0.06, -0.68), (side * 0.13, -1.0), (side * 0.22, -1.34)]), 0.07, darker(hair.color, 0.22)
        )


@dataclass(frozen=True)
class Style:
    """A way to wear hair: its strokes, and how far it reaches over the face's middle."""

    behind: Callable[[Pen, Hair], None]
    front: Callable[[Pen, Hair], None]
    top: float = 1.2


STYLES: dict[str, Style] = {
    "short": Style(_nothing, _short),
    "buzz cut": Style(_nothing, _buzz, 1.06),
    "spiky": Style(_nothing, _spiky, 1.55),
    "curly": Style(_curly_back, _curly, 1.38),
    "afro": Style(_afro_back, _afro, 1.85),
    "long": Style(_long_back, _parted),
    "wavy": Style(_wavy_back, _parted),
    "bob": Style(_bob_back, _bob),
    "bun": Style(_bun_back, _pulled, 1.75),
    "ponytail": Style(_ponytail_back, _pulled),
    "pigtails": Style(_pigtails_back, _parted),
    "mohawk": Style(_nothing, _mohawk, 1.8),
    "bald": Style(_nothing, _nothing, 1.0),
}
