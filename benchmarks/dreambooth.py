"""Does DreamBooth work on the built-in base? Trains people it has never seen, by the plain command, and judges them.

    python -m benchmarks.dreambooth --people 800001 800002 --name default
    python -m benchmarks.dreambooth --people 800001 --name mine lr=4e-6 prior=none keep_steps=[100,200]

Needs ``python -m benchmarks.judge`` before. What is done is not done again. A JSON
file for each person, and a sheet of pictures for each kept step, lie in the work folder, under dreambooth/NAME/.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image

from avatar_exp.models.load import load
from avatar_exp.pictures import grid
from avatar_exp.sampling import Request, sample
from avatar_exp.scoring.embedders import Embedder
from avatar_exp.scoring.functional import similarity
from avatar_exp.tiny import world
from avatar_exp.tiny.bench import write_json
from avatar_exp.tiny.wording import PLACES
from benchmarks.judge import Judge, load_judge, readings

NAME = "hoanganh"  # letters are all that a name is to the base
OF_A_PERSON = ("hair", "hair_color", "skin", "glasses", "beard", "eyes", "freckles", "earrings", "lips", "face")
ASKED = ("beach", "snow", "forest", "night")
EACH = 16
SAMPLES = 32
BASE_SAMPLES = 128  # of "person", by the base: how often it has each attribute by chance
LEARNING_RATE, STEPS = 1e-6, 200  # the defaults of model=tiny
SETTINGS: Mapping[str, Sequence[str]] = {
    "default": (),
    "fast": (f"lr={4 * LEARNING_RATE:g}",),
    "fast-no-prior": (f"lr={4 * LEARNING_RATE:g}", "prior=none"),
    "fast-and-long": (
        f"lr={4 * LEARNING_RATE:g}",
        f"max_steps={2 * STEPS}",
        f"keep_steps=[{','.join(str(STEPS * k // 4) for k in (1, 2, 3, 4, 6))}]",
    ),
}


@dataclass(frozen=True)
class Tools:
    """What every measurement uses."""

    judge: Judge
    identity: Embedder
    folder: Path  # the work folder's dreambooth/

    def photos(self, seed: int) -> Path:
        """The folder of a person's 12 drawn photos, drawn if it is not there."""
        folder = self.folder / "photos" / str(seed)
        if not folder.is_dir():
            world.write_album(folder, seed, count=12, size=512)
        return folder


def prompts() -> Iterator[tuple[str, dict[str, str]]]:
    """Prompts to be obeyed, and what must then be seen."""
    for place in ASKED:
        for _ in range(EACH):
            yield f"photo of {{}} {PLACES[place]}", {"background": place}
    colors, clothes = world.SCENE["clothes_color"], list(world.SCENE["clothes"])
    for i, color in zip(range(EACH), list(colors) * 2, strict=False):
        yield f"photo of {{}} wearing a {color} {clothes[i % len(clothes)]}", {"clothes_color": color}


def draw(base: str, texts: Sequence[str], first_seed: int) -> list[Image.Image]:
    """One picture of each text."""
    parts = load(base)
    side = parts.resolution
    requests = [Request(text, first_seed + i, height=side, width=side) for i, text in enumerate(texts)]
    return [picture for picture, _ in sample(parts, requests, batch_size=16)]


def look(tools: Tools, base: str, subject: str, person: world.Identity, sheet: Path) -> dict[str, Any]:
    """Everything that is measured of one set of weights: ``subject`` is how the person is called, or "person"."""
    asked = list(prompts())
    texts = (
        [f"photo of {subject}"] * SAMPLES + [text.format(subject) for text, _ in asked] + ["photo of person"] * SAMPLES
    )
    pictures = draw(base, texts, first_seed=0)
    of_subject, obeying, of_class = pictures[:SAMPLES], pictures[SAMPLES:-SAMPLES], pictures[-SAMPLES:]
    said, whole = readings(tools.judge, of_subject)
    truth = world.attributes(person, world.scene(0))
    seen, _ = readings(tools.judge, obeying)
    right = [all(seen[name][i] == value for name, value in wanted.items()) for i, (_, wanted) in enumerate(asked)]
    photos = tools.identity(
        [Image.open(path).convert("RGB") for path in sorted(tools.photos(person.seed).glob("*.png"))]
    )
    rows = [of_subject[:8], *(obeying[i : i + 8] for i in range(0, len(obeying), EACH)), of_class[:8]]
    sheet.parent.mkdir(parents=True, exist_ok=True)
    grid(rows, [subject, *ASKED, "clothes", "person"], [], cell=128).save(sheet)
    return {
        "attributes": {name: fmean(value == truth[name] for value in said[name]) for name in OF_A_PERSON},
        "whole faces": fmean(whole),
        "backgrounds": fmean(right[: EACH * len(ASKED)]),
        "clothes color": fmean(right[EACH * len(ASKED) :]),
        "likeness": float(similarity(tools.identity(of_subject), photos).mean()),
        "class likeness": float(similarity(tools.identity(of_class), photos).mean()),
        "class likeness of the base": float(similarity(tools.identity(of_base(tools)), photos).mean()),
    }


def train(tools: Tools, name: str, seed: int, overrides: Sequence[str]) -> Path:
    """One run of the plain command; only pictures and scores on the way are left out, which change nothing."""
    run = tools.folder / name / f"run-{seed}"
    if not (run / "pipeline" / "model_index.json").is_file():
        command = [sys.executable, "-m", "avatar_exp.train", f"concept={NAME}", "lr=1e-6", "model=tiny", "logger=none"]
        command += [f"concept.instance_data_dir={tools.photos(seed)}", "sample_every=0", "score_every=0"]
        command += [f"outputs={tools.folder / 'outputs'}", f"hydra.run.dir={run}", *overrides]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return run


def measure(tools: Tools, name: str, seed: int, overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Of a person: the base's figures, and those of every kept step and of the last one."""
    person, found = world.identity(seed), []
    final = tools.folder / name / f"{seed}.json"
    if final.is_file():
        rows: list[dict[str, Any]] = json.loads(final.read_text())["rows"]
        return rows
    run = train(tools, name, seed, overrides)
    steps = {int(kept.name.rpartition("_")[2]): kept for kept in run.glob("pipeline_step_*")}
    steps[json.loads((run / "run.json").read_text())["steps_done"]] = run / "pipeline"
    for step, weights in sorted(steps.items()):
        sheet = tools.folder / name / f"{seed}-{step}.png"
        found.append({"step": step, **look(tools, str(weights), f"{NAME} person", person, sheet)})
    write_json(final, {"person": seed, "overrides": list(overrides), "rows": found})
    return found


def of_base(tools: Tools) -> list[Image.Image]:
    """The base's own pictures of "person", drawn once."""
    folder = tools.folder / "base"
    if not folder.is_dir():
        pictures = draw("tiny", ["photo of person"] * BASE_SAMPLES, first_seed=0)
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            picture.save(folder / f"{number:03d}.png")
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]


def base_rates(tools: Tools) -> dict[str, dict[str, float]]:
    """How often the base's own pictures of "person" have each value of each attribute."""
    said, _ = readings(tools.judge, of_base(tools))
    return {name: {value: said[name].count(value) / BASE_SAMPLES for value in said[name]} for name in OF_A_PERSON}


def corrected(accuracy: float, rate: float) -> float:
    """The share of what chance leaves: 1 is always right, 0 no better than the base."""
    return (accuracy - rate) / (1 - rate) if rate < 1 else float("nan")


def row(seed: int, figures: dict[str, Any], rates: dict[str, dict[str, float]]) -> dict[str, Any]:
    """One line of the table."""
    person = world.identity(seed)
    chance = {name: rates[name].get(getattr(person, name), 0.0) for name in OF_A_PERSON}
    each = {name: corrected(figures["attributes"][name], chance[name]) for name in OF_A_PERSON if chance[name] < 0.5}
    worst = min(each, key=each.__getitem__)
    return {
        "person": seed,
        "step": figures["step"],
        "corrected": round(corrected(fmean(figures["attributes"].values()), fmean(chance.values())), 2),
        "worst attribute": f"{worst} {each[worst]:.2f}",
        **{name: round(value, 2) for name, value in figures.items() if name not in ("attributes", "step")},
    }


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dreambooth", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("pretrain"))
    parser.add_argument("--people", type=int, nargs="+", required=True, help="seeds of drawn people, from 700,000 on")
    parser.add_argument(
        "--name", required=True, help=f"a setting: {'; '.join(SETTINGS)}; or a new name for the overrides"
    )
    parser.add_argument("overrides", nargs="*", help="key=value for avatar_exp.train")
    given = parser.parse_args()
    folder = (given.work / "dreambooth").resolve()
    tools = Tools(load_judge(given.work), Embedder("tiny/identity", torch.device("cpu")), folder)
    rates, lines = base_rates(tools), []
    overrides = [*SETTINGS.get(given.name, ()), *given.overrides]
    for seed in given.people:
        lines += [row(seed, figures, rates) for figures in measure(tools, given.name, seed, overrides)]
        print(json.dumps(lines[-1]), flush=True)
    print("| " + " | ".join(lines[0]) + " |\n|" + "---|" * len(lines[0]))
    for line in lines:
        print("| " + " | ".join(str(value) for value in line.values()) + " |")


if __name__ == "__main__":
    main()
