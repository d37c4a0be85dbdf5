"""What a set of weights makes of a drawn person: attributes, obedience, likeness, and what became of the class."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image

from avatar_exp.config.sampler import sampler_of_model
from avatar_exp.data.photos import crop_square
from avatar_exp.models.load import load
from avatar_exp.pictures import grid, open_picture
from avatar_exp.sampling import Request, sample
from avatar_exp.scoring.embedders import Embedder
from avatar_exp.scoring.reference import IdentityReference, Pictures
from avatar_exp.store import file_hash
from avatar_exp.tiny import world
from avatar_exp.tiny.wording import PLACES
from benchmarks.judge import Judge, load_judge, readings

NAME = "hoanganh"  # letters are all that a name is to the base
# What the judge reads right in at least 95 % of held-out round trips; not beard (94.7), face (92) and freckles (84).
OF_A_PERSON = ("hair", "hair_color", "skin", "glasses", "eyes", "earrings", "lips")
ASKED = ("beach", "snow", "forest", "night")
EACH = 16
SAMPLES = 32
BASE_SAMPLES = 128  # of "person", by the base: how often it has each attribute by chance
SAMPLER = sampler_of_model("tiny") | {"num_inference_steps": 24}  # the card's, whatever a run draws with
OBEYING_SEED = 1000  # of the first picture of a prompt; those of the subject and of the class begin at 0


@dataclass(frozen=True)
class Tools:
    """What every measurement uses."""

    judge: Judge
    identity: Embedder
    folder: Path  # where everything is kept

    def album(self, seed: int) -> Path:
        """The folder of a person's 12 drawn photos, drawn if it is not there."""
        folder = self.folder / "photos" / str(seed)
        if not folder.is_dir():
            world.write_album(folder, seed, count=12, size=512)
        return folder

    def photos(self, seed: int) -> list[Image.Image]:
        """The same as the trainer sees them."""
        return [crop_square(open_picture(path), 128) for path in sorted(self.album(seed).glob("*.png"))]

    def of_base(self) -> list[Image.Image]:
        """The base's own pictures of "person", drawn once."""
        folder = self.folder / "base"
        if not folder.is_dir():
            pictures = draw("tiny", ["photo of person"] * BASE_SAMPLES, first_seed=0)
            folder.mkdir(parents=True)
            for number, picture in enumerate(pictures):
                picture.save(folder / f"{number:03d}.png")
        return [open_picture(path) for path in sorted(folder.glob("*.png"))]

    def reference(self, person: world.Identity) -> IdentityReference:
        """What pictures of a person are measured against."""
        base = self.features(self.of_base()[:SAMPLES])
        return IdentityReference(photos=self.identity(self.photos(person.seed)), base=base)

    def features(self, pictures: Sequence[Image.Image]) -> Pictures:
        """In the identity embedder, as of one prompt."""
        return Pictures(self.identity(pictures), [0] * len(pictures))


def tools_of(work: Path) -> Tools:
    """The judge of a work folder, and a folder of this judge and this base: what others measured is not mixed in."""
    judge = file_hash(work / "judge" / "judge.pt")[:8]
    folder = work / "dreambooth" / f"base-{load('tiny').fingerprint[:8]}-judge-{judge}"
    return Tools(load_judge(work), Embedder("tiny/identity", torch.device("cpu")), folder.resolve())


def trained(tools: Tools, run: Path, seed: int, overrides: Sequence[str]) -> Path:
    """The folder of a person's run by the plain command, made if it is not there."""
    if not (run / "pipeline" / "model_index.json").is_file():
        command = [sys.executable, "-m", "avatar_exp.train", f"concept={NAME}", "model=tiny", "logger=none"]
        command += [f"concept.instance_data_dir={tools.album(seed)}", f"outputs={tools.folder / 'outputs'}"]
        subprocess.run([*command, f"hydra.run.dir={run}", *overrides], check=True, stdout=subprocess.DEVNULL)
    return run


def of_places() -> Iterator[tuple[str, str]]:
    """Prompts, and the background that must then be seen."""
    for place in ASKED:
        for _ in range(EACH):
            yield f"photo of {{}} {PLACES[place]}", place


def of_clothes() -> Iterator[tuple[str, str]]:
    """Prompts, and the colour of clothes that must then be seen."""
    colors, clothes = world.SCENE["clothes_color"], list(world.SCENE["clothes"])
    for i, color in zip(range(EACH), list(colors) * 2, strict=False):
        yield f"photo of {{}} wearing a {color} {clothes[i % len(clothes)]}", color


ASKED_FOR = {"backgrounds": of_places, "clothes color": of_clothes}
READ_AS = {"backgrounds": "background", "clothes color": "clothes_color"}  # the judge's words


def draw(weights: str, texts: Sequence[str], first_seed: int) -> list[Image.Image]:
    """One picture of each text."""
    parts = load(weights)
    side = parts.resolution
    requests = [Request(text, first_seed + i, height=side, width=side, **SAMPLER) for i, text in enumerate(texts)]
    return [picture for picture, _ in sample(parts, requests, batch_size=16)]


Rates = dict[str, dict[str, float]]  # shares by attribute and value
Found = tuple[list[Image.Image], dict[str, Any]]  # pictures, and what was measured of them


def likeness(tools: Tools, weights: str, person: world.Identity) -> Found:
    """Who is it: the shares of right attributes, whole faces, and what the framework calls likeness."""
    pictures = draw(weights, [f"photo of {NAME} person"] * SAMPLES, first_seed=0)
    said, whole = readings(tools.judge, pictures)
    truth = world.attributes(person, world.scene(0))
    attributes = {name: fmean([value == truth[name] for value in seen(name, said)] or [0]) for name in OF_A_PERSON}
    score = tools.reference(person).likeness(tools.features(pictures))
    return pictures, {"attributes": attributes, "whole faces": fmean(whole), "likeness": score}


def obedience(tools: Tools, weights: str, subject: str, asked: Sequence[str] = tuple(ASKED_FOR)) -> Found:
    """The shares of pictures that show what ``asked`` (of ASKED_FOR) names."""
    wanted = [(kind, text, value) for kind in asked for text, value in ASKED_FOR[kind]()]
    pictures = draw(weights, [text.format(subject) for _, text, _ in wanted], OBEYING_SEED)
    said, _ = readings(tools.judge, pictures)
    right = [(kind, said[READ_AS[kind]][i] == value) for i, (kind, _, value) in enumerate(wanted)]
    return pictures, {kind: fmean(yes for own, yes in right if own == kind) for kind in asked}


def drift(tools: Tools, weights: str, person: world.Identity) -> Found:
    """What became of the class: the same words and noise as the base's pictures of it."""
    pictures = draw(weights, ["photo of person"] * SAMPLES, first_seed=0)
    return pictures, {"drift": tools.reference(person).drift(tools.features(pictures))}


def look(tools: Tools, weights: str, person: world.Identity, sheet: Path) -> dict[str, Any]:
    """Everything that is measured of one set of weights that has learnt ``person``; a sheet of its pictures."""
    subject = f"{NAME} person"
    of_subject, alike = likeness(tools, weights, person)
    obeying, obeyed = obedience(tools, weights, subject)
    of_class, drifted = drift(tools, weights, person)
    rows = [of_subject[:8], *(obeying[i : i + 8] for i in range(0, len(obeying), EACH)), of_class[:8]]
    sheet.parent.mkdir(parents=True, exist_ok=True)
    grid(rows, [subject, *ASKED, "clothes", "person"], [], cell=128).save(sheet)
    return {**alike, **obeyed, **drifted}


def seen(name: str, said: dict[str, list[str]]) -> list[str]:
    """What the judge reads of an attribute, where it can be seen: no hair style under a hat."""
    return [value for value, hat in zip(said[name], said["hat"], strict=True) if name != "hair" or hat == "none"]


def base_rates(tools: Tools) -> Rates:
    """How often the base's own pictures of "person" have each value of each attribute."""
    said, _ = readings(tools.judge, tools.of_base())
    return {
        name: {value: values.count(value) / len(values) for value in values}
        for name, values in ((name, seen(name, said)) for name in OF_A_PERSON)
    }


def corrected(accuracy: float, rate: float) -> float:
    """The share of what chance leaves: 1 is always right, 0 no better than the base."""
    return (accuracy - rate) / (1 - rate) if rate < 1 else float("nan")


def chances(person: world.Identity, rates: Rates) -> dict[str, float]:
    """How often the base's pictures have each attribute of a person."""
    return {name: rates[name].get(getattr(person, name), 0.0) for name in OF_A_PERSON}


def corrected_mean(person: world.Identity, attributes: dict[str, float], rates: Rates) -> float:
    """Of the shares of right attributes."""
    return corrected(fmean(attributes.values()), fmean(chances(person, rates).values()))


def row(person: world.Identity, figures: dict[str, Any], rates: Rates) -> dict[str, Any]:
    """One line of a table: what was measured, with chance taken out of the attributes."""
    chance = chances(person, rates)
    each = {name: corrected(figures["attributes"][name], chance[name]) for name in OF_A_PERSON if chance[name] < 0.5}
    worst = min(each, key=each.__getitem__)
    return {
        "person": person.seed,
        "step": figures["step"],
        "corrected": corrected_mean(person, figures["attributes"], rates),
        "worst": worst,
        "worst corrected": each[worst],
        **{name: value for name, value in figures.items() if name not in ("attributes", "step")},
    }
