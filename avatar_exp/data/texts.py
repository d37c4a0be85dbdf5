"""Texts beside photos, captions and tables of boxes, as whatever program saved them."""

import codecs
from collections.abc import Iterable
from pathlib import Path

from avatar_exp.data.listing import find_file

MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how UTF-16 begins: Excel's "Unicode Text"
NOT_UTF8 = "it is no UTF-8 text; save it as UTF-8 (Excel: 'CSV UTF-8 (Comma delimited)'; Notepad: Encoding UTF-8)"


def read_text(file: Path) -> str:
    """A text in UTF-8, or in UTF-16 with its byte-order mark; no mark is left in it.

    Raises:
        OSError: if it cannot be opened.
        UnicodeError: if it is saved otherwise, in a code page for one; the message says what to do.
    """
    with file.open("rb") as opened:
        encoding = "utf-16" if opened.read(2) in MARKS else "utf-8-sig"
    try:
        return file.read_text(encoding=encoding)
    except UnicodeError as error:
        raise UnicodeError(NOT_UTF8) from error


def caption_file(photo: Path) -> Path | None:
    """``photo.txt`` beside ``photo.jpg``, or ``photo.jpg.txt`` as the tutorial's trainer has it; None without one."""
    names = photo.with_suffix(".txt").name, f"{photo.name}.txt"
    return next((file for name in names if (file := find_file(photo.parent, name))), None)


def own_captions(photos: Iterable[Path]) -> tuple[dict[Path, str], list[str]]:
    """The captions beside photos, by their files, and a line for each that cannot be read."""
    texts: dict[Path, str] = {}
    found = []
    for file in filter(None, map(caption_file, photos)):
        try:
            texts[file] = read_text(file)
        except (OSError, UnicodeError) as error:
            found.append(f"{file}: cannot be read: {error}")
    return texts, found
