"""Against plain arithmetic, and by simulation from the model that the intervals assume."""

import math

import pytest
import torch

from avatar_exp.scoring.intervals import clustered


def simulated(prompts, each, generator, prompt_effect=1.0, picture_effect=1.0):
    """Scores with the mean 0: one effect a prompt, one a picture."""
    of_prompt = torch.randn(prompts, 1, generator=generator) * prompt_effect
    values = of_prompt + torch.randn(prompts, each, generator=generator) * picture_effect
    return values.flatten(), [prompt for prompt in range(prompts) for _ in range(each)]


def test_mean_and_error_are_those_of_the_clusters_means():
    values, clusters = simulated(6, 4, torch.Generator().manual_seed(0))
    means = values.reshape(6, 4).mean(1)
    found = clustered(values, clusters)
    assert found.mean == pytest.approx(float(means.mean()), rel=1e-6)
    assert found.error == pytest.approx(float(means.std()) / math.sqrt(6), rel=1e-6)
    assert found.low < found.mean < found.high


def test_clusters_of_different_sizes_weigh_by_their_pictures():
    found = clustered(torch.tensor([1.0, 1.0, 1.0, 5.0]), [0, 0, 0, 1])
    assert found.mean == 2.0


@pytest.mark.parametrize(("prompts", "each"), [(8, 2), (8, 4), (25, 4)])
@pytest.mark.parametrize("picture_effect", [0.5, 2.0])
def test_nine_to_ten_of_ten_intervals_hold_the_truth(prompts, each, picture_effect):
    generator = torch.Generator().manual_seed(prompts * each)
    held = 0
    for trial in range(400):
        values, clusters = simulated(prompts, each, generator, picture_effect=picture_effect)
        found = clustered(values, clusters, seed=trial)
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / 400 <= 0.98


def test_one_prompt_alone_says_nothing_about_others():
    found = clustered(torch.tensor([0.1, 0.2]), [3, 3])
    assert found.mean == pytest.approx(0.15)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_scores_that_are_all_the_same_are_certain():
    found = clustered(torch.full((6,), 0.5), [0, 0, 1, 1, 2, 2])
    assert (found.mean, found.error, found.low, found.high) == (0.5, 0.0, 0.5, 0.5)


def test_the_same_scores_give_the_same_interval():
    values, clusters = simulated(5, 3, torch.Generator().manual_seed(1))
    assert clustered(values, clusters) == clustered(values, clusters)
    assert clustered(values, clusters, level=0.5).high < clustered(values, clusters).high
