"""Draws what a person wears: clothes on an upright body, hats on a head; in the face's coordinates."""

from __future__ import annotations

from collections.abc import Callable

from avatar_exp.tiny.faces import Face
from avatar_exp.tiny.pen import WHITE, Color, Pen, Point, arc, curve, darker, lighter, mirrored

COLORS: dict[str, Color] = {
    "red": (222, 50, 52),
    "blue": (44, 98, 210),
    "green": (44, 150, 80),
    "yellow": (250, 206, 50),
    "white": (244, 244, 246),
    "black": (48, 46, 56),
    "purple": (134, 66, 178),
    "orange": (248, 134, 34),
    "pink": (248, 130, 180),
}
BODY = [(0.3, 1.14), (0.62, 1.26), (1.2, 1.46), (1.46, 1.72), (1.6, 2.3), (1.66, 4.2)]  # right half, from the neck down
NECK = 0.36  # half its width


def _neck(pen: Pen, skin: Color) -> None:
    pen.shape([(-NECK, 0.5), (NECK, 0.5), (NECK, 1.3), (0.2, 1.46), (-0.2, 1.46), (-NECK, 1.3)], skin)
    pen.shape([(-NECK, 0.5), (NECK, 0.5), *arc(0, 0.98, NECK, 0.24, 0, 180)], darker(skin, 0.24))


def _trunk(pen: Pen, color: Color) -> None:
    pen.shape(mirrored([(0.0, 1.14), *curve(BODY)]), color)
    for side in (-1, 1):  # arms
        pen.line(curve([(side * 1.12, 2.1), (side * 1.16, 2.6), (side * 1.12, 4)]), 0.07, darker(color, 0.25))


def _tshirt(pen: Pen, color: Color, skin: Color) -> None:
    _trunk(pen, color)
    _neck(pen, skin)
    pen.line(arc(0, 1.2, 0.42, 0.3, 0, 180, 14), 0.1, darker(color, 0.25))


def _sweater(pen: Pen, color: Color, skin: Color) -> None:
    _trunk(pen, color)
    stripe = lighter(color, 0.72) if color != COLORS["white"] else (120, 130, 160)
    for y, half in ((1.72, 1.45), (2.2, 1.58), (2.68, 1.62), (3.16, 1.64)):
        pen.shape([(-half, y), (half, y), (half + 0.03, y + 0.22), (-half - 0.03, y + 0.22)], stripe)
    _neck(pen, skin)
    pen.line(arc(0, 1.2, 0.44, 0.28, 0, 180, 14), 0.15, darker(color, 0.12))


def _suit(pen: Pen, color: Color, skin: Color) -> None:
    _trunk(pen, color)
    _neck(pen, skin)
    pen.shape(
        [(-0.42, 1.16), (0, 1.5), (0.42, 1.16), (0.5, 1.3), (0.1, 3.2), (-0.1, 3.2), (-0.5, 1.3)], (250, 250, 252)
    )
    tie = (40, 50, 90) if color[0] > 200 else (214, 44, 60)
    pen.shape([(-0.12, 1.48), (0.12, 1.48), (0.09, 1.66), (0.17, 2.7), (-0.17, 2.7), (-0.09, 1.66)], tie)
    for side in (-1, 1):
        lapel = [
            (side * x, y) for x, y in ((0.44, 1.14), (0.62, 1.24), (0.7, 1.75), (0.46, 1.86), (0.12, 3.0), (0.02, 3.2))
        ]
        pen.shape(lapel, darker(color, 0.22))


def _collared(pen: Pen, color: Color, skin: Color) -> None:
    _trunk(pen, color)
    _neck(pen, skin)
    pen.line([(0, 1.5), (0, 4)], 0.06, darker(color, 0.28))
    for y in (1.78, 2.2, 2.62):
        pen.oval(0.1, y, 0.055, 0.055, lighter(color, 0.7) if color != COLORS["white"] else darker(color, 0.4))
    for side in (-1, 1):
        flap: list[Point] = [(0.36, 1.06), (0.5, 1.14), (0.52, 1.62), (0.02, 1.5)]
        pen.shape([(side * x, y) for x, y in flap], lighter(color, 0.3))
        pen.line([(side * 0.52, 1.62), (side * 0.02, 1.5)], 0.06, darker(color, 0.28))


def _hoodie(pen: Pen, color: Color, skin: Color) -> None:
    pen.shape(
        curve([(-0.8, 1.5), (-0.84, 0.95), (-0.4, 0.7), (0.4, 0.7), (0.84, 0.95), (0.8, 1.5)], closed=True),
        darker(color, 0.3),
    )
    _trunk(pen, color)
    _neck(pen, skin)
    pen.line(curve([(-0.66, 1.06), (-0.44, 1.42), (0, 1.6), (0.44, 1.42), (0.66, 1.06)]), 0.22, darker(color, 0.16))
    for side in (-1, 1):
        pen.line(
            [(side * 0.2, 1.6), (side * 0.22, 2.1)],
            0.08,
            lighter(color, 0.75) if color != COLORS["white"] else (150, 150, 160),
        )


def _turtleneck(pen: Pen, color: Color, skin: Color) -> None:
    _trunk(pen, color)
    _neck(pen, skin)
    pen.shape(
        curve([(-0.42, 1.0), (0, 1.1), (0.42, 1.0), (0.5, 1.4), (0, 1.54), (-0.5, 1.4)], closed=True),
        lighter(color, 0.12),
    )
    pen.line(curve([(-0.46, 1.36), (0, 1.5), (0.46, 1.36)]), 0.07, darker(color, 0.25))


def _dress(pen: Pen, color: Color, skin: Color) -> None:
    _trunk(pen, darker(skin, 0.04))
    right: list[Point] = [
        (0.0, 1.98),
        (0.4, 1.86),
        (0.62, 1.6),
        (0.66, 1.27),
        (0.9, 1.34),
        (0.98, 1.8),
        (1.06, 2.4),
        (1.1, 4.2),
    ]
    pen.shape(mirrored(right), color)
    _neck(pen, skin)


CLOTHES: dict[str, Callable[[Pen, Color, Color], None]] = {
    "t shirt": _tshirt,
    "striped sweater": _sweater,
    "suit": _suit,
    "collared shirt": _collared,
    "hoodie": _hoodie,
    "turtleneck": _turtleneck,
    "dress": _dress,
}


def _dome(pen: Pen, half: float, low: float, top: float, color: Color) -> None:
    """A rounded crown over the skull, lighter on the left."""
    pen.shape(arc(0, low, half, top + low, 180, 360) + arc(0, low, half, 0.12, 0, 180), color)
    pen.line(arc(0, low, half * 0.72, (top + low) * 0.78, 205, 250, 10), 0.1, lighter(color, 0.3))


def _red_hat(pen: Pen, half: float) -> None:
    red: Color = (214, 36, 48)
    _dome(pen, half, -0.58, 1.42, red)
    pen.shape(arc(0, -0.66, half, 0.12, 0, 180) + arc(0, -0.86, half * 0.96, 0.08, 180, 0), (72, 20, 34))
    pen.oval(0, -0.58, half + 0.5, 0.17, darker(red, 0.12))


def _blue_cap(pen: Pen, half: float) -> None:
    blue: Color = (36, 90, 214)
    _dome(pen, half, -0.56, 1.34, blue)
    pen.shape(
        curve(
            [
                (-half * 0.96, -0.6),
                (0, -0.72),
                (half * 0.96, -0.6),
                (half * 0.78, -0.36),
                (0, -0.44),
                (-half * 0.78, -0.36),
            ],
            closed=True,
        ),
        darker(blue, 0.35),
    )
    pen.oval(0, -1.33, 0.09, 0.06, darker(blue, 0.3))
    pen.oval(0, -0.96, 0.17, 0.17, WHITE)


def _top_hat(pen: Pen, half: float) -> None:
    black: Color = (36, 34, 44)
    wide = half * 0.86
    pen.shape([(-wide, -0.6), (-wide * 1.02, -1.86), *arc(0, -1.86, wide * 1.02, 0.08, 180, 360), (wide, -0.6)], black)
    pen.shape([(-wide, -0.66), (-wide, -0.92), (wide, -0.92), (wide, -0.66)], (196, 36, 52))
    pen.oval(0, -0.6, half + 0.38, 0.15, lighter(black, 0.08))
    pen.line([(-wide * 0.66, -1.05), (-wide * 0.68, -1.7)], 0.1, lighter(black, 0.25))


def _santa_hat(pen: Pen, half: float) -> None:
    red: Color = (220, 34, 44)
    cone: list[Point] = [
        (-half * 0.96, -0.6),
        (-half * 0.8, -1.1),
        (-0.1, -1.62),
        (0.62, -1.54),
        (1.12, -1.0),
        (1.08, -0.72),
        (half * 0.9, -0.86),
        (half * 0.96, -0.6),
    ]
    pen.shape(curve(cone), red)
    pen.line(curve([(0.3, -1.3), (0.66, -1.18), (0.86, -0.98)]), 0.08, darker(red, 0.3))
    pen.line(arc(0, -0.5, half * 0.98, 0.14, 190, 350, 12), 0.3, (250, 250, 252))
    pen.oval(1.16, -0.68, 0.2, 0.2, (250, 250, 252))


def _crown(pen: Pen, half: float) -> None:
    gold: Color = (250, 198, 44)
    tips: list[Point] = [
        (-1, -0.62),
        (-1.08, -1.52),
        (-0.55, -1.14),
        (0, -1.66),
        (0.55, -1.14),
        (1.08, -1.52),
        (1, -0.62),
    ]
    pen.shape([(x * half, y) for x, y in tips] + arc(0, -0.62, half, 0.1, 0, 180), gold)
    pen.line(arc(0, -0.66, half * 0.96, 0.1, 5, 175, 12), 0.12, darker(gold, 0.25))
    for x, color in ((-0.55, (220, 40, 70)), (0.0, (50, 110, 230)), (0.55, (220, 40, 70))):
        pen.oval(x * half, -0.88 + 0.04 * (x == 0), 0.1, 0.12, color)


def _beanie(pen: Pen, half: float) -> None:
    green: Color = (40, 150, 90)
    _dome(pen, half, -0.5, 1.32, green)
    pen.line(arc(0, -0.52, half * 0.96, 0.1, 190, 350, 12), 0.26, darker(green, 0.25))
    pen.oval(0, -1.42, 0.2, 0.2, lighter(green, 0.6))


HATS: dict[str, tuple[Callable[[Pen, float], None], float]] = {
    # Strokes (given half the hat's width), and how far the hat reaches over the face's middle.
    "red hat": (_red_hat, 1.45),
    "blue cap": (_blue_cap, 1.42),
    "black top hat": (_top_hat, 1.98),
    "santa hat": (_santa_hat, 1.68),
    "gold crown": (_crown, 1.7),
    "green beanie": (_beanie, 1.64),
}


def draw_hat(pen: Pen, hat: str, face: Face) -> None:
    """The hat, a little wider than the face, on top of the hair."""
    HATS[hat][0](pen, face.width + 0.12)
