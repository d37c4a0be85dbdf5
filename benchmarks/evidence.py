"""Are the scores worth anything? What they say of runs, against what a judge who knows the truth sees.

    python -m benchmarks.evidence --people 800001 800002    development: for tuning
    python -m benchmarks.evidence                           the test identities, once: the tables of evidence.md

Each person is learnt three times: at the defaults, at four times the learning rate for twice the steps, and at that
rate without prior preservation. Every scored step of the first two is kept and judged. What is done is not done again.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from avatar_exp.run_folder import read_json
from avatar_exp.scoring.intervals import clustered
from avatar_exp.tiny import world
from avatar_exp.tiny.bench import write_json
from benchmarks.dreambooth import FAST, LEARNING_RATE, STEPS
from benchmarks.markdown import table
from benchmarks.subject import (
    NAME,
    Found,
    Rates,
    Tools,
    base_rates,
    corrected_mean,
    drift,
    likeness,
    obedience,
    tools_of,
    trained,
)

TEST = tuple(range(910001, 910009))
FAST_RATE = f"lr={FAST * LEARNING_RATE:g}"
SETTINGS: Mapping[str, tuple[int, Sequence[str]]] = {  # steps, overrides
    "default": (STEPS, (f"lr={LEARNING_RATE:g}",)),
    "over-trained": (2 * STEPS, (FAST_RATE,)),
    "without prior": (STEPS, (FAST_RATE, "prior=none", "sample_every=0", "score_every=0")),
}
SCORED = ("default", "over-trained")


@dataclass(frozen=True)
class State:
    """One scored step of one run: the scores it was given, and the truth."""

    step: int
    scores: Mapping[str, float]
    attributes: float  # share of the subject's attributes that are right
    corrected: float  # the same with chance taken out, so that people with rare and with usual attributes compare
    backgrounds: float  # share of the backgrounds that were asked for

    @property
    def worth(self) -> float:
        """What one wants: the subject, and what was asked for."""
        return (self.attributes + self.backgrounds) / 2


Measure = Callable[[Tools, str, world.Identity], Found]
Runs = Mapping[str, Mapping[int, Sequence[State]]]  # by setting and person


def train(tools: Tools, setting: str, seed: int) -> Path:
    """One run of the plain command, all of whose scored steps keep their weights."""
    steps, overrides = SETTINGS[setting]
    kept = ",".join(str(steps * k // 4) for k in (1, 2, 3))
    run = tools.folder / "evidence" / setting.replace(" ", "-") / str(seed)
    return trained(tools, run, seed, [f"max_steps={steps}", f"keep_steps=[{kept}]", *overrides])


def looked(tools: Tools, setting: str, seed: int, step: int, measure: Measure) -> dict[str, Any]:
    """What a measurement finds in the weights of a step; looked at once."""
    run = train(tools, setting, seed)
    kept, file = run / f"pipeline_step_{step:05d}", run / f"{measure.__name__}-{step}.json"
    if not file.is_file():
        weights = kept if kept.is_dir() else run / "pipeline"
        write_json(file, measure(tools, str(weights), world.identity(seed))[1])
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def truth(tools: Tools, weights: str, person: world.Identity) -> Found:
    """The judge's view of a state: who it is, and whether it obeys."""
    of_subject, alike = likeness(tools, weights, person)
    obeying, obeyed = obedience(tools, weights, f"{NAME} person", ("backgrounds",))
    return [*of_subject, *obeying], {**alike, **obeyed}


def states(tools: Tools, setting: str, seed: int, rates: Rates) -> list[State]:
    """The scored steps of a person's run, judged."""
    scores = info_of(tools, setting, seed)["scores"]
    found = []
    for step in sorted(int(step) for step in scores if step != "0"):
        seen = looked(tools, setting, seed, step, truth)
        values = fmean(seen["attributes"].values()), corrected_mean(world.identity(seed), seen["attributes"], rates)
        found.append(State(step, scores[str(step)], *values, seen["backgrounds"]))
    return found


def info_of(tools: Tools, setting: str, seed: int) -> dict[str, Any]:
    """A run's run.json."""
    return read_json(train(tools, setting, seed) / "run.json")


def ranks(values: Tensor) -> Tensor:
    """[N] ranks from 0; ties get their mean."""
    return (values[:, None] > values[None]).sum(1) + 0.5 * ((values[:, None] == values[None]).sum(1) - 1)


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation."""
    pair = torch.stack([ranks(torch.tensor(values, dtype=torch.float64)) for values in (one, other)])
    return float(torch.corrcoef(pair)[0, 1])


def likeness_against_truth(
    people: Mapping[int, Sequence[State]], score: str = "score/likeness", truth: str = "attributes"
) -> dict[str, float]:
    """Mean rank correlation within a person; and over all, the mean of each state over people taken off first.

    Args:
        truth: ``attributes`` or ``corrected``.
    """
    within = [
        correlation([one.scores[score] for one in found], [getattr(one, truth) for one in found])
        for found in people.values()
    ]
    assert len({len(found) for found in people.values()}) == 1, "every person must have been judged at the same steps"
    table = torch.tensor([[[one.scores[score], getattr(one, truth)] for one in found] for found in people.values()])
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


def of_likeness(of: Runs, people: Sequence[int]) -> Iterator[Sequence[object]]:
    """Table 1."""
    together = {seed: [*of["default"][seed], *of["over-trained"][seed]] for seed in people}
    for score in ("score/likeness", "score/identity", "score/identity_clip"):
        plain, corrected = (likeness_against_truth(together, score, truth) for truth in ("attributes", "corrected"))
        found = (plain["within"], plain["pooled"], corrected["within"], corrected["pooled"])
        yield score.partition("/")[2], *(f"{value:.2f}" for value in found)


def of_choice(tools: Tools, of: Runs, people: Sequence[int]) -> Iterator[Sequence[object]]:
    """Table 2: regrets, and how much worse the other rules are than the choice."""
    for setting in SCORED:
        rows = [regrets(of[setting][seed], info_of(tools, setting, seed)["best_step"]) for seed in people]
        for rule in ("chosen", "last", "half"):
            more = [row[rule] - row["chosen"] for row in rows]
            against = mean_and_interval(more) if rule != "chosen" else ""
            signs = f"{sum(one > 0 for one in more)}, {sum(one < 0 for one in more)}" if rule != "chosen" else ""
            yield setting, rule, mean_and_interval([row[rule] for row in rows]), against, signs


def of_drift(tools: Tools, people: Sequence[int]) -> Iterator[Sequence[object]]:
    """Table 3: the same steps at the same rate, with and without prior preservation."""
    with_prior, without = (
        [looked(tools, setting, seed, STEPS, drift)["drift"] for seed in people]
        for setting in ("over-trained", "without prior")
    )
    more = [b - a for a, b in zip(with_prior, without, strict=True)]
    signs = f"{sum(one > 0 for one in more)} of {len(more)}"
    yield *(mean_and_interval(values) for values in (with_prior, without, more)), signs


def named(alarms: Sequence[Mapping[str, Any]]) -> str:
    """``drift@150 copies@300``."""
    return " ".join(f"{one['kind']}@{one['step']}" for one in alarms)


def of_alarms(tools: Tools, people: Sequence[int]) -> Iterator[Sequence[object]]:
    """Table 4, its first half: which runs raise what."""
    for setting in SCORED:
        raised = {seed: info_of(tools, setting, seed).get("alarms", []) for seed in people}
        told = [f"{seed} {named(found)}" for seed, found in raised.items() if found]
        yield setting, f"{len(people) - len(told)} of {len(people)}", "; ".join(told)


def report(tools: Tools, people: Sequence[int]) -> None:
    """Train, judge, print."""
    rates = base_rates(tools)
    of = {setting: {seed: states(tools, setting, seed, rates) for seed in people} for setting in SCORED}
    measure = ("score", "within a person", "pooled, the states' means taken off", "within, chance taken out", "pooled")
    table("1. Does `likeness` know who it is? Rank correlation with the truth", measure, of_likeness(of, people))
    regret = ("setting", "rule", "regret", "more than the choice's", "worse, better than the choice")
    table("2. The choice of a step", regret, of_choice(tools, of, people))
    drifts = ("with prior", "without", "difference", "without drifts more")
    table(f"3. The paper's ablation: drift at {FAST:g} x lr, {STEPS} steps", drifts, of_drift(tools, people))
    alarms = ("setting", "runs without any", "what was raised: person kind@step")
    table("4. Alarms", alarms, of_alarms(tools, people))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("pretrain"))
    parser.add_argument("--people", type=int, nargs="+", default=TEST, help="seeds of drawn people")
    given = parser.parse_args()
    report(tools_of(given.work), given.people)


if __name__ == "__main__":
    main()
