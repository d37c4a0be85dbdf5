"""Coming back to a run: what may change, what is taken back, and what is said to differ."""

import pytest
import torch
from omegaconf import OmegaConf

from avatar_exp.config.again import differences, flat, go_back, repeated_overrides, resumed, resumed_config
from avatar_exp.config.overrides import readable
from avatar_exp.config.schema import TrainConfig
from avatar_exp.errors import RefusedError, UserError
from avatar_exp.run_folder import RunFolder, append_line, read_lines, write_atomically


@pytest.fixture
def run(tmp_path):
    """A run folder as Hydra and the command leave it."""
    folder = RunFolder(tmp_path / 'ảnh "a", [1]=x')
    chosen = {
        "trainer": {"max_steps": "${max_steps}", "accumulate_grad_batches": 1, "precision": "${precision}"},
        "concept": {"identifier": "minh", "instance_data_dir": "photos"},
        "model": {"path": "tiny"},
        "prior": {"_target_": "avatar_exp.data.prior.Generated"},
    }
    config = OmegaConf.merge(OmegaConf.structured(TrainConfig), chosen)
    write_atomically(folder.config, OmegaConf.to_yaml(config))
    config.precision = "16-mixed"
    write_atomically(folder.resolved, OmegaConf.to_yaml(config, resolve=True))
    write_atomically(folder.overrides, OmegaConf.to_yaml(["concept=minh", "lr=2e-6", 'name="a, b"']))
    folder.update(decided=["model=tiny", "precision=16-mixed"])
    return folder


def test_without_a_folder_nothing_is_resumed():
    assert resumed(["lr=1"]) is None
    assert repeated_overrides(["lr=1"]) == ["lr=1"]


def test_of_a_folder_of_runs_the_newest_that_can_are_named(run):
    for key, call in (("resume", resumed), ("repeat", repeated_overrides)):
        with pytest.raises(UserError) as error:
            call([readable(f"{key}={run.path.parent}")])
        assert (f"\n  {key}={run.path}" in str(error.value)) == (key == "repeat")  # it has no checkpoint


def test_a_run_is_found_by_the_path_that_was_typed(run):
    run.checkpoint.parent.mkdir()
    run.checkpoint.touch()
    config, path = resumed([readable(f"resume={run.path}")])
    assert path == run.path
    assert (config.resume, config.max_steps, config.concept.identifier) == (str(run.path), 800, "minh")


def test_a_run_whose_method_has_keys_of_its_own_is_found_with_them(run):
    config = OmegaConf.load(run.config)
    config.method = {"_target_": "avatar_exp.models.lora.Lora", "rank": 4, "unet": False}
    write_atomically(run.config, OmegaConf.to_yaml(config))
    found = resumed_config(run, []).method
    assert (found.rank, found.unet, found.alpha, found.text_encoder) == (4, False, None, True)


def test_what_was_decided_then_is_kept(run):
    assert resumed_config(run, []).precision == "16-mixed"


@pytest.mark.parametrize("key", ["max_steps", "trainer.max_steps"])
@pytest.mark.parametrize("written", ["${max_steps}", 400])
def test_a_resumed_run_may_be_longer(run, key, written):
    """Whether the run was made with ``max_steps`` or with Lightning's name for it."""
    from avatar_exp.config.decide import decide

    config = OmegaConf.load(run.config)
    config.trainer.max_steps = written
    write_atomically(run.config, OmegaConf.to_yaml(config))
    config = resumed_config(run, [f"{key}=1200"])
    decide(config, None)
    assert (config.max_steps, config.trainer.max_steps) == (1200, 1200)


def test_other_changes_that_are_allowed(run):
    config = resumed_config(run, ["keep_steps=[100,200]", "keep_checkpoints=true", "tags=[a]", "hydra.searchpath=[x]"])
    assert (list(config.keep_steps), config.keep_checkpoints, list(config.tags)) == ([100, 200], True, ["a"])


@pytest.mark.parametrize("override", ["lr=1e-5", "concept=other", "prior.weight=0", "seed=1", "+x=1", "batch_size=2"])
def test_a_change_that_makes_another_run_is_refused(run, override):
    with pytest.raises(UserError, match="cannot change"):
        resumed_config(run, [override])


@pytest.mark.parametrize("key", ["resume", "repeat"])
def test_a_folder_without_a_run_is_refused(tmp_path, key):
    with pytest.raises(UserError, match=f"{key}={tmp_path}: no run is there"):
        (resumed if key == "resume" else repeated_overrides)([f"{key}={tmp_path}"])


def test_a_repeat_is_the_old_overrides_then_the_new(run):
    typed = [readable(f"repeat={run.path}"), "lr=3e-6"]
    assert repeated_overrides(typed) == ["concept=minh", 'name="a, b"', "model=tiny", "precision=16-mixed", *typed]


def test_a_repeated_choice_can_be_changed(run):
    assert "model=tiny" not in repeated_overrides([readable(f"repeat={run.path}"), "model=sd15"])


def test_what_differs_is_said(run):
    then = OmegaConf.load(run.resolved)
    assert differences(run, then) == []
    now = OmegaConf.merge(then, {"lr": 5e-6, "prior": {"weight": 0.3}, "repeat": "x"})
    assert differences(run, now) == ["lr: 1e-06 -> 5e-06", "prior.weight: 1.0 -> 0.3"]
    run.resolved.unlink()
    assert len(differences(run, now)) == 1


def test_flat_has_dotted_keys_and_resolved_values():
    config = OmegaConf.create({"a": {"b": 1, "c": "${a.b}"}, "d": [1, 2]})
    assert flat(config) == {"a.b": 1, "a.c": 1, "d": [1, 2]}


def test_going_back_takes_back_what_came_after_the_checkpoint(run):
    run.checkpoint.parent.mkdir()
    torch.save({"global_step": 20}, run.checkpoint)
    for step in (0, 10, 20, 30):
        append_line(run.metrics, {"step": step})
        append_line(run.records, {"step": step})
    run.update(scores={str(step): {"score/identity": step} for step in (0, 20, 30)}, best_step=30)
    assert go_back(run) == run.checkpoint
    assert [row["step"] for row in read_lines(run.metrics)] == [0, 10, 20]
    assert [row["step"] for row in read_lines(run.records)] == [0, 10, 20]
    assert (set(run.info["scores"]), run.info["best_step"], run.info["steps_done"]) == ({"0", "20"}, None, 20)


def test_going_back_keeps_the_weights_of_the_best_step_there(run):
    run.checkpoint.parent.mkdir()
    torch.save({"global_step": 20}, run.checkpoint)
    for step in (10, 30):
        run.incumbent(step).write_bytes(b"weights")
    go_back(run)
    assert set(run.incumbents) == {10}


def test_a_run_without_a_checkpoint_cannot_go_on(run):
    with pytest.raises(UserError, match=r"keep_checkpoints=true"):
        resumed([f"resume={run.path}"])


def test_a_run_that_is_further_than_it_is_to_go_is_left_alone(run):
    run.checkpoint.parent.mkdir()
    run.checkpoint.touch()
    run.update(steps_done=20)
    append_line(run.metrics, {"step": 30})
    with pytest.raises(RefusedError, match="at step 20 already; max_steps=10"):
        resumed([f"resume={run.path}", "max_steps=10"])
    assert [row["step"] for row in read_lines(run.metrics)] == [30]
