"""Schema, YAML and signatures say the same; every option of every group composes; a typo does not."""

import inspect
from collections.abc import Iterator
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields
from pathlib import Path
from typing import Any

import hydra.utils
import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from avatar_exp.config import schema
from avatar_exp.config.conf import conf_dir
from avatar_exp.config.explain import explain, keys_of
from avatar_exp.config.sampler import sampler_of_model
from avatar_exp.config.start import register
from avatar_exp.config.targets import config_target_faults, target_faults
from avatar_exp.data.concept import Concept
from avatar_exp.sampling import Request

OPTIONS = sorted(
    str(file.relative_to(conf_dir()).with_suffix(""))
    for file in conf_dir().rglob("*.yaml")
    if file.parent != conf_dir()
)
OWN = [option for option in OPTIONS if not option.startswith(("hydra/", "protocols/"))]  # those are of other commands
PRIORS = ["Generated", "Folder", "Nothing"]


@pytest.fixture(autouse=True)
def conf() -> Iterator[None]:
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def composed(*overrides: str, command: str = "train") -> Any:
    return compose(command, list(overrides))


def defaults(dataclass: Any) -> dict[str, Any]:
    made = {}
    for one in fields(dataclass):
        if one.default_factory is not NO_DEFAULT:
            made[one.name] = one.default_factory()
        elif one.default is not NO_DEFAULT and one.default != MISSING:
            made[one.name] = one.default
    return made


def parameters(target: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(target).parameters)


@pytest.mark.parametrize(
    ("group", "target"),
    [
        (schema.ModelConfig, None),
        (schema.MethodConfig, None),
        *((option, None) for options in schema.OPTIONS.values() for option in options.values()),
        (schema.DataConfig, None),
        (schema.ObjectiveConfig, None),
        (schema.TrainerConfig, None),
        *((schema.PriorConfig, f"avatar_exp.data.prior.{name}") for name in PRIORS),
    ],
)
def test_every_field_is_an_argument_of_its_target(group, target):
    target = hydra.utils.get_object(target or group._target_)
    names = {one.name for one in fields(group)} - {"_target_"}
    assert names <= set(parameters(target))


@pytest.mark.parametrize(
    "group",
    [schema.ModelConfig, schema.MethodConfig, schema.LoraConfig, schema.DataConfig, schema.ObjectiveConfig],
)
def test_every_configurable_argument_is_a_field_with_the_same_default(group):
    arguments = parameters(hydra.utils.get_object(group._target_))
    ours = defaults(group)
    for name, parameter in arguments.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:  # given by the command, not by the config
            continue
        assert name in {one.name for one in fields(group)}
        if parameter.default is not inspect.Parameter.empty and name in ours:
            shown = tuple(ours[name]) if isinstance(ours[name], list) else ours[name]
            assert shown == parameter.default, name


def test_sampler_settings_are_requests_fields_with_the_same_defaults():
    request = defaults(Request)
    assert defaults(schema.SamplerConfig).items() <= request.items()
    assert set(defaults(schema.SamplerConfig)) <= set(defaults(schema.SampleConfig))


def test_concept_keys_are_concepts_fields():
    assert {one.name for one in fields(schema.ConceptConfig)} == {one.name for one in fields(Concept)}
    for name, value in defaults(schema.ConceptConfig).items():
        assert defaults(Concept)[name] == value


@pytest.mark.parametrize(
    "option", [one for one in OWN if one.split("/")[0] in ("optimizer", "lr_scheduler", "logger", "callbacks")]
)
def test_an_open_groups_keys_are_arguments_of_its_target(option):
    content = yaml.safe_load((conf_dir() / f"{option}.yaml").read_text()) or {}
    nodes = content.values() if option.startswith("callbacks") else [content] if content else []
    for node in nodes:
        arguments = parameters(hydra.utils.get_object(node["_target_"]))
        assert set(node) - {"_target_"} <= set(arguments)
        assert target_faults(option, node) == []


@pytest.mark.parametrize("name", ["adamw", "adamw8bit"])
def test_an_optimizers_file_shows_its_defaults(name):
    node = yaml.safe_load((conf_dir() / "optimizer" / f"{name}.yaml").read_text())
    arguments = parameters(hydra.utils.get_object(node.pop("_target_")))
    for key, value in node.items():
        shown = tuple(value) if isinstance(value, list) else float(value)
        assert shown == arguments[key].default


def test_the_loggers_file_shows_its_defaults():
    node = yaml.safe_load((conf_dir() / "logger" / "wandb.yaml").read_text())
    arguments = parameters(hydra.utils.get_object(node.pop("_target_")))
    assert {key: arguments[key].default for key in node} == node


@pytest.mark.parametrize("option", OWN)
def test_every_option_composes(option):
    group, _, name = option.rpartition("/")
    overrides = ["concept=hoanganh", "model=tiny", "optimizer=adamw"]
    overrides = [one for one in overrides if not one.startswith(f"{group}=")]
    config = composed(*overrides, f"{group}={name}", "concept.identifier=minh", "concept.instance_data_dir=DIR")
    assert OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert config_target_faults(config) == []


@pytest.mark.parametrize(
    ("group", "option", "dataclass"),
    [
        ("model", "sd15", schema.ModelConfig),
        ("method", "full", schema.MethodConfig),
        ("method", "lora", schema.LoraConfig),
        ("data", "default", schema.DataConfig),
        ("objective", "default", schema.ObjectiveConfig),
        ("prior", "generated", schema.PriorConfig),
        ("concept", "person", schema.ConceptConfig),
    ],
)
def test_what_a_plain_option_leaves_out_is_the_schemas_default(group, option, dataclass):
    chosen = {"concept": "hoanganh", "model": "sd15", group: option}
    found = composed(*(f"{key}={value}" for key, value in chosen.items()))[group]
    schemas = OmegaConf.structured(dataclass)
    for name in set(defaults(dataclass)) - {"_target_"}:
        assert found[name] == schemas[name], name


def test_the_root_is_the_schemas():
    config = composed("concept=hoanganh", "model=sd15")
    groups = {
        one.name for one in fields(schema.TrainConfig) if one.name in config and OmegaConf.is_dict(config[one.name])
    }
    for name, value in defaults(schema.TrainConfig).items():
        if name not in groups and name != "store":
            assert config[name] == value, name
    assert config.store == "outputs/store"
    assert composed("run=x", command="sample").num_inference_steps is None


def test_lora_brings_its_keys_and_a_learning_rate_of_its_own_and_a_typed_one_wins():
    config = composed("concept=hoanganh", "model=tiny", "method=lora", "method.rank=4")
    assert (config.method._target_, config.method.rank) == ("avatar_exp.models.lora.Lora", 4)
    assert config.lr == 1e-4
    assert composed("concept=hoanganh", "model=tiny", "method=lora", "lr=3e-5").lr == 3e-5


def test_tiny_has_run_lengths_of_its_own_and_a_typed_one_wins():
    assert composed("concept=hoanganh", "model=tiny").max_steps != composed("concept=hoanganh", "model=sd15").max_steps
    assert composed("concept=hoanganh", "model=tiny", "max_steps=7").trainer.max_steps == 7


def test_tiny_has_a_sampler_of_its_own_for_the_class_and_the_samples_and_a_typed_one_wins():
    config = composed("concept=hoanganh", "model=tiny", "scoring.sampler.guidance_scale=3")
    assert dict(config.prior.sampler) == {**sampler_of_model("tiny"), "num_inference_steps": 24}
    assert dict(config.scoring.sampler) == {**sampler_of_model("tiny"), "guidance_scale": 3.0}
    assert sampler_of_model("sd15") == defaults(schema.SamplerConfig)


def test_whole_pictures_are_scored_unless_faces_are_asked_for():
    both = [composed("concept=hoanganh", "model=tiny", f"scoring.face_crop={one}") for one in ("false", "true")]
    assert [one.callbacks.scores.face_crop for one in both] == [False, True]
    assert composed("concept=hoanganh", "model=tiny").scoring.face_crop is False
    assert composed("run=x", command="evaluate").face_crop is None
    assert composed("run=x", "face_crop=true", command="evaluate").face_crop is True


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("max_step=5", "did you mean max_steps"),
        ("prior.wieght=0.3", "did you mean prior.weight"),
        ("model.lr_scal=2", "did you mean model.lr_scale"),
        ("data.size=1", "unknown key 'data.size'"),
        ("scoring.sampler.steps=1", "unknown key 'scoring.sampler.steps'"),
        ("method.rnak=4", "did you mean method.rank"),
        ("method.rank=4", "method.rank is a key of method=lora"),
    ],
)
def test_a_typo_fails_with_a_hint(override, says):
    with pytest.raises(HydraException) as error:
        composed("concept=hoanganh", "model=tiny", override)
    assert says in explain(error.value, "train")


@pytest.mark.parametrize(
    "override", ["max_steps=many", "lr=fast", "prior.count=1.5", "data.flip=perhaps", "keep_steps=5", "model.ema=x"]
)
def test_a_wrong_type_fails(override):
    with pytest.raises((HydraException, OmegaConfBaseException)) as error:
        composed("concept=hoanganh", "model=tiny", override)
    assert override.partition("=")[2] in explain(error.value, "train")


def test_an_unknown_concept_lists_the_known_ones():
    with pytest.raises(HydraException) as error:
        composed("concept=nobody")
    said = explain(error.value, "train")
    assert "no concept is called 'nobody'; known: animal, hoanganh, object, person" in said
    assert "concept.instance_data_dir=DIR" in said


@pytest.mark.parametrize(
    "overrides", [["optimizer.betas=[0.9,0.99]", "+optimizer.momentum=0.9"], ["+callbacks.pictures.colour=x"]]
)
def test_an_argument_that_an_open_group_does_not_take_is_found(overrides):
    config = composed("concept=hoanganh", "model=tiny", "optimizer=adamw", *overrides)
    (fault,) = config_target_faults(config)
    assert "momentum" in fault or "colour" in fault


def test_dotted_names_of_every_field():
    names = keys_of(schema.TrainConfig)
    assert {"lr", "prior", "prior.sampler.scheduler", "concept.identifier"} <= set(names)
    assert len(names) == len(set(names))


def test_conf_is_found_beside_the_package():
    assert (conf_dir() / "train.yaml").is_file()
    assert Path(schema.__file__).parents[1] in (conf_dir().parent, conf_dir().parent / "avatar_exp")
