"""The last lines of a run: what came out, where it is, and what to type next."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avatar_exp.run_folder import RunFolder, read_lines
from avatar_exp.scoring.alarms import HINTS

TOLD = ("score/likeness", "score/prompt", "score/drift", "score/choice")  # of the scores, where there are any
TINY_NOTICE = (
    "The built-in base only knows drawn faces. These photos are not drawn: expect nothing but a proof that",
    "everything runs. For real pictures: model=sd15 on a machine with a CUDA GPU.",
)


def boxed(lines: tuple[str, ...]) -> str:
    """Lines in a frame."""
    width = max(len(line) for line in lines)
    edge = f"+{'-' * (width + 2)}+"
    return "\n".join([edge, *(f"| {line:<{width}} |" for line in lines), edge])


def score_line(info: Mapping[str, Any]) -> str:
    """``likeness 0.02 base -> 0.78 best (step 150) -> 0.77 last``, for each score that is told."""
    scores = {int(step): values for step, values in info.get("scores", {}).items()}
    if not scores:
        return "none (score_every=0, or the scorers are not on this machine)"
    first, last, best = min(scores), max(scores), info.get("best_step")
    parts = []
    for name in [name for name in TOLD if name in scores[last]] or scores[last]:
        steps = [f"{scores[first].get(name, float('nan')):.3f} base" if first == 0 else f"{scores[first][name]:.3f}"]
        if best in scores and best not in (first, last):
            steps.append(f"{scores[best][name]:.3f} best (step {best})")
        if last != first:
            steps.append(f"{scores[last][name]:.3f} last (step {last})")
        parts.append(f"{name.removeprefix('score/')} {' -> '.join(steps)}")
    return "; ".join(parts)


def time_line(seconds: Mapping[str, float]) -> str:
    """What the training took, and what its evidence did: ``training 56 s; pictures and scores 23 s, 41 % of it``.

    Args:
        seconds: of each phase.
    """
    training, evidence = seconds.get("training", 0.0), seconds.get("pictures", 0.0) + seconds.get("scores", 0.0)
    share = f", {evidence / training:.0%} of it" if training else ""
    before = sum(seconds.values()) - training - evidence
    return f"training {training:.0f} s; pictures and scores on the way {evidence:.0f} s{share}; all else {before:.0f} s"


def final_lines(folder: RunFolder, choose: str) -> list[str]:
    """Seven lines."""
    info = folder.info
    chosen = info.get("chosen_step", 0)
    why = "the last step (choose=last)"
    if choose == "best" and info.get("best_step") is None:
        why = "the last step: nothing was scored, so no step is known to be the best"
    elif choose == "best":
        again = info.get("chosen_scores", {}).get("score/choice")
        fresh = "" if again is None else f"; {again:.3f} on fresh seeds"
        why = f"{info.get('best_reason')}{fresh} (choose=best)"
    trained, kept = bool(info.get("steps_done")), folder.pipeline.is_dir()
    weights = str(folder.pipeline) if kept else info.get("weights_removed", "not kept (save=none)")
    next_command = "the same command without max_steps=0: the store is warm"
    if trained:
        next_command = f"python -m avatar_exp.train repeat={folder.path} save=all"
    if kept:
        next_command = f"python -m avatar_exp.sample run={folder.path} prompt='{{subject}} on the beach'"
    return [
        f"scores    {score_line(info)}",
        f"chosen    step {chosen}: {why}" if trained else "chosen    nothing was trained (max_steps=0)",
        f"time      {time_line(info.get('phase_seconds', {}))}",
        f"pictures  {folder.grid if folder.grid.is_file() else 'none (sample_every=0)'}",
        f"report    {folder.report}" + (f"  weights {weights}" if trained else ""),
        f"next      {next_command}",
        f"repeat    {info.get('command', '')}",
    ]


def sample_table(folder: RunFolder) -> tuple[list[dict[str, Any]], list[Path]]:
    """Every sample of the run, with its own scores, and its file."""
    scores = {(row["step"], row["prompt"], row["seed"]): row for row in read_lines(folder.picture_scores)}
    rows, files = [], []
    for record in read_lines(folder.records):
        key = record["step"], record["prompt"], record["seed"]
        rows.append({"step": key[0], "prompt": key[1], "seed": key[2], **scores.get(key, {})})
        files.append(folder.path / record["file"])
    return rows, files


def summary_metrics(info: Mapping[str, Any]) -> dict[str, Any]:
    """``best/*`` and ``last/*`` of the scores, the steps they are of, and the kinds of alarms that were raised."""
    scores = {int(step): values for step, values in info.get("scores", {}).items()}
    best = info.get("best_step")
    steps = {"last": max(scores, default=-1), "best": -1 if best is None else int(best)}
    found: dict[str, Any] = {
        f"{which}/{name.removeprefix('score/')}": value
        for which, step in steps.items()
        for name, value in scores.get(step, {}).items()
    }
    found |= {f"{which}/step": step for which, step in steps.items() if step in scores}
    faults = (f"{one['kind']}@{one['step']}" for one in info.get("alarms", []) if one["kind"] not in HINTS)
    return found | {"alarms": ", ".join(faults)}
