"""What is done of a sweep, which job keeps its weights, and what a sweeper gets."""

import json
import math

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from avatar_exp.config import sweep_jobs
from avatar_exp.config.conf import conf_dir
from avatar_exp.config.start import register
from avatar_exp.config.sweep import jobs_asked
from avatar_exp.errors import UserError
from avatar_exp.run_folder import RunFolder


@pytest.fixture
def sweep(tmp_path):
    """Jobs with these values of the metric at their chosen step 4, and this drift."""

    def make(*jobs):
        for number, (value, drift) in enumerate(jobs):
            job = RunFolder(tmp_path / f"{number:03d}")
            job.pipeline.mkdir(parents=True)
            scores = {} if value is None else {"4": {"score/choice": value, "score/drift": drift}}
            job.update(status="finished", chosen_step=4, scores={"2": {"score/choice": 0.99}, **scores})
        return tmp_path

    return make


def kept(folder):
    return [job.path.name for job in sweep_jobs.jobs(folder) if job.pipeline.is_dir()]


def test_only_the_best_job_keeps_its_weights(sweep):
    folder = sweep((0.3, 0.0), (0.7, 0.0), (0.6, 0.0))
    sweep_jobs.keep_the_best(folder)
    assert kept(folder) == ["001"]
    assert "001" in RunFolder(folder / "000").info["weights_removed"]


def test_a_job_whose_class_drifted_is_not_the_best(sweep):
    folder = sweep((0.3, 0.1), (0.7, 0.5))
    sweep_jobs.keep_the_best(folder)
    assert kept(folder) == ["000"]


def test_of_jobs_that_all_drifted_none_is_thrown_away_until_one_is_better(sweep):
    folder = sweep((0.4, 0.300), (0.3, 0.294))
    sweep_jobs.keep_the_best(folder)
    assert kept(folder) == ["000", "001"]


def test_one_that_has_not_drifted_takes_the_place_of_all_that_have(sweep):
    folder = sweep((0.4, 0.300), (0.3, 0.294), (0.2, 0.0))
    sweep_jobs.keep_the_best(folder)
    assert kept(folder) == ["002"]


def test_another_persons_weights_are_nobodys_rivals(sweep):
    folder = sweep((0.3, 0.0), (0.7, 0.0))
    RunFolder(folder / "000").update(concept=["lan"])
    sweep_jobs.keep_the_best(folder)
    assert kept(folder) == ["000", "001"]


def test_a_job_whose_weights_are_gone_takes_none_with_it(sweep):
    folder = sweep((0.3, 0.0), (0.7, 0.0))
    RunFolder(folder / "001").pipeline.rmdir()
    sweep_jobs.keep_the_best(folder)
    assert kept(folder) == ["000"]


def test_a_job_that_has_not_finished_is_left_alone(sweep):
    folder = sweep((0.3, 0.0), (0.7, 0.0))
    RunFolder(folder / "000").update(status="running")
    sweep_jobs.keep_the_best(folder)
    assert kept(folder) == ["000", "001"]


def test_without_scores_all_keep_their_weights(sweep):
    folder = sweep((None, None), (None, None))
    sweep_jobs.keep_the_best(folder)
    assert kept(folder) == ["000", "001"]


def test_a_sweeper_gets_the_chosen_steps_values(sweep):
    (job,) = sweep_jobs.jobs(sweep((0.3, 0.1)))
    assert sweep_jobs.values_of(job.info, ["score/choice"]) == 0.3
    assert sweep_jobs.values_of(job.info, ["score/choice", "score/drift"]) == (0.3, 0.1)
    assert math.isnan(sweep_jobs.values_of(job.info, ["score/likeness"]))
    assert sweep_jobs.values_of({}, ["score/choice"]) is None
    assert sweep_jobs.values_of({"scores": {"0": {"score/choice": 0.2}}}, ["score/choice"]) == 0.2  # max_steps=0


def test_a_failed_job_has_no_value_for_each_metric():
    one = OmegaConf.create({"optimized_metric": "score/choice"})
    assert math.isnan(sweep_jobs.failed_values(one, "basic"))
    assert sweep_jobs.failed_values(one, "optuna") is None
    pair = sweep_jobs.failed_values(OmegaConf.create({"optimized_metric": ["score/likeness", "score/prompt"]}), "basic")
    assert [math.isnan(one) for one in pair] == [True, True]


def test_a_job_is_done_if_it_finished_with_the_same_overrides(tmp_path):
    job = RunFolder(tmp_path)
    assert not sweep_jobs.done_before(job, ["lr=1e-06"])
    job.update(overrides=["lr=1e-06"], status="interrupted")
    assert not sweep_jobs.done_before(job, ["lr=1e-06"])
    job.update(status="finished")
    assert sweep_jobs.done_before(job, ["lr=1e-06"])
    with pytest.raises(UserError, match="other overrides"):
        sweep_jobs.done_before(job, ["lr=1e-06", "max_steps=3"])


def test_what_a_job_left_is_cleared_unless_it_can_go_on(tmp_path):
    job = RunFolder(tmp_path)
    job.step_samples(4).mkdir(parents=True)
    job.metrics.write_text(json.dumps({"step": 1}))
    job.update(status="failed")
    assert not sweep_jobs.make_way(job)
    assert not any(tmp_path.iterdir())
    job.checkpoint.parent.mkdir()
    job.checkpoint.touch()
    job.update(status="interrupted")
    assert sweep_jobs.make_way(job)
    assert job.info["status"] == "interrupted"


@pytest.mark.parametrize(
    ("typed", "jobs"),
    [
        (["lr=1e-6,2e-6", "prior.weight=0.3,1.0,2", "max_steps=4"], 6),
        (["seed=range(1,5)"], 4),
        (["sweep=lr_grid"], 4),
        (["sweep=lr_grid", "seed=1,2"], 8),
        (["lr=interval(0,1)"], None),
    ],
)
def test_how_many_jobs_a_command_asks_for(typed, jobs):
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        fixed = [one for one in typed if "," not in one and "(" not in one]
        config = compose("train", ["concept=hoanganh", "model=tiny", *fixed], return_hydra_config=True)
        with open_dict(config):
            config.hydra.overrides.task = typed
    assert jobs_asked(config) == jobs


def test_of_a_search_the_trials_are_counted():
    hydra = {"sweeper": {"n_trials": 12, "params": {}}, "overrides": {"task": []}}
    assert jobs_asked(OmegaConf.create({"hydra": hydra})) == 12
