import json
from pathlib import Path

import pytest

from runs.command import BARE, RAISE, ROOT, Commands, changed, rows


def test_a_sweep_has_a_folder_for_each_job_and_one_store(commands: Commands, tmp_path: Path) -> None:
    ended = commands("train", "-m", *BARE, "lr=1e-6,2e-6", "max_steps=1", f"store={tmp_path}")
    assert ended.code == 0, ended.err
    first, second = ended.jobs
    assert [job.path.name for job in ended.jobs] == ["000_lr-1e-6", "001_lr-2e-6"]
    assert [job.info["status"] for job in ended.jobs] == ["finished", "finished"]
    assert first.info["store_made"] == {"pictures": 2, "moments": 14}
    assert second.info["store_made"] == {}
    assert len(list(tmp_path.glob("pictures/*/picture.png"))) == 2
    assert first.metrics.read_bytes() != second.metrics.read_bytes()


def test_sweep_json_says_what_each_job_was_given(commands: Commands) -> None:
    ended = commands("train", "-m", *BARE, "lr=1e-6,2e-6", "prior.weight=0.3", "seed=1,2", "max_steps=0")
    (sweep,) = ended.outputs.glob("sweeps/*")
    jobs = json.loads((sweep / "sweep.json").read_text())
    assert list(jobs) == ["000", "001", "002", "003"]
    assert [job.path.name for job in ended.jobs][2] == "002_lr-2e-6_seed-1"
    assert {"lr=2e-06", "seed=1", "prior.weight=0.3", "concept=hoanganh"} <= set(jobs["002"])


def test_a_failing_job_does_not_stop_the_others(commands: Commands) -> None:
    steps = "+callbacks.stop.step=9,1,8"
    ended = commands("train", "-m", *BARE, RAISE, steps, "max_steps=2")
    assert ended.code == 1
    assert [job.info["status"] for job in ended.jobs] == ["finished", "failed", "finished"]
    failed = ended.jobs[1]
    assert failed.path.name == "001_callbacks.stop.step-1"
    assert "1 job of this sweep failed" in ended.err
    for said in (failed.path.name, "+callbacks.stop.step=1 ", "stopped on purpose", str(failed.path / "train.log")):
        assert said in ended.err
    assert "RuntimeError" in (failed.path / "train.log").read_text()


def test_a_job_without_photos_is_named_and_the_exit_code_says_so(commands: Commands, tmp_path: Path) -> None:
    folders = f"concept.instance_data_dir={tmp_path},data/hoanganh"
    ended = commands.in_process_of_its_own("train", "-m", *BARE, folders, "max_steps=1")
    assert ended.code == 1
    assert [job.info["status"] for job in ended.jobs] == ["failed", "finished"]
    assert "no picture in it" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("lrr=1e-6,2e-6", "unknown key 'lrr'; did you mean lr?"),
        ("concept=hoanganh,nobody", "no concept is called 'nobody'; known: "),
    ],
)
def test_a_typing_error_stops_a_sweep_before_its_first_job(commands: Commands, override: str, says: str) -> None:
    ended = commands("train", "-m", *BARE, override)
    assert ended.code == 2
    assert ended.err.startswith(f"\n{says}")
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert not ended.outputs.exists()


def test_a_sweep_is_not_shown_as_one_config(commands: Commands) -> None:
    ended = commands("train", "-m", *BARE, "lr=1e-6,2e-6", "--cfg", "job")
    assert ended.code == 2
    assert ended.err == "\n-m with --cfg: what is shown is one run's. Leave out -m, and give each key one value\n"


def test_flags_may_stand_anywhere(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "data" / "conf").mkdir(parents=True)
    shown = commands("train", "concept=hoanganh", "--cfg", "job", "lr=2e-6", cwd=tmp_path)
    assert shown.code == 0, shown.err
    assert "lr: 2.0e-06" in shown.out
    photos = f"concept.instance_data_dir={ROOT}/data/hoanganh"
    swept = commands("train", *BARE, photos, "-m", "seed=1,2", "max_steps=0", cwd=tmp_path)
    assert [job.path.name for job in swept.jobs] == ["000_seed-1", "001_seed-2"]


def test_ctrl_c_ends_the_whole_sweep(commands: Commands) -> None:
    ctrl_c = (RAISE, "+callbacks.stop.step=1", "+callbacks.stop.error=KeyboardInterrupt")
    ended = commands("train", "-m", *BARE, *ctrl_c, "seed=1,2")
    assert ended.code == 130
    assert [job.info["status"] for job in ended.jobs] == ["interrupted"]


def test_the_same_command_with_its_old_folder_does_what_is_left(commands: Commands) -> None:
    command = ("train", "-m", *BARE, "lr=1e-6,2e-6", "max_steps=1")
    first = commands(*command)
    (sweep,) = first.outputs.glob("sweeps/*")
    done, undone = first.jobs
    written = done.metrics.stat().st_mtime_ns
    changed(undone.run_json, status="interrupted")
    again = commands(*command, f"hydra.sweep.dir={sweep}", outputs=first.outputs)
    assert again.code == 0, again.err
    assert "000_lr-1e-6 was finished before" in again.out
    assert done.metrics.stat().st_mtime_ns == written
    assert [job.info["status"] for job in again.jobs] == ["finished", "finished"]
    assert len(rows(undone)) == 1
    other = commands(*command, "prior.weight=0.5", f"hydra.sweep.dir={sweep}", outputs=first.outputs)
    assert other.code == 1
    assert "holds a run of other overrides" in other.err


def test_a_sweep_keeps_its_best_jobs_weights_and_compares_all(commands: Commands) -> None:
    scored = ("callbacks.scores._target_=runs.callbacks.Scored", "optimized_metric=score/identity", "sample_every=4")
    ended = commands("train", "-m", *BARE, *scored, "scoring.prompts=[a]", "max_steps=2,1,3", "choose=last")
    assert ended.code == 0, ended.err
    assert [job.pipeline.is_dir() for job in ended.jobs] == [False, True, False]  # its score falls with every step
    (sweep,) = ended.outputs.glob("sweeps/*")
    assert f"compare   {sweep / 'compare.html'}" in ended.out
    assert (sweep / "compare.html").is_file()


def test_seeds_are_a_sweep_whose_jobs_each_repeat_their_own(commands: Commands) -> None:
    ended = commands("train", *BARE, "max_steps=1", "seed=1", "seeds=2", "save=none")
    assert ended.code == 0, ended.err
    assert [job.path.name for job in ended.jobs] == ["000_seed-1", "001_seed-1001"]
    for seed, job in zip((1, 1001), ended.jobs, strict=True):
        said = [one for one in job.info["command"].split() if one.startswith("seed")]
        assert (job.info["seed"], said) == (seed, [f"seed={seed}"])
    assert not any(job.pipeline.is_dir() for job in ended.jobs)  # save=none
