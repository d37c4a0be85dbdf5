"""Scores as functions of features, against plain loops."""

import math

import pytest
import torch

from avatar_exp.scoring.functional import (
    diversity,
    harmonic,
    leave_one_out,
    nearest_photo,
    prompt_similarity,
    relative,
    similarity,
)


def cosine(one, two):
    dot = math.fsum(a * b for a, b in zip(one, two, strict=True))
    return dot / math.sqrt(math.fsum(a * a for a in one)) / math.sqrt(math.fsum(b * b for b in two))


def features(count, seed, scale=1.0):
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize(("pictures", "photos"), [(1, 1), (3, 4), (4, 4)])
def test_similarity_is_the_mean_cosine_to_the_photos(pictures, photos):
    one, two = features(pictures, 0, 7.0), features(photos, 1, 0.01)
    wanted = [sum(cosine(p, q) for q in two.tolist()) / photos for p in one.tolist()]
    assert similarity(one, two).tolist() == pytest.approx(wanted, rel=1e-5)


def test_a_picture_compared_with_itself_counts():
    """Pictures and photos are two sets: equal features are a cosine of 1, not a diagonal to be left out."""
    one = features(3, 0)
    assert similarity(one[:1], one[:1]).item() == pytest.approx(1)
    assert similarity(one, one).tolist() == pytest.approx(
        [sum(cosine(p, q) for q in one.tolist()) / 3 for p in one.tolist()]
    )


def test_the_ends_of_the_range():
    one = features(1, 0)
    assert similarity(one, -2 * one).item() == pytest.approx(-1)
    assert similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])).item() == pytest.approx(0)


@pytest.mark.parametrize(
    ("pictures", "photos", "says"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), "expected"),
        (torch.zeros(3), torch.zeros(2, 3), "expected"),
        (torch.zeros(0, 3), torch.zeros(2, 3), "0 pictures"),
        (torch.zeros(2, 3), torch.zeros(0, 3), "0 photos"),
    ],
)
def test_what_cannot_be_compared_is_refused(pictures, photos, says):
    with pytest.raises(ValueError, match=says):
        similarity(pictures, photos)


def test_prompt_similarity_compares_each_picture_with_its_own_text():
    pictures, texts = features(4, 0), features(4, 1, 3.0)
    wanted = [cosine(p, t) for p, t in zip(pictures.tolist(), texts.tolist(), strict=True)]
    assert prompt_similarity(pictures, texts).tolist() == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(ValueError, match="one"):
        prompt_similarity(pictures, texts[:3])


def test_diversity_is_one_minus_the_mean_cosine_of_the_pairs_of_a_prompt():
    pictures, prompts = features(6, 0), [0, 1, 0, 0, 1, 2]  # the last prompt has one picture: no pair
    wanted = []
    for prompt in (0, 1):
        own = [picture for picture, number in zip(pictures.tolist(), prompts, strict=True) if number == prompt]
        pairs = [cosine(p, q) for i, p in enumerate(own) for q in own[:i]]
        wanted.append(1 - sum(pairs) / len(pairs))
    assert diversity(pictures, prompts).tolist() == pytest.approx(wanted, rel=1e-5)
    assert diversity(pictures[:1].expand(3, -1), [0, 0, 0]).item() == pytest.approx(0, abs=1e-6)
    assert len(diversity(pictures, range(6))) == 0


def test_the_nearest_photo_is_named():
    photos = features(5, 0)
    values, which = nearest_photo(photos[[3, 1]] * 2, photos)
    assert which.tolist() == [3, 1]
    assert values.tolist() == pytest.approx([1, 1])


def test_a_photo_is_compared_with_those_of_other_groups_only():
    photos, groups = features(4, 0), [0, 0, 1, 2]
    wanted = [
        sum(cosine(photos[i].tolist(), photos[j].tolist()) for j in others) / len(others)
        for i, others in enumerate([[2, 3], [2, 3], [0, 1, 3], [0, 1, 2]])
    ]
    assert leave_one_out(photos, groups).tolist() == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(ValueError, match="copies of one"):
        leave_one_out(photos, [7, 7, 7, 7])


def test_relative_puts_the_floor_at_nought_and_the_ceiling_at_one():
    assert relative(0.3, 0.3, 0.8) == 0
    assert relative(0.8, 0.3, 0.8) == pytest.approx(1)
    assert relative(0.05, 0.3, 0.8) == pytest.approx(-0.5)
    assert math.isnan(relative(0.3, 0.5, 0.5))


def test_the_harmonic_mean_is_high_only_if_both_are():
    assert harmonic(0.5, 0.5) == 0.5
    assert harmonic(1.7, 1.0) == 1
    assert harmonic(1.0, -0.2) == 0
    assert harmonic(0.0, 0.0) == 0
    assert math.isnan(harmonic(0.5, math.nan))
    assert harmonic(0.9, 0.1) == pytest.approx(2 / (1 / 0.9 + 1 / 0.1))
