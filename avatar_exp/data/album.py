"""A folder of photos as they came: every file, what is in it, and whether it is taken."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from avatar_exp.data.boxes import BoxError, in_picture
from avatar_exp.data.faces import Box, find_faces
from avatar_exp.data.framing import cut_into, framed
from avatar_exp.data.intake import Measures, Verdict, judge, measure
from avatar_exp.data.listing import listed, nfc, no_file
from avatar_exp.data.originals import stored
from avatar_exp.data.photos import SUFFIXES, UNREAD, UnreadableError, format_of, open_photo, square_of
from avatar_exp.errors import raise_all

COMPANIONS = {".txt", ".csv", ".json", ".yaml", ".md"}  # captions, boxes and notes: no photos, and no mistake
NO_FACE = (0, 0, 0, 0)  # in boxes.csv
MOST = 0.7  # of the shorter side: of a smaller square the rest is background, and may be the same in two photos
THUMBNAIL = 320  # pixels of the longer side


@dataclass(frozen=True)
class Seen:
    """What is in a photo; boxes are in its own pixels, upright."""

    size: tuple[int, int]
    square: Box  # what is taken of it
    faces: tuple[Box, ...] | None  # the largest first; None: they were not looked for
    crop: Image.Image  # the square, made smaller where it is larger than wanted
    face: Box | None  # the subject's, in pixels of ``crop``
    measures: Measures  # of ``crop``
    thumbnail: Image.Image  # of the whole photo


@dataclass(frozen=True)
class Entry:
    """A file, what was seen in it (None: it cannot be read) and what is to be said of it."""

    file: Path
    seen: Seen | None
    verdict: Verdict

    @property
    def taken(self) -> bool:
        """Whether it is to be trained on."""
        return self.verdict.refused is None

    @property
    def remarks(self) -> list[str]:
        """All that is to be said of it, the worst first."""
        return [*([] if self.taken else [f"refused: {self.verdict.refused}"]), *self.verdict.warnings]


def files_of(folder: Path) -> list[Path]:
    """Every photo, by what is in it, and whatever else is named like one; sorted by name.

    Raises:
        UserError: if the folder cannot be looked into.
    """
    return [file for file in listed(folder) if named_like_a_photo(file) or (foreign(file) and format_of(file))]


def left_out(folder: Path) -> list[Path]:
    """The files that are neither photos nor belong to them: films, and what a phone writes of its edits; sorted.

    Raises:
        UserError: if the folder cannot be looked into.
    """
    return [file for file in listed(folder) if foreign(file) and not format_of(file)]


def folders_in(folder: Path) -> list[Path]:
    """The folders within, which nobody looks into, but those that are named like a photo; sorted.

    Raises:
        UserError: if the folder cannot be looked into.
    """
    return [path for path in listed(folder) if os.path.isdir(path) and not named_like_a_photo(path)]


def named_like_a_photo(file: Path) -> bool:
    """Whether it is meant to be a photo, readable or not."""
    return file.suffix.lower() in {*SUFFIXES, *UNREAD}


def foreign(file: Path) -> bool:
    """Whether it is a file that is named like nothing that photos come with."""
    return not named_like_a_photo(file) and file.suffix.lower() not in COMPANIONS and no_file(file) is None


def album(
    files: Sequence[Path],
    wanted: int,
    boxes: Mapping[str, Box],
    find: bool = True,
    keep: Collection[str] = (),
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> list[Entry]:
    """Every file with its verdict, in the order of ``files``.

    Args:
        wanted: pixels of a square's side.
        boxes: where the face is, by file name in NFC; NO_FACE: nowhere.
        find: look for the other faces.
        keep: names in NFC of photos that are taken whatever is noticed.

    Raises:
        UserError: for boxes that are not in their pictures, or if faces are to be found without OpenCV 4.
    """
    seen: dict[str, Seen] = {}
    named = {file.name: file for file in files}
    unread: dict[str, str] = {}
    wrong: list[str] = []
    for number, file in enumerate(files, 1):
        try:
            seen[file.name] = look(read(file), wanted, find, boxes.get(nfc(file.name)))
        except UnreadableError as error:
            unread[file.name] = str(error)
        except BoxError as error:
            wrong.append(f"{file.name}: {error}")
        tick(number, len(files))
    raise_all("boxes.csv names places that are not there:", wrong)
    measures = {name: one.measures for name, one in seen.items()}
    verdicts = judge(measures, wanted, lambda name: stored(named[name]))
    if any(one.faces for one in seen.values()):  # otherwise that is to be said once
        verdicts |= {
            name: Verdict(None, one.warnings + about_faces(name, seen[name], nfc(name) in boxes))
            for name, one in verdicts.items()
            if one.refused is None
        }
    verdicts |= {name: Verdict() for name in seen if nfc(name) in keep}
    verdicts |= {name: no_picture(reason, nfc(name) in keep) for name, reason in unread.items()}
    return [Entry(file, seen.get(file.name), verdicts[file.name]) for file in files]


def no_picture(reason: str, kept: bool) -> Verdict:
    """The verdict on a file that cannot be read, whether or not it was to be ``kept``."""
    return Verdict(f"cannot be read: {reason}" + ("; keep cannot change that" if kept else ""))


def read(file: Path) -> Image.Image:
    """The picture, if ``train`` would take the file for one too.

    Raises:
        UnreadableError: otherwise, or if it cannot be read.
    """
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        kind = format_of(file)
        called = f"it is a picture ({kind}) and not called one; name it {file.stem}.{(kind or '').lower()}"
        raise UnreadableError(no_file(file) or UNREAD.get(suffix, called))
    return open_photo(file)


def look(image: Image.Image, wanted: int, find: bool, known: Box | None = None) -> Seen:
    """What is in an RGB picture, and the square to take: around the largest face, otherwise the largest, upper-centre.

    Copies are found by the whole picture, for around a face that is found a little elsewhere the square is another.

    Args:
        wanted: pixels of the square's side: a smaller one is not enlarged, and a small face does not make it smaller.
        find: look for faces, unless ``known`` says where the face is.

    Raises:
        BoxError: if that is no box in the picture.
        UserError: if faces are to be found without OpenCV 4.
    """
    faces = faces_in(image, known, find)
    square = framed(faces, *image.size, least=wanted) if faces else square_of(image.size)
    crop, side = image.crop(square), square[2] - square[0]
    if side > wanted:
        crop = crop.resize((wanted, wanted), Image.Resampling.LANCZOS)
    face = within(faces[0], square, crop.width) if faces else None
    whole = image if side >= MOST * min(image.size) else None
    measures = measure(crop, side, face, whole, image.width * image.height)
    return Seen(image.size, square, faces, crop, face, measures, thumbnail(image))


def faces_in(image: Image.Image, known: Box | None, find: bool) -> tuple[Box, ...] | None:
    """The faces, as ``known`` says or as they are found, the largest first; None if they are not to be looked for."""
    if known is None:
        return tuple(apart(face.box for face in find_faces(image))) if find else None
    if known == NO_FACE:
        return ()
    return (in_picture(known, image.size),)


def apart(boxes: Iterable[Box]) -> list[Box]:
    """The boxes that do not have their middle in one before them: in a large face a nose is at times taken for one."""
    kept: list[Box] = []
    for left, top, right, bottom in boxes:
        x, y = (left + right) / 2, (top + bottom) / 2
        if not any(one[0] <= x <= one[2] and one[1] <= y <= one[3] for one in kept):
            kept.append((left, top, right, bottom))
    return kept


def within(box: Box, square: Box, side: int) -> Box:
    """A box of a photo in pixels of a ``square`` of it that was made ``side`` pixels wide; cut at its edges."""
    zoom = side / (square[2] - square[0])
    left, top, right, bottom = (
        min(max(round((edge - origin) * zoom), 0), side) for edge, origin in zip(box, square[:2] * 2, strict=True)
    )
    return left, top, right, bottom


def thumbnail(image: Image.Image) -> Image.Image:
    """A copy of at most THUMBNAIL pixels a side."""
    zoom = min(1.0, THUMBNAIL / max(image.size))
    size = max(1, round(image.width * zoom)), max(1, round(image.height * zoom))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def about_faces(name: str, seen: Seen, known: bool) -> tuple[str, ...]:
    """What is to be said of the faces in a photo; nothing if it is ``known`` where the face is."""
    if known or seen.faces is None or len(seen.faces) == 1:
        return ()
    if not seen.faces:
        return ("no face found: the square is upper-centre",)
    said = f"{len(seen.faces)} faces: the square is around the largest"
    if not cut_into(seen.square, seen.faces):
        return (said,)
    cure = f"leave the photo out (drop={name}), or say in boxes.csv where the subject's is"
    return (f"{said}, and another face is inside it: {cure}",)
