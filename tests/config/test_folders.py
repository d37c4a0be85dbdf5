"""The folders that a command makes; and that a command which was refused leaves none."""

import json
import logging
from pathlib import Path

import pytest

from avatar_exp.config.folders import begun, forget, fresh_folder, subject_folder, take_back
from avatar_exp.run_folder import RunFolder, write_atomically


@pytest.fixture(autouse=True)
def _fresh():
    forget()
    yield
    forget()


def refused(parent, name="run"):
    """A folder as a command leaves it that was refused by its checks."""
    folder = RunFolder(Path(fresh_folder(str(parent), name)))
    write_atomically(folder.config, "lr: 1")
    write_atomically(folder.report, "<html>")
    (folder.path / "train.log").write_text("base: tiny\n")
    folder.update(status="failed", error="UserError: lr=-1", phase_seconds={"imports and checks": 1.0})
    return folder


def test_a_fresh_folder_is_asked_for_more_than_once(tmp_path):
    forget()
    first = fresh_folder(str(tmp_path), "run")
    assert fresh_folder(str(tmp_path), "run") == first == str(tmp_path / "run")
    forget()  # another process
    assert fresh_folder(str(tmp_path), "run") == str(tmp_path / "run-2")


def test_the_folder_of_a_run_is_called_by_its_subject(tmp_path):
    rows = [{"instance_prompt": name, "class_prompt": "person", "instance_data_dir": name} for name in ("Mịnh", "lan")]
    one, two, broken = (tmp_path / name for name in ("one.json", "two.json", "broken.json"))
    one.write_text(json.dumps(rows[:1]))
    two.write_text(json.dumps(rows))
    broken.write_text("[")
    assert subject_folder("Hoàng Anh", None, None) == "Hoang-Anh"
    assert subject_folder("several", ["lan"], None) == "lan"
    assert subject_folder("several", ["lan", "minh"], None) == "several"
    assert [subject_folder("several", None, str(file)) for file in (one, two, broken)] == ["Minh", "several", "several"]


def test_nothing_is_left_of_what_was_refused(tmp_path):
    refused(tmp_path / "outputs" / "train" / "minh")
    take_back()
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_before_stays(tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "train" / "minh" / "another").mkdir(parents=True)
    refused(tmp_path / "outputs" / "train" / "minh")
    refused(tmp_path / "outputs" / "sweeps")
    take_back()
    assert [path.name for path in tmp_path.rglob("*")] == ["outputs", "train", "minh", "another"]


@pytest.mark.parametrize("more", ["base", "samples", "picture", "job"])
def test_what_was_begun_stays(tmp_path, more):
    folder = refused(tmp_path)
    assert not begun(folder.path)
    match more:
        case "base":
            folder.update(base={"path": "tiny"})
        case "samples":
            folder.step_samples(0).mkdir(parents=True)
        case "picture":
            (folder.path / "00_a.png").touch()
        case "job":
            write_atomically(RunFolder(folder.path / "000_lr-1").config, "lr: 1")
    take_back()
    assert folder.info["status"] == "failed"


def test_a_folder_of_the_users_is_not_taken_away(tmp_path):
    (tmp_path / "mine").mkdir()
    take_back()
    assert (tmp_path / "mine").is_dir()


def test_a_log_in_what_is_taken_away_is_closed(tmp_path):
    folder, root = refused(tmp_path), logging.getLogger()
    inside, outside = (logging.FileHandler(at / "train.log") for at in (folder.path, tmp_path))
    root.addHandler(inside)
    root.addHandler(outside)
    try:
        take_back()
        assert inside not in root.handlers
        assert outside in root.handlers
    finally:
        root.removeHandler(inside)
        root.removeHandler(outside)
        outside.close()
