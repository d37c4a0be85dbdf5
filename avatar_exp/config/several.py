"""Several concepts in one run: what of ``concept.*`` holds for each of them, and what is each one's own."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from avatar_exp.config.overrides import typed, value_of
from avatar_exp.config.schema import ConceptConfig
from avatar_exp.errors import raise_all

STAND_IN = "listed"  # the option of the group ``concept`` where several are named
SHARED = ("instance_prompt", "class_prompt", "sample_prompts", "captions")
IN_THE_LIST = ("instance_prompt", "class_prompt")  # what each object of a concepts_list.json says itself, so it wins
NOT_TOLD = "this is what a concept has whose file says nothing; take the key out of the others' files"
OWN = ("identifier", "class_noun", "instance_data_dir", "class_data_dir")


def said_of_all(concept: Any, own: Sequence[str] = ()) -> dict[str, Any]:
    """What an experiment or the command line says of the concept that stands in for several: it holds for each.

    As with one concept it is above what the concept's own file says. What is as in the schema nobody said.

    Args:
        concept: ``config.concept``.
        own: keys that each concept says itself.
    """
    schema = OmegaConf.structured(ConceptConfig)
    said = {key: concept.get(key, schema[key]) for key in SHARED if key not in own}
    return {key: value for key, value in said.items() if value != schema[key]}


def check_several(overrides: Sequence[str]) -> None:
    """Whether what is typed beside ``concepts=`` or ``concepts_list=`` can hold for each of the concepts.

    Raises:
        UserError: for each that is one concept's own.
    """
    named = [key for key in ("concepts", "concepts_list") if value_of(key, overrides) is not None]
    keys = {one.partition("=")[0].lstrip("+") for one in overrides if "=" in one}
    found = ["concepts and concepts_list are both given: one of them"] if len(named) == 2 else []
    if named and (other := value_of("concept", overrides)) not in (None, STAND_IN):
        found.append(f"concept={other}: {named[0]} names the subjects; leave it out, or name it there too")
    for key in (*OWN, *IN_THE_LIST) if named else ():
        if f"concept.{key}" not in keys or (key in IN_THE_LIST and "concepts_list" not in named):
            continue
        where = (
            "the JSON says it" if "concepts_list" in named else "the file of each says it, data/conf/concept/NAME.yaml"
        )
        found.append(f"concept.{key}: with {named[0]} each subject has its own; {where}")
    if "concepts" in named:
        found += [f"{typed(one)}: {NOT_TOLD}" for one in overrides if _is_default(one)]
    raise_all("several concepts are named, and what is typed of one cannot hold for each:", found)


def _is_default(override: str) -> bool:
    """Whether it says what a concept has anyway: in the config that cannot be told from what nobody said."""
    key = override.partition("=")[0].lstrip("+")
    shared = {f"concept.{one}": one for one in SHARED}
    if key not in shared or "=" not in override:
        return False
    return bool(OverridesParser.create().parse_override(override).value() == getattr(ConceptConfig(), shared[key]))
