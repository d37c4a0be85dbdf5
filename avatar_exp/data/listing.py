"""What lies in a folder, and which of it is a file. Nothing is opened to find out: a pipe would never answer."""

import errno
import os
import stat
from fnmatch import fnmatchcase
from pathlib import Path

from avatar_exp.errors import UserError

# What a system or Jupyter leaves wherever it looks, in small letters: nobody's work, and no mistake. "._*" is a Mac's.
LITTER = (
    ".ds_store", "._*", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", "@eadir",
    ".ipynb_checkpoints",
)  # fmt: skip
NOT_THERE = "there is no such file"
KINDS = {stat.S_IFDIR: "it is a folder", stat.S_IFIFO: "it is a pipe", stat.S_IFSOCK: "it is a socket"}


def listed(folder: Path) -> list[Path]:
    """Everything in a folder, sorted by name, but what is hidden and what a system left there.

    Raises:
        UserError: if it cannot be looked into.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not is_litter(path.name))
    except OSError as error:
        raise UserError(f"{folder}: this folder cannot be looked into: {error.strerror or error}") from error


def is_litter(path: str) -> bool:
    """Whether a path, relative to a folder of somebody's, is what a system left in it."""
    return any(fnmatchcase(part, pattern) for part in Path(path.lower()).parts for pattern in LITTER)


def no_file(path: Path) -> str | None:
    """Why there is no file to be read at a path; None if there is one, which may still be kept from being opened."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "it is a link that leads back to itself"
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            return f"it cannot be opened: {error.strerror or error}"
        return f"it is a link to {os.readlink(path)}, which is not there" if os.path.islink(path) else NOT_THERE
    return None if kind == stat.S_IFREG else KINDS.get(kind, "it is a device")
