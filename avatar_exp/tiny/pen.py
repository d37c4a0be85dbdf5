"""A pen that draws smooth shapes in its own tilted, scaled coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import ImageDraw

Point = tuple[float, float]
Color = tuple[int, int, int]

WHITE: Color = (255, 255, 255)
INK: Color = (34, 30, 40)


def mix(first: Color, second: Color, share: float) -> Color:
    """`share` (0..1) of the second colour in the first."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(color: Color, share: float = 0.2) -> Color:
    """Towards a deep violet rather than black: shadows stay lively."""
    return mix(color, (40, 16, 44), share)


def lighter(color: Color, share: float = 0.2) -> Color:
    """A share of white mixed in."""
    return mix(color, WHITE, share)


def arc(
    x: float, y: float, rx: float, ry: float, start: float = 0.0, end: float = 360.0, steps: int = 28
) -> list[Point]:
    """Points of an ellipse's arc; angles in degrees, clockwise from the right."""
    angles = (math.radians(start + (end - start) * i / steps) for i in range(steps + 1))
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def curve(points: Sequence[Point], closed: bool = False, steps: int = 5) -> list[Point]:
    """A smooth (Catmull-Rom) curve through the points."""
    count = len(points)
    found: list[Point] = []
    for i in range(count if closed else count - 1):
        a, b, c, d = (points[k % count if closed else min(max(k, 0), count - 1)] for k in range(i - 1, i + 3))
        found += [_between(a, b, c, d, step / steps) for step in range(steps)]
    return found if closed else [*found, points[-1]]


def _between(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    """Between b (t = 0) and c (t = 1), leaving and arriving along the neighbours' directions."""
    wa, wb = -0.5 * t**3 + t**2 - 0.5 * t, 1.5 * t**3 - 2.5 * t**2 + 1
    wc, wd = -1.5 * t**3 + 2 * t**2 + 0.5 * t, 0.5 * t**3 - 0.5 * t**2
    return wa * a[0] + wb * b[0] + wc * c[0] + wd * d[0], wa * a[1] + wb * b[1] + wc * c[1] + wd * d[1]


def mirrored(points: Iterable[Point]) -> list[Point]:
    """A symmetric outline from its right half (top to bottom)."""
    right = list(points)
    return right + [(-x, y) for x, y in reversed(right)]


@dataclass(frozen=True)
class Frame:
    """Where the pen's origin lies (fractions of the picture), how long its unit is, how far it is tilted (degrees).

    The tilt turns everything around `pivot`, a point in the pen's own coordinates.
    """

    x: float
    y: float
    unit: float
    tilt: float = 0.0
    pivot: Point = (0.0, 0.0)

    def places(self, points: Iterable[Point], size: float = 1.0) -> list[Point]:
        """The points on a picture of `size` pixels."""
        unit, (px, py) = self.unit * size, self.pivot
        c, s = math.cos(math.radians(self.tilt)) * unit, math.sin(math.radians(self.tilt)) * unit
        ox, oy = self.x * size + px * unit, self.y * size + py * unit
        return [(ox + (x - px) * c - (y - py) * s, oy + (x - px) * s + (y - py) * c) for x, y in points]


class Pen:
    """Draws on one picture in one frame; every colour may be given an opacity (0..1)."""

    def __init__(self, draw: ImageDraw.ImageDraw, size: int, frame: Frame) -> None:
        self.draw, self.size, self.frame = draw, size, frame

    def shape(self, points: Iterable[Point], color: Color, opacity: float = 1.0) -> None:
        """A filled polygon."""
        self.draw.polygon(self.frame.places(points, self.size), fill=(*color, round(255 * opacity)))

    def oval(self, x: float, y: float, rx: float, ry: float, color: Color, opacity: float = 1.0) -> None:
        """A filled ellipse around (x, y)."""
        self.shape(arc(x, y, rx, ry), color, opacity)

    def line(self, points: Sequence[Point], width: float, color: Color) -> None:
        """A stroke with round ends."""
        pixels = self.frame.places(points, self.size)
        radius = width * self.frame.unit * self.size / 2
        self.draw.line(pixels, fill=color, width=max(1, round(2 * radius)), joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
