from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from avatar_exp.scoring.functional import diversity, similarity
from avatar_exp.scoring.reference import ClipReference, IdentityReference, Pictures, choice
from avatar_exp.scoring.step import Seen, mean_of, scored

PROMPTS = [0, 0, 1, 1, 2, 2]


def features(seed, count=6, size=8, toward=None):
    values = torch.randn(count, size, generator=torch.Generator().manual_seed(seed))
    return F.normalize(values if toward is None else 0.3 * values + 3 * F.one_hot(torch.tensor(toward), size), dim=1)


@pytest.fixture
def identity():
    return IdentityReference(photos=features(0, toward=0), base=Pictures(features(1, toward=1), PROMPTS))


@pytest.fixture
def clip():
    texts = torch.eye(8)[:3]
    base = torch.cat([features(seed, 1, toward=prompt) for seed, prompt in enumerate(PROMPTS)])
    return ClipReference(photos=features(3, toward=7), base=Pictures(base, PROMPTS), texts=texts)


def test_every_score_is_there_and_is_its_own_formula(identity, clip):
    by_identity = Pictures(features(5, toward=0), PROMPTS)
    by_clip = Pictures(features(6), PROMPTS)
    of_class = Seen(Pictures(features(7, 3, toward=1), [0, 1, 2]))
    found = scored(identity, clip, Seen(by_identity, by_clip), of_class)
    assert set(found.scores) == {
        "identity", "identity_clip", "likeness", "drift", "prompt", "obedience", "diversity", "memorisation", "choice",
    }  # fmt: skip
    assert found.scores["identity"] == pytest.approx(float(similarity(by_identity.features, identity.photos).mean()))
    assert found.scores["likeness"] == pytest.approx(identity.likeness(by_identity))
    assert found.scores["drift"] == pytest.approx(identity.drift(of_class.identity))
    assert found.scores["diversity"] == pytest.approx(float(diversity(by_clip.features, PROMPTS).mean()))
    assert found.scores["choice"] == pytest.approx(choice(identity, clip, by_identity, by_clip))
    assert found.scores["obedience"] == pytest.approx(clip.obedience(by_clip))
    assert set(found.errors) == set(found.intervals) == set(found.scores) - {"diversity", "memorisation"}
    low, high = found.intervals["likeness"].low, found.intervals["likeness"].high
    assert (high - low) / 2 == pytest.approx(4.303 * found.errors["likeness"])  # three prompts: two degrees of freedom
    assert all(error >= 0 for error in found.errors.values())
    assert found.copies == [int(which) if flag else None for flag, which in zip(*clip.copies(by_clip), strict=True)]
    assert found.most_drifted == int(similarity(of_class.identity.features, identity.photos).argmax())
    assert found.least_obedient == int(clip.shortfall(by_clip).argmax())
    for name in found.intervals.keys() & found.pictures.keys():
        interval = found.intervals[name]
        assert interval.mean == pytest.approx(float(found.pictures[name].mean()), rel=1e-5)
        assert len(found.pictures[name]) == 6


def test_the_interval_of_drift_is_by_the_prompts_of_the_class(identity, clip):
    subject = Seen(Pictures(features(5, toward=0), PROMPTS), Pictures(features(6), PROMPTS))
    before, of_class = (Pictures(features(seed, 5, toward=1), range(5)) for seed in (7, 8))
    found = scored(replace(identity, class_before=before), clip, subject, Seen(of_class))
    drift = found.intervals["drift"]
    assert (drift.high - drift.low) / 2 == pytest.approx(2.776 * found.errors["drift"], rel=1e-3)  # 4 degrees


def test_without_an_embedder_its_scores_are_missing_and_the_others_are_not(identity, clip):
    subject = Seen(Pictures(features(5), PROMPTS), Pictures(features(6), PROMPTS))
    only_identity = scored(identity, None, Seen(subject.identity))
    assert set(only_identity.scores) == {"identity", "likeness"}
    only_clip = scored(None, clip, Seen(None, subject.clip))
    assert set(only_clip.scores) == {"identity_clip", "prompt", "obedience", "diversity", "memorisation"}
    assert "choice" not in only_clip.errors


def test_photos_that_measure_nothing_give_no_likeness_and_no_choice(clip):
    strangers = IdentityReference(photos=features(0), base=Pictures(features(1), PROMPTS))
    subject = Seen(Pictures(features(5), PROMPTS), Pictures(features(6), PROMPTS))
    found = scored(strangers, clip, subject, subject)
    assert not {"likeness", "drift", "choice"} & set(found.scores)
    assert "identity" in found.scores


def test_one_picture_a_prompt_has_no_diversity(identity, clip):
    one_each = Seen(Pictures(features(5, 3), [0, 1, 2]), Pictures(features(6, 3), [0, 1, 2]))
    assert "diversity" not in scored(identity, clip, one_each).scores


def test_scores_of_several_concepts_are_averaged_where_all_have_them():
    assert mean_of([{"identity": 0.2, "likeness": 0.5}, {"identity": 0.4}]) == {"identity": pytest.approx(0.3)}
    assert mean_of([]) == {}
