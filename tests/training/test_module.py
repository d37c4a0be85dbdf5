"""What a step of DreamBooth reports, trains and saves; ``test_equations.py`` has its loss and gradients."""

from types import SimpleNamespace

import pytest
import torch

from avatar_exp.data.datamodule import SampleStream
from avatar_exp.data.latents import Moments
from avatar_exp.data.training_set import Example, TrainingSet
from avatar_exp.models.trainable import Full
from avatar_exp.training.module import DreamBooth, NonFiniteLossError

PRIOR_WEIGHT = 0.3


def adamw(groups):
    return torch.optim.AdamW(groups)


def constant(optimizer, **schedule):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)


def module_of(components, method=None, **options):
    chosen = {"optimizer": adamw, "lr_scheduler": constant, "prior_weight": PRIOR_WEIGHT, **options}
    chosen.setdefault("learning_rates", {"unet": 1e-3, "text_encoder": 1e-4})
    return DreamBooth(components, (method or Full()).prepare(components), **chosen)


def batch_of(components, size, prior, text_is_trained=True):
    def example(seed, prompt):
        mean, log_variance = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
        ids = components.token_ids([prompt])
        with torch.no_grad():
            return Example(
                Moments(mean * 5, log_variance - 3), None, ids[0] if text_is_trained else components.text_states(ids)[0]
            )

    instance = [example(n, "photo of minh person") for n in range(3)]
    class_pictures = [example(10 + n, "photo of a person") for n in range(4)] if prior else []
    stream = SampleStream([TrainingSet(instance, class_pictures)], seed=1, batch_size=size, timesteps=1000)
    return next(iter(stream))


def test_both_losses_are_reported(components):
    module, batch = module_of(components), batch_of(components, 2, True)
    found = {name: value.item() for name, value in module.training_step(batch, 0).items()}
    assert found["train/loss"] == pytest.approx(found["train/loss_instance"] + PRIOR_WEIGHT * found["train/loss_prior"])
    per_sample = module.per_sample_loss(batch)
    assert found["train/loss_instance"] == pytest.approx(per_sample[:2].mean().item(), rel=1e-5)


def test_cached_text_states_give_the_same_loss(components):
    """A frozen text encoder's states are stored; nothing else may differ."""
    trained = module_of(components, Full(unet=True, text_encoder=True))
    fresh = trained.per_sample_loss(batch_of(components, 2, True))
    frozen = module_of(components, Full(unet=True, text_encoder=False))
    stored = frozen.per_sample_loss(batch_of(components, 2, True, text_is_trained=False))
    torch.testing.assert_close(fresh, stored, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", [Full(), Full(text_encoder=False), Full(unet=False)])
def test_only_what_is_trained_gets_gradients(components, method):
    module = module_of(components, method)
    batch = batch_of(components, 1, True, text_is_trained=method.text_encoder)
    module.training_step(batch, 0)["loss"].backward()
    for name, network in components.modules.items():
        with_gradient = any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
        assert with_gradient == (name in module.trained)


def test_checkpoints_hold_nothing_frozen(components):
    keys = module_of(components, Full(text_encoder=False)).state_dict()
    assert {key.split(".")[:2][1] for key in keys} == {"unet"}
    assert len(keys) == len(components.unet.state_dict())


def test_each_network_has_its_own_learning_rate(components):
    configured = module_of(components).configure_optimizers()
    groups = configured["optimizer"].param_groups
    assert {group["name"]: group["lr"] for group in groups} == {"unet": 1e-3, "text_encoder": 1e-4}
    assert [len(group["params"]) for group in groups] == [
        len(list(network.parameters())) for network in (components.unet, components.text_encoder)
    ]
    assert configured["lr_scheduler"]["interval"] == "step"


def test_the_schedule_is_told_its_length_in_optimizer_steps(components):
    told = {}
    module_of(
        components, lr_warmup_steps=5, max_steps=40, lr_scheduler=lambda optimizer, **schedule: told.update(schedule)
    ).configure_optimizers()
    assert told == {"num_warmup_steps": 5, "num_training_steps": 40}


def test_a_loss_that_is_not_finite_stops_before_anything_is_updated(components):
    module, batch = module_of(components), batch_of(components, 1, True)
    module._trainer = SimpleNamespace(global_step=7)
    batch["mean"][0, 0, 0, 0] = float("nan")
    with pytest.raises(NonFiniteLossError, match=r"nan in step 8.*loss_prior"):
        module.training_step(batch, 0)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_gradient_norm_is_of_all_that_is_trained(components):
    module = module_of(components)
    module.training_step(batch_of(components, 1, True), 0)["loss"].backward()
    module.on_before_optimizer_step(adamw([{"params": list(module.parameters())}]))
    by_hand = sum(p.grad.double().square().sum() for p in module.parameters() if p.grad is not None) ** 0.5
    assert module.gradient_norm.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_the_average_travels_with_the_checkpoint(components):
    components.ema = 0.5
    module, checkpoint = module_of(components), {}
    components.unet.conv_in.weight.data += 1
    module.average.step()
    module.on_save_checkpoint(checkpoint)
    saved = [p.clone() for p in checkpoint["average"]["shadow_params"]]
    other = module_of(components)
    other.on_load_checkpoint({"average": {**checkpoint["average"], "shadow_params": saved}})
    with other.average.applied():
        assert all(torch.equal(p, s) for p, s in zip(other.average._parameters, saved, strict=True))


def test_without_an_average_the_checkpoint_has_none(components):
    checkpoint = {}
    module_of(components).on_save_checkpoint(checkpoint)
    assert checkpoint == {}
