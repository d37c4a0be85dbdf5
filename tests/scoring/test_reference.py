"""The scores against plain sums, and where their ends lie."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from avatar_exp.scoring.errors import choice_error
from avatar_exp.scoring.reference import ClipReference, IdentityReference, Pictures, choice

PROMPTS = [0, 0, 1, 1, 2, 2, 3, 3]


def around(center, count, seed, spread=0.1):
    """Unit features near a direction."""
    noise = torch.randn(count, len(center), generator=torch.Generator().manual_seed(seed))
    return F.normalize(center + spread * noise, dim=1)


def axis(number, size=16):
    return F.one_hot(torch.tensor(number), size).float()


def mean_cosine(some, others):
    return sum(float(F.cosine_similarity(a, b, dim=0)) for a in some for b in others) / (len(some) * len(others))


@pytest.fixture
def identity():
    """The subject looks along axis 0, the class along axis 1."""
    return IdentityReference(photos=around(axis(0), 6, 0), base=Pictures(around(axis(1), 8, 1), PROMPTS))


@pytest.fixture
def clip():
    """Prompt k asks for axis k, and the base obeys."""
    texts = torch.eye(16)[:4]
    base = torch.cat([around(axis(prompt), 1, seed, 0.2) for seed, prompt in enumerate(PROMPTS)])
    return ClipReference(photos=around(axis(8), 6, 2), base=Pictures(base, PROMPTS), texts=texts)


def test_likeness_is_nought_for_the_base_and_one_for_the_photos(identity):
    assert identity.why_not_measurable is None
    assert identity.likeness(identity.base) == pytest.approx(0, abs=1e-6)
    assert identity.likeness(Pictures(around(axis(0), 200, 5), [0] * 200)) == pytest.approx(1, abs=0.05)


def test_likeness_is_what_the_formula_says(identity):
    subject = Pictures(around(axis(0) + axis(1), 8, 3), PROMPTS)
    photos = list(identity.photos)
    floor, value = (mean_cosine(features, photos) for features in (identity.base.features, subject.features))
    ceiling = sum(mean_cosine([photo], photos[:i] + photos[i + 1 :]) for i, photo in enumerate(photos)) / len(photos)
    assert identity.likeness(subject) == pytest.approx((value - floor) / (ceiling - floor), rel=1e-4)


def test_held_out_photos_are_compared_with_those_trained_on(identity):
    held_out = around(axis(0), 3, 9)
    other = replace(identity, photos=held_out, trained_on=identity.photos)
    assert float(other.among_photos.mean()) == pytest.approx(mean_cosine(held_out, identity.photos), rel=1e-5)
    assert other.likeness(other.base) == pytest.approx(0, abs=1e-6)


def test_drift_compares_with_the_bases_pictures_of_the_same_prompts(identity):
    first = Pictures(identity.base.features[:4], PROMPTS[:4])
    assert identity.drift(first) == pytest.approx(0, abs=1e-6)
    assert identity.drift(Pictures(around(axis(0), 4, 6), PROMPTS[:4])) > 0.8


def test_drift_pairs_by_prompt_whatever_the_order(identity):
    of_class = Pictures(around(axis(0) + axis(1), 4, 6), [0, 1, 2, 3])  # one of each prompt; the base has two
    first = [PROMPTS.index(prompt) for prompt in range(4)]
    shuffled = torch.tensor([6, 0, 2, 4, 1, 7, 3, 5])
    other = replace(identity, base=Pictures(identity.base.features[shuffled], [PROMPTS[n] for n in shuffled.tolist()]))
    floor = mean_cosine(identity.base.features[first], list(identity.photos))
    value = mean_cosine(of_class.features, list(identity.photos))
    assert identity.drift(of_class) == pytest.approx(
        (value - floor) / (float(identity.among_photos.mean()) - floor), rel=1e-4
    )
    matched = other.base.matching([3, 0])
    assert torch.equal(matched.features, identity.base.features[[6, 0]])
    with pytest.raises(ValueError, match="not as many"):
        identity.base.matching([0, 0, 0])


def test_drift_may_have_counterparts_of_its_own(identity):
    before, after = Pictures(around(axis(2), 4, 8), [0, 1, 2, 3]), Pictures(around(axis(2), 4, 8), [0, 1, 2, 3])
    own = replace(identity, class_before=before)
    assert own.drift(after) == pytest.approx(0, abs=1e-6)
    assert own.without(2).drift(after.without(2)) == pytest.approx(0, abs=1e-6)
    assert identity.drift(after) != pytest.approx(0, abs=1e-3)


def test_the_picture_that_falls_short_is_judged_by_what_its_prompt_gives(clip):
    weak = Pictures(torch.cat([clip.base.features[:7], around(axis(9), 1, 3)]), PROMPTS)
    assert int(clip.shortfall(weak).argmax()) == 7
    assert clip.shortfall(clip.base).reshape(4, 2).mean(1).tolist() == pytest.approx([0.0] * 4, abs=1e-6)


def test_photos_of_many_people_or_one_photo_copied_measure_nothing(identity):
    strangers = replace(identity, photos=around(torch.zeros(16), 6, 0))
    assert "hardly more alike" in (strangers.why_not_measurable or "")
    copied = replace(identity, photos=identity.photos[:1].expand(5, -1), groups=[0] * 5)
    assert "copies of one" in (copied.why_not_measurable or "")


def test_photos_that_an_embedder_takes_for_one_are_no_copies(identity):
    known_well = replace(identity, photos=around(axis(0), 6, 0, spread=0.001))
    assert known_well.why_not_measurable is None
    assert known_well.likeness(known_well.base) == pytest.approx(0, abs=1e-6)


def test_obedience_is_one_for_the_base_and_nought_for_pictures_of_other_prompts(clip):
    assert clip.obedience(clip.base) == pytest.approx(1, abs=1e-6)
    shuffled = Pictures(clip.base.features, [(prompt + 1) % 4 for prompt in PROMPTS])
    assert clip.obedience(shuffled) == pytest.approx(0, abs=0.2)
    all_alike = Pictures(around(axis(9), 8, 4), PROMPTS)
    assert abs(clip.obedience(all_alike)) < 0.15
    one_prompt = replace(clip, base=Pictures(clip.base.features, [0] * 8))
    assert math.isnan(one_prompt.obedience(one_prompt.base))


def test_a_copy_of_a_photo_is_seen_and_named(clip):
    copied = Pictures(clip.photos[[4, 1]] + 0.001, [1, 2])
    seen, which = clip.copies(copied)
    assert (seen.tolist(), which.tolist()) == ([True, True], [4, 1])
    fresh = Pictures(around(axis(8), 8, 7), PROMPTS)
    assert clip.copies(fresh)[0].float().mean() < 0.5


def test_a_picture_that_is_like_a_photo_because_it_was_asked_for_is_no_copy(clip):
    on = F.normalize(axis(8) + torch.eye(16)[:6], dim=1)  # the subject in scene k; prompts ask for the first four
    obeying = Pictures(torch.eye(16)[PROMPTS], PROMPTS)
    photos = replace(clip, photos=F.normalize(on + 0.01 * around(axis(9), 6, 5, spread=1), dim=1), base=obeying)
    for scene in range(4):
        asked, not_asked = (Pictures(on[[scene]], [prompt]) for prompt in (scene, (scene + 1) % 4))
        assert not photos.copies(asked)[0]
        assert photos.copies(not_asked)[0]
        assert photos.copies(not_asked)[1] == scene


def test_what_is_unexplained_is_what_plain_sums_give(clip):
    pictures = Pictures(around(axis(8), 3, 11, 0.4), [2, 0, 3])
    doubled = replace(clip, photos=torch.cat([clip.photos, clip.photos[[4]]]), groups=[0, 1, 2, 3, 4, 5, 4])

    def more(i, k):
        own = [b for b, p in zip(clip.base.features, clip.base.prompts, strict=True) if p == pictures.prompts[i]]
        photo = doubled.photos[[k]]
        return mean_cosine(pictures.features[[i]], photo) - mean_cosine(own, photo)

    for i in range(3):
        for k, others in ((0, [1, 2, 3, 4, 5, 6]), (4, [0, 1, 2, 3, 5])):
            wanted = more(i, k) - sum(more(i, other) for other in others) / len(others)
            assert float(doubled.unexplained(pictures)[i, k]) == pytest.approx(wanted, abs=1e-6)


def test_copies_among_the_photos_do_not_hide_copies_of_them(clip):
    doubled = replace(clip, photos=torch.cat([clip.photos, clip.photos[[4, 4]]]), groups=[0, 1, 2, 3, 4, 5, 4, 4])
    assert doubled.copy_threshold == pytest.approx(clip.copy_threshold, abs=0.05)
    assert doubled.copies(Pictures(clip.photos[[4]] + 0.001, [1]))[0].tolist() == [True]
    only_one = replace(clip, photos=clip.photos[[4, 4]], groups=[0, 0])
    assert only_one.copy_threshold == 1.0


def test_the_choice_wants_both(identity, clip):
    alike = Pictures(around(axis(0), 8, 3), PROMPTS)
    obeying, ignoring = clip.base, Pictures(around(axis(9), 8, 4), PROMPTS)
    both = choice(identity, clip, alike, obeying)
    assert both > 0.9
    assert choice(identity, clip, alike, ignoring) < 0.3
    assert choice(identity, clip, identity.base, obeying) < 0.01


def test_the_choices_error_is_the_jackknifes(identity, clip):
    subject = Pictures(around(axis(0) + 0.8 * axis(1), 8, 3, 0.4), PROMPTS)
    values = [choice(identity.without(p), clip.without(p), subject.without(p), clip.base.without(p)) for p in range(4)]
    mean = sum(values) / 4
    wanted = math.sqrt(3 / 4 * sum((value - mean) ** 2 for value in values))
    assert choice_error(identity, clip, subject, clip.base) == pytest.approx(wanted, rel=1e-4)
    assert wanted > 0
    two = Pictures(subject.features[:4], PROMPTS[:4])
    assert math.isnan(choice_error(identity, clip, two, Pictures(clip.base.features[:4], PROMPTS[:4])))
