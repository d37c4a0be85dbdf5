"""What networks draw in training is a function of seed and micro-batch."""

from types import SimpleNamespace

import torch

from avatar_exp.training.callbacks.dropout import SeedDropout


def drawn(step, batch_idx, seed=7, accumulate=2, rank=0):
    trainer = SimpleNamespace(
        global_step=step, global_rank=rank, world_size=2, accumulate_grad_batches=accumulate, is_global_zero=True
    )
    with torch.random.fork_rng():
        SeedDropout(SimpleNamespace(seed=seed)).on_train_batch_start(trainer, None, {}, batch_idx)
        return torch.nn.functional.dropout(torch.ones(64), 0.5)


def test_the_same_micro_batch_drops_the_same_whatever_was_drawn_before():
    first = drawn(3, 6)
    torch.rand(5)
    assert torch.equal(first, drawn(3, 6))
    assert torch.equal(first, drawn(3, 0))  # counted from the start of the run, or from where it was resumed


def test_another_step_micro_batch_rank_or_seed_drops_another():
    others = [drawn(4, 6), drawn(3, 7), drawn(3, 6, seed=8), drawn(3, 6, rank=1)]
    assert not any(torch.equal(drawn(3, 6), other) for other in others)
