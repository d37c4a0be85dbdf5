"""Randomness as a function: golden values, even use, and the same samples however they are dealt."""

from collections import Counter

import pytest
import torch

from avatar_exp.diffusion.draws import STREAMS, draw, sample_number, seed_of, shuffled_index


@pytest.mark.parametrize(
    ("seed", "n", "stream", "expected"),
    [
        (1337, 0, "photo", 6785194396763809037),
        (1337, 0, "noise", 1327601368925666853),
        (1337, 1, "noise", 9063977188415327732),
        (0, 0, "timestep", 4180043815281346829),
        (42, 123456789, "posterior", 3250617086424723780),
    ],
)
def test_seeds_never_change(seed, n, stream, expected):
    assert seed_of(seed, n, stream) == expected


def test_draws_never_change():
    assert torch.randn(3, generator=draw(1337, 0, "noise")).tolist() == pytest.approx(
        [-1.03803, 1.573612, 1.0092], abs=1e-6
    )
    assert [int(torch.randint(0, 1000, (), generator=draw(1337, n, "timestep"))) for n in range(5)] == [
        778,
        946,
        594,
        283,
        223,
    ]


def test_a_draw_does_not_depend_on_what_was_drawn_before():
    first = torch.randn(4, generator=draw(1, 5, "noise"))
    torch.randn(100)
    draw(1, 4, "noise")
    assert torch.equal(first, torch.randn(4, generator=draw(1, 5, "noise")))


def test_drawing_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    torch.rand(3, generator=draw(0, 0, "flip"))
    shuffled_index(0, 7, "photo", 5)
    assert torch.equal(state, torch.get_rng_state())


def test_seed_number_and_stream_each_give_another_draw():
    seeds = {seed_of(seed, n, stream) for seed in range(20) for n in range(50) for stream in STREAMS}
    assert len(seeds) == 20 * 50 * len(STREAMS)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_streams_are_uncorrelated():
    values = torch.stack(
        [torch.stack([torch.rand((), generator=draw(3, n, stream)) for n in range(500)]) for stream in STREAMS]
    )
    correlation = torch.corrcoef(values) - torch.eye(len(STREAMS))
    assert correlation.abs().max() < 0.2  # 4.5 standard errors of 500 samples
    assert (values.mean(1) - 0.5).abs().max() < 0.06


@pytest.mark.parametrize("size", [1, 2, 12])
def test_every_pass_uses_each_item_once(size):
    for turn in range(4):
        assert sorted(shuffled_index(9, turn * size + i, "photo", size) for i in range(size)) == list(range(size))


def test_every_pass_has_its_own_order():
    orders = {tuple(shuffled_index(9, turn * 12 + i, "photo", 12) for i in range(12)) for turn in range(20)}
    assert len(orders) == 20


def test_photos_and_prior_pictures_are_paired_anew_in_each_pass():
    partners = Counter(shuffled_index(1, n, "prior", 50) for n in range(600) if shuffled_index(1, n, "photo", 12) == 0)
    assert len(partners) > 25  # 50 draws of 50; index modulo size would meet 25 at most (gcd 2)


def numbers_in_step(step, accumulate, batch, world):
    dealt = {"accumulate": accumulate, "batch": batch, "world": world}
    return [
        sample_number(step, micro, rank, i, **dealt)
        for micro in range(accumulate)
        for rank in range(world)
        for i in range(batch)
    ]


@pytest.mark.parametrize(("accumulate", "batch", "world"), [(4, 1, 1), (1, 4, 1), (1, 1, 4), (2, 2, 1), (1, 2, 2)])
def test_four_samples_a_step_are_the_same_four_however_dealt(accumulate, batch, world):
    for step in range(6):
        assert sorted(numbers_in_step(step, accumulate, batch, world)) == list(range(4 * step, 4 * step + 4))


@pytest.mark.parametrize(("accumulate", "batch", "world"), [(1, 1, 1), (3, 2, 2), (2, 5, 3)])
def test_no_sample_is_left_out_or_dealt_twice(accumulate, batch, world):
    dealt = [n for step in range(7) for n in numbers_in_step(step, accumulate, batch, world)]
    assert sorted(dealt) == list(range(7 * accumulate * batch * world))


def test_unknown_streams_and_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="unknown stream 'hue'"):
        draw(0, 0, "hue")
    with pytest.raises(ValueError, match="-1"):
        draw(0, -1, "noise")
    with pytest.raises(ValueError, match="0 items"):
        shuffled_index(0, 0, "photo", 0)
