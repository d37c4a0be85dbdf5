"""Runs that are built to go wrong: is the right alarm raised, of the right photo?

    python -m benchmarks.deliberate --people 800001 800002    development: for the thresholds
    python -m benchmarks.deliberate                           the test identities, once

That healthy runs raise none is in ``python -m benchmarks.evidence``, whose people these are.
"""

import argparse
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar_exp.run_folder import read_json
from benchmarks.dreambooth import LEARNING_RATE, STEPS
from benchmarks.evidence import TEST
from benchmarks.markdown import table
from benchmarks.subject import Tools, tools_of, trained


@dataclass(frozen=True)
class Fault:
    """A way to go wrong: what is asked of the run, how many of the 12 photos it gets, and what must be said."""

    overrides: Sequence[str]
    photos: int
    kind: str


FAULTS: Mapping[str, Fault] = {
    "memorise": Fault(
        (f"lr={4 * LEARNING_RATE:g}", f"max_steps={3 * STEPS}", "prior=none", "data.flip=false"), 2, "copies"
    ),
    "drift": Fault((f"lr={4 * LEARNING_RATE:g}", f"max_steps={2 * STEPS}", "prior=none"), 12, "drift"),
    "overcook": Fault((f"lr={16 * LEARNING_RATE:g}", f"max_steps={2 * STEPS}"), 12, "ignored"),
}


def photos_of(tools: Tools, seed: int, count: int) -> Path:
    """A folder with the first photos of a person."""
    whole = tools.album(seed)
    folder = tools.folder / "photos" / f"{seed}-first-{count}"
    for photo in sorted(whole.glob("*.png"))[:count]:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(photo, folder)
    return folder


def run_of(tools: Tools, name: str, seed: int) -> Path:
    """The folder of a person's run."""
    fault = FAULTS[name]
    photos = f"concept.instance_data_dir={photos_of(tools, seed, fault.photos)}"
    return trained(tools, tools.folder / "deliberate" / name / str(seed), seed, [photos, *fault.overrides])


def rows(tools: Tools, people: Sequence[int]) -> Iterator[Sequence[object]]:
    """Each run, what it was built to show, and what it said."""
    for name, fault in FAULTS.items():
        for seed in people:
            alarms = read_json(run_of(tools, name, seed) / "run.json").get("alarms", [])
            kinds = Counter(one["kind"] for one in alarms)
            yield (
                name,
                seed,
                fault.kind,
                "yes" if kinds[fault.kind] else "no",
                "; ".join(f"step {one['step']}: {one['text']}" for one in alarms),
            )


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deliberate", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("pretrain"))
    parser.add_argument("--people", type=int, nargs="+", default=TEST[:2], help="seeds of drawn people")
    given = parser.parse_args()
    titles = ("built to", "person", "should say", "says it", "all that it says")
    table("4. Alarms of runs that are built to go wrong", titles, rows(tools_of(given.work), given.people))


if __name__ == "__main__":
    main()
