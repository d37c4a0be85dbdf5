"""What lies in a folder: what only looks like a file is told apart without being opened."""

import os
import socket
import unicodedata
from pathlib import Path

import pytest

from avatar_exp.data import listing
from avatar_exp.data.listing import find_file, is_litter, listed, nfc, no_file, no_folder
from avatar_exp.errors import UserError


def test_everything_is_listed_but_what_is_hidden_and_what_a_system_left(tmp_path):
    for name in ("b.jpg", "a", ".hidden", ".DS_Store", "._b.jpg", "Thumbs.db", "desktop.ini", "Desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    for name in ("c.d", "__MACOSX", ".ipynb_checkpoints", "@eaDir"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken").symlink_to("nowhere")
    assert [path.name for path in listed(tmp_path)] == ["a", "b.jpg", "broken", "c.d"]


@pytest.mark.parametrize(
    "path", ["a/.DS_Store", ".ipynb_checkpoints/0-checkpoint.txt", "x/THUMBS.DB", "intake/._a.png"]
)
def test_what_a_system_left_is_known_wherever_it_lies(path):
    assert is_litter(path)


@pytest.mark.parametrize("path", ["thumbs.png", "DS_Store", "a.db", "ipynb_checkpoints/a.txt", ".mine", "intake.json"])
def test_the_rest_is_somebodys(path):
    assert not is_litter(path)


@pytest.mark.parametrize("name", ["gone", "file/within"])
def test_a_folder_that_cannot_be_looked_into_is_said(tmp_path, name):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(UserError, match=rf"{name}: this folder cannot be looked into: No"):
        listed(tmp_path / name)


def test_why_something_is_no_file(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    links = {"to_file": "file", "broken": "gone.jpg", "loop": "loop", "one": "other", "other": "one", "up": "folder"}
    for name, goal in {**links, "to_pipe": "pipe", "to_device": "/dev/zero"}.items():
        (tmp_path / name).symlink_to(goal)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))  # a path from the root may be too long for one
        found = {path.name: no_file(path) for path in [*tmp_path.iterdir(), tmp_path / "gone", tmp_path / "file" / "x"]}
    back = "it is a link that leads back to itself"
    assert found == {
        "file": None, "to_file": None, "folder": "it is a folder", "up": "it is a folder", "pipe": "it is a pipe",
        "to_pipe": "it is a pipe", "to_device": "it is a device", "socket": "it is a socket",
        "broken": "it is a link to gone.jpg, which is not there", "gone": "there is no such file",
        "x": "there is no such file", "loop": back, "one": back, "other": back,
    }  # fmt: skip


WRITTEN = {form: unicodedata.normalize(form, "Ảnh chế.jpg") for form in ("NFC", "NFD")}
WRITTEN["a keyboard's"] = "Ảnh chê\u0301.jpg"  # Windows' Vietnamese one: the tone is apart, the rest is not


@pytest.mark.parametrize("typed", WRITTEN)
@pytest.mark.parametrize("there", WRITTEN)
def test_a_name_is_the_same_however_its_accents_are_written(tmp_path, there, typed):
    assert nfc(WRITTEN[there]) == nfc(WRITTEN[typed])
    (tmp_path / WRITTEN[there]).write_bytes(b"x")
    assert find_file(tmp_path, WRITTEN[typed]) == tmp_path / WRITTEN[there]
    assert find_file(tmp_path, f"x{WRITTEN[typed]}") is None


def test_of_two_files_whose_accents_are_written_differently_each_is_found(tmp_path):
    assert len(set(WRITTEN.values())) == 3
    for name in WRITTEN.values():
        (tmp_path / name).write_bytes(b"x")
    assert [find_file(tmp_path, name) for name in WRITTEN.values()] == [tmp_path / name for name in WRITTEN.values()]


def test_a_folder_is_no_file_to_be_found(tmp_path):
    for name in ("a.jpg", WRITTEN["NFD"]):
        (tmp_path / name).mkdir()
    assert [find_file(tmp_path, name) for name in ("a.jpg", WRITTEN["NFC"], "a" * 300)] == [None] * 3


def test_why_something_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    assert no_folder(tmp_path) is None
    assert no_folder(Path("photos/a.jpg")) == "it is a file, expected the folder that it is in: photos"
    assert no_folder(Path("photo")) == f"no such folder (from {tmp_path})"


def test_a_folder_of_google_colab_is_told_as_what_it_is_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colab = tmp_path / "content"
    monkeypatch.setattr(listing, "COLAB", colab)
    here = f"no such folder (from {tmp_path})"
    assert no_folder(colab / "data" / "dog") == f"{here}; {colab} is Google Colab's, elsewhere it is data/dog"
    colab.mkdir()  # this is Colab
    assert no_folder(colab / "data" / "dog") == here
