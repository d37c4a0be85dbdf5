"""Run folders as ``train`` leaves them, made in milliseconds."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from avatar_exp.run_folder import RunFolder, append_line, write_atomically

PROMPTS = ("photo of hoanganh person", "photo of hoanganh person on the beach", "pencil sketch of hoanganh person")


def make_run(
    path: Path,
    lr: str = "1e-6",
    steps: tuple[int, ...] = (0, 10, 20),
    prompts: tuple[str, ...] = PROMPTS,
    seeds: int = 2,
    picture: Callable[[int], Image.Image] | None = None,
    seed: int = 0,
    **fields: Any,
) -> RunFolder:
    """A finished run that was scored at ``steps``, with pictures of one colour each unless ``picture`` draws them."""
    folder, dice = RunFolder(path), random.Random(f"{path.name} {seed}")
    scores: dict[str, dict[str, float]] = {}
    for step in steps:
        folder.step_samples(step).mkdir(parents=True)
        for k, (prompt, one) in enumerate((prompt, 1337 + n) for prompt in prompts for n in range(seeds)):
            file = folder.step_samples(step) / f"{k // seeds:02d}_{k % seeds}.png"
            colour = (40 * k % 256, 8 * step % 256, dice.randrange(256))
            (picture(k) if picture else Image.new("RGB", (64, 64), colour)).save(file)
            row = {"step": step, "file": str(file.relative_to(path)), "prompt": prompt, "seed": one}
            append_line(folder.records, row)
            own = {f"score/{name}": round(dice.random(), 5) for name in ("identity", "prompt", "memorisation")}
            append_line(folder.picture_scores, {"step": step, "prompt": prompt, "seed": one, **own})
        names = ("likeness", "prompt", "drift", "choice", "memorisation", "diversity")
        scores[str(step)] = {f"score/{name}": round(dice.random() / 5 + 0.7 * step / (step + 10), 5) for name in names}
        append_line(folder.metrics, {"step": step, **scores[str(step)]})
    for step in range(1, max(steps) + 1):
        append_line(folder.metrics, {"step": step, "train/loss_instance": dice.random(), "train/loss_prior": 0.2})
    write_atomically(folder.resolved, f"lr: {float(lr)}\nscoring:\n  max_drift: 0.5\nprior:\n  weight: 1.0\n")
    write_atomically(folder.config, "lr: 1\n")
    overrides = ["concept=hoanganh", f"lr={lr}"]
    known = {
        "status": "finished", "concept": ["hoanganh"], "class_noun": ["person"], "base": {"path": "tiny"},
        "overrides": overrides, "decided": ["model=tiny"], "command": f"python -m avatar_exp.train lr={lr}",
        "steps_done": max(steps), "best_step": steps[-1], "best_reason": "choice 0.5", "scores": scores,
        "errors": {str(step): {"score/choice": 0.0321} for step in steps},
        "intervals": {str(step): {"score/prompt": [0.1111, 0.2222]} for step in steps}, "seconds": 125.0,
        "phase_seconds": {"prior pictures": 12.5, "training": 100.0}, "versions": {"torch": "2.13.0"},
        "embedders": {"score/identity": "tiny/identity"},
    }  # fmt: skip
    folder.update(**{**known, **fields})
    return folder


@pytest.fixture
def made() -> Callable[..., RunFolder]:
    """``make_run``."""
    return make_run
