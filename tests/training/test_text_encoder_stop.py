"""A text encoder that stops early: weights, moments and average, step by step."""

from functools import partial
from itertools import pairwise

import pytest
import pytorch_lightning as pl
import torch

from avatar_exp.data.datamodule import DreamBoothData
from avatar_exp.data.latents import Moments
from avatar_exp.data.training_set import Example, TrainingSet
from avatar_exp.models.load import load
from avatar_exp.models.trainable import Full
from avatar_exp.training.module import DreamBooth
from avatar_exp.training.optimizers import adamw, adamw8bit

STOP, STEPS = 2, 4


def constant(optimizer, **schedule):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)


def training_set(components):
    moments = Moments(*torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)))
    texts = components.token_ids(["photo of minh person", "photo of a person"])
    return TrainingSet([Example(moments, None, texts[0])], [Example(moments, None, texts[1])])


class Watch(pl.Callback):
    """What there is of a network after each step: weights, what the optimizer keeps of them, their average."""

    def __init__(self):
        self.seen = {"unet": [], "text_encoder": []}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        average = iter(pl_module.average._model.shadow_params)
        for name, network in pl_module.trained.items():
            parameters = list(network.parameters())
            kept = [value for p in parameters for _, value in sorted(trainer.optimizers[0].state[p].items())]
            self.seen[name].append({
                "weights": [p.detach().clone() for p in parameters],
                "kept": [torch.as_tensor(value).clone() for value in kept],
                "average": [next(average).clone() for _ in parameters],
            })  # fmt: skip


def watched(components, optimizer, accumulate=1, **options):
    components.ema = 0.5
    module = DreamBooth(
        components, Full().prepare(components), optimizer=optimizer, lr_scheduler=constant,
        learning_rates={"unet": 1e-3, "text_encoder": 1e-3}, **options,
    )  # fmt: skip
    watch = Watch()
    trainer = pl.Trainer(
        max_steps=STEPS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[watch], accumulate_grad_batches=accumulate, gradient_clip_val=1.0,
    )  # fmt: skip
    trainer.fit(module, DreamBoothData(sets=[training_set(components)]))
    return watch.seen


def moved(seen, what):
    """Between which steps anything of it changed."""
    pairs = [zip(one[what], two[what], strict=True) for one, two in pairwise(seen)]
    return [any(not torch.equal(*pair) for pair in step) for step in pairs]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("optimizer", [partial(adamw, weight_decay=0.1), partial(adamw8bit, weight_decay=0.1)])
def test_weights_decay_and_moments_stand_still_and_the_average_catches_up(components, optimizer, accumulate):
    seen = watched(components, optimizer, accumulate, text_encoder_stop=STOP)
    text = seen["text_encoder"]
    assert len(text) == STEPS
    assert moved(text, "weights") == moved(text, "kept") == [True, False, False]
    assert moved(text, "average") == [True, True, True]
    for what in ("weights", "kept", "average"):
        assert moved(seen["unet"], what) == [True, True, True]


def test_until_then_nothing_is_different(components, tiny_random):
    straight = watched(components, adamw)
    stopped = watched(load(str(tiny_random)), adamw, text_encoder_stop=STOP)
    for network in ("unet", "text_encoder"):
        for step in range(STOP):
            for what in ("weights", "kept", "average"):
                same = zip(straight[network][step][what], stopped[network][step][what], strict=True)
                assert all(torch.equal(*pair) for pair in same)
    assert moved(straight["text_encoder"], "weights") == [True, True, True]
