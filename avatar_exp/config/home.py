"""``~`` in a path: behind ``key=`` no shell expands it, and in a file nobody does."""

import os
import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

# Of all commands; outputs comes first: others are made of it.
PATHS = (
    "outputs", "store", "concept.instance_data_dir", "concept.class_data_dir", "concepts_list", "model.path",
    "model.vae", "scoring.clip", "scoring.identity", "resume", "repeat", "run", "runs", "prompts_file", "source", "out",
    "base", "photos", "clip", "identity",
)  # fmt: skip
TYPED = {*PATHS, "hydra.run.dir", "hydra.sweep.dir"}


def home(value: Any) -> Any:
    """A path, or a list of paths, with the home folder in the place of a leading ``~``; all else as it came."""
    if isinstance(value, str):
        return os.path.expanduser(value)
    return [home(one) for one in value] if OmegaConf.is_list(value) else value


def home_typed(key: str, value: str, several: bool) -> str:
    """The same of a value as it was typed.

    Args:
        several: whether commas and brackets in it part one path from the next.
    """
    if key.lstrip("+") not in TYPED:
        return value
    before = r"(^|[\[,(])(\s*['\"]?)" if several else r"(^)(['\"]?)"
    return re.sub(before + r"(~[\w.-]*)(?=[/\\]|$)", lambda at: at[1] + at[2] + os.path.expanduser(at[3]), value)


def expand_home(config: DictConfig) -> None:
    """The same of every path in a command's config, in place: what a file says was not typed."""
    for key in PATHS:
        value = OmegaConf.select(config, key, default=None)
        if (there := home(value)) != value:
            OmegaConf.update(config, key, there)
