"""Which step is the good one, decided as the steps come: only the weights of the best so far are kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One scored step: its score, the drift of the class, and the standard errors of both (NaN: not known)."""

    step: int
    value: float
    error: float = math.nan
    drift: float = math.nan
    drift_error: float = math.nan

    def drifted(self, most: float) -> bool:
        """Whether the class is not what it was, by more than chance."""
        return self.drift - (0.0 if math.isnan(self.drift_error) else self.drift_error) > most


def rank(one: Candidate, max_drift: float) -> tuple[bool, float]:
    """What of several candidates is the best, errors of the score aside: the highest score of those whose class has not
    drifted; the least drift where every class has.
    """
    drifted = one.drifted(max_drift)
    return not drifted, -one.drift if drifted else one.value


def prefers(new: Candidate, old: Candidate | None, max_drift: float) -> bool:
    """Whether a later step is better than the best so far.

    It must be so by more than one standard error: otherwise the earlier one stays, which is less trained. A step whose
    class has drifted further than ``max_drift``, and not by a standard error alone, loses against one whose class has
    not; of two such steps the one with less drift is better.
    """
    if old is None:
        return True
    if new.drifted(max_drift) != old.drifted(max_drift):
        return old.drifted(max_drift)
    if new.drifted(max_drift):
        return new.drift < old.drift
    return new.value > old.value + (0.0 if math.isnan(new.error) else new.error)


def reason(chosen: Candidate, later: Sequence[Candidate], metric: str, max_drift: float) -> str:
    """Why that step and none of the ``later`` ones, for people."""
    if chosen.drifted(max_drift):
        return f"the class drifted at every step ({chosen.drift:.2f} here, more than {max_drift:g}): the least drift"
    why = f"{metric.removeprefix('score/')} {_with_error(chosen)}"
    if not later:
        return why
    best = max(later, key=lambda one: one.value)
    if best.value <= chosen.value:
        return f"{why}; no later step scores higher"
    but = f"but its class drifted ({best.drift:.2f})" if best.drifted(max_drift) else "so it is not surely better"
    return f"{why}; step {best.step} scores {_with_error(best)}, {but}"


def _with_error(one: Candidate) -> str:
    return f"{one.value:.3f}" + ("" if math.isnan(one.error) else f" \N{PLUS-MINUS SIGN} {one.error:.3f}")


def front(scores: Mapping[int, Mapping[str, float]], one: str, other: str) -> Sequence[int]:
    """The steps that no other step beats in both scores, in order."""
    known = {step: (values[one], values[other]) for step, values in scores.items() if one in values and other in values}

    def beaten(step: int) -> bool:
        a, b = known[step]
        return any((c >= a and d >= b) and (c, d) != (a, b) for c, d in known.values())

    return [step for step in sorted(known) if not beaten(step)]
