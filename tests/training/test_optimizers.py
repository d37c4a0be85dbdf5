"""Optimizers by name: torch's own AdamW, and a real 8-bit one that works on the CPU."""

from functools import partial

import pytest
import torch
from diffusers.optimization import get_scheduler
from torch import nn

from avatar_exp.training.optimizers import adamw, adamw8bit, paged_again


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 1))


def train(make, steps=20):
    module, generator = model(), torch.Generator().manual_seed(1)
    optimizer = make([{"params": list(module.parameters()), "lr": 3e-3, "name": "unet"}])
    losses = []
    for _ in range(steps):
        inputs = torch.randn(32, 64, generator=generator)
        loss = (module(inputs) - inputs[:, :1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return module, optimizer, losses


@pytest.mark.parametrize("fused", [None, False])
def test_adamw_is_torchs(fused):
    ours, optimizer, _ = train(
        lambda groups: adamw(groups, betas=(0.8, 0.99), eps=1e-7, weight_decay=0.05, fused=fused)
    )
    theirs, _, _ = train(lambda groups: torch.optim.AdamW(groups, betas=(0.8, 0.99), eps=1e-7, weight_decay=0.05))
    for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
    assert optimizer.param_groups[0]["fused"] is (True if fused is None else None)  # None: torch's choice


def test_adamw_is_the_papers_formula():
    """Loshchilov & Hutter 2019, algorithm 2, for one number."""
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = adamw([{"params": [weight], "lr": 0.1}], betas=(0.9, 0.99), eps=1e-8, weight_decay=0.02)
    theta, m, v = 2.0, 0.0, 0.0
    for t in range(1, 6):
        g = 0.3 * t
        weight.grad = torch.tensor([g])
        optimizer.step()
        theta -= 0.1 * 0.02 * theta
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        theta -= 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.99**t)) ** 0.5 + 1e-8)
    assert weight.item() == pytest.approx(theta, rel=1e-5)


def test_eight_bit_adamw_keeps_large_moments_in_eight_bits():
    module, optimizer, _ = train(adamw8bit, steps=2)
    large, small = optimizer.state[module[0].weight], optimizer.state[module[0].bias]
    assert {large["state1"].dtype, large["state2"].dtype} == {torch.uint8}
    assert {small["state1"].dtype, small["state2"].dtype} == {torch.float32}
    assert large["state1"].numel() == 64 * 128


def test_eight_bit_adamw_learns_on_the_cpu_much_as_adamw_does():
    eight, _, eight_losses = train(adamw8bit, 60)
    full, _, losses = train(adamw, 60)
    assert eight_losses[-1] < 0.5 * eight_losses[0]
    assert eight_losses[-1] == pytest.approx(losses[-1], rel=0.25)
    moved = (full[0].weight - model()[0].weight).norm()
    assert (eight[0].weight - full[0].weight).norm() < 0.2 * moved
    assert not torch.equal(eight[0].weight, full[0].weight)


def test_asking_for_paged_moments_changes_no_step_where_there_is_no_gpu_to_page_from():
    plain, _, losses = train(adamw8bit, 10)
    paged, optimizer, paged_losses = train(partial(adamw8bit, paged=True), 10)
    assert optimizer.is_paged
    assert paged_losses == losses
    assert all(torch.equal(one, two) for one, two in zip(plain.parameters(), paged.parameters(), strict=True))


@pytest.mark.parametrize("make", [adamw, adamw8bit, partial(adamw8bit, paged=True)])
def test_state_restored_goes_on_bit_by_bit(make):
    straight, _, _ = train(make, 6)
    first, optimizer, _ = train(make, 3)
    state, weights = optimizer.state_dict(), first.state_dict()
    second = model()
    second.load_state_dict(weights)
    again = make([{"params": list(second.parameters()), "lr": 3e-3, "name": "unet"}])
    again.load_state_dict(state)
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(32, 64, generator=generator) for _ in range(6)]
    for one in inputs[3:]:
        again.zero_grad()
        (second(one) - one[:, :1]).square().mean().backward()
        again.step()
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
def test_schedules_take_what_the_module_gives(name):
    optimizer = adamw([{"params": list(model().parameters()), "lr": 1.0}])
    schedule = get_scheduler(name=name, optimizer=optimizer, num_warmup_steps=0, num_training_steps=10)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == 1.0
    assert (rates[-1] < 0.2) == (name != "constant")


def test_moments_that_were_paged_are_paged_again_after_a_checkpoint(monkeypatch):
    _, optimizer, _ = train(partial(adamw8bit, paged=True), steps=2)
    assert optimizer.is_paged
    asked = []
    plain = type(optimizer).get_state_buffer

    def buffer(self, parameter, dtype):
        asked.append((tuple(parameter.shape), dtype))
        return plain(self, parameter, dtype)

    monkeypatch.setattr(type(optimizer), "get_state_buffer", buffer)
    before = {p: {k: v.clone() for k, v in s.items() if k.startswith("state")} for p, s in optimizer.state.items()}
    for state in optimizer.state.values():
        state["state1"].is_paged = True  # as one that was paged comes from a file
    paged_again(optimizer)
    assert sorted(asked, key=str) == sorted(
        ((tuple(p.shape), v.dtype) for p, s in before.items() for k, v in s.items()), key=str
    )
    for parameter, state in optimizer.state.items():
        for name, value in before[parameter].items():
            assert torch.equal(state[name], value)
        assert not hasattr(state["state1"], "is_paged")
    _, other, _ = train(adamw8bit, steps=1)
    paged_again(other)
    assert len(asked) == sum(map(len, before.values()))
