"""How long the job of ``make avatar`` takes here: with an empty store, then with a warm one, phase by phase.

    python -m benchmarks.job [key=value ...]

Prints a Markdown table; benchmarks/README.md keeps what was measured, and on what.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.markdown import head, row

COMMAND = ["-m", "avatar_exp.train", "concept=hoanganh", "lr=1e-6", "logger=wandb"]


def run(outputs: Path, overrides: list[str]) -> dict[str, float]:
    """Seconds of one whole process, of its phases, and until its first step was done."""
    started = time.monotonic()
    subprocess.run([sys.executable, *COMMAND, f"outputs={outputs}", *overrides], check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    newest = max((outputs / "train").glob("*/*/run.json"), key=lambda path: path.stat().st_mtime)
    info = json.loads(newest.read_text())
    return {**info["phase_seconds"], "first step done after": info["first_step_seconds"], "whole command": seconds}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        empty, warm = (run(Path(folder), sys.argv[1:]) for _ in range(2))
    print(head("seconds", "empty store", "warm store"))
    for name in empty:
        print(row([name, f"{empty[name]:.1f}", f"{warm.get(name, 0.0):.1f}"]))


if __name__ == "__main__":
    main()
