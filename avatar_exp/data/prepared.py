"""The folder that ``prepare`` leaves, and the concept file that names it: written whole or not at all."""

import logging
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from avatar_exp.data.album import NO_FACE, Entry, folders_in, left_out
from avatar_exp.data.boxes import BOXES
from avatar_exp.data.drawn import DRAWN_BY, looks_drawn
from avatar_exp.data.listing import is_litter, nfc
from avatar_exp.data.settled import INTAKE, WRITTEN_BY
from avatar_exp.data.texts import caption_file, own_captions
from avatar_exp.errors import counted, raise_all
from avatar_exp.run_folder import read_json, safe_name, write_atomically, write_json
from avatar_exp.store import file_hash

log = logging.getLogger("avatar_exp")

SHEET = Path("intake") / "contact_sheet.png"  # in a folder of its own: a picture beside the photos would be trained on
SCHEMA_VERSION = 1
FIRST_LINE = "# Written by prepare. Any other key of a concept may be added."


@dataclass(frozen=True)
class Target:
    """Where prepared photos go and what they will be called."""

    folder: Path
    concept_file: Path
    identifier: str
    class_noun: str

    @property
    def concept(self) -> str:
        """The concept file: keys of the config group ``concept``; those that were added to one stay."""
        folder = self.folder.as_posix()
        keys = {"identifier": self.identifier, "class_noun": self.class_noun, "instance_data_dir": folder}
        before = self.concept_file.read_text("utf-8") if self.concept_file.is_file() else ""
        known = yaml.safe_load(before) or {}
        if {**known, **keys} == known:
            return before  # with its comments
        return f"{FIRST_LINE}\n{yaml.safe_dump({**known, **keys}, allow_unicode=True, sort_keys=False)}"

    @property
    def there(self) -> list[Path]:
        """What of it exists already."""
        return [path for path in (self.folder, self.concept_file) if path.exists()]

    @property
    def foreign(self) -> list[Path]:
        """What exists and is not as ``prepare`` wrote it, so that it must not be replaced."""
        file, intake = self.concept_file, read_json(self.folder / INTAKE)
        found = [] if intake.get("written_by") == WRITTEN_BY else [self.folder]
        found += [] if found else changed(self.folder, intake.get("files", {}))
        added_to = file.is_file() and file.read_text("utf-8", "replace").startswith(FIRST_LINE)
        return [path for path in [*found, *([] if added_to else [file])] if path.exists()]


def changed(folder: Path, written: Mapping[str, str]) -> list[Path]:
    """The files of a prepared folder that somebody added or changed; what a system leaves there is nobody's work.

    Args:
        written: the hash of every file that ``prepare`` wrote, by its path within the folder.
    """
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    own = {name: path for name, path in files.items() if name != INTAKE and not is_litter(name)}
    return [path for name, path in own.items() if written.get(name) != file_hash(path)]


def write(target: Target, entries: Sequence[Entry], sheet: Image.Image, about: Mapping[str, Any]) -> None:
    """Write photos, captions, boxes, intake and contact sheet, then the concept file; in place of what is there.

    Args:
        sheet: the contact sheet.
        about: more to be told by intake.json.

    Raises:
        UserError: if a caption cannot be read; nothing is written then.
    """
    _, unread = own_captions(entry.file for entry in entries if entry.taken)
    raise_all("captions of photos that are taken:", unread)
    aside = passed_over(entries[0].file.parent, about.get("dropped", ()))
    parent = target.folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{target.folder.name}.") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        fill(new, entries, sheet, {**about, **aside})
        if target.folder.exists():
            os.replace(target.folder, old)
        try:
            os.replace(new, target.folder)
            write_atomically(target.concept_file, target.concept)
        except BaseException:
            shutil.rmtree(target.folder, ignore_errors=True)
            if old.exists():
                os.replace(old, target.folder)
            raise


def passed_over(source: Path, dropped: Collection[str]) -> dict[str, list[str]]:
    """What of the source is neither taken nor refused, as intake.json tells it; it is said, too.

    Args:
        dropped: names in NFC of files that need not be told of.
    """
    files = [file.name for file in left_out(source) if nfc(file.name) not in dropped]
    folders = [folder.name for folder in folders_in(source)]
    if files:
        log.info("%s left out, being no photos: %s", counted(len(files), "file"), ", ".join(files))
    if folders:
        is_not = "is not" if len(folders) == 1 else "are not"
        log.info("%s %s looked into: %s", counted(len(folders), "folder"), is_not, ", ".join(folders))
    return {"left_out": files, "not_looked_into": folders}


def fill(folder: Path, entries: Sequence[Entry], sheet: Image.Image, about: Mapping[str, Any]) -> None:
    """Everything that a prepared folder holds."""
    (folder / SHEET).parent.mkdir(parents=True)
    names = names_of(entries)
    boxes = ["photo,left,top,right,bottom"]
    for entry in entries:
        if entry.seen is None or entry.file.name not in names:
            continue
        name = names[entry.file.name]
        save(entry.seen.crop, folder / name, drawn=looks_drawn([entry.file]))
        if caption := caption_file(entry.file):
            shutil.copyfile(caption, (folder / name).with_suffix(".txt"))
        if entry.seen.faces is not None:
            boxes.append(",".join([name, *map(str, entry.seen.face or NO_FACE)]))
    if len(boxes) > 1:
        (folder / BOXES).write_text("\n".join([*boxes, ""]))
    sheet.save(folder / SHEET)
    photos = [told(entry, names.get(entry.file.name)) for entry in entries]
    files = {path.relative_to(folder).as_posix(): file_hash(path) for path in folder.rglob("*") if path.is_file()}
    intake = {"schema_version": SCHEMA_VERSION, "written_by": WRITTEN_BY, **about, "photos": photos, "files": files}
    write_json(folder / INTAKE, intake)


def names_of(entries: Sequence[Entry]) -> dict[str, str]:
    """What each taken photo is called in the prepared folder, by its name: the same, as a PNG; no name twice."""
    names: dict[str, str] = {}
    used: set[str] = set()
    for entry in entries:
        if entry.seen is None or not entry.taken:
            continue
        stem = name = safe_name(entry.file.stem)
        number = 2
        while name.casefold() in used:  # some file systems do not tell A from a
            name, number = f"{stem}-{number}", number + 1
        used.add(name.casefold())
        names[entry.file.name] = f"{name}.png"
    return names


def save(picture: Image.Image, file: Path, drawn: bool) -> None:
    """The pixels as PNG and nothing else: no EXIF, no place; but that the built-in base's world drew it stays said."""
    mark = PngInfo()
    if drawn:
        mark.add_text("Software", DRAWN_BY)
    picture.save(file, pnginfo=mark)


def told(entry: Entry, name: str | None) -> dict[str, Any]:
    """What intake.json says of a file; boxes are in pixels of the upright photo."""
    seen, verdict = entry.seen, entry.verdict
    row = {"file": entry.file.name, "photo": name, "refused": verdict.refused, "warnings": list(verdict.warnings)}
    if seen is None:
        return row
    measures = asdict(seen.measures)
    return row | {
        "size": list(seen.size),
        "square": list(seen.square),
        "faces": None if seen.faces is None else [list(box) for box in seen.faces],
        **{key: round(measures[key], 1) for key in ("side", "sharpness", "light", "darkest", "brightest")},
    }
