"""``python -m avatar_exp.prepare concept=minh source=DIR``: photos in; squares, a contact sheet and a concept out."""

import logging
import os
import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.start import Origin, start
from avatar_exp.data.listing import nfc, no_folder
from avatar_exp.errors import UserError, counted, raise_all
from avatar_exp.progress import Phases
from avatar_exp.run_folder import safe_name

if TYPE_CHECKING:
    from PIL import Image

    from avatar_exp.data.album import Entry
    from avatar_exp.data.prepared import Target
    from avatar_exp.pictures import Cell

log = logging.getLogger("avatar_exp")


def job(config: DictConfig, origin: Origin) -> None:
    """Look at every file, say what is noticed, write what is taken."""
    from avatar_exp.data.prepared import SHEET, write

    target = target_of(config)
    found = faults(config, target)
    raise_all(f"{counted(len(found), 'thing')} to mend before photos can be prepared:", found)
    entries, remarks = looked_at(config)
    log.info("%s\n", "\n".join(table(entries)))
    for remark in remarks:
        log.warning("%s", remark)
    refuse(config, entries, remarks)
    about = {"name": config.name, "source": config.source, "wanted": config.size, "dropped": listed(config.drop)}
    write(target, entries, sheet(config.name, entries, remarks), {**about, "warnings": remarks})
    log.info("%s", in_short(entries))
    log.info("photos   %s\nlook at  %s", target.folder, target.folder / SHEET)
    log.info("next     python -m avatar_exp.train concept=%s", config.name)


def target_of(config: DictConfig) -> "Target":
    """Where it all goes.

    Raises:
        UserError: if the name or the photos are not said.
    """
    from avatar_exp.data.prepared import Target

    example = {"name": "concept=minh", "source": "source=DIR"}
    missing = [shown for key, shown in example.items() if OmegaConf.is_missing(config, key)]
    if missing:
        raise UserError(f"missing: {' '.join(missing)} (a name for the subject, and the folder of photos)")
    folder = Path(config.out) if config.out else Path("data") / config.name
    identifier = config.name if config.identifier is None else config.identifier
    return Target(folder, Path("data/conf/concept") / f"{config.name}.yaml", identifier, config.class_noun)


def faults(config: DictConfig, target: "Target") -> list[str]:
    """What keeps photos from being prepared, one line each."""
    found = []
    name, source = config.name, Path(config.source)
    if safe_name(name) != name:
        found.append(f"concept={name}: letters from a to z, digits and . _ - only: "
                     f"concept={safe_name(name)} (identifier='{name}' may be any word)")  # fmt: skip
    taken = name == "conf" or (conf_dir() / "concept" / f"{name}.yaml").is_file()
    if taken:
        found.append(f"concept={name}: this name is taken by avatar_exp itself; choose another")
    if not target.identifier.strip():
        found.append("identifier is empty: choose a word for the subject, such as minh")
    if config.size < 64 or config.size % 8:
        found.append(f"size={config.size}: must be a multiple of 8, from 64 on")
    if why := no_folder(source):
        found.append(f"source={config.source}: {why}")
    else:
        found += source_faults(config, source)
    if target.folder.resolve() in (source.resolve(), *source.resolve().parents):
        found.append(f"{target.folder} holds the photos themselves, which are never changed: say out=ANOTHER_FOLDER")
    elif target.foreign and not taken:  # then another name is to be chosen
        there = " and ".join(map(str, target.foreign))
        found.append(f"{there}: not as prepare wrote it, and would be lost; move it away, or say out=ANOTHER_FOLDER")
    elif target.there and not taken and not config.replace:
        found.append(f"{' and '.join(map(str, target.there))}: prepared before; replace=true writes it anew")
    return found


def source_faults(config: DictConfig, source: Path) -> list[str]:
    """What is wrong with the folder of photos, and with what is said of single files."""
    from avatar_exp.data.album import files_of, left_out
    from avatar_exp.data.boxes import BOXES, read_boxes

    photos = files_of(source)
    if not photos:
        return [f"source={config.source}: no photo is there (folders within it are not looked into)"]
    said = {"keep": listed(config.keep), "drop": listed(config.drop)}
    try:
        said[BOXES] = list(read_boxes(source))
    except UserError as error:
        return [str(error)]
    takeable = {nfc(file.name) for file in photos}
    droppable = {*takeable, *(nfc(file.name) for file in left_out(source))}
    known = {"keep": takeable, "drop": droppable, BOXES: droppable}
    found = [
        f"{key}: {one}: {not_known(one, source, key, known[key])}"
        for key, ones in said.items()
        for one in ones
        if one not in known[key]
    ]
    return found + [f"{one}: both in keep and in drop" for one in said["keep"] if one in said["drop"]]


def not_known(name: str, source: Path, key: str, known: Collection[str]) -> str:
    """Why ``key`` cannot name a file that is none of the ``known`` ones."""
    if name in map(nfc, os.listdir(source)):
        return f"it is no photo, and {key} is for photos"
    if "," in name and all(nfc(one.strip()) in known for one in name.split(",")):
        return f"several are a list: {key}='[{name}]'"
    return f"no such file in {source}{meant(name, known)}"


def meant(name: str, names: Collection[str]) -> str:
    """The file that is there and was meant, in words that follow; nothing if none is like it."""
    folded = {one.casefold(): one for one in names}
    near = get_close_matches(name.casefold(), folded, 1, cutoff=0.85)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def listed(value: Any) -> list[str]:
    """File names, in NFC, as they were typed: a list, one, or what looked like a list but for blanks and brackets."""
    if isinstance(value, str):
        value = value[1:-1].split(",") if value.startswith("[") else [value]
        value = [one.strip() for one in value]
    return [nfc(str(one)) for one in value or ()]


def looked_at(config: DictConfig) -> tuple[list["Entry"], list[str]]:
    """Every file with its verdict, and what is to be said of them all."""
    from avatar_exp.data.album import album, files_of
    from avatar_exp.data.boxes import BOXES, read_boxes
    from avatar_exp.data.concept import RECOMMENDED_PHOTOS

    source, drop = Path(config.source), listed(config.drop)
    files, boxes = [file for file in files_of(source) if nfc(file.name) not in drop], read_boxes(source)
    missing = missing_detector() if config.faces else None
    find = config.faces and missing is None
    with Phases().phase("looking at the photos") as tick:
        entries = album(files, config.size, boxes, find, listed(config.keep), tick)
    remarks = [f"no face is looked for, so squares are upper-centre: {missing}"] if missing else []
    looked = [entry.seen.faces for entry in entries if entry.seen and nfc(entry.file.name) not in boxes]
    if find and looked and not any(looked):
        remarks.append(f"no face is found, so squares are upper-centre ({BOXES} says where; faces=false: do not look)")
    count, (low, high) = len([entry for entry in entries if entry.taken]), RECOMMENDED_PHOTOS
    if not low <= count <= high:
        remarks.append(f"{counted(count, 'photo')}; {low}-{high} are recommended")
    return entries, remarks


def missing_detector() -> str | None:
    """Why faces cannot be found here, and what to do; None if they can."""
    from avatar_exp.data.faces import cascade

    try:
        cascade()
    except UserError as error:
        return str(error)
    return None


def refuse(config: DictConfig, entries: Sequence["Entry"], remarks: Sequence[str]) -> None:
    """Stop before anything is written if nothing can be used, or with ``strict`` if anything was noticed.

    Raises:
        UserError: then.
    """
    if not any(entry.taken for entry in entries):
        raise UserError("none of these files can be used (keep=NAME takes one that can be read); nothing was written")
    if config.strict:
        said = [f"{entry.file.name}: {remark}" for entry in entries for remark in entry.remarks]
        raise_all("strict=true, so nothing was written (drop=NAME and keep=NAME settle a file):", [*said, *remarks])


def in_short(entries: Sequence["Entry"]) -> str:
    """How many photos are taken."""
    return f"{len([entry for entry in entries if entry.taken])} of {len(entries)} photos are taken"


def table(entries: Sequence["Entry"]) -> list[str]:
    """A line a file, in columns."""
    rows = [["photo", "pixels", "square", "faces", "sharp", "light", ""]]
    for entry in entries:
        row = [entry.file.name]
        if seen := entry.seen:
            faces = "-" if seen.faces is None else str(len(seen.faces))
            row += [f"{seen.size[0]}x{seen.size[1]}", str(seen.measures.side), faces]
            row += [f"{seen.measures.sharpness:.0f}", f"{seen.measures.light:.0f}"]
        rows.append([*row, *[""] * (6 - len(row)), "; ".join(entry.remarks)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def sheet(name: str, entries: Sequence["Entry"], remarks: Sequence[str]) -> "Image.Image":
    """Every photo with what is taken of it and what was said of it."""
    from avatar_exp.pictures import DOUBTFUL, FAINT, contact_sheet

    key = ("framed: what is taken of it; frames within: faces; grey: refused", FAINT)
    lines = [key, *((remark, DOUBTFUL) for remark in remarks)]
    return contact_sheet([cell(entry) for entry in entries], f"{name}: {in_short(entries)}", lines)


def cell(entry: "Entry") -> "Cell":
    """A photo's cell of the contact sheet."""
    from avatar_exp.pictures import BAD, DOUBTFUL, FAINT, Cell

    seen, colours = entry.seen, [*([] if entry.taken else [BAD]), *[DOUBTFUL] * len(entry.verdict.warnings)]
    said = list(zip(entry.remarks, colours, strict=True))
    if seen is None:
        return Cell(entry.file.name, said, None)
    facts = (f"{seen.size[0]}x{seen.size[1]}, square of {seen.measures.side}", FAINT)
    square, *faces = (shares(box, seen.size) for box in (seen.square, *(seen.faces or ())))
    return Cell(entry.file.name, [facts, *said], seen.thumbnail, square, faces, grey=not entry.taken)


def shares(box: Sequence[int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box in pixels as shares of the picture."""
    left, top, right, bottom = (edge / size[number % 2] for number, edge in enumerate(box))
    return left, top, right, bottom


def main() -> None:
    """The command. ``concept=`` is typed for ``name=``: to Hydra that word is the config group of ``train``."""
    start("prepare", job, lambda typed: [re.sub(r"^concept=", "name=", one) for one in typed])


if __name__ == "__main__":
    main()
