"""What is expensive is computed once and kept under the hash of all that determines it.

An entry is a folder ``<root>/<kind>/<key>/`` with the files that ``make`` wrote and a ``manifest.json`` of its
ingredients. The key is a hash of the ingredients, so a stale entry cannot be picked up: other ingredients, other key.
Entries appear by rename, whole or not at all; two jobs that want the same ones wait for each other and do it once.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from avatar_exp.run_folder import write_json

Ingredients = Mapping[str, Any]
Write = Callable[[Path], None]


def content_key(ingredients: Ingredients) -> str:
    """128-bit hex hash of the ingredients (JSON values), whatever their order.

    Raises:
        TypeError: for an ingredient that is not JSON: its hash would depend on how it prints.
    """
    text = json.dumps(ingredients, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_hash(path: Path) -> str:
    """blake2b of a file's bytes, 128 bits in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


class Store:
    """Entries of every kind under one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made: dict[str, int] = {}  # entries made by this process, by kind: what a sweep saves is seen here
        self.used: dict[str, list[str]] = {}  # keys of the entries that were asked for, by kind

    def folder(self, kind: str, ingredients: Ingredients) -> Path:
        """Where an entry is, or would be."""
        return self.root / kind / content_key(ingredients)

    def has(self, kind: str, ingredients: Ingredients) -> bool:
        """Whether the entry is there, whole."""
        return (self.folder(kind, ingredients) / "manifest.json").is_file()

    def entry(self, kind: str, ingredients: Ingredients, make: Write) -> Path:
        """The folder of one entry; ``make(folder)`` fills it if it is not there yet."""
        return self.entries(kind, [ingredients], lambda missing: [(index, make) for index in missing])[0]

    def entries(
        self,
        kind: str,
        ingredients: Sequence[Ingredients],
        make: Callable[[list[int]], Iterable[tuple[int, Write]]],
        group: str = "all",
    ) -> list[Path]:
        """The folders of many entries that are best made together.

        Args:
            kind: name of the kind, one folder under the root.
            ingredients: of each entry, in the caller's order.
            make: gets the indices that are missing, yields (index, write) as each is done; ``write(folder)`` writes its
                files. What was yielded before an interruption is kept.
            group: jobs that make entries of the same kind and group wait for one another.

        Raises:
            RuntimeError: if ``make`` left out an entry that it was asked for.
        """
        keys = self.used.setdefault(kind, [])
        keys += [key for key in map(content_key, ingredients) if key not in keys]
        if all(self.has(kind, one) for one in ingredients):
            return [self.folder(kind, one) for one in ingredients]
        (self.root / kind).mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / kind / f".{group}.lock"):
            missing = {content_key(one): n for n, one in enumerate(ingredients) if not self.has(kind, one)}
            if missing:  # else another job made them while this one waited
                for index, write in make(sorted(missing.values())):
                    self._put(kind, ingredients[index], write)
        left_out = [n for n in missing.values() if not self.has(kind, ingredients[n])]
        if left_out:
            raise RuntimeError(f"{kind}: entries {left_out} were asked for and not made")
        return [self.folder(kind, one) for one in ingredients]

    def _put(self, kind: str, ingredients: Ingredients, write: Write) -> None:
        temporary = Path(tempfile.mkdtemp(dir=self.root / kind, prefix=".making-"))
        try:
            write(temporary)
            write_json(temporary / "manifest.json", {"kind": kind, "ingredients": dict(ingredients)})
            temporary.chmod(0o755)
            final = self.folder(kind, ingredients)
            shutil.rmtree(final, ignore_errors=True)  # only one without its manifest, damaged by hand, can be there
            temporary.rename(final)
            self.made[kind] = self.made.get(kind, 0) + 1
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
