"""What depends on where a run runs: a terminal, a precision, W&B out of reach, another process at the same run."""

import os
import pty
import subprocess
import sys

import pytest
from filelock import FileLock

from avatar_exp.errors import UserError
from avatar_exp.run_folder import read_lines
from avatar_exp.training import wandb_logger
from runs.command import BARE, KEPT, ROOT, Commands


def test_a_run_in_a_terminal_shows_lightnings_bar_and_ends_well(commands: Commands) -> None:
    outputs = commands.fresh_outputs()
    main, terminal = pty.openpty()
    arguments = commands.arguments("train", [*BARE, "max_steps=2"], outputs)
    with subprocess.Popen(
        [sys.executable, "-m", "avatar_exp.train", *arguments],
        cwd=ROOT, env={**os.environ, **commands.environment}, stdout=terminal, stderr=terminal,
    ) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        while True:
            try:
                shown += os.read(main, 4096)
            except OSError:  # the other end is closed
                break
    os.close(main)
    assert process.returncode == 0, shown.decode(errors="replace")
    assert "Epoch" in shown.decode(errors="replace")


def test_half_precision_with_accumulation_reports_whole_losses(commands: Commands) -> None:
    half = ("precision=bf16", "optimizer=adamw", "accumulate_grad_batches=3", "max_steps=2")
    ended = commands("train", *BARE, *half)
    assert ended.code == 0, ended.err
    (row,) = read_lines(ended.run.metrics)
    assert row["train/loss"] == pytest.approx(row["train/loss_instance"] + row["train/loss_prior"], rel=1e-4)
    assert "precision bf16-mixed" in ended.out


def test_a_run_that_is_still_running_is_not_resumed(commands: Commands) -> None:
    running = commands("train", *BARE, *KEPT)
    before = running.run.run_json.read_bytes()
    with FileLock(running.run.path / ".lock"):
        ended = commands("train", f"resume={running.run.path}")
    assert ended.code == 2
    assert "still running in another process" in ended.err
    assert running.run.run_json.read_bytes() == before


def test_a_resume_that_is_refused_leaves_the_run_as_it_was(commands: Commands) -> None:
    done = commands("train", *BARE, *KEPT)
    before = {file: file.read_bytes() for file in (done.run.run_json, done.run.resolved, done.run.metrics)}
    ended = commands("train", f"resume={done.run.path}", "max_steps=2")
    assert ended.code == 2
    assert "at step 4 already" in ended.err
    assert {file: file.read_bytes() for file in before} == before


def test_several_gpus_in_one_run_are_refused_before_anything_is_loaded(commands: Commands) -> None:
    ended = commands("train", *BARE, "trainer.devices=auto", "prior.sampler.scheduler=Foo", "lr_scheduler.name=bar")
    assert ended.code == 2
    for fault in ("several GPUs in one run", "diffusers has none of that name", "lr_scheduler.name=bar: expected one"):
        assert fault in ended.err
    assert "loading the base" not in ended.out


@pytest.mark.parametrize(
    ("asked", "mode"), [("dryrun", "offline"), ("Offline", "offline"), ("disabled", "disabled"), ("online", "online")]
)
def test_the_mode_of_wandb_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch, asked: str, mode: str) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setenv("WANDB_MODE", asked)
    assert wandb_logger.mode() == mode


def test_an_unknown_mode_of_wandb_is_no_reason_to_send_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(UserError, match="WANDB_MODE=ofline"):
        wandb_logger.mode()


def test_a_wandb_out_of_reach_does_not_end_the_run(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(wandb_logger.PRIVATE, "init_timeout", 3.0)
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(Commands, "environment", {**commands.environment, "WANDB_MODE": "online"})
    overrides = [one for one in BARE if one != "logger=none"]
    ended = commands("train", *overrides, "logger=wandb", "max_steps=1")
    assert ended.code == 0, ended.err
    assert "wandb: cannot be reached" in ended.out
    assert "upload    wandb sync" in ended.out
