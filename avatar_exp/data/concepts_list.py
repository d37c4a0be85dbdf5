"""The tutorial's ``concepts_list.json``: several concepts in one file."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_exp.data.concept import Concept
from avatar_exp.data.photos import photo_files
from avatar_exp.data.texts import read_text
from avatar_exp.errors import UserError, raise_all

LISTED = ("instance_prompt", "class_prompt", "instance_data_dir", "class_data_dir")  # keys of a concepts_list.json
A_LIST = (
    "expected a list of objects with instance_prompt, class_prompt, instance_data_dir and, for your own class "
    "pictures, class_data_dir"
)


@dataclass(frozen=True)
class Listed(Concept):
    """One of a concepts_list.json."""

    entry: str = ""  # which one: "concepts_list=FILE, entry 2"

    def key(self, name: str) -> str:
        """Its own keys are the entry's; what holds for every entry is said as of one concept."""
        if name == "identifier":
            return f"{self.entry}: the identifier in instance_prompt"
        return f"{self.entry}: {name}" if name in LISTED else super().key(name)


def read_concepts_list(path: Path) -> list[Listed]:
    """The tutorial's ``concepts_list.json``: instance_prompt, class_prompt, instance_data_dir, class_data_dir each.

    There the instance prompt is the identifier itself ("hoanganh") and the class prompt the class noun ("person"). Its
    trainer's own example has sentences: "photo of zwx dog", "photo of a dog".

    Raises:
        UserError: if it is not such a file.
    """
    try:
        rows = json.loads(read_text(path))
    except FileNotFoundError as error:
        raise UserError(f"concepts_list={path}: no such file (from {Path.cwd()})") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"concepts_list={path}: {type(error).__name__}: {error}\n{A_LIST}") from error
    if not isinstance(rows, list) or not rows:
        raise UserError(f"concepts_list={path}: it holds {_shown(rows)}\n{A_LIST}")
    found = [f"entry {number}: {fault}" for number, row in enumerate(rows, 1) for fault in _row_faults(row)]
    raise_all(f"concepts_list={path}: {A_LIST}", found)
    return [_listed(row, f"concepts_list={path}, entry {number}") for number, row in enumerate(rows, 1)]


def _row_faults(row: Any) -> list[str]:
    """What is wrong with an entry of a concepts_list.json."""
    if not isinstance(row, dict):
        return [f"{_shown(row)} is no object"]
    hints = {"num_class_images": " (how many pictures of each class: prior.count)"}
    found = [f"unknown key {key!r}{hints.get(key, '')}" for key in row if key not in LISTED]
    for key in LISTED:
        value = row.get(key)
        if key == "class_data_dir" and value is None:
            continue
        if key not in row:
            found.append(f"{key} is missing")
        elif not isinstance(value, str):
            found.append(f"{key} is {_shown(value)}, expected text")
        elif key.startswith("instance_") and not value.strip():
            found.append(f"{key} is empty")
    return found


def _shown(value: Any) -> str:
    """A value as JSON, cut to one short line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _listed(row: dict[str, Any], entry: str) -> Listed:
    class_noun = _without_article(_thing(row["class_prompt"]))
    return Listed(
        identifier=_without_article(_thing(row["instance_prompt"]).removesuffix(class_noun).strip()),
        instance_data_dir=os.path.expanduser(row["instance_data_dir"]),
        class_noun=class_noun,
        instance_prompt=row["instance_prompt"],
        class_prompt=row["class_prompt"],
        class_data_dir=_if_filled(row.get("class_data_dir")),
        entry=entry,
    )


def _thing(prompt: str) -> str:
    """What a prompt is of: "zwx dog" of "photo of zwx dog", "a dog" of "photo of a dog", "person" of "person"."""
    return prompt.rpartition(" of ")[2].strip()


def _without_article(thing: str) -> str:
    """What follows an article: "dog" of "a dog". By itself "an" is a name."""
    return re.sub(r"^(a|an|the)\s+", "", thing)


def _if_filled(folder: str | None) -> str | None:
    """The tutorial's trainer fills class_data_dir itself when it is empty: then the pictures come from the store."""
    folder = os.path.expanduser(folder or "")
    return folder if os.path.isdir(folder) and photo_files(Path(folder)) else None
