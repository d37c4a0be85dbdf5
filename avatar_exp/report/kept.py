"""Which weights a run has kept: what ``pipeline/`` holds, and how to come by those of the best step."""

import shlex
from dataclasses import dataclass

from avatar_exp.report.runs import Run


@dataclass(frozen=True)
class Kept:
    """What there is, and what to type for the best of it."""

    text: str
    command: str


def kept(run: Run) -> Kept | None:
    """Of a run that was trained to its end; None of one that was not."""
    chosen, best = run.info.get("chosen_step"), run.best_step
    if not isinstance(chosen, int):
        return None
    sample, again = _command("sample", "run", run), _command("train", "repeat", run)
    there = run.folder.pipeline.is_dir()
    if there:
        which = (
            "this step" if chosen == best else f"step {chosen}{', the last one' if chosen == run.steps_done else ''}"
        )
        text = f"pipeline/ holds {which}{_choose(run)}"
    else:
        text = f"pipeline/ is not kept ({run.info.get('weights_removed') or 'save=none'})"
    if best in (None, chosen):
        return Kept(f"{text}:", sample if there else f"{again} save=all")
    if best is not None and run.folder.kept_step(best).is_dir():
        return Kept(f"{text}; step {best} is in {run.folder.kept_step(best).name}/:", f"{sample} step=best")
    return Kept(
        f"{text}; the weights of step {best} are not kept. To get them:",
        f"{again} choose=best{'' if there else ' save=all'}",
    )


def _choose(run: Run) -> str:
    choose = run.values.get("choose")
    return f" (choose={choose})" if isinstance(choose, str) else ""


def _command(name: str, key: str, run: Run) -> str:
    return shlex.join(["python", "-m", f"avatar_exp.{name}", f"{key}={run.folder.path}"])
