"""Copies are seen as copies, and different photos of one person, or of one thing, are not."""

import itertools
import random
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from avatar_exp.data.alike import (
    ALIKE,
    AROUND,
    BOXES,
    FAINT,
    SPOTS,
    THUMB,
    around,
    families,
    features,
    likeness,
    thumb,
)
from avatar_exp.data.photos import open_photo
from avatar_exp.tiny import world

REAL = Path(__file__).parents[3] / "shared" / "data" / "dreambooth"


def tall(number, size=384):
    """Two photos of a person, 3:4."""
    margin = size // 8
    for picture, _, _ in world.album(number, 2, size):
        yield picture.crop((margin, 0, size - margin, size))


def saved(picture, quality=70, kind="JPEG"):
    file = BytesIO()
    picture.save(file, kind, quality=quality)
    return Image.open(file).convert("RGB")


def cut(picture, left, top, right, bottom):
    """Without these shares of its sides."""
    width, height = picture.size
    return picture.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


CHANGED = {
    "saved": lambda picture: saved(picture, 40),
    "smaller": lambda picture: picture.resize((200, 260), Image.Resampling.BILINEAR),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.8),
    "flatter": lambda picture: ImageEnhance.Contrast(picture).enhance(0.8),
    "burst 3 %": lambda picture: cut(picture, 0.03, 0.03, 0.03, 0.03),
    "burst 6 %": lambda picture: cut(picture, 0.06, 0.06, 0.06, 0.06),
    "burst 8 %": lambda picture: cut(picture, 0.08, 0.08, 0.08, 0.08),
    "burst 10 %": lambda picture: cut(picture, 0.1, 0.1, 0.1, 0.1),
    "moved": lambda picture: cut(picture, 0.06, 0.06, 0, 0),
    "moved less": lambda picture: cut(picture, 0, 0, 0.045, 0.045),
    "askew": lambda picture: cut(picture, 0.05, 0.02, 0.01, 0.04),
    "passed on": lambda picture: saved(ImageEnhance.Brightness(cut(picture, 0.05, 0.05, 0.05, 0.05)).enhance(1.1)),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_picture_is_alike_also_mirrored(name):
    for number in (0, 7, 22, 91):
        for picture in tall(number):
            changed = CHANGED[name](picture)
            plain, mirrored = likeness([thumb(one) for one in (picture, changed, ImageOps.mirror(changed))])
            assert plain[0, 1] >= ALIKE
            assert mirrored[0, 2] >= ALIKE
            assert mirrored[0, 2] == pytest.approx(plain[0, 1], abs=0.01)
            assert plain[0, 2] < plain[0, 1]


@pytest.mark.parametrize("number", [3, 7, 14, 22, 91])
@pytest.mark.parametrize("size", [256, 512])
def test_twelve_photos_of_a_person_are_twelve(number, size):
    """The people are those whose photos are the most alike, of 41."""
    pictures = [picture for picture, _, _ in world.album(number, 12, size)]
    assert families([thumb(one) for one in pictures]) == list(range(12))


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/data/dreambooth beside the repository")
@pytest.mark.parametrize("subject", ["dog", "cat", "can"])
def test_real_photos_of_a_thing_are_far_from_each_other(subject):
    pictures = [thumb(open_photo(file)) for file in sorted((REAL / subject).glob("*.jpg"))]
    found = likeness(pictures)
    assert max(found[:, i, j].max() for i, j in itertools.combinations(range(len(pictures)), 2)) < 0.6


def test_features_are_a_picture_less_the_mean_around_each_spot_against_a_plain_loop():
    one = random.Random(5).randbytes(3 * THUMB**2)
    box = BOXES[13]
    picture = Image.frombytes("RGB", (THUMB, THUMB), one).resize((SPOTS, SPOTS), Image.Resampling.BILINEAR, box=box)
    spots = np.asarray(picture, dtype=np.float64)
    wanted = np.zeros_like(spots)
    reach = range(-AROUND, AROUND + 1)
    for y, x in itertools.product(range(SPOTS), repeat=2):
        beside = [
            spots[min(max(y + down, 0), SPOTS - 1), min(max(x + right, 0), SPOTS - 1)]
            for down in reach
            for right in reach
        ]
        wanted[y, x] = spots[y, x] - np.mean(beside, axis=0)
    length = np.sqrt((wanted**2).sum())
    assert length > FAINT
    assert features(one, [box])[0] == pytest.approx(wanted / length, abs=1e-5)
    assert around(np.full((2, SPOTS, SPOTS, 3), 9, np.uint8)) == pytest.approx(9)


def test_of_blank_walls_nothing_is_alike():
    walls = [bytes(random.Random(number).choices((128, 129), k=3 * THUMB**2)) for number in range(2)]
    assert families([*walls, bytes(3 * THUMB**2), bytes(3 * THUMB**2)]) == [0, 1, 2, 3]
    assert likeness([]).shape == (2, 0, 0)


def test_families_are_what_can_be_reached_by_small_steps():
    """A picture that fades into another: each is near the next, the first and the last are not alike."""
    first, last = (np.frombuffer(random.Random(number).randbytes(3 * THUMB**2), np.uint8) for number in (1, 2))
    steps = [((1 - share) * first + share * last).astype(np.uint8).tobytes() for share in np.linspace(0, 1, 9)]
    other = random.Random(3).randbytes(3 * THUMB**2)
    assert likeness([steps[0], steps[-1]])[:, 0, 1].max() < 0.5
    mixed = [steps[4], other, steps[0], steps[8], *(steps[k] for k in (2, 6, 1, 3, 5, 7))]
    assert families(mixed) == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert families([steps[0], other, steps[-1]]) == [0, 1, 2]
    assert families([]) == []
