"""What is drawn with when nobody said."""

import pytest
from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.sampler import KEYS, sampler_of_model, scoring_of, settle_sampler
from avatar_exp.run_folder import RunFolder

ASKED = {"num_inference_steps": None, "guidance_scale": 2.0, "scheduler": None}


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """A run that drew its pictures with a sampler of its own."""
    found = RunFolder(tmp_path / "run")
    found.resolved.parent.mkdir(parents=True)
    own = {"num_inference_steps": 9, "guidance_scale": 3.0, "scheduler": "UniPCMultistep"}
    OmegaConf.save(OmegaConf.create({"scoring": {"sampler": own}}), found.resolved)
    return found


def settled(run: RunFolder) -> dict[str, object]:
    config = OmegaConf.create(ASKED)
    assert isinstance(config, DictConfig)
    settle_sampler(config, run)
    return {key: config[key] for key in KEYS}


def test_a_run_and_the_pipeline_in_it_are_drawn_with_as_the_run_was(run: RunFolder):
    wanted = {"num_inference_steps": 9, "guidance_scale": 2.0, "scheduler": "UniPCMultistep"}
    assert settled(run) == settled(RunFolder(run.pipeline)) == wanted


def test_a_folder_of_no_run_is_drawn_with_as_in_the_tutorial(tmp_path):
    wanted = {"num_inference_steps": 24, "guidance_scale": 2.0, "scheduler": "DDIM"}
    assert settled(RunFolder(tmp_path / "a" / "folder")) == wanted


@pytest.mark.parametrize("cropped", [True, False])
def test_a_run_is_scored_as_it_was(run: RunFolder, cropped: bool):
    config = OmegaConf.load(run.resolved)
    OmegaConf.update(config, "scoring.face_crop", cropped)
    OmegaConf.save(config, run.resolved)
    assert scoring_of(run).face_crop == scoring_of(RunFolder(run.pipeline)).face_crop == cropped


def test_a_folder_of_no_run_is_scored_by_the_defaults(tmp_path):
    assert scoring_of(RunFolder(tmp_path / "a" / "folder")).face_crop is False


def test_the_built_in_base_has_a_sampler_of_its_own():
    assert sampler_of_model("tiny")["scheduler"] != sampler_of_model("sd15")["scheduler"] == "DDIM"
