"""Errors of composing, in words: what came, what was expected, what to do."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException

from avatar_exp.config.conf import SCHEMAS, conf_dir
from avatar_exp.config.flags import instead, listing, recipe, setting, together, typed_length
from avatar_exp.config.overrides import groups, quote, typed
from avatar_exp.config.schema import OPTIONS
from avatar_exp.config.several import STAND_IN
from avatar_exp.errors import UserError

NAMES = ("keep", "drop")  # keys of any type that file names are a value of
LISTS = ("runs", "optimized_metric")  # likewise a list
ONE_FOLDER = ("prepare", "compare")  # of a sweep each job would write into the same one


def keys_of(schema: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted names of every field of a dataclass and of those within it, and their types."""
    found: dict[str, Any] = {}
    for one in fields(schema):
        found[prefix + one.name] = one.type
        if is_dataclass(one.type):
            found |= keys_of(one.type, f"{prefix}{one.name}.")
    return found


def keys_of_command(command: str) -> dict[str, Any]:
    """The same of a command, with those that only one option of a group has."""
    options = {f"{group}.{key}": kind for group, them in OPTIONS.items() for one in them.values()
               for key, kind in keys_of(one).items()}  # fmt: skip
    return keys_of(SCHEMAS[command]) | (options if command == "train" else {})


def explain(error: Exception, command: str, arguments: Sequence[str] = ()) -> str:
    """A short message: what came, what was expected, what to do.

    Args:
        arguments: as they were typed.
    """
    said = str(error) + (f"\n{error.__cause__}" if isinstance(error, HydraException) and error.__cause__ else "")
    text = "\n".join(line for line in said.splitlines() if not re.match(r"\s*(object_type|reference_type)=", line))
    if command == "train" and not isinstance(error, UserError) and (theirs := _other_names(arguments)):
        return theirs
    if unknown := re.search(r"Could not override '([^']+)'", text):
        return _unknown_key(unknown.group(1), command)
    if re.search(r"^\s*(key=)?.*concept=\[|'concept'.*list|Could not load 'concept/|'concept=[^']*,", text):
        return "concept takes one name; several are given as concepts='[a,b]'"
    if missing := re.search(r"Could not find 'concept/([^']*)'|You must specify 'concept'", text):
        return _misspelt(arguments) or unknown_concept(missing.group(1))
    if "Missing mandatory value: concept.identifier" in text:
        return "missing: concept.identifier=minh (the word that will mean the subject), concept.instance_data_dir=DIR"
    option = re.search(r"Could not (?:find|load) '(\w+)/([^']*)'", text)
    if option and (conf_dir() / option.group(1)).is_dir():
        group, name = option.groups()
        return f"{group}={name}: there is no such option; {group} can be {', '.join(options_of(group))}"
    if several := re.search(r"Ambiguous value for argument '(.*)'", text):
        return _several(several.group(1), command, arguments)
    if "is not a ListConfig" in text and (no_list := re.search(r"full_key: (\S+)", text)):
        came = re.search(r"Error merging override (.*)", text)
        return _no_list(typed(came.group(1)) if came else no_list.group(1), no_list.group(1), command)
    return _wrong_type(text, command) or text.strip()


def _wrong_type(text: str, command: str) -> str | None:
    """A value that is none of its key's type; None if that is not what ``text`` says."""
    says = r"could not be converted to|is not a valid bool|is not Optional|Cannot (convert|merge)|is not a subclass of"
    at = re.search(r"full_key: (\S+)", text)
    if not at or not re.search(says, text):
        return None
    key = re.sub(r"(\[\d+\])+$", "", at.group(1))
    override = re.search(r"Error merging override (.*)", text)
    value = re.search(r"Value '(.*)' (?:of type|is not)", text)
    came = typed(override.group(1)) if override else f"{key}={value.group(1)}" if value else key
    file = re.search(r"^In '([^']+)'", text)
    came = f"{file.group(1)}: {came}" if file else came
    kind = keys_of_command(command).get(key)
    if is_dataclass(kind):
        return f"{came}: it has keys of its own: {', '.join(f'{key}.{one.name}' for one in fields(kind))}"
    if _is_list(key, command):
        return _no_list(came, key, command)
    words = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
    expected = [word for name, word in words.items() if re.search(rf"\b{name}\b", str(kind))]
    return f"{came}: expected {expected[0]}{' or null' * ('None' in str(kind))}" if expected else None


def _several(argument: str, command: str, arguments: Sequence[str]) -> str:
    """Values with commas between them, where no sweep was asked for."""
    key, _, values = argument.partition("=")
    if key in NAMES:
        return f"{argument}: expected a list, in brackets: {setting(key, _file_names(values))}"
    if _is_list(key, command) or key in LISTS:
        return f"{argument}: expected a list, in brackets: {key}='[{values}]'"
    if command in ONE_FOLDER:  # where concept= is typed, and name= is composed
        came = next((one for one in arguments if one.partition("=")[2] == values), argument)
        return f"{came}: one value is expected; {command} is typed once for each"
    if key == "experiment":
        return (
            f"{argument}: one value is expected. One run with all of them: experiment='[{values}]', a run of each:\n"
            f"  python -m avatar_exp.{command} -m {argument} ..."
        )
    seeds = " (seeds= needs no -m)" * (command == "train")
    return (
        f"{argument}: one value is expected. Type -m before the settings to sweep over them{seeds}:\n"
        f"  python -m avatar_exp.{command} -m {argument} ..."
    )


def _file_names(values: str) -> str:
    """A list of them: each ends with its suffix, so it may have commas."""
    names = re.findall(r"(.+?(?:\.\w+|$))(?:,\s*|$)", values)
    plain = all(re.fullmatch(r"[\w.-]+", name, re.ASCII) for name in names)
    return f"[{','.join(name if plain else quote(name) for name in names)}]"


def _no_list(came: str, key: str, command: str) -> str:
    kind = str(keys_of_command(command).get(key, ""))
    if "int" in kind:
        return f"{came}: expected a list of whole numbers, in brackets: {setting(key, '[100,200]')}"
    example = '["photo of {subject}","..."]' if "prompt" in key else '["...","..."]'
    return f"{came}: expected a list, in brackets, texts in quotes: {setting(key, example)}"


def _is_list(key: str, command: str) -> bool:
    return "list[" in str(keys_of_command(command).get(key, ""))


def _other_names(arguments: Sequence[str]) -> str | None:
    """All settings that have another trainer's keys, and what is typed here; None if there are none."""
    known, length = keys_of_command("train"), typed_length(arguments)
    typed = {one: one.partition("=") for one in arguments if "=" in one}
    theirs = {one: instead(key, value, length) for one, (key, _, value) in typed.items() if key not in known}
    odd = together([(came, wanted) for came, wanted in theirs.items() if wanted])
    if not odd:
        return None
    kept = [one for one in typed if not one.startswith("-") and not theirs.get(one)]
    title, table = "unknown keys, of another trainer:", "All flags of the tutorial's trainer: docs/tutorial.md"
    return "\n".join([title, *listing(odd), *recipe(odd, kept), table])


def _unknown_key(key: str, command: str) -> str:
    group, _, name = key.partition(".")
    belongs = [option for option, schema in OPTIONS.get(group, {}).items() if name in keys_of(schema)]
    if belongs:  # and another option was chosen
        return f"{key} is a key of {group}={' and of '.join(belongs)}"
    known = ["seeds"] * (command == "train") + list(keys_of(SCHEMAS[command]))  # seeds: no key, but typed like one
    others = {f"{name}.{one}" for name, them in OPTIONS.items() for it in them.values() for one in keys_of(it)}
    known += sorted(others - {*known})
    tails = {one.rpartition(".")[2]: one for one in known}
    near = difflib.get_close_matches(key, known, 3, 0.6)
    near = near or [tails[one] for one in difflib.get_close_matches(key.rpartition(".")[2], list(tails), 3, 0.6)]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    if key.startswith("trainer."):
        hint += f"another argument of Lightning's Trainer is added with +{key}=... "
    return f"unknown key {key!r}; {hint}All keys: python -m avatar_exp.{command} --cfg job"


def _misspelt(arguments: Sequence[str]) -> str | None:
    """Of a concept that is missing because ``concept`` itself was typed otherwise: Hydra asks for it first."""
    known = keys_of(SCHEMAS["train"])
    for key, equals, value in (argument.partition("=") for argument in arguments):
        group = key.lstrip("+").partition(".")[0]
        if equals and group not in known and difflib.get_close_matches(group, ["concept"], 1, 0.8):
            meant = f"concept{key.lstrip('+').removeprefix(group)}={value}"
            return f"unknown key {key!r}; did you mean {meant}? All keys: python -m avatar_exp.train --cfg job"
    return None


def options_of(group: str) -> list[str]:
    """The options of a config group, those that ``prepare`` and the user made included."""
    files = (file for at in (conf_dir(), Path("data/conf")) for file in (at / group).glob("*.yaml"))
    return sorted({file.stem for file in files} - {STAND_IN})


def config_groups() -> str:
    """The groups of ``train`` and their options, a line each, as ``--help`` shows them."""
    return "\n".join(f"{group}: {', '.join(options_of(group))}" for group in sorted(groups()))


def unknown_concept(name: str | None) -> str:
    """Which concepts there are, and how one is made.

    Args:
        name: None if none was given.
    """
    came = f"no concept is called {name!r}" if name else "name a concept: concept=..."
    return (
        f"{came}; known: {', '.join(options_of('concept'))}.\nFor your own photos:\n"
        "  python -m avatar_exp.prepare concept=minh source=DIR      and then concept=minh\nor, as they are:\n"
        "  python -m avatar_exp.train concept=person concept.identifier=minh concept.instance_data_dir=DIR"
    )
