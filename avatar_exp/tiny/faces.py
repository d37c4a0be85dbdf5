"""Draws a face: head, ears, eyes, brows, nose, mouth, beard, glasses.

Coordinates: the origin is the middle of the face, y points down, the skull's top is at -1, the chin at 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avatar_exp.tiny.pen import INK, WHITE, Color, Pen, Point, arc, curve, darker, lighter, mix

if TYPE_CHECKING:
    from avatar_exp.tiny.world import Identity

SKINS: dict[str, Color] = {
    "pale": (255, 230, 214),
    "light": (250, 208, 176),
    "tan": (226, 170, 122),
    "brown": (172, 114, 76),
    "dark": (112, 70, 50),
}
EYES: dict[str, Color] = {
    "brown": (122, 70, 30),
    "blue": (40, 120, 226),
    "green": (44, 156, 82),
    "grey": (126, 138, 152),
}
METALS: dict[str, Color] = {"gold": (252, 200, 50), "silver": (220, 226, 236)}
# A colour, its share in the skin's, how much darker the mixture is.
LIPS: dict[str, tuple[Color, float, float]] = {
    "thin": ((196, 60, 70), 0.5, 0.2),
    "full": ((226, 70, 90), 0.55, 0.08),
    "red": ((206, 18, 44), 1.0, 0.0),
}
# Half the face's width, how square the jaw is (2: an ellipse), how much it narrows towards the chin.
SHAPES = {
    "round": (0.90, 2.1, 0.0),
    "oval": (0.80, 2.1, 0.10),
    "square": (0.82, 3.4, 0.02),
    "heart shaped": (0.88, 1.85, 0.22),
    "long": (0.71, 2.5, 0.05),
}


@dataclass(frozen=True)
class Face:
    """A person's face in numbers."""

    width: float  # half of it
    jaw: float
    taper: float
    skin: Color
    eye_x: float
    eye_y: float
    eye: float  # half an eye's width
    brow_y: float
    nose_y: float
    mouth_y: float
    mouth: float  # half the mouth's width

    def outline(self, start: float = 0.0, end: float = 360.0, grow: float = 1.0, steps: int = 44) -> list[Point]:
        """Points of the head's outline, `grow` times as large; angles in degrees: 0 right, 90 chin, 270 top."""
        return [self._edge(math.radians(start + (end - start) * i / steps), grow) for i in range(steps + 1)]

    def _edge(self, angle: float, grow: float) -> Point:
        c, s = math.cos(angle), math.sin(angle)
        power = 2 / (self.jaw if s > 0 else 2.2)
        y = math.copysign(abs(s) ** power, s)
        x = math.copysign(abs(c) ** power, c) * self.width * (1 - self.taper * max(y, 0.0) ** 2)
        return x * grow, y * grow


def face_of(person: Identity) -> Face:
    """The measures that every feature is placed by, from the proportions of a person."""
    half, jaw, taper = SHAPES[person.face]
    half += 0.035 * person.face_width
    tone = SKINS[person.skin]
    shade = (
        darker(tone, 0.06 * person.skin_shade) if person.skin_shade > 0 else lighter(tone, -0.08 * person.skin_shade)
    )
    eye_y = 0.0 + 0.04 * person.eye_height
    return Face(
        width=half,
        jaw=jaw,
        taper=taper,
        skin=shade,
        eye_x=half * 0.30 + 0.145 + 0.025 * person.eye_distance,
        eye_y=eye_y,
        eye=0.245 + 0.025 * person.eye_size,
        brow_y=eye_y - 0.39 - 0.03 * person.brow_height,
        nose_y=0.34 + 0.04 * person.nose_length,
        mouth_y=0.62 + 0.03 * person.mouth_height,
        mouth=0.34 + 0.05 * person.mouth_width,
    )


def draw_head(pen: Pen, person: Identity, face: Face) -> None:
    """Ears and skin, softly shaded on the right."""
    grow = 1.3 if person.ears == "large" else 0.95
    for side in (-1, 1):
        x = side * (face.width + 0.02 * grow)
        pen.oval(x, 0.1, 0.15 * grow, 0.22 * grow, darker(face.skin, 0.06))
        pen.oval(x, 0.1, 0.085 * grow, 0.14 * grow, darker(face.skin, 0.22))
    pen.shape(face.outline(), face.skin)
    inner = [(x * 0.84 - 0.02, y * 0.94 - 0.02) for x, y in face.outline(110, -70)]
    pen.shape(face.outline(-70, 110) + inner, darker(face.skin, 0.9), 0.09)
    for side in (-1, 1):
        blush = mix(face.skin, (240, 60, 70), 0.5)
        for r in (0.2, 0.14):
            pen.oval(side * face.width * 0.6, face.nose_y + 0.02, r, r * 0.75, blush, 0.22)


def draw_freckles(pen: Pen, face: Face) -> None:
    """Five spots on each cheek."""
    spot = mix(face.skin, (150, 64, 24), 0.6)
    for side in (-1, 1):
        for dx, dy in ((-0.14, 0.0), (0.0, -0.05), (0.13, 0.0), (-0.07, 0.1), (0.07, 0.1)):
            pen.oval(side * (face.width * 0.56 + dx), face.nose_y + dy - 0.02, 0.038, 0.038, spot)


def draw_eyes(pen: Pen, person: Identity, face: Face, expression: str) -> None:
    """Whites, irises, pupils, glints and upper lids."""
    open_ = {"surprised": 1.14, "laughing": 0.92}.get(expression, 1.0)
    iris = EYES[person.eyes]
    for side in (-1, 1):
        x, y, rx, ry = side * face.eye_x, face.eye_y, face.eye, face.eye * 0.86 * open_
        pen.oval(x, y, rx, ry, WHITE)
        pen.oval(x, y + 0.01, face.eye * 0.72, face.eye * 0.76, darker(iris, 0.35))
        pen.oval(x, y + 0.02, face.eye * 0.58, face.eye * 0.62, iris)
        pen.oval(x, y + 0.01, face.eye * 0.32, face.eye * 0.36, (16, 14, 22))
        pen.oval(x - 0.06, y - 0.07, 0.055, 0.055, WHITE)
        if expression == "laughing":  # the cheeks push the lower lids up
            pen.shape(
                [*arc(x, y, rx * 1.12, ry * 1.16, 25, 155), *arc(x, y + ry * 1.1, rx * 0.8, ry * 0.45, 180, 360)],
                face.skin,
            )
        pen.line(arc(x, y, rx, ry, 192, 348), 0.075, INK)


def draw_brows(pen: Pen, person: Identity, face: Face, expression: str, color: Color) -> None:
    """Two brows; the expression lifts or lowers them."""
    width, lift = {"thin": (0.085, 0.05), "thick": (0.14, 0.05), "arched": (0.1, 0.12)}[person.brows]
    raised = {"surprised": 0.14, "laughing": 0.04, "serious": 0.0}.get(expression, 0.0)
    inner = 0.03 if expression == "serious" else 0.0
    y = face.brow_y - raised
    for side in (-1, 1):
        ends: list[Point] = [
            (face.eye_x - 0.23, y - lift * 0.5 + inner),
            (face.eye_x + 0.04, y - lift),
            (face.eye_x + 0.26, y + 0.06),
        ]
        pen.line(curve([(side * px, py) for px, py in ends]), width, darker(color, 0.25))


def draw_nose(pen: Pen, person: Identity, face: Face) -> None:
    """The nose, a shade of the skin."""
    shade, y = darker(face.skin, 0.28), face.nose_y
    if person.nose == "small":
        pen.line(arc(0, y - 0.07, 0.09, 0.08, 20, 160, 10), 0.08, shade)
    elif person.nose == "round":
        pen.oval(0, y - 0.05, 0.17, 0.14, shade)
        pen.oval(-0.015, y - 0.07, 0.15, 0.125, mix(face.skin, (240, 90, 80), 0.22))
        pen.oval(-0.06, y - 0.1, 0.04, 0.035, lighter(face.skin, 0.5))
    elif person.nose == "long":
        pen.line(
            curve([(0.02, y - 0.38), (0.06, y - 0.16), (0.13, y), (0.03, y + 0.06), (-0.07, y + 0.03)]), 0.08, shade
        )
    else:
        pen.line(
            curve([(-0.2, y - 0.06), (-0.16, y + 0.02), (0.0, y + 0.05), (0.16, y + 0.02), (0.2, y - 0.06)]),
            0.08,
            shade,
        )


def draw_mouth(pen: Pen, person: Identity, face: Face, expression: str) -> None:
    """The mouth: its curve is the expression, its colour the lips."""
    tone, share, shade = LIPS[person.lips]
    lip = darker(mix(face.skin, tone, share), shade)
    full = person.lips != "thin"
    y, half = face.mouth_y, face.mouth
    if expression == "laughing":
        _open_mouth(pen, y - 0.1, half, lip, 0.075 if full else 0.05)
    elif expression == "surprised":
        edge = 0.09 if full else 0.06
        pen.oval(0, y + 0.02, 0.14 + edge, 0.16 + edge, lip)
        pen.oval(0, y + 0.02, 0.14, 0.16, (92, 18, 36))
    else:
        bend = (0.08 if full else 0.09) if expression == "smiling" else 0.0
        line: list[Point] = [
            (-half, y - bend),
            (-half * 0.55, y + bend * 0.42),
            (0, y + bend),
            (half * 0.55, y + bend * 0.42),
            (half, y - bend),
        ]
        if full:
            _full_lips(pen, line, lip)
        pen.line(curve(line), 0.055 if full else 0.1, darker(lip, 0.4) if full else lip)


def _full_lips(pen: Pen, line: list[Point], color: Color) -> None:
    """A cupid's bow over the line of the mouth and a round lip under it."""
    over = [(x, y - rise) for (x, y), rise in zip(line, (0.0, 0.075, 0.05, 0.075, 0.0), strict=True)]
    under = [(x, y + fall) for (x, y), fall in zip(line, (0.0, 0.095, 0.11, 0.095, 0.0), strict=True)]
    pen.shape(curve(over) + curve(under[::-1]), color)


def _open_mouth(pen: Pen, top: float, half: float, lip: Color, edge: float) -> None:
    """A wide laugh: lips, dark inside, tongue, upper teeth."""
    depth = 0.3
    pen.shape(arc(0, top, half + edge, depth + edge, 0, 180) + arc(0, top, half + edge, edge, 180, 360), lip)
    pen.shape(arc(0, top, half, depth, 0, 180), (110, 20, 40))
    pen.oval(0, top + depth * 0.72, half * 0.48, depth * 0.24, (236, 104, 116))
    pen.shape([(-half * 0.96, top), (half * 0.96, top), *arc(0, top, half * 0.9, 0.12, 0, 180)], WHITE)


def draw_beard(pen: Pen, person: Identity, face: Face, color: Color) -> None:
    """Under the mouth, which is drawn on top of it."""
    y, half = face.mouth_y, face.mouth
    if person.beard == "full":
        outer = face.outline(-4, 184, 1.07)
        inner: list[Point] = [
            (-face.width * 0.86, 0.06),
            (-face.width * 0.76, 0.34),
            (-half * 0.95, y - 0.16),
            (-0.16, y - 0.19),
            (0, y - 0.15),
            (0.16, y - 0.19),
            (half * 0.95, y - 0.16),
            (face.width * 0.76, 0.34),
            (face.width * 0.86, 0.06),
        ]
        pen.shape(outer + curve(inner), color)
        pen.shape(
            face.outline(-4, 100, 1.07) + [(x * 0.8, v * 0.9) for x, v in face.outline(100, 20, 1.07)],
            darker(color),
            0.35,
        )
    if person.beard == "goatee":
        outer = face.outline(62, 118, 1.08)
        pen.shape([*outer, *arc(0, y + 0.16, 0.24, 0.1, 180, 360)], color)
        _moustache(pen, y - 0.13, half * 0.8, color, 0.08)
    if person.beard == "moustache":
        _moustache(pen, y - 0.14, half * 1.15, color, 0.13)


def _moustache(pen: Pen, y: float, half: float, color: Color, thick: float) -> None:
    over: list[Point] = [
        (-half, y + 0.05),
        (-half * 0.55, y - thick * 0.5),
        (-0.05, y - thick * 0.6),
        (0.05, y - thick * 0.6),
        (half * 0.55, y - thick * 0.5),
        (half, y + 0.05),
    ]
    under: list[Point] = [(half * 0.5, y + thick * 0.75), (0, y + thick * 0.35), (-half * 0.5, y + thick * 0.75)]
    pen.shape(curve(over + under, closed=True), color)


def draw_glasses(pen: Pen, person: Identity, face: Face) -> None:
    """Frames around the eyes, a bridge, and temples to the ears."""
    x, y, frame = face.eye_x, face.eye_y, (44, 26, 34)
    half = min(face.eye + 0.1, x - 0.05)
    for side in (-1, 1):
        # A superellipse is a circle or a rounded square by its power.
        power = 1.0 if person.glasses == "round" else 0.38
        rim = [
            (
                side * x + math.copysign(abs(c) ** power, c) * half,
                y + 0.02 + math.copysign(abs(s) ** power, s) * half * 0.96,
            )
            for c, s in arc(0, 0, 1, 1, steps=36)
        ]
        pen.shape(rim, (226, 244, 255), 0.16)
        pen.line([*rim, rim[1]], 0.1, frame)
        pen.line([(side * (x + half), y - 0.04), (side * (face.width + 0.03), y - 0.08)], 0.085, frame)
    pen.line(curve([(half - x, y - 0.02), (0, y - 0.07), (x - half, y - 0.02)]), 0.085, frame)


def draw_earrings(pen: Pen, person: Identity, face: Face) -> None:
    """One at each ear."""
    metal = METALS[person.earrings]
    for side in (-1, 1):
        x = side * (face.width + 0.05)
        pen.oval(x, 0.43, 0.11, 0.13, darker(metal, 0.35))
        pen.oval(x, 0.42, 0.09, 0.11, metal)
        pen.oval(x - 0.03, 0.38, 0.03, 0.035, lighter(metal, 0.8))
