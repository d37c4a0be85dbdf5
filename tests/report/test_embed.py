"""Sheets of small pictures that keep to a budget."""

import base64
import io
import random

import pytest
from PIL import Image

from avatar_exp.report.embed import CELLS, sheets, steps_to_show, thumbnail
from avatar_exp.report.page import write_comparison, write_report


def noise(dice: random.Random, side: int = 128) -> Image.Image:
    """A picture that JPEG cannot make small."""
    return Image.frombytes("RGB", (side, side), dice.randbytes(side * side * 3))


def opened(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


@pytest.fixture
def files(tmp_path):
    for place, colour in enumerate(((200, 0, 0), (0, 200, 0), (0, 0, 200))):
        Image.new("RGB", (64, 64), colour).save(tmp_path / f"{place}.png")
    return [tmp_path / f"{place}.png" for place in range(3)]


def test_every_picture_lies_in_its_place(files):
    made = sheets({(0, 10): files}, 10**6)
    assert (made.across, made.cell) == (2, 64)
    sheet = opened(made.data[made.shown[0, 10]])
    assert sheet.size == (128, 128)
    for place, colour in enumerate(((200, 0, 0), (0, 200, 0), (0, 0, 200), (128, 128, 128))):
        for dx, dy in ((1, 1), (62, 62)):  # up to its edges: no neighbour bleeds in
            assert sheet.getpixel((place % 2 * 64 + dx, place // 2 * 64 + dy)) == pytest.approx(colour, abs=6)


def test_equal_sheets_are_stored_once(files):
    made = sheets({(0, 0): files, (1, 0): files, (1, 5): files[:1]}, 10**6)
    assert made.shown[0, 0] == made.shown[1, 0] != made.shown[1, 5]
    assert len(made.data) == 2


def test_a_picture_that_cannot_be_read_leaves_its_place_grey(files, tmp_path):
    files[1].write_bytes(b"\x89PNG half")
    made = sheets({(0, 0): [*files, tmp_path / "gone.png"]}, 10**6)
    sheet = opened(made.data[made.shown[0, 0]])
    assert sheet.getpixel((96, 32)) == pytest.approx((128,) * 3, abs=3)
    assert thumbnail(files[1]) is None
    assert thumbnail(files[0]).startswith("data:image/jpeg;base64,")


def test_nothing_to_show_is_no_sheet():
    assert sheets({}, 10).data == {}


@pytest.mark.parametrize("budget", [40_000, 150_000, 10**7])
def test_pictures_are_as_large_as_the_budget_allows(tmp_path, budget):
    dice = random.Random(0)
    groups = {}
    for step in range(6):
        groups[0, step] = [tmp_path / f"{step}_{place}.png" for place in range(4)]
        for file in groups[0, step]:
            noise(dice).save(file)
    made = sheets(groups, budget)
    assert made.size <= budget or made.cell == CELLS[-1]
    assert made.cell == {40_000: 48, 150_000: 80, 10**7: 128}[budget]


@pytest.mark.parametrize(
    ("steps", "most", "always", "shown"),
    [
        ([0, 10, 20], 3, 10, [0, 10, 20]),
        (range(0, 100, 10), 4, None, [0, 30, 60, 90]),
        (range(0, 100, 10), 4, 50, [0, 30, 50, 90]),
        (range(0, 100, 10), 2, 50, [0, 50, 90]),
        ([], 2, None, []),
    ],
)
def test_steps_are_thinned_evenly_and_the_best_stays(steps, most, always, shown):
    assert steps_to_show(list(steps), most, always) == shown


def test_pages_keep_to_their_size_whatever_is_in_the_pictures(tmp_path, made):
    """Forty steps of sixteen pictures of pure noise: fewer steps and smaller pictures are shown; the page says so."""
    dice = random.Random(0)
    pool = [noise(dice, 64) for _ in range(30)]
    prompts = tuple(f"prompt {n}" for n in range(8))
    run = made(tmp_path / "a", steps=tuple(range(40)), prompts=prompts, picture=lambda _: dice.choice(pool))
    page = write_report(run.path)
    assert 1_000_000 < page.stat().st_size < 3_000_000
    assert "Some steps are left out" in page.read_text()
    write_comparison([run.path], tmp_path / "compare.html")
    assert (tmp_path / "compare.html").stat().st_size < 20_000_000
