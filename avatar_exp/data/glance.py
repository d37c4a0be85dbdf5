"""What ``train`` notices of photos: the half of ``prepare`` that costs next to nothing, without looking for faces."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from PIL import Image

from avatar_exp.data.intake import SIDE, Measures, Verdict, judge, measure
from avatar_exp.data.listing import NOT_THERE, no_file
from avatar_exp.data.originals import stored
from avatar_exp.data.photos import UnreadableError, crop_square, formats, open_photo
from avatar_exp.data.settled import settled


def unreadable(files: Iterable[Path], measured: bool = True) -> list[str]:
    """One line for every file that cannot be decoded to the end.

    Args:
        measured: as photos of the subject, whose numbers are asked for again; without, it takes a third of the time.
    """
    found = []
    for file in files:
        try:
            if measured:
                glance(file)
            else:
                open_photo(file, least=1)
        except UnreadableError as error:
            found.append(f"{file}: cannot be read: {error}")
    return found


def remarks(photos: Sequence[Path], wanted: int) -> dict[str, str]:
    """What is to be said of the photos of a subject, by file name; of those that ``prepare`` wrote, what it said.

    Args:
        photos: files of one folder.
        wanted: pixels of a side that are trained on.

    Raises:
        UnreadableError: if one cannot be read.
    """
    known, files = settled(photos, wanted), {photo.name: photo for photo in photos}
    measures = {name: glance(photo) for name, photo in files.items()} if len(known) < len(files) else {}
    verdicts = judge(measures, wanted, lambda name: stored(files[name]), known)
    verdicts |= {name: Verdict(None, warnings) for name, warnings in known.items()}
    said = {name: [*([one.refused] if one.refused else []), *one.warnings] for name, one in verdicts.items()}
    return {name: "; ".join(all_of) for name, all_of in said.items() if all_of}


def glance(file: Path) -> Measures:
    """The numbers of the square that is trained on; a file is decoded once in a process, unless it changes.

    Raises:
        UnreadableError: if it is no picture, or a broken one, or may not be read.
    """
    try:
        state = file.stat()
    except OSError as error:
        raise UnreadableError(no_file(file) or NOT_THERE) from error
    return _glance(file.resolve(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _glance(file: Path, *state: int) -> Measures:
    image = open_photo(file, least=SIDE)
    with Image.open(file, formats=formats()) as header:
        size = header.size
    square = crop_square(image, min(image.size))
    return measure(square, min(size), whole=image, pixels=size[0] * size[1])
