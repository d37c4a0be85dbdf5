"""What ``prepare`` said holds for the photos that it wrote, as long as they are those."""

import json

import pytest
from PIL import Image, ImageFilter

from avatar_exp.data import glance as glances
from avatar_exp.data.album import album, files_of
from avatar_exp.data.glance import remarks
from avatar_exp.data.photos import photo_files
from avatar_exp.data.prepared import Target, write
from avatar_exp.data.settled import settled
from avatar_exp.tiny import world


@pytest.fixture
def folder(tmp_path):
    """Six photos as they were prepared at 256 pixels: one blurred and small, which were kept, one small and said."""
    source = tmp_path / "photos"
    source.mkdir()
    pictures = [picture for picture, _, _ in world.album(91, 6, 300)]
    pictures[1] = pictures[1].filter(ImageFilter.GaussianBlur(8))
    pictures[2], pictures[3] = (picture.resize((200, 200)) for picture in pictures[2:4])
    for number, picture in enumerate(pictures):
        picture.save(source / f"{number}.png")
    entries = album(files_of(source), 256, {}, find=False, keep=["1.png", "3.png"])
    target = Target(tmp_path / "data" / "minh", tmp_path / "data" / "conf" / "minh.yaml", "minh", "person")
    write(target, entries, Image.new("RGB", (9, 9)), {"wanted": 256})
    return target.folder


def test_what_was_kept_is_silent_and_what_was_said_is_said_again(folder):
    assert remarks(photo_files(folder), 256) == {"2.png": "200 pixels a side, less than 256"}


def test_of_sizes_what_is_trained_on_counts(folder):
    assert remarks(photo_files(folder), 64) == {}
    found = remarks(photo_files(folder), 512)
    assert set(found) == {f"{number}.png" for number in range(6)}
    assert found["0.png"] == "256 pixels a side, less than 512"
    assert found["3.png"] == "200 pixels a side, less than 512"


def test_a_photo_that_was_changed_or_added_is_judged_and_the_others_are_not(folder):
    with Image.open(folder / "0.png") as picture:
        picture.filter(ImageFilter.GaussianBlur(9)).save(folder / "0.png")
    with Image.open(folder / "4.png") as picture:
        picture.resize((300, 300)).save(folder / "again.png")
    found = remarks(photo_files(folder), 128)
    assert set(found) == {"0.png", "again.png"}
    assert found["0.png"].startswith("blurred: ")
    assert found["again.png"].startswith("nearly the same as 4.png, ")


def test_nothing_is_measured_where_all_is_settled(folder, monkeypatch):
    monkeypatch.setattr(glances, "glance", None)
    assert set(remarks(photo_files(folder), 256)) == {"2.png"}


@pytest.mark.parametrize(
    "change",
    [{"written_by": "me"}, {"photos": None}, {"photos": [1]}, {"photos": [{}]}, {"files": []}, {"wanted": "many"},
     {"files": {}}],
)  # fmt: skip
def test_an_intake_that_is_none_settles_nothing(folder, change):
    told = json.loads((folder / "intake.json").read_text())
    (folder / "intake.json").write_text(json.dumps({**told, **change}))
    assert settled(photo_files(folder), 256) == {}
    assert "1.png" in remarks(photo_files(folder), 256)


def test_without_photos_or_an_intake_nothing_is_settled(tmp_path):
    assert settled([], 64) == {}
    assert settled([tmp_path / "a.png"], 64) == {}
