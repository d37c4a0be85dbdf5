"""What can go wrong while a subject is learnt, when it is sure, and what to do about it. Each is said once a run."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SURE = 3.0  # standard errors, which are of few prompts; and a run is looked at several times
COPIED = 0.25  # of the pictures of a step, of one photo, or twice that of any: by chance a few lie near a photo
IGNORED = 0.5  # of the way from the base's obedience down to pictures of other prompts
MUCH_LONGER = 2.0  # times the steps that the best likeness took
HINTS = frozenset({"stopped"})  # kinds that are no fault


@dataclass(frozen=True)
class Standing:
    """What is known of one concept at a step; NaN, or empty, where it could not be measured."""

    step: int
    obedience: float = math.nan
    obedience_error: float = math.nan
    drift: float = math.nan
    drift_error: float = math.nan
    copies: Sequence[int | None] = ()  # for each picture of the subject the number of the photo that it copies
    least_obedient: int | None = None  # a picture of the subject
    most_drifted: int | None = None  # a picture of the class


@dataclass(frozen=True)
class Alarm:
    """A step, what is wrong there, and the number of a picture that shows it (of the class for ``drift``)."""

    step: int
    kind: str  # drift | copies | ignored | stopped
    text: str
    picture: int | None = None
    photo: str | None = None  # that was copied most


def drifts(now: Standing, max_drift: float) -> Alarm | None:
    """The class has surely moved towards the subject by more than a chosen step may."""
    if not now.drift - SURE * now.drift_error > max_drift:
        return None
    text = (
        f"others turn into the subject: drift {now.drift:.2f}, at most {max_drift:g} is fine: an earlier step, or more "
        "prior pictures (prior.count) or weight (prior.weight)"
    )
    return Alarm(now.step, "drift", text, now.most_drifted)


def copies(now: Standing, photos: Sequence[str]) -> Alarm | None:
    """Too many pictures copy a photo (see ``ClipReference.copies``)."""
    found = Counter(number for number in now.copies if number is not None)
    if not found:
        return None
    photo, times = found.most_common(1)[0]
    copied, drawn = found.total(), len(now.copies)
    if times <= COPIED * drawn and copied <= 2 * COPIED * drawn:
        return None
    of_one = f"{'all' if times == copied else times} of them of {photos[photo]}"
    text = f"{copied} of {drawn} pictures are near-copies of photos, {of_one}: train shorter, or add photos"
    return Alarm(now.step, "copies", text, list(now.copies).index(photo), photos[photo])


def ignored(now: Standing) -> Alarm | None:
    """Prompts have lost half of their hold, and surely some of it."""
    if not now.obedience + SURE * now.obedience_error < 1 or now.obedience >= IGNORED:
        return None
    hold = f"{100 * max(now.obedience, 0):.0f} %"
    text = f"prompts hold {hold} as well as with the base: an earlier step, or a lower learning rate"
    return Alarm(now.step, "ignored", text, now.least_obedient)


def stopped(likeness: Mapping[int, tuple[float, float]]) -> Alarm | None:
    """Training has taken twice as long as up to a step, and no later one (of two or more) is better by its error.

    A hint, and none while the newest step is the best one.

    Args:
        likeness: of each scored step, with its standard error.
    """
    now = max(likeness, default=0)
    if not likeness or all(likeness[now][0] > value for step, (value, _) in likeness.items() if step != now):
        return None
    for step in sorted(likeness):
        later = [value for other, (value, _) in likeness.items() if other > step]
        if step and len(later) > 1 and now >= MUCH_LONGER * step and max(later) <= sum(likeness[step]):
            return Alarm(now, "stopped", f"likeness has stopped rising since step {step}: fewer steps may do")
    return None


def alarms(now: Standing, photos: Sequence[str], max_drift: float) -> list[Alarm]:
    """What is wrong with one concept's pictures of a step.

    Args:
        photos: names of the photos that were trained on.
    """
    found = (drifts(now, max_drift), copies(now, photos), ignored(now)) if now.step else ()
    return [alarm for alarm in found if alarm]
