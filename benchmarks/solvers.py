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
from typing import Any

import torch
from omegaconf import OmegaConf

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.sampler import sampler_of_model
from avatar_exp.models.load import load
from avatar_exp.sampling import Request, sample
from avatar_exp.scoring.scorer import Drawn, Scorer, scorer
from benchmarks.evidence import correlation, train
from benchmarks.markdown import head, row
from benchmarks.subject import NAME, Tools, tools_of

SEEDS = 2
OWN = sampler_of_model("tiny")
SOLVERS: Mapping[str, Mapping[str, Any]] = {
    "24 DDIM, guidance 7.5": {"scheduler": "DDIM", "num_inference_steps": 24, "guidance_scale": 7.5},
    **{f"{n} ancestral Euler, guidance 4": {**OWN, "num_inference_steps": n} for n in (24, 16, 12)},
}


def drawn(weights: str, prompts: Sequence[str], solver: Mapping[str, Any]) -> Drawn:
    """Two pictures of each prompt."""
    components = load(weights)
    side = components.resolution
    texts = [(number, text, seed) for number, text in enumerate(prompts) for seed in range(SEEDS)]
    requests = [Request(text, 1337 + seed, height=side, width=side, **solver) for _, text, seed in texts]
    images = [image for image, _ in sample(components, requests, batch_size=8)]
    return Drawn(images, [number for number, _, _ in texts])


def states(tools: Tools, seed: int) -> list[Path]:
    """The kept steps of a person's runs, those at the defaults and the over-trained."""
    runs = [train(tools, setting, seed) for setting in ("default", "over-trained")]
    return [folder for run in runs for folder in (*sorted(run.glob("pipeline_step_*")), run / "pipeline")]


def scores(by: Scorer, tools: Tools, seed: int, prompts: Sequence[str], solver: Mapping[str, Any]) -> list[float]:
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
    print(head("solver", "seconds", "rank correlation within a person", "mean difference of choice"))
    for name, solver in SOLVERS.items():
        began = time.monotonic()
        found[name] = [scores(by, tools, seed, prompts, solver) for seed in given.people]
        seconds = time.monotonic() - began
        pairs = list(zip(next(iter(found.values())), found[name], strict=True))
        ranked = fmean(correlation(one, other) for one, other in pairs)
        away = fmean(b - a for one, other in pairs for a, b in zip(one, other, strict=True))
        print(row([name, f"{seconds:.0f}", f"{ranked:.2f}", f"{away:+.3f}"]), flush=True)


if __name__ == "__main__":
    main()
