"""What is noticed of photos before they are trained on: size, blur, light and copies.

Pure functions of pictures and numbers. A photo is refused for what makes it useless whatever the others are like, and
as a copy; that it differs from the others is a warning. The limits were found on real and on drawn photos, blurred and
darkened by known amounts.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatar_exp.data.alike import ALIKE, likeness, thumb
from avatar_exp.data.faces import Box, Face, head
from avatar_exp.data.originals import Stored, nearer, original

Levels = NDArray[np.float64]  # [H, W] grey, 0 to 255

SIDE = 256  # pixels that every square is measured at: what is blurred in a small picture is blurred
TILES = 4  # a side: sharpness is that of the sharpest of 16 parts, for a blurred background is no fault
BLURRED = 100.0  # sharp photos had 1700 to 32000; blurred by 3 pixels of 512 (standard deviation), 50 to 1000
BLACK, WHITE = 60, 200  # grey levels: 95 % of the picture are darker, or brighter
UNUSUAL = 3.5  # modified z-score, as its authors recommend
LEAST_SPREAD = {"sharpness": 0.4, "light": 12.0}  # octaves and levels: what differs less than 5 times that is alike
FEWEST = 5  # photos that one can be compared with
SHARPER = 1.2  # times; less is no difference: the blocks of a JPEG that was saved once more are edges, too


@dataclass(frozen=True)
class Measures:
    """One square in numbers."""

    side: int  # pixels in the file
    pixels: int  # of the whole photo
    sharpness: float  # see ``sharpness``
    light: float  # mean grey level, 0 to 255
    darkest: float  # 5th percentile
    brightest: float  # 95th
    thumb: bytes  # what it is compared with others by, see ``alike.thumb``


@dataclass(frozen=True)
class Verdict:
    """Why a photo is refused, if it is, and what else is to be said of it."""

    refused: str | None = None
    warnings: tuple[str, ...] = ()


def measure(
    square: Image.Image,
    side: int,
    face: Box | None = None,
    whole: Image.Image | None = None,
    pixels: int | None = None,
) -> Measures:
    """The numbers of a square RGB picture; sharpness and light are those of the head, where a face is known.

    Args:
        side: pixels that the square has in the file; here it may have fewer.
        face: in pixels of ``square``.
        whole: what is compared to find copies, if it is not the square.
        pixels: of the whole photo, if it is more than the square.
    """
    grey = square.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    levels = np.asarray(grey, dtype=np.float64)
    if face:
        left, top, right, bottom = (round(edge * SIDE / square.width) for edge in head(Face(face), *square.size))
        levels = levels[top:bottom, left:right] if right - left >= SIDE // 8 else levels  # of a speck nothing is known
    darkest, brightest = (float(level) for level in np.percentile(levels, (5, 95)))
    light, small = float(levels.mean()), thumb(whole or square)
    return Measures(side, pixels or side**2, sharpness(levels), light, darkest, brightest, small)


def sharpness(levels: Levels) -> float:
    """The variance of the Laplacian in the sharpest sixteenth of a picture, in squared levels.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000. The levels are stretched first, so
    that the middle nine tenths of them take the whole range: a dark photo is no blurred one.
    """
    low, high = np.percentile(levels, (5, 95))
    x = levels * (255 / max(high - low, 8.0))  # of a blank wall nothing is made sharp
    edges = 4 * x[1:-1, 1:-1] - x[:-2, 1:-1] - x[2:, 1:-1] - x[1:-1, :-2] - x[1:-1, 2:]
    parts = [part for row in np.array_split(edges, TILES) for part in np.array_split(row, TILES, axis=1)]
    return max(float(part.var()) for part in parts)


def unusual(values: Sequence[float], least_spread: float) -> list[float]:
    """How far each value is from the median, in modified z-scores: 0.6745 (x - median) / MAD.

    Iglewicz and Hoaglin, "How to detect and handle outliers", 1993. The median absolute deviation counts as at least
    ``least_spread``: where all are alike, a small difference is none.
    """
    middle = float(np.median(values))
    spread = max(float(np.median([abs(value - middle) for value in values])), least_spread)
    return [0.6745 * (value - middle) / spread for value in values]


def judge(
    photos: Mapping[str, Measures],
    wanted: int,
    stored: Callable[[str], Stored] = Stored,
    settled: Collection[str] = (),
) -> dict[str, Verdict]:
    """A verdict on each photo, by its name.

    Args:
        photos: of two that are nearly the same the larger stays, or the sharper, or what seems the original.
        wanted: pixels of a side that training is going to see.
        stored: how the photo of a name is stored.
        settled: names of photos that stay, whatever they are nearly the same as.
    """
    refused = {name: reason for name, one in photos.items() if (reason := useless(one, wanted))}
    refused |= copies({name: one for name, one in photos.items() if name not in refused}, stored, settled)
    sound = {name: one for name, one in photos.items() if name not in refused}
    others = compared(sound)
    for name, one in sound.items():
        if one.side < wanted:
            others[name] = (small(one.side, wanted), *others.get(name, ()))
    return {name: Verdict(refused.get(name), others.get(name, ())) for name in photos}


def small(side: int, wanted: int) -> str:
    """What is said of a photo that is smaller than wanted."""
    return f"{side} pixels a side, less than {wanted}"


def useless(photo: Measures, wanted: int) -> str | None:
    """What makes a photo useless by itself; None if nothing does."""
    if photo.side < wanted / 2:
        return f"too small: {photo.side} pixels a side, {wanted} are wanted and at least {wanted // 2} needed"
    if photo.brightest < BLACK:
        return f"almost black: its bright parts have level {photo.brightest:.0f} of 255, at least {BLACK} are needed"
    if photo.darkest > WHITE:
        return f"almost white: its dark parts have level {photo.darkest:.0f} of 255, at most {WHITE} are needed"
    if photo.sharpness < BLURRED:
        return f"blurred: sharpness {photo.sharpness:.0f}, at least {BLURRED:.0f} is needed"
    return None


def copies(
    photos: Mapping[str, Measures], stored: Callable[[str], Stored] = Stored, settled: Collection[str] = ()
) -> dict[str, str]:
    """The photos that are nearly the same as another that stays, and why that one does; for the rest see ``judge``."""
    alike = likeness([one.thumb for one in photos.values()])
    number = {name: k for k, name in enumerate(photos)}
    waiting = sorted(photos, key=lambda one: (one not in settled, -photos[one].pixels, -photos[one].sharpness))
    found: dict[str, str] = {}
    while waiting:
        kept = waiting[0]
        if kept not in settled:
            equal = [one for one in waiting[1:] if better(photos[kept], photos[one]) is None]
            near = [one for one in equal if alike[:, number[kept], number[one]].max() >= ALIKE]
            kept = original(stored(one) for one in (kept, *near)).name if near else kept
        waiting.remove(kept)
        for name in [one for one in waiting if one not in settled]:
            same, mirrored = alike[:, number[kept], number[name]]
            if max(same, mirrored) >= ALIKE:
                why = better(photos[kept], photos[name]) or nearer(stored(kept), stored(name))
                said = f"nearly the same as {kept}, {why or 'of which one is enough'}"
                found[name] = f"mirrored, {said}" if mirrored > same else said
                waiting.remove(name)
    return found


def better(one: Measures, other: Measures) -> str | None:
    """Why ``one`` is the better of two that are nearly the same; None if it is not, or hardly so."""
    if one.pixels != other.pixels:
        return "which is larger" if one.pixels > other.pixels else None
    return "which is sharper" if one.sharpness > SHARPER * other.sharpness else None


def compared(photos: Mapping[str, Measures]) -> dict[str, tuple[str, ...]]:
    """In what photos differ from the others, in words; too few photos are not compared."""
    if len(photos) < FEWEST:
        return {}
    sharp = unusual([float(np.log2(one.sharpness)) for one in photos.values()], LEAST_SPREAD["sharpness"])
    light = unusual([one.light for one in photos.values()], LEAST_SPREAD["light"])
    usual = {key: np.median([getattr(one, key) for one in photos.values()]) for key in LEAST_SPREAD}
    found: dict[str, tuple[str, ...]] = {}
    for (name, one), blur, shade in zip(photos.items(), sharp, light, strict=True):
        said = []
        if blur < -UNUSUAL:
            said.append(f"less sharp than the others: {one.sharpness:.0f}, theirs {usual['sharpness']:.0f}")
        if abs(shade) > UNUSUAL:
            word = "darker" if shade < 0 else "brighter"
            said.append(f"{word} than the others: level {one.light:.0f} of 255, theirs {usual['light']:.0f}")
        if said:
            found[name] = tuple(said)
    return found
