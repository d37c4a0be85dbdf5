from pathlib import Path

import pytest

from avatar_exp.run_folder import RunFolder
from runs.command import ROOT, Commands, Result, pictures, rows, typed_again, unlike, weights


def assert_same(one: RunFolder, other: RunFolder) -> None:
    assert unlike(weights(one.pipeline), weights(other.pipeline)) == []
    assert rows(one) == rows(other)
    assert pictures(one) == pictures(other)
    assert one.info["scores"] == other.info["scores"]


@pytest.mark.slow
def test_a_repeated_run_is_the_same_and_says_so(commands: Commands, finished: Result) -> None:
    first = finished.run
    ended = commands("train", f"repeat={first.path}", outputs=finished.outputs)
    (second,) = [path for path in finished.outputs.glob("train/*/*") if path != first.path]
    try:
        assert ended.code == 0, ended.err
        assert f"repeat of {first.path}: the same config" in ended.out
        assert_same(first, RunFolder(second))
        assert RunFolder(second).info["wandb_id"] != first.info["wandb_id"]
    finally:
        second.rename(commands.fresh_outputs())  # the shared run stays the only one in its outputs


def test_the_command_in_run_json_typed_anywhere_gives_the_same(
    commands: Commands, finished: Result, tmp_path: Path
) -> None:
    typed = typed_again(finished.run.info["command"])
    outputs = commands.fresh_outputs()
    here = (f"outputs={outputs}", "logger=none", f"concept.instance_data_dir={ROOT}/data/hoanganh")
    ended = commands("train", *typed, *here, cwd=tmp_path, outputs=outputs)
    assert ended.code == 0, ended.err
    assert_same(finished.run, ended.run)


def test_what_differs_is_said(commands: Commands, finished: Result) -> None:
    outputs = commands.fresh_outputs()
    changed = ("lr=2e-6", "logger=none", "max_steps=1", f"outputs={outputs}")
    ended = commands("train", f"repeat={finished.run.path}", *changed, outputs=outputs)
    assert ended.code == 0, ended.err
    assert "differs in" in ended.out
    assert "lr: 1e-06 -> 2e-06" in ended.out
    assert "max_steps: 4 -> 1" in ended.out
    assert "seed:" not in ended.out
    assert ended.run.info["steps_done"] == 1


def test_a_repeat_without_a_run_is_refused(commands: Commands, tmp_path: Path) -> None:
    ended = commands("train", f"repeat={tmp_path}/none")
    assert ended.code == 2
    assert "no run is there" in ended.err
