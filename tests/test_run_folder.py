"""The run folder: names, atomic writes, and reading what a killed run left."""

import json
import re
import stat
import threading

import pytest

from avatar_exp.errors import UserError
from avatar_exp.run_folder import (
    RunFolder,
    append_line,
    keep_lines_to_step,
    make_exclusively,
    read_json,
    read_lines,
    safe_name,
    timestamp,
    whole_folder,
    write_atomically,
    write_json,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hoanganh", "hoanganh"),
        ("Hoàng Ánh", "Hoang-Anh"),
        ("Đỗ Văn Nguyễn", "Do-Van-Nguyen"),
        ("lr-2e-6_prior.weight-0.3", "lr-2e-6_prior.weight-0.3"),
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c:d*e", "a-b-c-d-e"),
        (".hidden", "hidden"),
        ("東京", "unnamed"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("a" * 79 + " b", "a" * 79),
    ],
)
def test_safe_name(text, name):
    assert safe_name(text) == name
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", safe_name(text))


def test_a_folder_is_made_exclusively(tmp_path):
    names = [make_exclusively(tmp_path / "new", "run").name for _ in range(3)]
    assert names == ["run", "run-2", "run-3"]


def test_threads_never_share_a_folder(tmp_path):
    made = []
    threads = [threading.Thread(target=lambda: made.append(make_exclusively(tmp_path, "run"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16


def test_timestamps_are_safe_names_that_sort():
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", timestamp())
    assert safe_name(timestamp()) == timestamp()[:19]


def test_an_atomic_write_replaces_and_leaves_nothing_else(tmp_path):
    file = tmp_path / "new" / "file"
    write_atomically(file, "một")
    write_atomically(file, b"two")
    assert file.read_bytes() == b"two"
    assert [path.name for path in file.parent.iterdir()] == ["file"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_failed_write_keeps_the_old_content(tmp_path):
    file = tmp_path / "run.json"
    write_json(file, {"a": 1})
    for bad in ({"a": float("nan")}, {"a": object()}):
        with pytest.raises((ValueError, TypeError)):
            write_json(file, bad)
    assert read_json(file) == {"a": 1}


@pytest.mark.parametrize("content", [None, b"", b'{"a": ', b"[1]", b"\xff\xfe"])
def test_a_broken_json_file_reads_as_empty(tmp_path, content):
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    assert read_json(tmp_path / "run.json") == {}
    assert RunFolder(tmp_path).info == {}


def test_lines_come_back_as_written(tmp_path):
    rows = [{"step": 1, "prompt": "ảnh\nof \u2028 \x85 it"}, {"step": 2, "x": 0.5}]
    for row in rows:
        append_line(tmp_path / "new" / "metrics.jsonl", row)
    assert list(read_lines(tmp_path / "new" / "metrics.jsonl")) == rows


@pytest.mark.parametrize("tail", [b'{"step": 3, "lo', b'{"prompt": "\xe1\xba', b"[1]\n", b"\n\n"])
def test_the_last_line_of_a_killed_run_is_passed_over(tmp_path, tail):
    (tmp_path / "m").write_bytes(b'{"step": 1}\n{"step": 2}\n' + tail)
    assert [row["step"] for row in read_lines(tmp_path / "m")] == [1, 2]


def test_a_row_that_is_not_json_is_refused(tmp_path):
    with pytest.raises(ValueError):
        append_line(tmp_path / "m", {"loss": float("inf")})
    assert not list(read_lines(tmp_path / "m"))


def test_missing_lines_are_none(tmp_path):
    assert list(read_lines(tmp_path / "none")) == []
    keep_lines_to_step(tmp_path / "none", 3)
    assert not (tmp_path / "none").exists()


def test_rows_after_a_step_are_dropped(tmp_path):
    for step in (0, 10, 20, 30):
        append_line(tmp_path / "m", {"step": step, "text": "Đ"})
    keep_lines_to_step(tmp_path / "m", 20)
    append_line(tmp_path / "m", {"step": 21})
    assert [row["step"] for row in read_lines(tmp_path / "m")] == [0, 10, 20, 21]


def test_update_merges_and_keeps_the_schema_version(tmp_path):
    run = RunFolder(tmp_path)
    run.update(status="running", a=1)
    run.update(status="finished", b=[2])
    assert json.loads(run.run_json.read_text()) == {"schema_version": 1, "status": "finished", "a": 1, "b": [2]}


def test_what_is_a_run(tmp_path):
    run = RunFolder(tmp_path)
    assert not run.exists
    run.update(status="running")
    assert run.exists


def test_the_paths_that_other_commands_rely_on(tmp_path):
    run = RunFolder(tmp_path)
    paths = [
        run.config, run.overrides, run.resolved, run.run_json, run.metrics, run.grid, run.records, run.checkpoint,
        run.pipeline, run.report, run.step_samples(200), run.kept_step(7),
    ]  # fmt: skip
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        ".hydra/config.yaml", ".hydra/overrides.yaml", ".hydra/resolved.yaml", "run.json", "metrics.jsonl",
        "samples/grid.png", "samples/records.jsonl", "checkpoints/last.ckpt", "pipeline", "report.html",
        "samples/step_00200", "pipeline_step_00007",
    ]  # fmt: skip


@pytest.mark.parametrize("empty_there", [True, False])
def test_a_folder_appears_whole(tmp_path, empty_there):
    out = tmp_path / "new" / "out"
    if empty_there:
        out.mkdir(parents=True)
    with whole_folder(out) as folder:
        (folder / "a").write_text("x")
        assert not (out / "a").exists()
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert (out / "a").read_text() == "x"
    assert stat.S_IMODE(out.stat().st_mode) == 0o755


def test_of_a_folder_that_failed_nothing_is_left(tmp_path):
    out = make_exclusively(tmp_path, "out")

    def fail():
        with whole_folder(out) as folder:
            (folder / "a").write_text("x")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("as_file", [True, False])
def test_what_is_there_is_not_written_over(tmp_path, as_file):
    out = tmp_path / "out"
    kept = out if as_file else out / "kept"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    with pytest.raises(UserError, match="is there already"), whole_folder(out):
        pass
    assert kept.read_text() == "mine"
