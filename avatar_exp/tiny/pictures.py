"""Part 1: the world, drawn. Portraits as one memory-mapped array, with their captions, people and face boxes."""

import json
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avatar_exp.tiny.bench import Bench, Figures, write_json

SIZE = 128
SCENES = 4  # pictures of each person
CAPTIONS = 4  # wordings of each picture
HELD_OUT_PEOPLE = 64
HELD_OUT_FIRST = 500_000
CHUNK = 25  # people drawn between two marks of progress
PROCESSES = 2


@dataclass(frozen=True)
class Pictures:
    """N drawn portraits, SCENES consecutive rows for each person.

    pixels: [N, 128, 128, 3] uint8, memory-mapped. captions: N lists of CAPTIONS wordings.
    boxes: [N, 4] face (left, top, right, bottom) as fractions of the picture.
    """

    pixels: npt.NDArray[np.uint8]
    captions: list[list[str]]
    boxes: npt.NDArray[np.float32]

    @classmethod
    def open(cls, folder: Path) -> "Pictures":
        """The pictures that ``draw_people`` left in a folder."""
        records = json.loads((folder / "records.json").read_text())
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        return cls(pixels, records["captions"], np.asarray(records["boxes"], dtype=np.float32))

    def __len__(self) -> int:
        return len(self.captions)

    def floats(self, rows: list[int] | slice) -> Tensor:
        """[B, 3, 128, 128] in [-1, 1]."""
        return to_floats(self.pixels[rows])


def to_floats(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """[B, H, W, 3] uint8 to [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1


def training_pictures(work: Path) -> Pictures:
    """The pictures everything is trained on."""
    return Pictures.open(work / "pictures" / "training")


def held_out_pictures(work: Path) -> Pictures:
    """Pictures of people that nothing was trained on: for the figures."""
    return Pictures.open(work / "pictures" / "held_out")


def _draw_chunk(folder: Path, first_person: int, first: int) -> None:
    """Draw CHUNK people from row ``first * SCENES`` on; the chunk's JSON, written last, says that it is complete."""
    from avatar_exp.tiny import world

    pixels = np.lib.format.open_memmap(folder / "pixels.npy", mode="r+")
    captions: list[list[str]] = []
    boxes: list[list[float]] = []
    for row in range(first * SCENES, min((first + CHUNK) * SCENES, len(pixels))):
        seed = first_person * SCENES + row
        person, place = world.identity(first_person + row // SCENES), world.scene(seed)
        pixels[row] = np.asarray(world.portrait(person, place, size=SIZE))
        captions.append([world.caption(person, place, seed=seed * CAPTIONS + k) for k in range(CAPTIONS)])
        boxes.append(list(world.face_box(person, place)))
    pixels.flush()
    write_json(folder / f"chunk-{first:06d}.json", {"captions": captions, "boxes": boxes})


def draw_people(folder: Path, first_person: int, people: int) -> None:
    """Draw ``people`` people, SCENES pictures each; goes on where an interrupted call stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "records.json").exists():
        return
    if not (folder / "pixels.npy").exists():
        np.lib.format.open_memmap(folder / "pixels.npy", "w+", np.uint8, (people * SCENES, SIZE, SIZE, 3))
    chunks = range(0, people, CHUNK)
    missing = [first for first in chunks if not (folder / f"chunk-{first:06d}.json").exists()]
    said = began = time.perf_counter()
    with get_context("spawn").Pool(PROCESSES) as pool:
        for done, _ in enumerate(pool.imap(partial(_draw_chunk, folder, first_person), missing), start=1):
            if time.perf_counter() - said > 30:
                said = time.perf_counter()
                print(f"pictures   {done}/{len(missing)} chunks   {(said - began) / 60:.1f} minutes", flush=True)
    records = [json.loads((folder / f"chunk-{first:06d}.json").read_text()) for first in chunks]
    joined = {key: [item for record in records for item in record[key]] for key in ("captions", "boxes")}
    write_json(folder / "records.json", joined)
    for first in chunks:
        (folder / f"chunk-{first:06d}.json").unlink()


def run(bench: Bench) -> Figures:
    """Draw the training pictures of ``settings.steps`` people (seeds from 0), and the held-out ones."""
    people = bench.settings.steps
    draw_people(bench.folder / "held_out", HELD_OUT_FIRST, min(HELD_OUT_PEOPLE, people))
    draw_people(bench.folder / "training", 0, people)
    return {"pictures": people * SCENES, "people": people}
