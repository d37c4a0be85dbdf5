"""``~`` in paths, typed or in a file."""

from dataclasses import fields

import pytest
from omegaconf import OmegaConf

from avatar_exp.config.conf import SCHEMAS
from avatar_exp.config.explain import keys_of
from avatar_exp.config.folders import forget, fresh_folder, subject_folder
from avatar_exp.config.home import PATHS, expand_home, home
from avatar_exp.config.overrides import readable, value_of
from avatar_exp.config.schema import CompareConfig, SampleConfig, TrainConfig


@pytest.fixture(autouse=True)
def at(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return str(tmp_path)


def test_every_path_is_a_key_of_a_command():
    assert not {*PATHS} - {key for schema in SCHEMAS.values() for key in keys_of(schema)}
    said = {one.name for schema in SCHEMAS.values() for one in fields(schema)}
    assert {"outputs", "store", "run", "source", "out", "photos"} <= said & {*PATHS}


@pytest.mark.parametrize("key", [*PATHS, "hydra.sweep.dir", "hydra.run.dir"])
@pytest.mark.parametrize("multirun", [False, True])
def test_what_is_typed_of_a_path(at, key, multirun):
    assert value_of(key, [readable(f"{key}=~/photos/minh", multirun)]) == f"{at}/photos/minh"
    assert value_of(key, [readable(f"{key}=a~/b", multirun)]) == "a~/b"
    assert value_of(key, [readable(f"{key}=~", multirun)]) == at


def test_several_paths_and_those_that_are_one(at):
    assert readable("runs=[~/a,'~/b',c]") == f"runs=[{at}/a,'{at}/b',c]"
    assert readable("store=~/a,~/b", multirun=True) == f"store={at}/a,{at}/b"
    assert value_of("run", [readable("run=~/a,~/b")]) == f"{at}/a,~/b"
    assert readable("prompt=~/a") == readable("prompt='~/a'").replace("'", '"')  # no path
    assert value_of("run", [readable("run=~nobody-of-this-name/a")]) == "~nobody-of-this-name/a"


def test_what_a_file_says_of_a_path(at):
    config = OmegaConf.structured(TrainConfig)
    config.concept.instance_data_dir = config.model.vae = config.outputs = "~/x"
    expand_home(config)
    assert config.concept.instance_data_dir == config.model.vae == config.outputs == f"{at}/x"
    assert config.store == f"{at}/x/store"
    assert OmegaConf.is_missing(config.model, "path")
    sample = OmegaConf.structured(SampleConfig)
    expand_home(sample)
    assert sample == OmegaConf.structured(SampleConfig)
    compared = OmegaConf.structured(CompareConfig(runs=["~/a", "b"]))
    OmegaConf.set_struct(compared, True)
    expand_home(compared)
    assert compared.runs == [f"{at}/a", "b"]
    assert home(None) is None


def test_folders_that_are_made_before_that(at, tmp_path):
    forget()
    assert fresh_folder("~/runs", "a") == f"{at}/runs/a"
    forget()
    row = '[{"instance_prompt": "lan", "class_prompt": "person", "instance_data_dir": "x"}]'
    (tmp_path / "list.json").write_text(row)
    assert subject_folder("several", None, "~/list.json") == "lan"
