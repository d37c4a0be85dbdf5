"""Which run, and which of its weights, are meant."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from avatar_exp.config.schema import SampleConfig
from avatar_exp.config.weights import is_pipeline, named_run, weights_folder, weights_to_load
from avatar_exp.errors import UserError
from avatar_exp.run_folder import RunFolder, write_atomically, write_json


def pipeline(folder):
    write_json(folder / "model_index.json", {"unet": []})


@pytest.fixture
def run(tmp_path):
    """A run of 600 steps whose best one was 150; ``kept``: the steps of keep_steps."""

    def make(chosen=600, best=150, kept=()):
        folder = RunFolder(tmp_path / "run")
        folder.update(status="finished", chosen_step=chosen, best_step=best, steps_done=600)
        pipeline(folder.pipeline)
        for step in kept:
            pipeline(folder.kept_step(step))
        return folder

    return make


@pytest.mark.parametrize(
    ("of", "step", "where", "said"),
    [
        ({"chosen": 150}, "best", "pipeline", "step 150 (best score)"),
        ({"kept": [150]}, "best", "pipeline_step_00150", "step 150 (best score)"),
        ({}, "best", "pipeline",
         "step 600 (what the run chose; the best score, at step 150, was not kept: choose=best keeps it)"),
        ({"best": None}, "best", "pipeline", "step 600 (what the run chose; no step was scored)"),
        ({}, "last", "pipeline", "step 600 (the last step)"),
        ({"chosen": 150, "kept": [600]}, "last", "pipeline_step_00600", "step 600 (the last step)"),
        ({"chosen": 150}, "150", "pipeline", "step 150 (what the run chose)"),
        ({"kept": [300]}, "300", "pipeline_step_00300", "step 300 (kept by keep_steps)"),
    ],
)  # fmt: skip
def test_a_step_is_found_and_it_is_said_why_it_is_taken(run, of, step, where, said):
    made = run(**of)
    assert weights_folder(made, step) == (made.path / where, said)


@pytest.mark.parametrize(
    ("status", "checkpoint", "says"),
    [
        ("interrupted", True, "Steps kept: none. The run did not end: python -m avatar_exp.train resume=RUN"),
        ("failed", False, "Steps kept: none. The run did not end: python -m avatar_exp.train repeat=RUN"),
        ("running", True, "They come when the run ends; if it was cut off: python -m avatar_exp.train resume=RUN"),
        ("finished", True, "Steps kept: none. keep_steps="),
    ],
)
def test_a_run_that_did_not_end_is_to_go_on(tmp_path, status, checkpoint, says):
    folder = RunFolder(tmp_path / "run")
    folder.update(status=status)
    if checkpoint:
        write_atomically(folder.checkpoint, b"")
    with pytest.raises(UserError) as error:
        weights_folder(folder, "best")
    assert says.replace("RUN", str(folder.path)) in str(error.value)


@pytest.mark.parametrize(
    ("of", "step", "says"),
    [
        ({"kept": [300]}, "viel", "step=viel: expected best, last, 0 (the base) or one of: 600 (chosen), 300"),
        ({}, "-1", "step=-1: expected best, last"),
        ({}, "7", "no weights of step 7 are there (status: finished).\nSteps kept: 600 (chosen)."),
        ({"chosen": 150}, "last", "no weights of step 600 are there (status: finished).\nSteps kept: 150 (chosen)."),
    ],
)
def test_a_step_that_is_not_there_is_told_from_one_that_cannot_be(run, of, step, says):
    with pytest.raises(UserError) as error:
        weights_folder(run(**of), step)
    assert says in str(error.value)


def test_a_run_that_died_early_has_no_weights(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.update(status="failed")
    for step in ("best", "last"):
        with pytest.raises(UserError, match=r"no weights are there \(status: failed\)\.\nSteps kept: none"):
            weights_folder(folder, step)


def test_why_they_are_gone_is_told(run):
    made = run()
    (made.pipeline / "model_index.json").unlink()
    made.update(weights_removed="save=best_of_sweep kept those of 001")
    with pytest.raises(UserError, match="save=best_of_sweep kept those of 001"):
        weights_folder(made, "best")


def test_step_0_is_the_base(run):
    made = run()
    write_atomically(made.resolved, "model: {_target_: x, path: tiny, variant: null}")
    assert weights_to_load(made, "0") == {"path": "tiny", "variant": None}


def named(run=None, outputs="outputs"):
    config = OmegaConf.structured(SampleConfig)
    config.outputs = str(outputs)
    if run:
        config.run = str(run)
    return named_run(config)


def test_a_folder_that_is_not_there_is_no_folder_that_holds_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for given, says in (
        ("runwayml/sd-xyz", f"run=runwayml/sd-xyz: no such folder (from {tmp_path})"),
        (__file__, f"run={__file__}: a file; name the folder"),
        ("empty", "run=empty: neither a run nor a diffusers folder"),
        (None, "name a run: run=outputs/train/hoanganh/DATE"),
    ):
        with pytest.raises(UserError) as error:
            named(given)
        assert str(error.value) == says
    pipeline(tmp_path / "weights")
    assert named("weights").path == Path("weights")


def test_the_newest_runs_that_kept_weights_are_named(tmp_path):
    import os

    for n in range(5):
        folder = RunFolder(tmp_path / "train" / "minh" / f"2026-0{n}")
        folder.update(status="finished")
        if n != 2:
            pipeline(folder.pipeline)
            os.utime(folder.pipeline, (n, n))
    with pytest.raises(UserError) as error:
        named(outputs=tmp_path)
    _, title, *runs = str(error.value).splitlines()
    assert title == f"newest in {tmp_path}:"
    assert runs == [f"  run={tmp_path}/train/minh/2026-0{n}" for n in (4, 3, 1)]


def test_a_broken_index_is_no_pipeline(tmp_path):
    (tmp_path / "model_index.json").write_text("{")
    assert not is_pipeline(tmp_path)
