"""Draws a person in a scene: places the head, draws from the back to the front, then light and style."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from avatar_exp.tiny import clothing, faces, hair
from avatar_exp.tiny.backgrounds import VARIANTS, background
from avatar_exp.tiny.pen import Color, Frame, Pen, darker, lighter

if TYPE_CHECKING:
    from avatar_exp.tiny.world import Identity, Scene

MARGIN = 0.015  # free space over hair and hat, as a share of the picture
TINTS = {"warm": (1.06, 0.96, 0.80), "cool": (0.93, 0.99, 1.06)}  # factors of red, green, blue
POP_ART: tuple[tuple[Color, Color, Color], ...] = (  # dark, middle and light of the background
    ((214, 20, 110), (255, 96, 160), (255, 226, 60)),
    ((20, 60, 200), (0, 176, 226), (255, 236, 80)),
    ((110, 20, 170), (250, 70, 90), (255, 200, 40)),
    ((0, 120, 120), (40, 210, 150), (255, 130, 180)),
)


def portrait(person: Identity, place: Scene, size: int = 128) -> Image.Image:
    """The picture, RGB, `size` pixels a side; drawn larger and reduced, so that edges are smooth."""
    finer = 3 if size <= 256 else 2
    empty = background(place.background, place.seed % VARIANTS, size * finer)
    picture = empty.copy()
    _draw_person(picture, person, place)
    if place.style == "pencil sketch":
        return _pencil(picture).reduce(finer).convert("RGB")
    if place.style == "pop art":
        return _pop_art(picture, empty, POP_ART[place.seed % len(POP_ART)]).reduce(finer)
    return _lit(picture.reduce(finer), place.light)


def _frames(person: Identity, place: Scene) -> tuple[Frame, Frame]:
    """Of the upright body, and of the head, which turns on the neck."""
    unit = place.scale / 2
    top = clothing.HATS[place.hat][1] if place.hat != "none" else hair.STYLES[person.hair].top
    y = max(place.y, top * unit + MARGIN)
    return Frame(place.x, y, unit), Frame(place.x, y, unit, place.tilt, pivot=(0.0, 0.8))


def _draw_person(picture: Image.Image, person: Identity, place: Scene) -> None:
    draw, size = ImageDraw.Draw(picture, "RGBA"), picture.width
    body, head = (Pen(draw, size, frame) for frame in _frames(person, place))
    face = faces.face_of(person)
    color = _hair_color(person, face.skin)
    style = hair.STYLES[person.hair]
    strands = hair.Hair(face, color, person.hair_volume, place.hat != "none")
    style.behind(head, strands)
    clothing.CLOTHES[place.clothes](body, clothing.COLORS[place.clothes_color], face.skin)
    faces.draw_head(head, person, face)
    if person.freckles != "none":
        faces.draw_freckles(head, face)
    faces.draw_beard(head, person, face, darker(color, 0.1))
    faces.draw_nose(head, person, face)
    faces.draw_mouth(head, person, face, place.expression)
    faces.draw_eyes(head, person, face, place.expression)
    style.front(head, strands)
    if person.earrings != "none":
        faces.draw_earrings(head, person, face)
    faces.draw_brows(head, person, face, place.expression, color)
    if place.hat != "none":
        clothing.draw_hat(head, place.hat, face)
    if person.glasses != "none":
        faces.draw_glasses(head, person, face)


def _hair_color(person: Identity, skin: Color) -> Color:
    """The person's own shade, darker where it would be lost against the skin."""
    color = hair.COLORS[person.hair_color]
    if sum(abs(a - b) for a, b in zip(color, skin, strict=True)) < 65:
        color = darker(color, 0.45)
    shade = person.hair_shade
    return darker(color, 0.12 * shade) if shade > 0 else lighter(color, -0.1 * shade)


def _lit(picture: Image.Image, light: str) -> Image.Image:
    """The picture in warm or cool light."""
    if light not in TINTS:
        return picture
    return picture.point([min(255, round(value * factor)) for factor in TINTS[light] for value in range(256)])


def _lines(grey: Image.Image, radius: float) -> npt.NDArray[np.float32]:
    """1 on flat ground, towards 0 on the dark side of every edge."""
    soft = np.asarray(grey.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)
    ratio: npt.NDArray[np.float32] = (np.asarray(grey, dtype=np.float32) + 8) / (soft + 8)
    return ratio.clip(0, 1)


def _pencil(picture: Image.Image) -> Image.Image:
    """Dark contours, light tones and slanted strokes in the shadows, on cream paper."""
    size = picture.width
    grey = picture.convert("L")
    tone = np.asarray(grey, dtype=np.float32) / 255
    rows = np.arange(size, dtype=np.float32) / size
    strokes = 0.5 + 0.5 * np.sin((rows[:, None] + rows[None, :]) * (2 * np.pi * 22))
    shadow = np.clip(0.62 - tone, 0, 1) * (0.55 + 0.6 * strokes)
    drawn = _lines(grey, size * 0.012) ** 2.2 * (0.8 + 0.2 * tone) - shadow * 0.75
    values = np.clip(drawn, 0.1, 1)[:, :, None] * np.array((250, 247, 240), dtype=np.float32)
    return Image.fromarray(values.astype(np.uint8))


def _pop_art(picture: Image.Image, empty: Image.Image, palette: tuple[Color, Color, Color]) -> Image.Image:
    """The person in few loud colours with inked contours, before the place in three flat ones."""
    dark, middle, light = palette
    grey = empty.convert("L")
    low, high = np.percentile(np.asarray(grey)[::8, ::8], (30, 70))
    steps = [dark if v < low else middle if v < high else light for v in range(256)]
    ground = Image.merge("RGB", [grey.point([color[channel] for color in steps]) for channel in range(3)])
    loud = np.asarray(picture, dtype=np.int16)
    mean = loud.mean(axis=2, keepdims=True, dtype=np.float32)
    vivid = np.clip(mean + (loud - mean) * 1.7 + (mean - 120) * 0.25, 0, 255)
    flat = Image.fromarray((np.round(vivid / 36.5) * 36.5).astype(np.uint8))
    person = ImageChops.difference(picture, empty).convert("L").point([0, 0] + [255] * 254)
    ground.paste(flat, mask=person)
    width = max(3, round(picture.width * 0.008) * 2 + 1)
    contour = ImageChops.subtract(person.filter(ImageFilter.MaxFilter(width)), person)
    ground.paste((20, 16, 30), mask=contour)
    return ground


def face_box(person: Identity, place: Scene) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the face (skull to chin, without hair) as fractions of the picture."""
    head = _frames(person, place)[1]
    points = head.places(faces.face_of(person).outline())
    xs, ys = [x for x, _ in points], [y for _, y in points]
    left, top, right, bottom = (min(max(value, 0.0), 1.0) for value in (min(xs), min(ys), max(xs), max(ys)))
    return left, top, right, bottom


def landmarks(person: Identity, place: Scene) -> dict[str, tuple[float, float]]:
    """Middles of the parts of the face as fractions of the picture; left and right as seen in it."""
    face = faces.face_of(person)
    parts = {
        "left_eye": (-face.eye_x, face.eye_y),
        "right_eye": (face.eye_x, face.eye_y),
        "nose": (0.0, face.nose_y - 0.05),
        "mouth": (0.0, face.mouth_y),
    }
    return dict(zip(parts, _frames(person, place)[1].places(parts.values()), strict=True))
