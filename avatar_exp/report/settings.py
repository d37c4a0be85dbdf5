"""What the runs were given, and in which of it they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from avatar_exp.report.runs import Run, mapping

PLACES = {"outputs", "store", "resume", "repeat"}  # where a run lies, not what it is
REMOVED = "(removed)"


@dataclass(frozen=True)
class Setting:
    """A value in one run, and whether it was typed there (otherwise it is what was in force)."""

    text: str
    typed: bool
    short: str = ""  # of a path: as much of its end as tells it from the other runs'


def differing(runs: Sequence[Run]) -> tuple[list[str], list[list[Setting]]]:
    """The keys whose values differ between the runs, in the order they were typed, and each run's values of them."""
    given = [given_to(run) for run in runs]
    keys = list(dict.fromkeys(key for _, typed in given for key in typed if key not in PLACES))
    columns = {
        key: [Setting(values[key], key in typed) if key in values else in_force(run, key)
              for run, (values, typed) in zip(runs, given, strict=True)]
        for key in keys
    }  # fmt: skip
    kept = [key for key, cells in columns.items() if len({comparable(cell.text) for cell in cells}) > 1]
    columns = {key: shortened(columns[key]) for key in kept}
    return kept, [[columns[key][place] for key in kept] for place in range(len(runs))]


def shortened(cells: Sequence[Setting]) -> list[Setting]:
    """The values of a key; paths among them with their last part, or as many of their last parts as differ."""
    paths = {
        cell.text: [part for part in cell.text.strip("'\"").split("/") if part] for cell in cells if is_path(cell.text)
    }
    longest = max(map(len, paths.values()), default=0)
    ends = ({text: "/".join(parts[-count:]) for text, parts in paths.items()} for count in range(1, longest + 1))
    short = next((found for found in ends if len(set(found.values())) == len(paths)), {})
    return [replace(cell, short=short.get(cell.text, "")) for cell in cells]


def is_path(text: str) -> bool:
    """Whether a value is a path, and not a model's ``owner/name``."""
    return text.strip("'\"").startswith(("/", "~", "./", "../")) or text.count("/") > 1


def given_to(run: Run) -> tuple[dict[str, str], list[str]]:
    """Keys and values that were typed, or decided for the user; and which were typed, in their order."""
    typed = run.info.get("overrides")
    typed = parsed(typed if isinstance(typed, list) else typed_before_run_json(run))
    decided = run.info.get("decided")
    return {**parsed(decided if isinstance(decided, list) else []), **typed}, list(typed)


def typed_before_run_json(run: Run) -> list[Any]:
    """The overrides as Hydra wrote them, for a run that ended before it wrote down its own."""
    import yaml

    try:
        found = yaml.safe_load(run.folder.overrides.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    return found if isinstance(found, list) else []


def parsed(overrides: Sequence[Any]) -> dict[str, str]:
    """``key=value`` as key and value; of a key that was typed twice the last one counts."""
    found = {}
    for one in overrides:
        key, equals, value = str(one).partition("=")
        key = key.lstrip("+~")
        found[key] = REMOVED if str(one).startswith("~") else value
        if not equals and not str(one).startswith("~"):
            del found[key]
    return found


def in_force(run: Run, key: str) -> Setting:
    """The value of a key that was not typed in this run: from its resolved config; empty if it is not there."""
    value: Any = run.values
    for part in key.split("."):
        value = mapping(value).get(part)
    return Setting("" if value is None or isinstance(value, Mapping) else str(value), typed=False)


def comparable(text: str) -> float | str:
    """The same for two ways to write one value: 1e-6 and 1.0e-06, true and True."""
    try:
        return float(text)
    except ValueError:
        return text.strip("'\"").lower()
