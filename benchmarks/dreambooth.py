"""Does DreamBooth work on the built-in base? Trains people it has never seen, by the plain command, and judges them.

    python -m benchmarks.dreambooth --people 800001 800002 --name mine lr=4e-6 prior=none keep_steps=[100,200]
    python -m benchmarks.dreambooth --test          every setting of SETTINGS on the test identities, into the card

Needs ``python -m benchmarks.judge`` before. What is done is not done again. A JSON file for each person, and a sheet of
pictures for each kept step, lie in the work folder, under dreambooth/. The defaults of ``conf/model/tiny.yaml``
were chosen on DEVELOPMENT; TEST is for the figures of the card alone.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from avatar_exp.config.conf import conf_dir
from avatar_exp.models.locate import tiny_folder
from avatar_exp.tiny import world
from avatar_exp.tiny.bench import write_json
from benchmarks.base import write_card
from benchmarks.curve import drawing, points
from benchmarks.subject import OF_A_PERSON, SAMPLES, Tools, base_rates, look, obedience, row, tools_of, trained

DEVELOPMENT = (800001, 800002, 800003, 800004)
TEST = (900001, 900002, 900003, 900004, 900005)
LEARNING_RATE, FAST = 1e-6, 4.0
STEPS = int(OmegaConf.load(conf_dir() / "model" / "tiny.yaml").max_steps)
SETTINGS: Mapping[str, Sequence[str]] = {
    "default": (),
    # Nothing that is drawn depends on max_steps: what this one keeps of the default number of steps is that run too.
    "fast-and-long": (
        f"lr={FAST * LEARNING_RATE:g}",
        f"max_steps={2 * STEPS}",
        f"keep_steps=[{STEPS // 4},{STEPS // 2},{STEPS}]",
    ),
    "fast-no-prior": (f"lr={FAST * LEARNING_RATE:g}", "prior=none"),
}


def train(tools: Tools, name: str, seed: int, overrides: Sequence[str]) -> Path:
    """One run of the plain command; only pictures and scores on the way are left out, which change nothing."""
    unseen = ("sample_every=0", "score_every=0", f"lr={LEARNING_RATE:g}")
    return trained(tools, tools.folder / name / f"run-{seed}", seed, [*unseen, *overrides])


def measure(tools: Tools, name: str, seed: int, overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Of a person: the figures of every kept step and of the last one."""
    person, found = world.identity(seed), []
    final = tools.folder / name / f"{seed}.json"
    if final.is_file():
        before = json.loads(final.read_text())
        if before["overrides"] != list(overrides):
            raise SystemExit(f"{final} is of other overrides ({before['overrides']}): give these another --name")
        rows: list[dict[str, Any]] = before["rows"]
        return rows
    run = train(tools, name, seed, overrides)
    steps = {int(kept.name.rpartition("_")[2]): kept for kept in run.glob("pipeline_step_*")}
    steps[json.loads((run / "run.json").read_text())["steps_done"]] = run / "pipeline"
    for step, weights in sorted(steps.items()):
        sheet = tools.folder / name / f"{seed}-{step}.png"
        found.append({"step": step, **look(tools, str(weights), person, sheet)})
    write_json(final, {"person": seed, "overrides": list(overrides), "rows": found})
    return found


def lines(tools: Tools, name: str, people: Sequence[int], overrides: Sequence[str]) -> list[dict[str, Any]]:
    """The lines of a setting's table, person by person, printed as they come."""
    rates, found = base_rates(tools), []
    for seed in people:
        for figures in measure(tools, name, seed, overrides):
            found.append(row(world.identity(seed), figures, rates))
            shown = {key: round(value, 2) if isinstance(value, float) else value for key, value in found[-1].items()}
            print(name, json.dumps(shown), flush=True)
    return found


def test(tools: Tools) -> None:
    """Every setting on the test identities; the figures go beside the weights and into their card."""
    found = {
        "people": TEST,
        "development": DEVELOPMENT,
        "samples": SAMPLES,
        "attributes": OF_A_PERSON,
        "steps": STEPS,
        "fast": FAST,
        "base": obedience(tools, "tiny", "person")[1],
        "settings": {name: lines(tools, name, TEST, overrides) for name, overrides in SETTINGS.items()},
    }
    (tiny_folder() / "over_training.svg").write_text(drawing(points(found)))
    write_card("dreambooth", found)


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dreambooth", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("pretrain"))
    parser.add_argument("--people", type=int, nargs="+", default=DEVELOPMENT, help="seeds of drawn people")
    parser.add_argument("--name", default="default", help=f"a setting: {', '.join(SETTINGS)}; or a new name")
    parser.add_argument("--test", action="store_true", help="every setting on the test identities, into the card")
    parser.add_argument("overrides", nargs="*", help="key=value for avatar_exp.train")
    given = parser.parse_args()
    if given.test:
        test(tools_of(given.work))
    else:
        lines(tools_of(given.work), given.name, given.people, [*SETTINGS.get(given.name, ()), *given.overrides])


if __name__ == "__main__":
    main()
