"""Overrides as people type them.

Hydra's grammar gives commas, brackets, blanks and ``=`` a meaning, and refuses letters outside ASCII in places. A path
or a prompt means itself. So the value of a free-text key is quoted before Hydra sees it, and any other value is quoted
when the grammar refuses it as it stands.
"""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

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


def _unquoted(value: str) -> str | None:
    """The text that a value in quotes means; None if it is not one quoted string."""
    if not value.startswith(("'", '"')) or not _parses(f"x={value}"):
        return None
    override = OverridesParser.create().parse_override(f"x={value}")
    return None if override.is_sweep_override() else str(override.value())


def readable(override: str, multirun: bool = False) -> str:
    """One command-line override in a form that Hydra reads as it was meant.

    Flags, deletions (``~key``) and words without ``=`` come back as they are. In a sweep (``multirun``) commas keep
    their meaning, so there a free text is quoted only when the grammar refuses it.
    """
    key, equals, value = override.partition("=")
    if not equals or key.startswith(("-", "~")):
        return override
    free = key.lstrip("+") in FREE_TEXT and not multirun and value != "null" and _unquoted(value) is None
    if not free and _parses(override):
        return override
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
