"""``python -m avatar_exp.compare runs=DIR``: one page that compares runs, and a line for each."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.start import Origin, start
from avatar_exp.errors import UserError
from avatar_exp.run_folder import make_exclusively, timestamp

if TYPE_CHECKING:
    from avatar_exp.report.runs import Run

log = logging.getLogger("avatar_exp")


def job(config: DictConfig, origin: Origin) -> None:
    """Find the runs, write their page, say where it is and what it holds."""
    from avatar_exp.report.find import find_runs
    from avatar_exp.report.page import write_comparison
    from avatar_exp.report.runs import named

    if OmegaConf.is_missing(config, "runs"):
        raise UserError("name the runs: runs=outputs/sweeps/DATE, runs=outputs/train/CONCEPT, or several: runs='[a,b]'")
    wanted = [str(one) for one in (config.runs if OmegaConf.is_list(config.runs) else [config.runs])]
    paths, empty = find_runs(wanted)
    for one in empty:
        log.warning("runs=%s: no run is there", one)
    file = write_comparison(paths, where(wanted, paths, config))
    log.info("%s\n\n%s", "\n".join(summary(named(paths))), file)


def where(wanted: Sequence[str], paths: Sequence[Path], config: DictConfig) -> Path:
    """The file to write: as asked, else in the one folder that was named, else in a new one."""
    if config.out:
        out = Path(config.out)
        return out if out.suffix in (".html", ".htm") and not out.is_dir() else out / "compare.html"
    if len(wanted) == 1 and (folder := Path(wanted[0])).is_dir() and folder not in paths:
        return folder / "compare.html"
    return make_exclusively(Path(config.outputs) / "compare", timestamp()) / "compare.html"


def summary(runs: "Sequence[Run]") -> list[str]:
    """A line a run, in columns: its scores at the step whose weights it keeps, which is named."""
    titles = ["run", "status", "step", "likeness", "prompt", "choice"]
    rows = [titles]
    for run in runs:
        scores = [f"{run.told[name]:.3f}" if name in run.told else "-" for name in map("score/{}".format, titles[3:])]
        rows.append([run.name, run.status, step_told(run), *scores])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def step_told(run: "Run") -> str:
    """``150 (best)``, or ``600 (best: 150)``."""
    if run.told_step is None:
        return "-"
    best = "" if run.best_step is None else " (best)" if run.told_step == run.best_step else f" (best: {run.best_step})"
    return f"{run.told_step}{best}"


def main() -> None:
    """The command."""
    start("compare", job)


if __name__ == "__main__":
    main()
