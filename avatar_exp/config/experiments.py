"""Which options of other config groups an experiment chooses, as the defaults list of its file says."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from avatar_exp.config.conf import conf_dir


def chosen(group: str, overrides: Sequence[str]) -> bool:
    """Whether an option of a group was typed, or is chosen by an experiment that was."""
    for key, _, value in (one.partition("=") for one in overrides):
        named = re.findall(r"[\w.-]+", value) if key.lstrip("+") == "experiment" else []
        if key.lstrip("+") == group or any(_chooses(one, group) for one in named):
            return True
    return False


def _chooses(experiment: str, group: str) -> bool:
    """Whether an experiment does, or one that it is made of; of a file that is elsewhere it is assumed."""
    files = [folder / "experiment" / f"{experiment}.yaml" for folder in (Path("data/conf"), conf_dir())]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return True
    try:
        defaults: list[Any] = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults") or []
    except yaml.YAMLError:  # Hydra will say what is wrong with it
        return True
    parts = [one for one in defaults if isinstance(one, str) and one != "_self_"]
    groups = [key.removeprefix("override ").strip("/") for one in defaults if isinstance(one, dict) for key in one]
    return group in groups or any(_chooses(one, group) for one in parts)
