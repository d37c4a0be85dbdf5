"""What lies in a folder, and which of it is a file. Nothing is opened to find out: a pipe would never answer."""

import errno
import os
import stat
import unicodedata
from fnmatch import fnmatchcase
from pathlib import Path

from avatar_exp.errors import UserError

# What a system or Jupyter leaves wherever it looks, in small letters: nobody's work, and no mistake. "._*" is a Mac's.
LITTER = (
    ".ds_store", "._*", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", "@eadir",
    ".ipynb_checkpoints",
)  # fmt: skip
NOT_THERE = "there is no such file"
COLAB = Path("/content")  # where a notebook there begins
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


def nfc(name: str) -> str:
    """A file's name as names are compared: macOS and some keyboards write a letter and its accents apart."""
    return unicodedata.normalize("NFC", name)


def find_file(folder: Path, name: str) -> Path | None:
    """The file of that name, however its accents are written; None without one.

    Raises:
        UserError: if the folder cannot be looked into.
    """
    if os.path.isfile(exact := folder / name):  # Path.is_file raises where a name is too long
        return exact
    others = [] if name.isascii() else listed(folder)
    return next((file for file in others if nfc(file.name) == nfc(name) and file.is_file()), None)


def no_folder(path: Path) -> str | None:
    """Why there is no folder at a path, and what to do; None if there is one."""
    if os.path.isdir(path):  # Path.is_dir raises where a folder above may not be entered
        return None
    if os.path.isfile(path):
        return f"it is a file, expected the folder that it is in: {path.parent}"
    here = f"no such folder (from {Path.cwd()})"
    if path.is_relative_to(COLAB) and not os.path.isdir(COLAB):
        return f"{here}; {COLAB} is Google Colab's, elsewhere it is {path.relative_to(COLAB)}"
    return here


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
