"""What a sweep of six runs takes, against six single runs that share prior pictures and latents.

    python -m benchmarks.sweep --outputs outputs/sweep-benchmark [key=value ...]

Both with an empty store, on an otherwise idle machine. What they made stays in a new folder.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from avatar_exp.run_folder import read_json
from benchmarks.markdown import head, row

JOBS = 6
GRID = ("-m", "lr=1e-6,2e-6,4e-6", "prior.weight=0.3,1.0")
COMMAND = ("-m", "avatar_exp.train", "concept=hoanganh", "logger=none")


def seconds_of(outputs: Path, overrides: Sequence[str]) -> float:
    """Of one whole process."""
    began = time.monotonic()
    subprocess.run([sys.executable, *COMMAND, f"outputs={outputs}", *overrides], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--outputs", type=Path, required=True, help="a folder that is not there yet")
    parser.add_argument("overrides", nargs="*", help="key=value for avatar_exp.train")
    given = parser.parse_args()
    given.outputs.mkdir(parents=True)
    single = seconds_of(given.outputs / "single", given.overrides)
    phases = read_json(next(given.outputs.glob("single/train/*/*/run.json")))["phase_seconds"]
    swept = seconds_of(given.outputs / "sweep", [*GRID, *given.overrides])
    work = {name: phases.get(name, 0.0) for name in ("prior pictures", "latents")}
    allowed = JOBS * (single - sum(work.values())) + sum(work.values())
    print(head("what", "seconds"))
    print(row(["one run, empty store", f"{single:.0f}"]))
    print(row(["of which prior pictures and latents", f"{sum(work.values()):.0f}"]))
    print(row([f"{JOBS} x (single - prior - latents) + prior + latents", f"{allowed:.0f}"]))
    print(row([f"the sweep of {JOBS} runs, with its page", f"{swept:.0f} ({swept / allowed:.2f} of that)"]))


if __name__ == "__main__":
    main()
