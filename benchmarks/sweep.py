"""What a sweep of six runs takes, against six single runs that share prior pictures and latents.

    python -m benchmarks.sweep [key=value ...]

Both with an empty store, on an otherwise idle machine.
"""

import subprocess
import sys
import tempfile
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
    with tempfile.TemporaryDirectory() as folder:
        single = seconds_of(Path(folder, "single"), sys.argv[1:])
        phases = read_json(next(Path(folder, "single").glob("train/*/*/run.json")))["phase_seconds"]
        swept = seconds_of(Path(folder, "sweep"), [*GRID, *sys.argv[1:]])
    work = {name: phases.get(name, 0.0) for name in ("prior pictures", "latents")}
    allowed = JOBS * (single - sum(work.values())) + sum(work.values())
    print(head("what", "seconds"))
    print(row(["one run, empty store", f"{single:.0f}"]))
    print(row(["of which prior pictures and latents", f"{sum(work.values()):.0f}"]))
    print(row([f"{JOBS} x (single - prior - latents) + prior + latents", f"{allowed:.0f}"]))
    print(row([f"the sweep of {JOBS} runs, with its page", f"{swept:.0f} ({swept / allowed:.2f} of that)"]))


if __name__ == "__main__":
    main()
