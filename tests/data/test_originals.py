"""Which of two files is the original."""

import unicodedata

import pytest
from PIL import ExifTags, Image

from avatar_exp.data.originals import Stored, nearer, original, stored


def test_how_a_picture_is_stored(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "aPhone"
    image = Image.effect_noise((40, 30), 50).convert("RGB")
    image.save(tmp_path / "a.jpg", quality=92, exif=exif)
    image.save(tmp_path / "b.png")
    (tmp_path / "c.jpg").write_text("no picture")
    size = (tmp_path / "a.jpg").stat().st_size
    assert stored(tmp_path / "a.jpg") == Stored("a.jpg", "JPEG", size / 1200, camera=True)
    assert (stored(tmp_path / "b.png").kind, stored(tmp_path / "b.png").camera) == ("PNG", False)
    assert stored(tmp_path / "c.jpg") == Stored("c.jpg")


@pytest.mark.parametrize(
    "name",
    ["IMG_0001 (1).jpg", "IMG_0001(2).jpg", "IMG_0001 copy.jpg", "IMG_0001 copy 2.jpg", "IMG_0001-copy.png",
     "IMG-20240102-WA0007.jpg", "Copy of a.jpg", "IMG_0001~2.jpg", "IMG_0001 - Bản sao.jpg",
     "IMG_0001_mirrored.jpg", "IMG_0001-Flipped.jpg", "IMG_0001 flip.jpg", "IMG_0001-edited.jpg"],
)  # fmt: skip
def test_what_copies_are_called(name):
    assert all(Stored(unicodedata.normalize(form, name)).named_as_copy for form in ("NFC", "NFD"))
    assert nearer(Stored("IMG_0001.jpg"), Stored(name)) == "whose name is no copy's"
    assert nearer(Stored(name), Stored("IMG_0001.jpg")) is None


@pytest.mark.parametrize(
    "name", ["IMG_0001.jpg", "copywriter.jpg", "Wan.jpg", "(1) me.jpg", "photocopy.jpg", "kickflip.jpg", "flip.jpg"]
)
def test_what_others_are_called(name):
    assert not Stored(name).named_as_copy


def test_bytes_come_first_then_the_camera_then_the_name():
    heavy, light = Stored("a (1).jpg", "JPEG", 2.0), Stored("b.jpg", "JPEG", 1.0, camera=True)
    assert nearer(heavy, light) == "which has more bytes for each pixel"
    assert nearer(light, heavy) is None
    same = Stored("c.jpg", "JPEG", 1.97, camera=True)
    assert nearer(same, heavy) == "which says what camera took it"
    assert nearer(heavy, same) is None
    assert nearer(Stored("a.heic", "HEIF", 0.4, camera=True), light) is None
    assert nearer(Stored("a.heic", "HEIF", 0.4), Stored("a (1).jpg", "JPEG", 2.0)) == "whose name is no copy's"


def test_the_original_of_several_is_the_first_where_nothing_tells():
    assert original([Stored("b.png"), Stored("a.png")]) == Stored("b.png")
    assert original([Stored("a.png", camera=False), Stored("b.png", camera=True)]).name == "b.png"
