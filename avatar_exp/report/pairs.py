"""Two runs compared picture by picture: what the same prompt and seed gave in both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from statistics import fmean

from avatar_exp.report.runs import Run, number

COMPARED = ("score/identity", "score/prompt")  # of yes and no, as memorisation, no honest interval is known
MOST_FOR_ALL = 12  # runs of which every pair is compared; of more, each only with the best

Asked = tuple[str, int]  # prompt and seed


@dataclass(frozen=True)
class Difference:
    """Of one score, first run minus second: its mean, its 95 % interval over prompts, and over what it was taken."""

    score: str
    mean: float
    low: float | None
    high: float | None
    pictures: int
    prompts: int


def paired(runs: Sequence[Run], best: int | None) -> dict[tuple[int, int], list[Difference]]:
    """The differences of all pairs of up to ``MOST_FOR_ALL`` runs, otherwise of each run and the best."""
    own = cache(lambda place: picture_scores(runs[place]))
    pairs = list(combinations(range(len(runs)), 2))
    if len(runs) > MOST_FOR_ALL:
        pairs = [(first, second) for first, second in pairs if best in (first, second)]
    return {(first, second): differences(own(first), own(second)) for first, second in pairs}


def picture_scores(run: Run) -> Mapping[Asked, Mapping[str, float]]:
    """Each picture's own scores at the step that stands for the run."""
    return {} if run.told_step is None else run.of_pictures.get(run.told_step, {})


def differences(
    first: Mapping[Asked, Mapping[str, float]], second: Mapping[Asked, Mapping[str, float]]
) -> list[Difference]:
    """Of each score that both runs have of the same prompts and seeds."""
    import torch

    from avatar_exp.scoring.intervals import clustered

    found = []
    for score in COMPARED:
        both = [asked for asked in first if asked in second and score in first[asked] and score in second[asked]]
        if not both:
            continue
        values = [first[asked][score] - second[asked][score] for asked in both]
        number_of = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompt for prompt, _ in both))}
        sure = clustered(torch.tensor(values, dtype=torch.float64), [number_of[prompt] for prompt, _ in both])
        found.append(Difference(score, fmean(values), number(sure.low), number(sure.high), len(both), len(number_of)))
    return found
