"""Scores as functions of features, against plain loops."""

import math

import pytest
import torch

from avatar_exp.scoring.functional import similarity


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
