"""Do the intervals hold the truth as often as they claim? Simulated: score = truth + the prompt's effect + the image's.

    python -m benchmarks.coverage

Beside the project's two intervals those that one would naively take: a bootstrap over images, one over all pairs of
images and photos. A minute on one core.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from avatar_exp.scoring.errors import jackknife
from avatar_exp.scoring.intervals import clustered, jackknifed
from benchmarks.markdown import head, row

TIMES = 1000
DRAWS = 400  # of the naive bootstraps
PHOTOS = 12
DESIGNS = {"a step's pictures": (8, 2), "evaluate": (25, 4)}
EFFECTS: Mapping[str, tuple[float, float]] = {  # standard deviations of the prompts' and the images' effects
    "equal": (1.0, 1.0),
    "mostly prompts": (1.0, 0.3),
    "mostly images": (0.3, 1.0),
}
Ends = tuple[float, float]


def simulated(prompts: int, images: int, effects: tuple[float, float], generator: torch.Generator) -> Tensor:
    """[prompts, images] scores whose true mean is 0; the prompts' effects are skewed, as those of real ones are."""
    of_prompt = torch.empty(prompts, 1).exponential_(generator=generator) - 1
    return effects[0] * of_prompt + effects[1] * torch.randn(prompts, images, generator=generator)


def by_bootstrap_t(scores: Tensor, generator: torch.Generator) -> Ends:
    """The project's interval of a mean over pictures."""
    numbers = torch.arange(len(scores)).repeat_interleave(scores.shape[1]).tolist()
    found = clustered(scores.flatten(), numbers)
    return found.low, found.high


def by_jackknife(scores: Tensor, generator: torch.Generator) -> Ends:
    """The project's interval of a score that is no mean: likeness, obedience, choice, drift."""

    def without(prompt: int) -> float:
        return float(torch.cat([scores[:prompt], scores[prompt + 1 :]]).mean())

    found = jackknifed(float(scores.mean()), jackknife(without, range(len(scores))), len(scores))
    return found.low, found.high


def over_images(scores: Tensor, generator: torch.Generator) -> Ends:
    """A percentile bootstrap that takes pictures for independent."""
    flat = scores.flatten()
    return percentiles(flat[torch.randint(len(flat), (DRAWS, len(flat)), generator=generator)].mean(1))


def over_pairs(scores: Tensor, generator: torch.Generator) -> Ends:
    """The same over all pairs of a picture and a photo, each pair with the picture's score and a little of its own."""
    pairs = scores.flatten().repeat_interleave(PHOTOS)
    pairs = pairs + 0.3 * torch.randn(len(pairs), generator=generator)
    return percentiles(pairs[torch.randint(len(pairs), (DRAWS, len(pairs)), generator=generator)].mean(1))


def percentiles(means: Tensor) -> Ends:
    """The middle 95 %."""
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975])).tolist()
    return low, high


METHODS: Mapping[str, Callable[[Tensor, torch.Generator], Ends]] = {
    "bootstrap-t over prompts (identity, prompt)": by_bootstrap_t,
    "jackknife over prompts (likeness, obedience, choice, drift)": by_jackknife,
    "naive: over images": over_images,
    "naive: over pairs of image and photo": over_pairs,
}


def coverage(method: Callable[[Tensor, torch.Generator], Ends], design: tuple[int, int], effects: Ends) -> float:
    """How often the interval holds 0."""
    generator, held = torch.Generator().manual_seed(0), 0
    for _ in range(TIMES):
        low, high = method(simulated(*design, effects, generator), generator)
        held += low <= 0 <= high
    return held / TIMES


def main() -> None:
    """Simulate and print."""
    sure = 2 * math.sqrt(0.95 * 0.05 / TIMES)
    print(f"Nominal 95 %; {TIMES} simulated runs each, so +- {sure:.1%} by chance.\n")
    print(head("interval", "pictures", *EFFECTS))
    for name, method in METHODS.items():
        for place, (prompts, images) in DESIGNS.items():
            shares = [coverage(method, (prompts, images), effects) for effects in EFFECTS.values()]
            print(row([name, f"{place}: {prompts} x {images}", *(f"{share:.1%}" for share in shares)]), flush=True)


if __name__ == "__main__":
    main()
