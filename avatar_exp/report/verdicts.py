"""What the scores of a step mean, in words: the four questions of the README, each answered with number and limit."""

from dataclasses import dataclass

from avatar_exp.report.numbers import with_error
from avatar_exp.report.runs import Run
from avatar_exp.scoring.alarms import COPIED, IGNORED

WELL = 0.75  # of the way from the base to the photos, or from other prompts to the base's obedience
HALF = IGNORED  # of it: less is bad


@dataclass(frozen=True)
class Verdict:
    """A question, its answer, and ``good``, ``doubtful`` or ``bad``."""

    question: str
    mark: str
    answer: str


def verdicts(run: Run, step: int) -> list[Verdict]:
    """Of the questions whose scores are known at a step."""
    known = run.scores.get(step, {})
    answers = {"likeness": _likeness, "obedience": _obedience, "drift": _drift, "memorisation": _memorisation}
    return [answer(run, step, known[f"score/{name}"]) for name, answer in answers.items() if f"score/{name}" in known]


def best_word(run: Run) -> str:
    """What the best step is called: ``least bad`` where something is wrong with it."""
    best = run.best_step
    if best is None:
        return "best"
    faulty = any(one.get("step") == best for one in run.alarms) or any(v.mark == "bad" for v in verdicts(run, best))
    return "least bad" if faulty else "best"


def _likeness(run: Run, step: int, value: float) -> Verdict:
    base = run.scores.get(0, {}).get("score/likeness")
    before = "" if base is None else f"the base {with_error('likeness', base, None)}, "
    return Verdict(
        "Is it the subject?",
        _mark(value),
        f"likeness {with_error('likeness', value, run.error(step, 'score/likeness'))} "
        f"({before}the photos 1; good from {WELL:g})",
    )


def _obedience(run: Run, step: int, value: float) -> Verdict:
    mark = "bad" if _alarmed(run, step, "ignored") else _mark(value)
    told = with_error("obedience", value, run.error(step, "score/obedience"))
    return Verdict("Does it still obey?", mark, f"obedience {told} (the base 1; good from {WELL:g})")


def _drift(run: Run, step: int, value: float) -> Verdict:
    error, most = run.error(step, "score/drift"), run.max_drift
    mark = "good" if value <= most else "doubtful" if value - (error or 0.0) <= most else "bad"
    but = "; above that, but by less than its error" if mark == "doubtful" else ""
    if _alarmed(run, step, "drift"):
        mark = "bad"
    told = with_error("drift", value, error)
    return Verdict("Did others stay themselves?", mark, f"drift {told} (at most {most:g}{but})")


def _memorisation(run: Run, step: int, value: float) -> Verdict:
    mark = "good" if value <= COPIED else "doubtful" if value <= 2 * COPIED else "bad"
    if _alarmed(run, step, "copies"):
        mark = "bad"
    found, floor = run.copied(step), run.copied(0) if step else None
    if found is None:
        return Verdict("Did it only copy?", mark, f"{100 * value:.0f} % of the pictures are near-copies of a photo")
    copies, drawn = found
    base = f"the base {floor[0]}; " if floor else ""
    limit = f"{base}good up to {int(COPIED * drawn)}"
    return Verdict("Did it only copy?", mark, f"{copies} of {drawn} pictures are near-copies of a photo ({limit})")


def _mark(value: float) -> str:
    return "good" if value >= WELL else "doubtful" if value >= HALF else "bad"


def _alarmed(run: Run, step: int, kind: str) -> bool:
    return any(one.get("step") == step and one.get("kind") == kind for one in run.alarms)
