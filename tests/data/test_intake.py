"""What is noticed of photos: each number against a plain loop, each limit from both of its sides."""

import random
import statistics
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from avatar_exp.data.alike import ALIKE, THUMB, likeness
from avatar_exp.data.intake import (
    BLACK,
    BLURRED,
    SHARPER,
    Measures,
    judge,
    measure,
    sharpness,
    unusual,
)
from avatar_exp.data.originals import Stored
from avatar_exp.tiny import world

GOOD = Measures(800, pixels=800**2, sharpness=3000.0, light=120.0, darkest=40.0, brightest=220.0, thumb=b"")


def portrait(number, size=256):
    return world.portrait(world.identity(number), world.scene(number, hat="none", style="photo"), size)


def thumbs(count):
    """Pictures of which no two are alike."""
    return [random.Random(number).randbytes(3 * THUMB**2) for number in range(count)]


def near(thumb, share):
    """The picture with another laid over it."""
    other = np.frombuffer(random.Random(77).randbytes(len(thumb)), np.uint8)
    return ((1 - share) * np.frombuffer(thumb, np.uint8) + share * other).astype(np.uint8).tobytes()


def photos(**changed):
    """Nine good photos, and others that are as good but for what is said of them."""
    made = {f"good{n}": replace(GOOD, thumb=thumb) for n, thumb in enumerate(thumbs(9))}
    more = zip(changed.items(), thumbs(20)[10:], strict=False)
    return made | {name: replace(GOOD, **{"thumb": thumb, **values}) for (name, values), thumb in more}


def test_sharpness_is_the_largest_variance_of_the_laplacian_of_a_sixteenth():
    levels = np.random.default_rng(0).uniform(30, 200, (18, 18))
    low, high = np.percentile(levels, (5, 95))
    stretched = levels * 255 / (high - low)
    laplacian = [
        [
            4 * stretched[y][x] - stretched[y - 1][x] - stretched[y + 1][x] - stretched[y][x - 1] - stretched[y][x + 1]
            for x in range(1, 17)
        ]
        for y in range(1, 17)
    ]
    parts = [
        [laplacian[y][x] for y in range(top, top + 4) for x in range(left, left + 4)]
        for top in range(0, 16, 4)
        for left in range(0, 16, 4)
    ]
    assert sharpness(levels) == pytest.approx(max(statistics.pvariance(part) for part in parts))


def test_sharpness_does_not_depend_on_the_light_or_a_blurred_background():
    image = np.asarray(portrait(3).convert("L"), dtype=np.float64)
    assert sharpness(image * 0.3 + 10) == pytest.approx(sharpness(image))
    background = np.asarray(portrait(3).convert("L").filter(ImageFilter.GaussianBlur(6)), dtype=np.float64)
    background[96:160, 96:160] = image[96:160, 96:160]
    assert sharpness(background) > 0.3 * sharpness(image)


def test_a_blank_wall_has_no_sharpness():
    assert sharpness(np.full((64, 64), 77.0)) == 0


@pytest.mark.parametrize("number", [91, 804145, 12])
def test_blurring_takes_sharpness_away_and_size_does_not(number):
    image = portrait(number, 1024)
    sharp = measure(image, 1024).sharpness
    for size in (512, 700):
        assert measure(image.resize((size, size), Image.Resampling.LANCZOS), size).sharpness == pytest.approx(
            sharp, rel=0.15
        )
    blurred = [measure(image.filter(ImageFilter.GaussianBlur(radius)), 1024).sharpness for radius in (2, 4, 8, 16)]
    assert sharp > blurred[0] > blurred[1] > blurred[2] > blurred[3]
    assert sharp > 10 * BLURRED > BLURRED > blurred[3]


def test_of_a_face_the_head_is_measured():
    image = Image.new("RGB", (400, 400), "black")
    image.paste(portrait(5, 200), (180, 60))
    found = measure(image, 400, face=(230, 110, 330, 210))
    assert found.light > 2 * measure(image, 400).light
    sharp_elsewhere = portrait(5, 400)
    soft = sharp_elsewhere.filter(ImageFilter.GaussianBlur(10)).crop((100, 100, 300, 300))
    sharp_elsewhere.paste(soft, (100, 100))
    face = (150, 150, 250, 250)
    assert measure(sharp_elsewhere, 400, face).sharpness < BLURRED < measure(sharp_elsewhere, 400).sharpness


def test_of_a_speck_the_whole_is_measured():
    assert measure(portrait(5), 256, face=(100, 100, 104, 104)) == measure(portrait(5), 256)


def test_light_is_told_in_grey_levels():
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(256).reshape(256, 256))
    found = measure(grey.convert("RGB"), 256)
    assert (found.light, found.darkest, found.brightest) == pytest.approx((127.5, 12.75, 242.25), abs=1)


def test_how_unusual_a_value_is():
    values = [3.0, 4.0, 5.0, 6.0, 100.0]
    assert unusual(values, 0.1) == pytest.approx([0.6745 * (value - 5) / 1 for value in values])
    assert unusual(values, 10) == pytest.approx([0.6745 * (value - 5) / 10 for value in values])
    assert unusual([2.0, 2.0], 1) == [0, 0]


def test_of_good_photos_nothing_is_said():
    assert {(one.refused, one.warnings) for one in judge(photos(), 512).values()} == {(None, ())}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"side": 255}, "too small: 255 pixels a side, 512 are wanted and at least 256 needed"),
        ({"brightest": BLACK - 1.0}, "almost black: its bright parts have level 59 of 255, at least 60 are needed"),
        ({"darkest": 201.0}, "almost white: its dark parts have level 201 of 255, at most 200 are needed"),
        ({"sharpness": BLURRED - 1}, "blurred: sharpness 99, at least 100 is needed"),
    ],
)
def test_what_is_useless_is_refused_and_nothing_else_is_said_of_it(change, says):
    verdict = judge(photos(odd=change), 512)["odd"]
    assert (verdict.refused, verdict.warnings) == (says, ())


@pytest.mark.parametrize("change", [{"side": 512}, {"brightest": 60.0}, {"darkest": 200.0}])
def test_at_the_limit_it_is_taken(change):
    verdict = judge(photos(odd=change), 512)["odd"]
    assert (verdict.refused, verdict.warnings) == (None, ())


def test_what_is_rather_small_is_said():
    verdict = judge(photos(odd={"side": 300}), 512)["odd"]
    assert (verdict.refused, verdict.warnings) == (None, ("300 pixels a side, less than 512",))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sharpness": 3000 / 2**2.2}, "less sharp than the others: 653, theirs 3000"),
        ({"light": 120 - 63.0}, "darker than the others: level 57 of 255, theirs 120"),
        ({"light": 120 + 63.0}, "brighter than the others: level 183 of 255, theirs 120"),
    ],
)
def test_what_is_unlike_the_others_is_said(change, says):
    verdicts = judge(photos(odd=change), 512)
    assert (verdicts.pop("odd").warnings, {one.warnings for one in verdicts.values()}) == ((says,), {()})


@pytest.mark.parametrize("change", [{"sharpness": 3000 / 2**2}, {"sharpness": 30000.0}, {"light": 120 - 61.0}])
def test_what_is_hardly_unlike_the_others_is_not_said(change):
    assert judge(photos(odd=change), 512)["odd"].warnings == ()


def test_a_few_photos_are_not_compared():
    few = {
        name: one for name, one in photos(odd={"light": 250.0}).items() if name in ("odd", "good0", "good1", "good2")
    }
    assert {one.warnings for one in judge(few, 512).values()} == {()}


def test_useless_photos_are_no_measure_of_the_others():
    many = {f"dark{n}": {"brightest": 20.0, "light": 5.0} for n in range(10)}
    verdicts = judge(photos(**many), 512)
    assert {verdicts[f"good{n}"].warnings for n in range(9)} == {()}


ONE = thumbs(1)[0]  # good0's


def refused(made, **more):
    return {name: one.refused for name, one in judge(made, 512, **more).items() if one.refused}


def test_of_copies_the_larger_stays_and_of_equals_the_sharper():
    pixels = {"small": 600**2, "large": 900**2, "sharp": 900**2, "also": 900**2}
    made = photos(**{name: {"pixels": one, "thumb": near(ONE, 0.1)} for name, one in pixels.items()})
    made["sharp"] = replace(made["sharp"], sharpness=SHARPER * 3000 + 1)
    assert refused(made) == {
        "small": "nearly the same as sharp, which is larger",
        "good0": "nearly the same as sharp, which is larger",
        "large": "nearly the same as sharp, which is sharper",
        "also": "nearly the same as sharp, which is sharper",
    }


def how(**said):
    """Stored as ``said`` of each name."""
    return lambda name: Stored(name, **said.get(name, {"kind": "JPEG", "density": 1.0}))


@pytest.mark.parametrize(
    ("original", "copy", "why"),
    [
        ({"kind": "JPEG", "density": 1.5}, {"kind": "JPEG", "density": 0.9}, "which has more bytes for each pixel"),
        ({"kind": "HEIF", "density": 0.5, "camera": True}, {"kind": "JPEG", "density": 1.0},
         "which says what camera took it"),
        ({"kind": "HEIF", "density": 0.5}, {"kind": "JPEG", "density": 1.0}, "of which one is enough"),
        ({}, {}, "of which one is enough"),
    ],
)  # fmt: skip
def test_blocks_of_jpeg_are_no_sharpness(original, copy, why):
    """The copy is a little sharper, and the original is better stored."""
    made = photos(odd={"thumb": near(ONE, 0.05), "sharpness": 3000.0}, more={})
    made["good0"] = replace(made["good0"], sharpness=2800.0)
    told = refused(made, stored=how(good0=original, odd=copy))
    wanted = {"good0": "odd"} if why.startswith("of which") else {"odd": "good0"}
    assert told == {gone: f"nearly the same as {stays}, {why}" for gone, stays in wanted.items()}
    made["odd"] = replace(made["odd"], sharpness=2800 * SHARPER + 1)
    assert refused(made, stored=how(good0=original, odd=copy)) == {"good0": "nearly the same as odd, which is sharper"}


def test_how_near_a_copy_is():
    found = set()
    for share in np.linspace(0.1, 0.6, 21):
        thumb = near(ONE, share)
        alike = bool(likeness([ONE, thumb])[:, 0, 1].max() >= ALIKE)
        found.add(alike)
        assert bool(refused(photos(odd={"thumb": thumb}))) is alike
    assert found == {True, False}


def test_a_mirrored_copy_is_said_to_be_one():
    thumb = np.frombuffer(ONE, np.uint8).reshape(THUMB, THUMB, 3)[:, ::-1].tobytes()
    made = photos(odd={"thumb": thumb, "pixels": 600**2})
    assert refused(made) == {"odd": "mirrored, nearly the same as good0, which is larger"}


def test_what_is_settled_stays_and_the_better_one_is_its_copy():
    made = photos(odd={"thumb": near(ONE, 0.1), "pixels": 600**2}, too={"thumb": near(ONE, 0.12), "pixels": 600**2})
    assert set(refused(made)) == {"odd", "too"}
    assert refused(made, settled={"odd", "too"}) == {"good0": "nearly the same as odd, of which one is enough"}


def test_a_blurred_copy_is_refused_as_blurred_and_its_original_stays():
    made = photos(odd={"sharpness": 20.0, "side": 2000, "pixels": 2000**2, "thumb": ONE})
    verdicts = judge(made, 512)
    assert verdicts["good0"].refused is None
    assert str(verdicts["odd"].refused).startswith("blurred")


def test_no_photos_are_no_verdicts():
    assert judge({}, 512) == {}
