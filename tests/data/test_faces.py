"""Faces where they are, turned ones too, and the squares around them: against drawings whose faces are known."""

import random
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from avatar_exp.data.faces import Face, cascade, find_faces, head, head_and_shoulders, turned_back
from avatar_exp.errors import UserError
from avatar_exp.tiny import world

FOUND = 91  # a drawn person whose face the cascade is sure of; of most drawn ones it is not


def drawn(size):
    """A portrait and where its face is, in pixels."""
    person, place = world.identity(FOUND), world.scene(FOUND)
    return world.portrait(person, place, size), np.multiply(world.face_box(person, place), size)


def overlap(one, other):
    """Intersection over union."""
    left, top, right, bottom = (*np.maximum(one, other)[:2], *np.minimum(one, other)[2:])
    both = max(right - left, 0) * max(bottom - top, 0)
    return both / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both)


def middle(box):
    return np.array([box[0] + box[2], box[1] + box[3]]) / 2


@pytest.mark.parametrize("size", [128, 512, 1000])
def test_a_face_is_found_where_it_is(size):
    image, truth = drawn(size)
    (face,) = find_faces(image)
    assert face.angle == 0
    assert overlap(face.box, truth) > 0.5


def test_a_large_picture_is_searched_small_and_told_in_its_own_pixels():
    portrait, truth = drawn(600)
    image = Image.new("RGB", (2400, 1200), (90, 120, 90))
    image.paste(portrait, (1500, 300))
    (face,) = find_faces(image)
    assert overlap(face.box, np.add(truth, (1500, 300, 1500, 300))) > 0.5


@pytest.mark.parametrize("angle", [-30, -25, 25, 30])
def test_a_tilted_face_is_found_in_a_turned_copy_and_told_in_the_picture(angle):
    image, _ = drawn(256)
    (upright,) = find_faces(image)
    dot = Image.new("L", image.size)
    dot.paste(255, tuple(round(one) for one in (*(middle(upright.box) - 3), *(middle(upright.box) + 3))))
    image, dot = (one.rotate(angle, Image.Resampling.BICUBIC) for one in (image, dot))
    spot = middle(dot.point(lambda level: 255 * (level > 99)).getbbox())
    (face,) = find_faces(image)
    assert face.angle == (-20 if angle > 0 else 20)
    assert np.abs(middle(face.box) - spot).max() < 0.1 * face.side
    assert face.side == pytest.approx(upright.side, rel=0.15)


def test_the_largest_face_comes_first():
    image = Image.new("RGB", (768, 512), "grey")
    image.paste(drawn(256)[0], (0, 100))
    image.paste(drawn(512)[0], (256, 0))
    large, small = find_faces(image)
    assert large.side > 1.5 * small.side
    assert large.box[0] > 256 > small.box[2]


@pytest.mark.parametrize("image", [Image.new("RGB", (300, 200), "grey"), Image.new("RGB", (1, 1)), None])
def test_where_there_is_no_face_none_is_found(image):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert find_faces(image or Image.fromarray(noise)) == []


def test_a_passer_by_is_no_face():
    image = Image.new("RGB", (1000, 1000), "grey")
    image.paste(drawn(150)[0], (700, 100))
    assert find_faces(image) == []


@pytest.mark.parametrize(
    ("box", "angle", "turned", "size", "zoom", "wanted"),
    [
        ((1, 2, 3, 4), 0, (10, 10), (10, 10), 1, (1, 2, 3, 4)),
        ((1, 2, 3, 4), 0, (10, 10), (20, 20), 2, (2, 4, 6, 8)),
        ((0, 0, 4, 4), 90, (20, 40), (40, 20), 1, (36, 0, 40, 4)),  # what was right is on top
        ((0, 0, 4, 4), 90, (20, 40), (80, 40), 2, (72, 0, 80, 8)),
        ((0, 0, 4, 4), -90, (20, 40), (40, 20), 1, (0, 16, 4, 20)),
        ((3, 3, 9, 9), 0, (20, 20), (10, 10), 1, (0, 0, 4, 4)),  # cut at the picture's edge
    ],
)
def test_a_box_is_turned_back(box, angle, turned, size, zoom, wanted):
    assert turned_back(box, angle, turned, size, zoom) == wanted


@pytest.mark.parametrize("angle", [-20, 20, 33])
@pytest.mark.parametrize("size", [(160, 120), (121, 203)])
def test_a_spot_of_a_turned_picture_is_where_it_was(angle, size):
    dice = random.Random(angle)
    for _ in range(10):
        x, y = (dice.randrange(10, side - 18) for side in size)
        image = Image.new("L", size)
        image.paste(255, (x, y, x + 8, y + 8))
        turned = image.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        found = turned_back(turned.point(lambda level: 255 * (level > 127)).getbbox(), angle, turned.size, size)
        assert np.abs(middle(found) - (x + 4, y + 4)).max() <= 1.5


@pytest.mark.parametrize(
    ("box", "size", "wanted"),
    [
        ((300, 200, 380, 280), (1000, 800), (240, 150, 440, 350)),  # 80 / 0.4; 240 - 0.45 * 200
        ((10, 10, 90, 90), (1000, 800), (0, 0, 200, 200)),
        ((910, 710, 990, 790), (1000, 800), (800, 600, 1000, 800)),
        ((100, 50, 300, 250), (400, 300), (50, 0, 350, 300)),  # 500 pixels are not there
        ((0, 0, 300, 300), (300, 400), (0, 0, 300, 300)),  # the whole face, not the place of its middle
    ],
)
def test_the_square_of_a_portrait(box, size, wanted):
    assert head_and_shoulders(Face(box), *size) == wanted


def test_the_square_of_a_head():
    assert head(Face((300, 200, 380, 280)), 1000, 800) == (276, 170, 404, 298)  # 80 * 1.6; 240 - 0.55 * 128


@pytest.mark.parametrize(("square", "times"), [(head_and_shoulders, 2.5), (head, 1.6)])
def test_squares_hold_the_face_and_lie_in_the_picture(square, times):
    dice = random.Random(0)
    for _ in range(1000):
        width, height = dice.randint(40, 3000), dice.randint(40, 3000)
        side = dice.randint(4, min(width, height))
        x, y = dice.randint(0, width - side), dice.randint(0, height - side)
        left, top, right, bottom = square(Face((x, y, x + side, y + side)), width, height)
        assert right - left == bottom - top == min(round(side * times), width, height)
        assert 0 <= left <= x < x + side <= right <= width
        assert 0 <= top <= y < y + side <= bottom <= height


@pytest.fixture
def forgetful():
    """The detector is looked for anew, here and afterwards."""
    cascade.cache_clear()
    yield
    cascade.cache_clear()


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("missing", ["cv2", "cv2.data", "CascadeClassifier", "file"])
def test_without_opencv_4_it_is_said_what_to_install(monkeypatch, missing):
    if missing == "CascadeClassifier":
        monkeypatch.delattr(cv2, missing)  # as in OpenCV 5
    elif missing == "file":
        monkeypatch.setattr("cv2.data.haarcascades", "nowhere")
    else:
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UserError, match=r"opencv-python-headless>=4\.10,<5"):
        find_faces(Image.new("RGB", (64, 64)))
