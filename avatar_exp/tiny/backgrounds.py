"""Draws the places: big simple shapes over soft gradients, a little out of focus."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from avatar_exp.tiny.pen import Color, Frame, Pen, Point, arc, curve, darker, lighter, mix

VARIANTS = 6  # of each place: its things stand elsewhere

Painter = Callable[[Pen, random.Random], None]

# Colours of the gradient behind everything, from the top to the bottom.
SKIES: dict[str, tuple[Color, ...]] = {
    "beach": ((92, 184, 240), (190, 232, 250)),
    "snow": ((168, 198, 226), (228, 240, 250)),
    "forest": ((188, 222, 150), (92, 156, 84)),
    "city": ((150, 190, 226), (244, 222, 200)),
    "night": ((14, 18, 58), (56, 48, 120)),
    "desert": ((96, 196, 226), (255, 226, 170)),
    "garden": ((170, 224, 246), (226, 246, 214)),
    "mountains": ((104, 166, 232), (226, 236, 250)),
    "grey wall": ((198, 200, 206), (150, 152, 160)),
    "blue wall": ((110, 164, 236), (62, 108, 196)),
    "pink wall": ((252, 184, 204), (238, 138, 172)),
    "library": ((120, 78, 50), (92, 56, 36)),
    "stage": ((96, 12, 30), (60, 6, 22)),
    "underwater": ((64, 200, 220), (8, 72, 140)),
}


@lru_cache(maxsize=128)
def background(name: str, variant: int, size: int) -> Image.Image:
    """The place (do not draw on it: it is kept and shared); `variant` from 0 to VARIANTS - 1."""
    picture = gradient(SKIES[name], size)
    pen = Pen(ImageDraw.Draw(picture, "RGBA"), size, Frame(0.0, 0.0, 1.0))
    PAINTERS[name](pen, random.Random(f"background/{name}/{variant}"))
    return picture.filter(ImageFilter.GaussianBlur(size * 0.005))


def gradient(colors: tuple[Color, ...], size: int) -> Image.Image:
    """Evenly spread colours from the top to the bottom."""
    rows = np.linspace(0, len(colors) - 1, size)
    column = np.stack([np.interp(rows, range(len(colors)), channel) for channel in zip(*colors, strict=True)], axis=1)
    return Image.fromarray(column.round().astype(np.uint8)[:, None, :]).resize((size, size))


def _hill(pen: Pen, heights: list[float], color: Color) -> None:
    """Rolling ground, from its heights at even steps from left to right down to the bottom."""
    last = len(heights) - 1
    pen.shape([*curve([(i / last * 1.2 - 0.1, y) for i, y in enumerate(heights)]), (1.1, 1.1), (-0.1, 1.1)], color)


def _hills(pen: Pen, rng: random.Random, levels: list[tuple[float, Color]]) -> None:
    for level, color in levels:
        _hill(pen, [level + rng.uniform(-0.05, 0.05) for _ in range(5)], color)


def _fir(pen: Pen, x: float, y: float, height: float, color: Color) -> None:
    """A fir of three tiers that stands on (x, y)."""
    pen.shape([(x - 0.02, y + 0.03), (x - 0.02, y - 0.1), (x + 0.02, y - 0.1), (x + 0.02, y + 0.03)], (104, 74, 54))
    for tier in range(3):
        half, low = height * (0.3 - 0.07 * tier), y - height * 0.27 * tier
        pen.shape([(x - half, low), (x, low - height * 0.46), (x + half, low)], lighter(color, 0.08 * tier))


def _sides(rng: random.Random, count: int) -> list[float]:
    """Places from left to right that leave the middle, where the head is, rather free."""
    step = 0.5 / (count // 2 + 1)
    left = [rng.uniform(-0.3, 0.3) * step + step * (i + 0.4) for i in range(count // 2)]
    return left + [1 - x for x in (rng.uniform(-0.3, 0.3) * step + step * (i + 0.4) for i in range(count // 2))]


def _beach(pen: Pen, rng: random.Random) -> None:
    side = rng.choice((0.14, 0.86))
    pen.oval(1 - side, 0.16, 0.1, 0.1, (255, 240, 160))
    pen.shape([(0, 0.5), (1, 0.5), (1, 1), (0, 1)], (32, 140, 200))
    pen.shape([(0, 0.6), (1, 0.6), (1, 1), (0, 1)], (60, 178, 214))
    _hill(pen, [0.7 + rng.uniform(-0.02, 0.02) for _ in range(6)], (236, 250, 252))
    _hill(pen, [0.735 + rng.uniform(-0.02, 0.02) for _ in range(6)], (246, 216, 150))
    pen.line([(side, 0.36), (side, 0.86)], 0.022, (250, 244, 232))
    for i, color in enumerate(((240, 84, 84), (255, 246, 236), (240, 84, 84))):
        left = side - 0.21 + 0.14 * i
        pen.shape([(left, 0.42), (left + 0.14, 0.42), (side + 0.01, 0.22), (side - 0.01, 0.22)], color)


def _snow(pen: Pen, rng: random.Random) -> None:
    _hills(pen, rng, [(0.52, (200, 218, 238))])
    for x in _sides(rng, 4):
        _fir(pen, x, 0.72, rng.uniform(0.34, 0.5), (70, 120, 116))
    _hills(pen, rng, [(0.7, (238, 245, 252)), (0.84, (252, 254, 255))])
    for i in range(22):
        x, y, r = (i % 5 + rng.random()) / 5, (i // 5 + rng.random()) / 5, rng.uniform(0.011, 0.02)
        pen.oval(x, y, r, r, (255, 255, 255))


def _forest(pen: Pen, rng: random.Random) -> None:
    _hills(pen, rng, [(0.45, (120, 176, 92))])
    for i, x in enumerate(sorted(_sides(rng, 6), key=lambda x: -abs(x - 0.5))):
        trunk = mix((92, 62, 44), (128, 92, 64), i / 6)
        half = rng.uniform(0.028, 0.045)
        pen.shape([(x - half, 0), (x + half, 0), (x + half * 1.5, 0.9), (x - half * 1.5, 0.9)], trunk)
    _hills(pen, rng, [(0.8, (58, 118, 58)), (0.9, (42, 96, 50))])
    for i in range(8):
        x, r = i / 7 + rng.uniform(-0.05, 0.05), rng.uniform(0.13, 0.2)
        pen.oval(x, rng.uniform(-0.06, 0.05), r, r, mix((34, 98, 48), (70, 146, 66), rng.random()))


def _city(pen: Pen, rng: random.Random) -> None:
    colors: tuple[Color, ...] = ((196, 92, 78), (96, 122, 156), (222, 172, 96), (126, 110, 150), (88, 146, 146))
    walls = rng.sample(colors, 5)
    for i, color in enumerate(walls):
        left, top = i * 0.21 - 0.04, rng.uniform(0.06, 0.3)
        pen.shape([(left, top), (left + 0.2, top), (left + 0.2, 1), (left, 1)], color)
        for row in range(5):
            for column in range(2):
                x, y = left + 0.03 + 0.085 * column, top + 0.05 + 0.14 * row
                lit: Color = (255, 236, 160) if rng.random() < 0.5 else darker(color, 0.35)
                pen.shape([(x, y), (x + 0.055, y), (x + 0.055, y + 0.075), (x, y + 0.075)], lit)
    pen.shape([(0, 0.8), (1, 0.8), (1, 1), (0, 1)], (196, 192, 190))
    pen.shape([(0, 0.86), (1, 0.86), (1, 1), (0, 1)], (92, 94, 104))


def _night(pen: Pen, rng: random.Random) -> None:
    for i in range(24):
        x, y = (i % 6 + rng.random()) / 6, (i // 6 + rng.random()) / 6
        r = rng.uniform(0.014, 0.024)
        star = [(x + r * (1 if k % 2 else 0.45) * math.sin(k * math.pi / 4),
                 y - r * (1 if k % 2 else 0.45) * math.cos(k * math.pi / 4)) for k in range(8)]  # fmt: skip
        pen.shape(star, (255, 246, 200))
    x = rng.choice((0.14, 0.86))
    pen.oval(x, 0.16, 0.095, 0.095, (255, 246, 206))
    pen.oval(x + 0.045, 0.14, 0.08, 0.08, (20, 22, 66))
    _hills(pen, rng, [(0.74, (32, 34, 84)), (0.86, (20, 22, 60))])


def _desert(pen: Pen, rng: random.Random) -> None:
    pen.oval(rng.choice((0.15, 0.85)), 0.17, 0.085, 0.085, (255, 250, 214))
    _hills(pen, rng, [(0.5, (240, 178, 100)), (0.64, (228, 150, 72))])
    x = rng.choice((0.1, 0.9))
    for points in ([(x, 0.42), (x, 0.85)], curve([(x, 0.66), (x + 0.09, 0.64), (x + 0.09, 0.5)]),
                   curve([(x, 0.72), (x - 0.08, 0.7), (x - 0.08, 0.58)])):  # fmt: skip
        pen.line(points, 0.06, (62, 140, 84))
    _hills(pen, rng, [(0.84, (214, 128, 60))])


def _flower(pen: Pen, x: float, y: float, r: float, color: Color) -> None:
    for k in range(5):
        angle = k * math.tau / 5
        pen.oval(x + r * math.cos(angle), y + r * math.sin(angle), r * 0.8, r * 0.8, color)
    pen.oval(x, y, r * 0.62, r * 0.62, (255, 214, 70))


def _garden(pen: Pen, rng: random.Random) -> None:
    _hills(pen, rng, [(0.34, (112, 186, 96)), (0.48, (84, 166, 82))])
    colors: tuple[Color, ...] = ((240, 84, 120), (255, 255, 255), (170, 96, 214), (250, 130, 60), (250, 110, 180))
    for i in range(15):
        x = (i % 5 + rng.uniform(0.2, 0.8)) / 5
        y = 0.47 + (i // 5 + rng.uniform(0.2, 0.8)) * 0.17
        _flower(pen, x, y, rng.uniform(0.034, 0.046), rng.choice(colors))


def _mountains(pen: Pen, rng: random.Random) -> None:
    for x, top, half in ((rng.uniform(0.1, 0.25), 0.16, 0.45), (rng.uniform(0.72, 0.9), 0.1, 0.5)):
        left, peak, right = (x - half, 0.8), (x, top), (x + half, 0.8)
        pen.shape([left, peak, right], (104, 124, 160))
        pen.shape([peak, right, (x + half * 0.2, 0.8)], (84, 100, 138))
        pen.shape(_snow_cap(peak, half), (250, 252, 255))
    _hills(pen, rng, [(0.68, (92, 158, 104)), (0.82, (66, 134, 84))])


def _snow_cap(peak: Point, half: float) -> list[Point]:
    x, y = peak
    edge = half * 0.34
    return [
        peak,
        (x + edge, y + 0.22),
        (x + edge * 0.3, y + 0.16),
        (x, y + 0.24),
        (x - edge * 0.4, y + 0.17),
        (x - edge, y + 0.22),
    ]


def _wall(pen: Pen, rng: random.Random) -> None:
    x = rng.uniform(0.3, 0.7)
    for i in range(14):  # the soft spot of a studio lamp
        pen.oval(x, 0.4, 0.7 - 0.04 * i, 0.7 - 0.04 * i, (255, 255, 255), 0.018)


def _library(pen: Pen, rng: random.Random) -> None:
    colors: tuple[Color, ...] = (
        (190, 60, 52),
        (44, 98, 140),
        (226, 176, 78),
        (62, 128, 88),
        (232, 222, 200),
        (124, 70, 120),
    )
    for top in (0.0, 0.26, 0.52, 0.78):
        x = 0.0
        while x < 1:
            width, height = rng.uniform(0.055, 0.085), rng.uniform(0.17, 0.21)
            low = top + 0.225
            pen.shape([(x, low), (x, low - height), (x + width, low - height), (x + width, low)], rng.choice(colors))
            x += width + 0.008
        pen.shape([(0, top + 0.225), (1, top + 0.225), (1, top + 0.26), (0, top + 0.26)], (168, 116, 72))


def _stage(pen: Pen, rng: random.Random) -> None:
    count = rng.choice((9, 10, 11))
    for i in range(count):
        x, half = (i + 0.5) / count, 0.62 / count
        pen.shape(_strip(x, half), (150, 20, 40))
        pen.shape(_strip(x - half * 0.2, half * 0.5), (196, 36, 54))
    pen.shape([(0, 0.88), (1, 0.88), (1, 1), (0, 1)], (150, 98, 58))
    pen.shape([(0.5, -0.2), (0.95, 1), (0.05, 1)], (255, 240, 200), 0.16)
    for i in range(5):
        pen.oval((i + 0.5) / 5, 0, 0.11, 0.075, (222, 172, 66))


def _strip(x: float, half: float) -> list[Point]:
    return [(x - half, 0), (x + half, 0), (x + half, 0.9), (x - half, 0.9)]


def _underwater(pen: Pen, rng: random.Random) -> None:
    for i in range(3):
        x = 0.2 + 0.3 * i + rng.uniform(-0.08, 0.08)
        pen.shape([(x - 0.04, 0), (x + 0.06, 0), (x + 0.2, 1), (x - 0.12, 1)], (200, 250, 255), 0.12)
    _hills(pen, rng, [(0.88, (226, 200, 140))])
    for x, color in zip(_sides(rng, 4), ((46, 160, 110), (36, 130, 96)) * 2, strict=True):
        pen.line(curve([(x, 0.95), (x + 0.04, 0.82), (x - 0.03, 0.7), (x + 0.03, 0.58)]), 0.045, color)
    for x, y in ((0.13, rng.uniform(0.2, 0.45)), (0.87, rng.uniform(0.15, 0.4))):
        color = rng.choice(((255, 150, 40), (255, 214, 64), (244, 96, 110)))
        pen.shape([(x + 0.05, y), (x + 0.13, y - 0.055), (x + 0.13, y + 0.055)], color)
        pen.shape(arc(x, y, 0.09, 0.055), color)
        pen.oval(x - 0.045, y - 0.01, 0.014, 0.014, (20, 30, 60))
    for _ in range(7):
        r = rng.uniform(0.014, 0.028)
        pen.oval(rng.random(), rng.uniform(0.05, 0.7), r, r, (220, 250, 255), 0.7)


PAINTERS: dict[str, Painter] = {
    "beach": _beach,
    "snow": _snow,
    "forest": _forest,
    "city": _city,
    "night": _night,
    "desert": _desert,
    "garden": _garden,
    "mountains": _mountains,
    "grey wall": _wall,
    "blue wall": _wall,
    "pink wall": _wall,
    "library": _library,
    "stage": _stage,
    "underwater": _underwater,
}
