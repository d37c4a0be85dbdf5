"""Are the scores worth anything? What they say of runs, against what a judge who knows the truth sees.

    python -m benchmarks.evidence --people 800001 800002    development: for tuning
    python -m benchmarks.evidence                           the test identities, once: the tables of evidence.md

Each person is learnt three times: at the defaults, at four times the learning rate for twice the steps, and at that
rate without prior preservation. Every scored step is kept and judged. What is done is not done again.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from avatar_exp.scoring.intervals import clustered
from avatar_exp.tiny import world
from avatar_exp.tiny.bench import write_json
from benchmarks.dreambooth import FAST, LEARNING_RATE, STEPS
from benchmarks.subject import Tools, look, tools_of, trained

TEST = tuple(range(910001, 910009))
FAST_RATE = f"lr={FAST * LEARNING_RATE:g}"
SETTINGS: Mapping[str, tuple[int, Sequence[str]]] = {  # steps, overrides
    "default": (STEPS, (f"lr={LEARNING_RATE:g}",)),
    "over-trained": (2 * STEPS, (FAST_RATE,)),
    "without prior": (STEPS, (FAST_RATE, "prior=none")),
}


@dataclass(frozen=True)
class State:
    """One scored step of one run: the scores it was given, and the truth."""

    setting: str
    step: int
    scores: Mapping[str, float]
    attributes: float  # share of the subject's attributes that are right
    backgrounds: float  # share of the backgrounds that were asked for
    drift: float  # of the class, of more pictures than the run draws

    @property
    def worth(self) -> float:
        """What one wants: the subject, and what was asked for."""
        return (self.attributes + self.backgrounds) / 2


def train(tools: Tools, setting: str, seed: int) -> Path:
    """One run of the plain command, all of whose scored steps keep their weights."""
    steps, overrides = SETTINGS[setting]
    kept = ",".join(str(steps * k // 4) for k in (1, 2, 3))
    run = tools.folder / "evidence" / setting.replace(" ", "-") / str(seed)
    return trained(tools, run, seed, [f"max_steps={steps}", f"keep_steps=[{kept}]", *overrides])


def states(tools: Tools, setting: str, seed: int) -> list[State]:
    """The scored steps of a person's run, judged."""
    run, person = train(tools, setting, seed), world.identity(seed)
    scores = json.loads((run / "run.json").read_text())["scores"]
    found = []
    for step in sorted(int(step) for step in scores if step != "0"):
        kept = run / f"pipeline_step_{step:05d}"
        judged = run / f"judged-{step}.json"
        if not judged.is_file():
            weights = kept if kept.is_dir() else run / "pipeline"
            write_json(judged, look(tools, str(weights), person, run / f"judged-{step}.png"))
        truth = json.loads(judged.read_text())
        accuracy = fmean(truth["attributes"].values())
        found.append(State(setting, step, scores[str(step)], accuracy, truth["backgrounds"], truth["drift"]))
    return found


def ranks(values: Tensor) -> Tensor:
    """[N] ranks from 0; ties get their mean."""
    return (values[:, None] > values[None]).sum(1) + 0.5 * ((values[:, None] == values[None]).sum(1) - 1)


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation."""
    pair = torch.stack([ranks(torch.tensor(values, dtype=torch.float64)) for values in (one, other)])
    return float(torch.corrcoef(pair)[0, 1])


def likeness_against_truth(people: Mapping[int, Sequence[State]], score: str = "score/likeness") -> dict[str, float]:
    """Mean rank correlation within a person; and over all, the mean of each state over people taken off first."""
    within = [
        correlation([one.scores[score] for one in found], [one.attributes for one in found])
        for found in people.values()
    ]
    assert len({len(found) for found in people.values()}) == 1, "every person must have been judged at the same steps"
    table = torch.tensor([[[one.scores[score], one.attributes] for one in found] for found in people.values()])
    rest = (table - table.mean(0, keepdim=True)).reshape(-1, 2)
    return {"within": fmean(within), "pooled": correlation(rest[:, 0].tolist(), rest[:, 1].tolist())}


def regrets(found: Sequence[State], best_step: int) -> dict[str, float]:
    """How much less the chosen, the last and the middle step are worth than the best of a run."""
    oracle = max(one.worth for one in found)
    by_step = {one.step: one.worth for one in found}
    steps = sorted(by_step)
    picks = {"chosen": best_step, "last": steps[-1], "half": steps[len(steps) // 2 - 1]}
    return {name: oracle - by_step[step] for name, step in picks.items()}


def mean_and_interval(values: Sequence[float]) -> str:
    """``0.03 [0.01, 0.05]``: over people."""
    interval = clustered(torch.tensor(values), range(len(values)))
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def report(tools: Tools, people: Sequence[int]) -> None:
    """Train, judge, print."""
    of = {setting: {seed: states(tools, setting, seed) for seed in people} for setting in SETTINGS}
    together = {seed: [*of["default"][seed], *of["over-trained"][seed]] for seed in people}
    for score in ("score/likeness", "score/identity", "score/identity_clip"):
        print(score, {name: round(value, 3) for name, value in likeness_against_truth(together, score).items()})
    for setting in ("default", "over-trained"):
        rows = []
        for seed in people:
            run = train(tools, setting, seed)
            best = json.loads((run / "run.json").read_text())["best_step"]
            rows.append(regrets(of[setting][seed], best))
            print(setting, seed, "best", best, {name: round(value, 3) for name, value in rows[-1].items()})
        for name in ("chosen", "last", "half"):
            print(setting, name, mean_and_interval([row[name] for row in rows]))
        for name in ("last", "half"):
            print(setting, f"{name} - chosen", mean_and_interval([row[name] - row["chosen"] for row in rows]))
    half = 1  # of the over-trained run's steps: as long as the one without prior
    drifts = [of["without prior"][seed][-1].drift - of["over-trained"][seed][half].drift for seed in people]
    print("drift without prior - with", mean_and_interval(drifts), f"{sum(one > 0 for one in drifts)} of {len(drifts)}")
    for setting in SETTINGS:
        for seed in people:
            info = json.loads((train(tools, setting, seed) / "run.json").read_text())
            print(setting, seed, "alarms", [(one["step"], one["kind"]) for one in info.get("alarms", [])])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("pretrain"))
    parser.add_argument("--people", type=int, nargs="+", default=TEST, help="seeds of drawn people")
    given = parser.parse_args()
    report(tools_of(given.work), given.people)


if __name__ == "__main__":
    main()
