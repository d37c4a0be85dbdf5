"""Which pictures are nearly the same: passed on by a messenger, cropped a little as frames of a burst are, mirrored.

Two pictures are compared by what is brighter or darker than its surroundings, in each colour: light, contrast and
compression hardly change that. One of the two is cropped by several small margins, for a match needs the same spots.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Features = NDArray[np.float32]

THUMB = 64  # pixels a side of what is kept of a picture
SPOTS = 24  # a side, that are compared
AROUND = 3  # spots to each side whose mean is taken away: two photos of a person in front of a wall are not alike
MARGINS = tuple(percent / 100 for percent in range(1, 11))  # of a side, cut from both ends, or twice that from one
FAINT = 20.0  # levels, the length of a picture's features: of a blank wall only noise is left
# Correlation. Saved, scaled, brightened, cropped by up to 10 %: 28 drawn and real pictures kept 0.94 and more. Drawn
# photos of 160 people, 12 of each, had up to 0.89 with another of their person; real photos of one thing had 0.43. Of
# drawn squares that a face fills, before plain walls, 1 pair in 10,000 has more: only the expression differs there.
ALIKE = 0.93


def thumb(picture: Image.Image) -> bytes:
    """The whole picture as THUMB x THUMB pixels of RGB, whatever its shape."""
    return picture.convert("RGB").resize((THUMB, THUMB), Image.Resampling.BOX).tobytes()


def likeness(thumbs: Sequence[bytes]) -> NDArray[np.float64]:
    """[2, N, N]: how alike any two pictures are, from 0 to 1 for the same; second, one of the two being mirrored."""
    whole = np.zeros((2, len(thumbs), SPOTS * SPOTS * 3), np.float32)
    for number, one in enumerate(thumbs):
        seen = features(one, BOXES[:1])
        whole[:, number] = [seen[0].ravel(), seen[0, :, ::-1].ravel()]
    found = np.zeros((2, len(thumbs), len(thumbs)))
    for number, one in enumerate(thumbs):
        views = features(one, BOXES).reshape(len(BOXES), -1)
        found[:, number] = (whole @ views.T).max(axis=2)
    return np.maximum(found, found.transpose(0, 2, 1)).clip(0, 1)


def families(thumbs: Sequence[bytes]) -> list[int]:
    """For each picture the number of the first that it is nearly the same as, itself or by way of others."""
    near = likeness(thumbs).max(axis=0) >= ALIKE
    first = list(range(len(thumbs)))
    for number in first:
        joined = {number, *(first[k] for k in range(number) if near[number, k])}
        first = [min(joined) if family in joined else family for family in first]
    return first


def cuts() -> list[tuple[float, float, float, float]]:
    """Where a thumb is cropped: the whole, then by each margin at its corners, the middles of its edges, its middle."""
    found = [(0.0, 0.0, float(THUMB), float(THUMB))]
    for cut in (2 * margin * THUMB for margin in MARGINS):
        ends = [(share * cut, THUMB - cut + share * cut) for share in (0.0, 0.5, 1.0)]
        found += [(left, top, right, bottom) for top, bottom in ends for left, right in ends]
    return found


BOXES = cuts()


def features(one: bytes, boxes: Sequence[tuple[float, float, float, float]]) -> Features:
    """[boxes, SPOTS, SPOTS, 3]: each crop of a thumb less the mean around each spot, of length 1 or less."""
    picture = Image.frombytes("RGB", (THUMB, THUMB), one)
    size = (SPOTS, SPOTS)
    spots = np.stack([np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box)) for box in boxes])
    detail = spots.astype(np.float32) - around(spots)
    detail /= np.maximum(np.sqrt((detail**2).sum(axis=(1, 2, 3), keepdims=True)), FAINT)
    return detail


def around(spots: NDArray[np.uint8]) -> Features:
    """[N, SPOTS, SPOTS, 3]: the mean of the 7 x 7 spots around each; beyond an edge the last spot goes on."""
    edge, wide = (AROUND, AROUND), 2 * AROUND + 1
    sums = np.pad(spots, ((0, 0), edge, edge, (0, 0)), mode="edge").astype(np.float64)
    for axis in (1, 2):
        sums = np.insert(sums.cumsum(axis=axis), 0, 0.0, axis=axis)
        end = sums.shape[axis]
        sums = sums.take(range(wide, end), axis=axis) - sums.take(range(end - wide), axis=axis)
    return (sums / wide**2).astype(np.float32)
