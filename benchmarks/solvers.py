"""May the pictures of a step be drawn with fewer solver steps? Do they rank states as 24 DDIM steps do, for what time?

    python -m benchmarks.solvers --people 800001 800002

Uses the runs of ``python -m benchmarks.evidence`` (made if they are not there): each kept step is pictured by every
solver, and scored as a run scores it.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import torch
from omegaconf import OmegaConf

from avatar_exp.config.start import conf_dir
from avatar_exp.models.load import load
from avatar_exp.sampling import Request, sample
from avatar_exp.scoring.scorer import Drawn, Scorer, scorer
from benchmarks.evidence import correlation, train
from benchmarks.subject import NAME, Tools, tools_of

SEEDS = 2
SOLVERS: Mapping[str, tuple[str, int]] = {
    "24 DDIM": ("DDIM", 24),
    "12 DDIM": ("DDIM", 12),
    "14 DPM-Solver++": ("DPMSolverMultistep", 14),
    "10 DPM-Solver++": ("DPMSolverMultistep", 10),
    "8 DPM-Solver++": ("DPMSolverMultistep", 8),
}


def drawn(weights: str, prompts: Sequence[str], solver: tuple[str, int]) -> Drawn:
    """Two pictures of each prompt."""
    name, steps = solver
    components = load(weights)
    side = components.resolution
    texts = [(number, text, seed) for number, text in enumerate(prompts) for seed in range(SEEDS)]
    requests = [
        Request(text, 1337 + seed, num_inference_steps=steps, scheduler=name, height=side, width=side)
        for _, text, seed in texts
    ]
    images = [image for image, _ in sample(components, requests, batch_size=8)]
    return Drawn(images, [number for number, _, _ in texts])


def states(tools: Tools, seed: int) -> list[Path]:
    """The kept steps of a person's runs, those at the defaults and the over-trained."""
    runs = [train(tools, setting, seed) for setting in ("default", "over-trained")]
    return [folder for run in runs for folder in (*sorted(run.glob("pipeline_step_*")), run / "pipeline")]


def scores(by: Scorer, tools: Tools, seed: int, prompts: Sequence[str], solver: tuple[str, int]) -> list[float]:
    """``choice`` of every state of a person."""
    of_class = [prompt.replace("{subject}", "person") for prompt in prompts]
    subject = [prompt.replace("{subject}", f"{NAME} person") for prompt in prompts]
    against = by.against(tools.photos(seed), [], drawn("tiny", of_class, solver), of_class)
    found = [by.score(against, drawn(str(folder), subject, solver)).scores for folder in states(tools, seed)]
    return [one["choice"] for one in found]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.solvers", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("pretrain"))
    parser.add_argument("--people", type=int, nargs="+", required=True)
    given = parser.parse_args()
    tools = tools_of(given.work)
    prompts = list(OmegaConf.load(conf_dir() / "scoring" / "default.yaml").prompts)
    by = scorer("tiny/clip", "tiny/identity", "tiny", torch.device("cpu"))
    for seed in given.people:
        states(tools, seed)  # trained before the clock runs
    found: dict[str, list[list[float]]] = {}
    print("| solver | seconds | rank correlation within a person | mean difference of choice |\n|---|---|---|---|")
    for name, solver in SOLVERS.items():
        began = time.monotonic()
        found[name] = [scores(by, tools, seed, prompts, solver) for seed in given.people]
        seconds = time.monotonic() - began
        pairs = list(zip(found["24 DDIM"], found[name], strict=True))
        ranked = fmean(correlation(one, other) for one, other in pairs)
        away = fmean(b - a for one, other in pairs for a, b in zip(one, other, strict=True))
        print(f"| {name} | {seconds:.0f} | {ranked:.2f} | {away:+.3f} |", flush=True)


if __name__ == "__main__":
    main()
