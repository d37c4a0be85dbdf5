"""What lies in a folder: what only looks like a file is told apart without being opened."""

import os
import socket

import pytest

from avatar_exp.data.listing import is_litter, listed, no_file
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
