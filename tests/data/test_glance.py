"""What ``train`` notices of photos: readable or not, and the cheap half of the intake; each file is decoded once."""

import os
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from avatar_exp.data import glance as module
from avatar_exp.data.alike import likeness, thumb
from avatar_exp.data.glance import glance, remarks, unreadable
from avatar_exp.data.intake import measure
from avatar_exp.data.photos import UnreadableError, crop_square, open_photo, photo_files
from avatar_exp.tiny.world import album


@pytest.fixture
def photos(tmp_path):
    """Six pictures of a person, one blurred, one copied, one small."""
    for number, (picture, _, _) in enumerate(album(91, 6, 384)):
        picture.save(tmp_path / f"{number}.png")
    picture.filter(ImageFilter.GaussianBlur(9)).save(tmp_path / "blurred.jpg")
    picture.save(tmp_path / "copy.jpg", quality=50)
    next(iter(album(7, 1, 200)))[0].save(tmp_path / "small.png")
    return photo_files(tmp_path)


def test_every_broken_file_is_named(tmp_path):
    image = Image.effect_noise((96, 64), 50).convert("RGB")
    image.save(tmp_path / "good.jpg", quality=95)
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.webp").write_bytes(b"")
    image.save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-60])
    found = unreadable([*photo_files(tmp_path), tmp_path / "gone.png"])
    names = ["cut.png", "empty.webp", "half.jpg", "text.png", "gone.png"]
    assert [fault.split(":")[0].rpartition("/")[2] for fault in found] == names


def test_remarks_are_those_of_the_intake(photos):
    found = remarks(photos, 256)
    assert set(found) == {"blurred.jpg", "copy.jpg", "small.png"}
    assert found["blurred.jpg"].startswith("blurred: sharpness ")
    assert found["copy.jpg"] == "nearly the same as 5.png, of which one is enough"
    assert found["small.png"] == "200 pixels a side, less than 256"


def test_several_remarks_on_a_photo_are_one_line(photos):
    with Image.open(photos[-1]) as small:
        small.filter(ImageFilter.GaussianBlur(1)).save(photos[-1])
    found = remarks(photos, 256)[photos[-1].name]
    assert found.startswith("200 pixels a side, less than 256; less sharp than the others: ")


def test_it_sees_the_square_that_is_trained_on(tmp_path):
    picture = next(iter(album(91, 1, 1600)))[0].crop((300, 0, 1200, 1600))
    for name in ("a.jpg", "a.png"):
        picture.save(tmp_path / name, quality=95)
        image = open_photo(tmp_path / name)
        whole, found = measure(crop_square(image, 900), 900), glance(tmp_path / name)
        assert found.side == 900
        assert found.sharpness == pytest.approx(whole.sharpness, rel=0.2)
        assert found.light == pytest.approx(whole.light, abs=2)
        assert likeness([found.thumb, thumb(image)])[0, 0, 1] > 0.99
        assert found.pixels == 900 * 1600


def test_a_file_is_decoded_once_unless_it_changes(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "open_photo", lambda *args, **more: opened.append(args) or open_photo(*args, **more))
    file = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(file)
    assert [glance(file).side, glance(file).side, len(opened)] == [8, 8, 1]
    Image.new("RGB", (9, 9)).save(file)
    os.utime(file, ns=(1, 1))
    assert [glance(file).side, len(opened)] == [9, 2]


def test_a_file_that_is_gone_cannot_be_read(tmp_path):
    with pytest.raises(UnreadableError, match="no such file"):
        glance(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("b.png")
    with pytest.raises(UnreadableError, match="leads back to itself"):
        glance(tmp_path / "b.png")


def test_where_numbers_are_not_wanted_broken_files_are_found_without_measuring(tmp_path, photos, monkeypatch):
    whole = photos[-2].read_bytes()
    (tmp_path / "half.jpg").write_bytes((tmp_path / "copy.jpg").read_bytes()[:3000])
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(module, "measure", None)
    found = unreadable(photo_files(tmp_path), measured=False)
    assert [Path(fault.split(":")[0]).name for fault in found] == ["half.jpg", "half.png"]
