"""Layouts: what a copy has in common with its photo, and noise has not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from avatar_exp.scoring.layout import LEAST_COMMON, in_common, thumbnails
from avatar_exp.scoring.reference import ClipReference, Pictures

DEMO = sorted((Path(__file__).parents[2] / "data" / "hoanganh").glob("*.png"))


@pytest.fixture(scope="module")
def photos():
    return [Image.open(file).convert("RGB") for file in DEMO]


def test_it_is_the_correlation_of_small_pictures(photos):
    one, other = photos[:2]
    small = [np.asarray(each.resize((16, 16), Image.Resampling.BOX), float) for each in (one, other)]
    flat = [(each - each.mean((0, 1))).ravel() for each in small]
    plain = np.dot(*flat) / np.linalg.norm(flat[0]) / np.linalg.norm(flat[1])
    mirrored = np.dot(flat[0], (small[1] - small[1].mean((0, 1)))[:, ::-1].ravel())
    mirrored /= np.linalg.norm(flat[0]) * np.linalg.norm(flat[1])
    assert float(in_common(thumbnails([one]), thumbnails([other]))) == pytest.approx(max(plain, mirrored), abs=1e-5)


def test_a_copy_has_nearly_all_in_common_and_noise_nearly_nothing(photos):
    learnt = thumbnails(photos)
    for which, photo in enumerate(photos[:3]):
        brighter = photo.resize((128, 128)).point(lambda level: min(255, level * 1.1 + 5))
        for copied in (brighter, ImageOps.mirror(photo)):
            found = in_common(thumbnails([copied]), learnt)[0]
            assert float(found[which]) > 0.95
            assert int(found.argmax()) == which
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8))
    assert float(in_common(thumbnails([noise]), learnt).max()) < LEAST_COMMON
    plain = Image.new("RGB", (128, 128), "grey")  # of which nothing is left without its mean
    assert float(in_common(thumbnails([plain]), learnt).abs().max()) == 0


def test_what_clip_takes_for_a_copy_is_none_where_nothing_of_it_lies_in_its_place():
    directions = torch.eye(8)
    base = Pictures(directions[[0, 1]], [0, 1])
    clip = ClipReference(photos=directions[2:6], base=base, texts=directions[:2])
    copied = Pictures(directions[[3, 4]], [0, 1])
    assert clip.copies(copied)[0].tolist() == [True, True]
    shared = torch.zeros(2, 4)
    shared[1, 2] = LEAST_COMMON
    seen, which = clip.copies(copied, shared)
    assert (seen.tolist(), which.tolist()) == ([False, True], [1, 2])
