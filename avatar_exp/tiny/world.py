"""The world of drawn portraits: who is drawn and where, the words for it, and a person's album.

python -m avatar_exp.tiny.world --out DIR --identity 7 --count 12 --size 512
python -m avatar_exp.tiny.world --sheet 64 --out FILE.png
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from avatar_exp.data.drawn import DRAWN_BY
from avatar_exp.tiny.drawing import face_box, landmarks, portrait
from avatar_exp.tiny.wording import CLOTHES, PLACES, caption, vocabulary

__all__ = [
    "PERSON",
    "PROPORTIONS",
    "SCENE",
    "Identity",
    "Scene",
    "album",
    "attributes",
    "caption",
    "face_box",
    "identity",
    "landmarks",
    "portrait",
    "scene",
    "vocabulary",
    "write_album",
]

Weights = dict[str, float]

# Every discrete attribute's values and how often each is drawn.
PERSON: dict[str, Weights] = {
    "face": {"round": 1, "oval": 1.2, "square": 1, "heart shaped": 1, "long": 0.8},
    "skin": {"pale": 1, "light": 1.4, "tan": 1.2, "brown": 1.2, "dark": 1.1},
    "hair": {
        "short": 1.4, "buzz cut": 0.7, "spiky": 0.8, "curly": 1.2, "afro": 0.8, "long": 1.3, "wavy": 1.1,
        "bob": 1.1, "bun": 1, "ponytail": 1, "pigtails": 0.7, "mohawk": 0.7, "bald": 0.7,
    },
    "hair_color": {
        "black": 1.5, "brown": 1.5, "blond": 1.3, "red": 1.2, "grey": 0.8, "white": 0.5, "pink": 0.7, "blue": 0.7,
        "green": 0.5,
    },
    "eyes": {"brown": 1.4, "blue": 1.1, "green": 1, "grey": 0.6},
    "brows": {"thin": 1, "thick": 1, "arched": 1},
    "nose": {"small": 1.2, "round": 1, "long": 0.9, "wide": 0.9},
    "lips": {"thin": 1.2, "full": 1, "red": 0.7},
    "glasses": {"none": 0.65, "round": 0.18, "square": 0.17},
    "beard": {"none": 0.68, "full": 0.14, "moustache": 0.1, "goatee": 0.08},
    "freckles": {"none": 0.8, "freckles": 0.2},
    "ears": {"small": 1.2, "large": 0.8},
    "earrings": {"none": 0.72, "gold": 0.14, "silver": 0.14},
}  # fmt: skip

SCENE: dict[str, Weights] = {
    "background": dict.fromkeys(PLACES, 1.0),
    "clothes": dict.fromkeys(CLOTHES, 1.0),
    "clothes_color": dict.fromkeys(
        ("red", "blue", "green", "yellow", "white", "black", "purple", "orange", "pink"), 1.0
    ),
    "hat": {
        "none": 0.72, "red hat": 0.08, "blue cap": 0.05, "black top hat": 0.04, "santa hat": 0.04, "gold crown": 0.04,
        "green beanie": 0.03,
    },
    "light": {"neutral": 0.64, "warm": 0.2, "cool": 0.16},
    "expression": {"smiling": 0.45, "serious": 0.2, "laughing": 0.22, "surprised": 0.13},
    "style": {"photo": 0.82, "pencil sketch": 0.09, "pop art": 0.09},
}  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """A person: words from PERSON; proportions from -1 to 1, where 0 is the middle of what occurs."""

    seed: int
    face: str
    skin: str
    hair: str
    hair_color: str
    eyes: str
    brows: str
    nose: str
    lips: str
    glasses: str
    beard: str
    freckles: str
    ears: str
    earrings: str
    face_width: float
    eye_distance: float
    eye_size: float
    eye_height: float
    brow_height: float
    nose_length: float
    mouth_width: float
    mouth_height: float
    hair_volume: float
    skin_shade: float
    hair_shade: float


@dataclass(frozen=True)
class Scene:
    """One picture's circumstances: words from SCENE; where the head is and how large and tilted."""

    seed: int
    background: str
    clothes: str
    clothes_color: str
    hat: str
    light: str
    expression: str
    style: str
    tilt: float  # degrees, clockwise, -10..10
    scale: float  # height of the head (skull to chin) as a share of the picture's, 0.45..0.60
    x: float  # centre of the face, share of the width
    y: float  # the same of the height; a tall hat or much hair pushes the head further down


PROPORTIONS = tuple(field.name for field in fields(Identity) if field.name not in (*PERSON, "seed"))


def _draw(rng: random.Random, table: Weights) -> str:
    return rng.choices(list(table), weights=list(table.values()))[0]


def identity(seed: int) -> Identity:
    """The person with this number."""
    rng = random.Random(f"identity/{seed}")
    drawn: dict[str, Any] = {"seed": seed} | {name: _draw(rng, table) for name, table in PERSON.items()}
    drawn |= {name: rng.uniform(-1, 1) for name in PROPORTIONS}
    return Identity(**drawn)


def scene(seed: int, **fixed: Any) -> Scene:
    """The scene with this number; `fixed` fields have the given values instead of drawn ones."""
    rng = random.Random(f"scene/{seed}")
    words = {name: _draw(rng, table) for name, table in SCENE.items()}
    drawn = Scene(
        seed=seed,
        **words,
        tilt=rng.uniform(-10, 10),
        scale=rng.uniform(0.45, 0.60),
        x=rng.uniform(0.41, 0.59),
        y=rng.uniform(0.44, 0.54),
    )
    for name in SCENE.keys() & fixed.keys():
        if fixed[name] not in SCENE[name]:
            raise ValueError(f"no {name} {fixed[name]!r}; there are {', '.join(SCENE[name])}")
    return replace(drawn, **fixed)


def attributes(person: Identity, place: Scene) -> dict[str, str]:
    """The truth about a picture: every discrete attribute, "none" for what is absent."""
    return {name: str(getattr(person, name)) for name in PERSON} | {name: str(getattr(place, name)) for name in SCENE}


def album(identity_seed: int, count: int, size: int) -> Iterator[tuple[Image.Image, str, Scene]]:
    """`count` photos of one person, `size` pixels a side: places and clothes spread evenly, every sixth with a hat."""
    person = identity(identity_seed)
    rng = random.Random(f"album/{identity_seed}")
    turns = {
        name: rng.sample(list(SCENE[name]), len(SCENE[name])) for name in ("background", "clothes", "clothes_color")
    }
    hats = [hat for hat in rng.sample(list(SCENE["hat"]), len(SCENE["hat"])) if hat != "none"]
    for i in range(count):
        fixed = {name: values[i % len(values)] for name, values in turns.items()}
        fixed["hat"] = hats[i // 6 % len(hats)] if i % 6 == 5 else "none"
        place = scene(rng.randrange(2**31), style="photo", **fixed)
        yield portrait(person, place, size), caption(person, place, i), place


def write_album(folder: Path, identity_seed: int, count: int, size: int) -> None:
    """The album as PNGs, marked as drawn: the built-in base knows no others, and ``train`` says so.

    With a ``boxes.csv`` of the faces: a detector made for people finds few drawn ones, and takes a nose for one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = PngInfo()
    mark.add_text("Software", DRAWN_BY)
    person, lines = identity(identity_seed), ["photo,left,top,right,bottom"]
    for i, (picture, _, place) in enumerate(album(identity_seed, count, size)):
        picture.save(folder / f"{i:02}.png", pnginfo=mark, optimize=True)
        lines.append(",".join([f"{i:02}.png", *(str(round(edge * size)) for edge in face_box(person, place))]))
    (folder / "boxes.csv").write_text("\n".join([*lines, ""]))


def sheet(count: int, size: int) -> Image.Image:
    """`count` different people on one square sheet, each `size` pixels."""
    columns = math.ceil(math.sqrt(count))
    picture = Image.new("RGB", (columns * size, math.ceil(count / columns) * size), "white")
    for i in range(count):
        picture.paste(portrait(identity(i), scene(i), size), (i % columns * size, i // columns * size))
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw one person's album, or a sheet of different people.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the album, or file of the sheet")
    parser.add_argument("--identity", type=int, default=7, help="seed of the album's person")
    parser.add_argument("--count", type=int, default=12, help="photos in the album")
    parser.add_argument("--size", type=int, help="pixels a side (album: 512, sheet: 128)")
    parser.add_argument("--sheet", type=int, metavar="COUNT", help="draw a sheet of this many people instead")
    options = parser.parse_args()
    if options.sheet:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        sheet(options.sheet, options.size or 128).save(options.out)
        print(f"{options.out}: {options.sheet} people")
        return
    write_album(options.out, options.identity, options.count, options.size or 512)
    print(f"{options.out}: {options.count} photos of person {options.identity}")


if __name__ == "__main__":
    main()
