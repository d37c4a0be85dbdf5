"""Overrides as people type them.

Hydra's grammar gives commas, brackets, blanks and ``=`` a meaning, and refuses letters outside ASCII in places. A path
or a prompt means itself. So the value of a free-text key is quoted before Hydra sees it, and any other value is quoted
when the grammar refuses it as it stands.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.home import home_typed
from avatar_exp.errors import UserError, raise_all

FREE_TEXT = {
    "base", "class_noun", "concept.class_data_dir", "concept.class_noun", "concept.class_prompt",
    "concept.identifier", "concept.instance_data_dir", "concept.instance_prompt", "concepts_list", "identifier",
    "model.path", "model.vae", "name", "negative_prompt", "out", "outputs", "photos", "prior.sampler.negative_prompt",
    "prompt", "prompts_file", "repeat", "resume", "run", "scoring.sampler.negative_prompt", "source", "store",
    "subject",
}  # fmt: skip

ONLY_SHOWN = {"--help", "-h", "--cfg", "-c", "--info", "-i"}  # flags with which nothing is run


def quote(value: str) -> str:
    """``value`` as a double-quoted string of Hydra's grammar that means exactly itself.

    There a backslash is itself except before a quote, where a run of backslashes must be doubled (also at the end).
    """
    quoted, backslashes = "", 0
    for letter in value + '"':
        if letter == "\\":
            backslashes += 1
            continue
        quoted += "\\" * (backslashes * 2 + 1 if letter == '"' else backslashes) + letter
        backslashes = 0
    # The closing quote was escaped like the others by the loop: take its own backslash away again.
    return '"' + quoted[:-2] + '"'


def _parses(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _is_number(value: str) -> bool:
    """Whether Hydra reads a number, or true or false. It takes none as an option, and a concept may be called 2024."""
    if not _parses(f"x={value}"):
        return False
    override = OverridesParser.create().parse_override(f"x={value}")
    return not override.is_sweep_override() and isinstance(override.value(), int | float)


def _unquoted(value: str) -> str | None:
    """The text that a value in quotes means; None if it is not one quoted string."""
    if not value.startswith(("'", '"')) or not _parses(f"x={value}"):
        return None
    override = OverridesParser.create().parse_override(f"x={value}")
    return None if override.is_sweep_override() else str(override.value())


def readable(override: str, multirun: bool = False) -> str:
    """One command-line override in a form that Hydra reads as it was meant.

    Flags, deletions (``~key``) and words without ``=`` come back as they are. In a sweep (``multirun``) commas keep
    their meaning, so there a free text is quoted only when the grammar refuses it. In a path ``~`` is the home folder.
    """
    key, equals, value = override.partition("=")
    if not equals or key.startswith(("-", "~")):
        return override
    if multirun and key.lstrip("+") in groups() and re.fullmatch(r"[\w.-]+(\s*,\s*[\w.-]+)+", value):
        return f"{key}={','.join(quote(one) if _is_number(one) else one for one in re.split(r'[, ]+', value))}"
    free = key.lstrip("+") in FREE_TEXT and not multirun
    value = home_typed(key, value, several=multirun or key.lstrip("+") not in FREE_TEXT)
    free = free and value != "null" and _unquoted(value) is None
    if not free and not (key.lstrip("+") in groups() and _is_number(value)) and _parses(f"{key}={value}"):
        return f"{key}={value}"
    return f"{key}={quote(value)}"


def typed(override: str) -> str:
    """An override without the quotes that ``readable`` put around it: what one would type again."""
    key, _, value = override.partition("=")
    bare = f"{key}={_unquoted(value)}"
    return bare if readable(bare) == override else override


def value_of(key: str, overrides: Sequence[str]) -> str | None:
    """The value typed for a free-text key (the last one wins), without its quotes; None if it was not typed."""
    for override in reversed(overrides):
        name, equals, value = override.partition("=")
        if equals and name.lstrip("+") == key:
            text = _unquoted(value)
            return text if text is not None else None if value == "null" else value
    return None


@lru_cache
def groups() -> set[str]:
    """The config groups of ``train``."""
    return {folder.name for folder in conf_dir().iterdir() if folder.is_dir()} - {"hydra", "protocols"}


def check_groups(overrides: Sequence[str]) -> None:
    """Of a group that is given twice Hydra takes the last and says nothing; of any other key that is what is meant.

    Raises:
        UserError: with how several options of it are given, for each that is given twice, and not the same.
    """
    given: dict[str, list[str]] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if equals and (key.lstrip("+") in groups() or key.startswith("hydra/")):
            given.setdefault(key.lstrip("+"), []).append(value)
    twice = {key: [*dict.fromkeys(values)] for key, values in given.items()}
    faults = [_twice(key, values) for key, values in twice.items() if len(values) > 1]
    if len(faults) == 1:
        raise UserError(faults[0])
    raise_all("options are given twice:", faults)


def _twice(group: str, values: Sequence[str]) -> str:
    """What was given, and how several are."""
    all_of_them = ",".join(value.strip("[]") for value in values)
    cure = f"name one; -m {group}={all_of_them} runs each"
    if group == "experiment":
        cure = f"several: experiment='[{all_of_them}]', where they differ the last one wins"
    elif group == "concept":
        cure = f"name one; several in one run: concepts='[{all_of_them}]'"
    return f"{group} is given twice: {', '.join(values)}; {cure}"
