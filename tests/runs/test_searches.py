"""Ready-made sweeps, and launchers that run the jobs elsewhere."""

import json
import sqlite3
from pathlib import Path

import pytest

from runs.command import BARE, RAISE, Commands

SCORED = ("callbacks.scores._target_=runs.callbacks.Scored", "max_steps=1")


def test_four_learning_rates(commands: Commands) -> None:
    ended = commands("train", *BARE, "sweep=lr_grid", "max_steps=0")
    assert ended.code == 0, ended.err
    assert "sweep=" not in ended.jobs[0].info["command"]
    assert [job.path.name for job in ended.jobs] == [
        f"{n:03d}_lr-{lr}" for n, lr in enumerate(("5e-7", "1e-6", "2e-6", "4e-6"))
    ]


def test_a_search_goes_on_with_the_trials_that_remain_and_past_one_that_fails(commands: Commands) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    two = "optimized_metric=[score/identity,score/identity]"
    command = ("train", *BARE, *SCORED, "sweep=optuna", two)
    first = commands(*command, "hydra.sweeper.n_trials=2", RAISE, "+callbacks.stop.step=1")
    assert first.code == 1
    (sweep,) = first.outputs.glob("sweeps/*")
    assert [job.info["status"] for job in first.jobs] == ["failed", "failed"]
    assert "2 jobs of this sweep failed" in first.err
    assert trials(sweep) == 0
    left = "hydra.sweeper.n_trials='${remaining_trials:${hydra.sweep.dir},2}'"  # as the file has it, but for the number
    for done in (2, 2):
        again = commands(*command, left, f"hydra.sweep.dir={sweep}", outputs=first.outputs)
        assert again.code == 0, again.err
        assert trials(sweep) == done


def trials(sweep: Path) -> int:
    with sqlite3.connect(sweep / "study.db") as study:
        return study.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_jobs_may_run_in_other_processes(commands: Commands, tmp_path: Path, launcher: str) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher")
    at_once = "hydra.launcher.n_jobs=2" if launcher == "joblib" else "hydra.launcher.timeout_min=5"
    wrong = ("+callbacks.stop._target_=runs.callbacks.Raise", "+callbacks.stop.step=1,9")
    command = ("train", "-m", *BARE, at_once, f"hydra/launcher={launcher}", *wrong, "max_steps=1", f"store={tmp_path}")
    ended = commands.in_process_of_its_own(*command)
    assert ended.code == 1, ended.err
    jobs = [job for job in ended.jobs if not job.path.name.startswith(".")]
    assert [job.info["status"] for job in jobs] == ["failed", "finished"]
    assert "stopped on purpose" in ended.err
    assert "1 job of this sweep failed" in ended.err
    (sweep,) = ended.outputs.glob("sweeps/*")  # not one for each process
    assert list(json.loads((sweep / "sweep.json").read_text())) == ["000", "001"]
    assert (sweep / "compare.html").is_file()
    assert sum(job.info["store_made"].get("pictures", 0) for job in jobs) == 2  # the prior was drawn once
