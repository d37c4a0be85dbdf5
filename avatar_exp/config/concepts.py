"""From a config to the concepts of a run: the one that it has, or those that it names."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.decide import plain
from avatar_exp.config.explain import unknown_concept
from avatar_exp.config.home import home
from avatar_exp.config.schema import ConceptConfig
from avatar_exp.config.several import IN_THE_LIST, said_of_all
from avatar_exp.data.concept import Concept
from avatar_exp.data.concepts_list import read_concepts_list
from avatar_exp.errors import UserError


def concepts(config: DictConfig) -> list[Concept]:
    """The concepts of a run, always as a list.

    Raises:
        UserError: if a concept file does not exist, or a key is missing.
    """
    if config.concepts_list:
        said = _values(said_of_all(config.concept, IN_THE_LIST))
        return [replace(one, **said) for one in read_concepts_list(Path(config.concepts_list))]
    if config.concepts:
        return [_concept(_merged(name, said_of_all(config.concept))) for name in config.concepts]
    return [_concept(config.concept)]


def _load(name: str) -> Any:
    for folder in (Path("data/conf"), conf_dir()):
        file = folder / "concept" / f"{name}.yaml"
        if file.is_file():
            return OmegaConf.load(file)
    raise UserError(unknown_concept(name))


def _merged(name: str, said: Mapping[str, Any]) -> Any:
    """The file of one of several concepts, and what is said of all.

    Raises:
        UserError: if the file has a key that no concept has, or a value that is none.
    """
    own = _load(name)
    try:
        return OmegaConf.merge(OmegaConf.structured(ConceptConfig), own, said)
    except OmegaConfBaseException as error:
        what = str(error).splitlines()[0]
        raise UserError(f"concept/{name}: {error.full_key or 'it'}: {what}") from error


def _concept(node: Any) -> Concept:
    missing = [key for key in ("identifier", "instance_data_dir") if OmegaConf.is_missing(node, key)]
    if missing:
        example = {"identifier": "minh", "instance_data_dir": "DIR"}
        raise UserError(f"missing: {' '.join(f'concept.{key}={example[key]}' for key in missing)}")
    values = plain(node)
    return Concept(**_values(values | {key: home(values[key]) for key in ("instance_data_dir", "class_data_dir")}))


def _values(said: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a concept's config as its fields take them."""
    return {key: (tuple(value) if value else None) if key == "sample_prompts" else value for key, value in said.items()}
