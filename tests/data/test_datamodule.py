"""Batches as a function of the step: the same samples after a resume, and however they are dealt."""

from collections import Counter
from itertools import islice
from types import SimpleNamespace

import pytest
import torch

from avatar_exp.data.datamodule import DreamBoothData, SampleStream
from avatar_exp.data.latents import Moments
from avatar_exp.data.training_set import Example, TrainingSet

EMPTY = -1  # a token


def example(value, mirrored=None):
    """An example whose numbers say which it is."""

    def full(number):
        return Moments(torch.full((4, 2, 2), float(number)), torch.full((4, 2, 2), -float(number)))

    face = torch.tensor([0.1, 0.2, 0.5, 0.8])
    return Example(full(value), None if mirrored is None else full(mirrored), torch.full((77,), int(value)), face)


def training_set(photos=5, prior=7, base=0, flip=False):
    made = [[example(base + start + n, base + start + n + 0.5 if flip else None) for n in range(count)]
            for start, count in ((0, photos), (100, prior))]  # fmt: skip
    return TrainingSet(*made, torch.full((77,), EMPTY))


def stream(sets=None, **options):
    chosen = {"seed": 3, "batch_size": 1, "timesteps": 1000, **options}
    return SampleStream(sets or [training_set()], **chosen)


def steps(count, **options):
    """The samples of ``count`` optimizer steps, each as (instance, prior) rows, order within a step dropped."""
    accumulate, world = options.get("accumulate", 1), options.get("world", 1)
    ranks = [list(islice(stream(**{**options, "rank": rank}), count * accumulate)) for rank in range(world)]
    return [
        sorted(
            tuple(
                round(float(batch[name][row].flatten()[0]), 6)
                for name in ("mean", "noise", "posterior_noise", "timesteps")
            )
            for rank in ranks
            for batch in rank[step * accumulate : (step + 1) * accumulate]
            for row in range(len(batch["mean"]))
        )
        for step in range(count)
    ]


@pytest.mark.parametrize(
    "dealt", [{"accumulate": 4}, {"world": 4}, {"accumulate": 2, "world": 2}, {"accumulate": 2, "batch_size": 2}]
)
def test_four_samples_a_step_are_the_same_however_dealt(dealt):
    assert steps(6, **dealt) == steps(6, batch_size=4)


@pytest.mark.parametrize("options", [{}, {"batch_size": 2}, {"accumulate": 3}, {"rank": 1, "world": 2}])
def test_a_stream_that_starts_later_goes_on_with_the_same_samples(options):
    straight = list(islice(stream(**options), 4 * options.get("accumulate", 1)))
    resumed = list(islice(stream(first_step=2, **options), 2 * options.get("accumulate", 1)))
    for old, new in zip(straight[len(resumed) :], resumed, strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)


def test_a_batch_is_photos_then_as_many_prior_pictures():
    batch = next(iter(stream(batch_size=2)))
    assert batch["is_prior"].tolist() == [False, False, True, True]
    assert (batch["mean"][:, 0, 0, 0] >= 100).tolist() == [False, False, True, True]
    assert torch.equal(batch["log_variance"], -batch["mean"])
    assert batch["text"][:, 0].tolist() == batch["mean"][:, 0, 0, 0].int().tolist()
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "mean": (4, 4, 2, 2), "log_variance": (4, 4, 2, 2), "posterior_noise": (4, 4, 2, 2), "noise": (4, 4, 2, 2),
        "offset": (4, 4, 1, 1), "timesteps": (4,), "text": (4, 77), "face": (4, 4), "is_prior": (4,),
    }  # fmt: skip


def test_nothing_that_is_drawn_is_drawn_twice():
    batches = list(islice(stream(batch_size=2), 20))
    for name in ("noise", "posterior_noise", "offset"):
        values = torch.cat([batch[name].flatten(1)[:, 0] for batch in batches])
        assert len(values.unique()) == 80
    assert not torch.equal(batches[0]["noise"], batches[0]["posterior_noise"])
    times = torch.cat([batch["timesteps"] for batch in batches])
    assert (int(times.min()) >= 0, int(times.max()) < 1000, len(times.unique()) > 60) == (True, True, True)


def test_without_prior_the_photos_and_their_draws_are_the_same():
    alone = list(islice(stream([training_set(prior=0)], batch_size=2), 5))
    together = list(islice(stream(batch_size=2), 5))
    for one, two in zip(alone, together, strict=True):
        assert all(torch.equal(one[name], two[name][:2]) for name in one)


def test_each_pass_uses_every_photo_once():
    used = [int(batch["mean"][0, 0, 0, 0]) for batch in islice(stream(), 15)]
    assert Counter(used) == dict.fromkeys(range(5), 3)


def test_concepts_take_turns():
    sets = [training_set(base=0), training_set(photos=3, base=1000)]
    used = [int(batch["mean"][0, 0, 0, 0]) for batch in islice(stream(sets), 12)]
    assert [value >= 1000 for value in used] == [False, True] * 6
    assert Counter(used[1::2]) == dict.fromkeys((1000, 1001, 1002), 2)


def test_flips_mirror_about_half_and_shift_nothing_else():
    plain = list(islice(stream([training_set(flip=True)]), 200))
    flipped = list(islice(stream([training_set(flip=True)], flip=True), 200))
    mirrored = torch.stack([two["mean"] - one["mean"] for one, two in zip(plain, flipped, strict=True)])[..., 0, 0, 0]
    assert set(mirrored.flatten().tolist()) == {0.0, 0.5}
    assert 0.4 < (mirrored > 0).float().mean() < 0.6  # 400 rows: 4 standard errors
    for name in ("noise", "offset", "timesteps", "posterior_noise", "text"):
        assert all(torch.equal(one[name], two[name]) for one, two in zip(plain, flipped, strict=True))
    for batch, away in zip(flipped, mirrored, strict=True):  # the face goes where the picture goes
        for box, is_mirrored in zip(batch["face"], away, strict=True):
            assert box.tolist() == pytest.approx([0.5, 0.2, 0.9, 0.8] if is_mirrored else [0.1, 0.2, 0.5, 0.8])


def test_dropped_captions_are_the_empty_prompts_and_shift_nothing_else():
    plain, dropped = (list(islice(stream(caption_dropout=share), 400)) for share in (0.0, 0.25))
    text = torch.stack([batch["text"] for batch in dropped])
    kept = torch.stack([batch["text"] for batch in plain])
    empty = (text == EMPTY).all(-1)
    assert torch.equal(text[~empty], kept[~empty])
    assert 0.19 < empty[:, 0].float().mean() < 0.31  # of photos; 400 rows: 2.8 standard errors
    assert 0.19 < empty[:, 1].float().mean() < 0.31  # of prior pictures
    assert 0.03 < (empty[:, 0] & empty[:, 1]).float().mean() < 0.1  # each for itself
    for name in dropped[0].keys() - {"text"}:
        assert all(torch.equal(one[name], two[name]) for one, two in zip(plain, dropped, strict=True))


def test_captions_cannot_be_dropped_without_an_empty_prompt():
    with pytest.raises(ValueError, match=r"caption_dropout=0.1 needs training sets with the empty prompt's words"):
        stream([TrainingSet([example(0)], [])], caption_dropout=0.1)


def test_a_seed_is_another_run():
    one, two = (next(iter(stream(seed=seed))) for seed in (1, 2))
    assert not torch.equal(one["noise"], two["noise"])


def test_dealing_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    list(islice(stream(flip=True), 5))
    assert torch.equal(state, torch.get_rng_state())


def test_the_loader_starts_where_the_trainer_is():
    options = {"flip": True, "caption_dropout": 0.5}
    data = DreamBoothData(sets=[training_set(flip=True)], seed=3, batch_size=2, timesteps=1000, **options)
    data.trainer = SimpleNamespace(global_step=4, accumulate_grad_batches=2, global_rank=1, world_size=2)
    first = next(iter(data.train_dataloader()))
    dealt = {"batch_size": 2, "first_step": 4, "accumulate": 2, "rank": 1, "world": 2}
    wanted = next(iter(stream([training_set(flip=True)], **dealt, **options)))
    assert all(torch.equal(first[name], wanted[name]) for name in wanted)
