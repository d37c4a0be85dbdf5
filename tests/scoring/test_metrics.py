"""The metric's state adds up, however the pictures come in."""

import pytest
import torch

from avatar_exp.scoring.functional import similarity
from avatar_exp.scoring.metrics import Diversity, Memorisation, PromptSimilarity, SubjectSimilarity
from avatar_exp.scoring.reference import ClipReference, Pictures


def features(count, seed):
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))


def loop(pictures, photos):
    """Mean over pictures of the mean cosine to the photos, written out."""
    total = 0.0
    for picture in pictures.double():
        for photo in photos.double():
            total += float(picture @ photo / picture.norm() / photo.norm())
    return total / len(pictures) / len(photos)


@pytest.mark.parametrize("sizes", [[5], [1, 4], [2, 2, 1]])
def test_the_value_is_the_loops_however_it_is_fed(sizes):
    pictures, photos, metric = features(5, 0), features(3, 1), SubjectSimilarity()
    for part in pictures.split(sizes):
        metric.update(part, photos)
    assert metric.compute().item() == pytest.approx(loop(pictures, photos), rel=1e-5)


def test_several_concepts_weigh_by_their_pictures():
    metric, parts = SubjectSimilarity(), [(features(4, 0), features(3, 1)), (features(1, 2), features(5, 3))]
    for pictures, photos in parts:
        metric.update(pictures, photos)
    wanted = sum(len(pictures) * loop(pictures, photos) for pictures, photos in parts) / 5
    assert metric.compute().item() == pytest.approx(wanted, rel=1e-5)


def test_reset_forgets():
    metric = SubjectSimilarity()
    metric.update(features(2, 0), features(2, 1))
    metric.reset()
    metric.update(features(3, 2), features(2, 3))
    assert metric.compute().item() == pytest.approx(similarity(features(3, 2), features(2, 3)).mean().item(), rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_before_the_first_picture_there_is_no_value():
    assert torch.isnan(SubjectSimilarity().compute())


def test_processes_are_summed():
    """What torchmetrics does between processes: each state is reduced by its sum."""
    metrics = [SubjectSimilarity() for _ in range(2)]
    photos = features(3, 9)
    for n, metric in enumerate(metrics):
        metric.update(features(2 + n, n), photos)
    assert {name: reduce.__name__ for name, reduce in metrics[0]._reductions.items()} == dict.fromkeys(
        ("total", "count"), "dim_zero_sum"
    )
    value = sum(metric.total for metric in metrics) / sum(metric.count for metric in metrics)
    assert value.item() == pytest.approx(loop(torch.cat([features(2, 0), features(3, 1)]), photos), rel=1e-5)


def cosine(one, other):
    return float(one.double() @ other.double() / one.double().norm() / other.double().norm())


def test_prompt_similarity_is_clip_t():
    metric, pictures, texts = PromptSimilarity(), features(5, 0), features(5, 1)
    for part in ([0, 1], [2, 3, 4]):
        metric.update(pictures[part], texts[part])
    wanted = sum(cosine(p, t) for p, t in zip(pictures, texts, strict=True)) / 5
    assert metric.compute().item() == pytest.approx(wanted, rel=1e-5)


def test_diversity_weighs_prompts_alike():
    metric, first, second = Diversity(), features(3, 0), features(2, 1)
    metric.update(first, [4, 4, 4])
    metric.update(second, [5, 5])
    pairs = [cosine(first[i], first[j]) for i in range(3) for j in range(i)]
    wanted = ((1 - sum(pairs) / 3) + (1 - cosine(*second))) / 2
    assert metric.compute().item() == pytest.approx(wanted, rel=1e-5)


def test_memorisation_is_the_share_of_copies():
    photos = features(3, 9)
    metric = Memorisation(reference(photos))
    metric.update(torch.cat([photos[:1] * 2, features(3, 4)]), [0, 0, 1, 1])
    assert metric.compute().item() == pytest.approx(0.25)


def reference(photos):
    """Photos, and a base that draws neither prompt like any of them."""
    return ClipReference(photos=photos, base=Pictures(features(2, 5), [0, 1]), texts=features(2, 6))


@pytest.mark.parametrize(
    ("metric", "higher"),
    [
        (SubjectSimilarity(), True),
        (PromptSimilarity(), True),
        (Diversity(), True),
        (Memorisation(reference(features(3, 9))), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_which_way_is_better(metric, higher):
    assert metric.higher_is_better is higher
