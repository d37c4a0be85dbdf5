"""DreamBooth (Ruiz et al. 2022) as a LightningModule: connects networks, objective and optimizer; nothing else."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import chain
from typing import Any, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from avatar_exp.data.datamodule import Batch
from avatar_exp.diffusion.objective import add_noise, dreambooth_loss, posterior_sample, target
from avatar_exp.errors import UserError
from avatar_exp.models.components import Components
from avatar_exp.models.trainable import Average
from avatar_exp.training.objective import PLAIN, Objective
from avatar_exp.training.optimizers import paged_again

MakeOptimizer = Callable[[list[dict[str, Any]]], Optimizer]
MakeScheduler = Callable[..., Any]


class NonFiniteLossError(UserError):
    """The loss is infinite or not a number; nothing was updated with it."""


class DreamBooth(pl.LightningModule):
    """Trains ``trained`` networks of ``components`` with prior preservation.

    Only what is trained is registered, so checkpoints hold nothing frozen.
    """

    def __init__(
        self,
        components: Components,
        trained: Mapping[str, nn.Module],
        *,
        optimizer: MakeOptimizer,
        lr_scheduler: MakeScheduler,
        learning_rates: Mapping[str, float],
        lr_warmup_steps: int = 0,
        max_steps: int = 800,
        prior_weight: float = 1.0,
        objective: Objective = PLAIN,
        text_encoder_stop: int | None = None,
    ) -> None:
        """``learning_rates`` by name of the trained network, as the optimizer gets them (already scaled).

        After ``text_encoder_stop`` optimizer steps (None: never) the text encoder learns no more.
        """
        super().__init__()
        self.components = components
        self.trained = nn.ModuleDict(dict(trained))
        self.average = Average(trained, components.ema) if components.ema else None
        self.learning: frozenset[str] = frozenset()  # which networks had gradients in the last step
        self.make_optimizer, self.make_scheduler = optimizer, lr_scheduler
        self.learning_rates, self.prior_weight = dict(learning_rates), prior_weight
        self.objective, self.text_encoder_stop = objective, text_encoder_stop
        self.schedule = {"num_warmup_steps": lr_warmup_steps, "num_training_steps": max_steps}
        self.gradient_norm = torch.zeros(())
        self.alphas_cumprod: Tensor
        self.register_buffer("alphas_cumprod", components.scheduler.alphas_cumprod.clone(), persistent=False)

    def per_sample_loss(self, batch: Batch) -> Tensor:
        """[B]: error of the UNet's prediction for each row of the batch, in one forward pass."""
        prediction_type = self.components.scheduler.config.prediction_type
        timesteps, noise = batch["timesteps"], self.objective.noise(batch)
        latents = posterior_sample(batch["mean"], batch["log_variance"], batch["posterior_noise"])
        latents = latents * self.components.vae.config.scaling_factor
        noisy = add_noise(latents, noise, timesteps, self.alphas_cumprod)
        states = self.text_states(batch["text"])
        prediction = self.components.unet(noisy, timesteps, encoder_hidden_states=states).sample
        wanted = target(prediction_type, latents, noise, timesteps, self.alphas_cumprod)
        return self.objective.errors(prediction, wanted, batch, self.alphas_cumprod, prediction_type)

    def text_states(self, text: Tensor) -> Tensor:
        """[B, 77, D]: stored states as they are, token ids through the text encoder that is trained.

        Once that has stopped it gets no gradients at all: the optimizer then passes over its weights, their decay and
        their moments, and its backward pass is saved. Whether it has depends on the step alone, so a resumed run knows.
        """
        if "text_encoder" not in self.trained:
            return text
        stopped = self.text_encoder_stop is not None and self.global_step >= self.text_encoder_stop
        with torch.no_grad() if stopped else nullcontext():
            return self.components.text_states(text)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One micro-batch; returns ``loss`` for Lightning and ``train/*``, detached, for the metrics callback.

        Raises:
            NonFiniteLossError: before anything is updated.
        """
        loss, parts = dreambooth_loss(self.per_sample_loss(batch), batch["is_prior"], self.prior_weight)
        if not torch.isfinite(loss):
            raise NonFiniteLossError(
                f"the loss is {loss.item()} in step {self.trainer.global_step + 1}. Its parts: "
                + ", ".join(f"{name} {value.item():.3g}" for name, value in parts.items())
                + ". A lower lr, precision=bf16-mixed or 32-true, or lr_warmup_steps=50 usually cures it; "
                "the last checkpoint can be resumed."
            )
        return {"loss": loss, **{f"train/{name}": value for name, value in parts.items()}}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """The gradient norm before clipping, and who learns; Lightning has already unscaled fp16 gradients here."""
        gradients = {
            name: [p.grad for p in network.parameters() if p.grad is not None] for name, network in self.trained.items()
        }
        self.learning = frozenset(name for name, own in gradients.items() if own)
        self.gradient_norm = torch.nn.utils.get_total_norm(list(chain.from_iterable(gradients.values())))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """The step, then its share in the average.

        Not in ``on_train_batch_end``, which comes after the callbacks': a checkpoint would miss the newest share, and
        the gradients, as large as the weights, would lie beside all that is drawn and scored before the next step.
        """
        super().optimizer_step(*args, **kwargs)
        self.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.step()

    def configure_optimizers(self) -> Any:
        """One parameter group for each trained network, with its own learning rate and the same schedule."""
        groups = [
            {
                "params": [p for p in module.parameters() if p.requires_grad],
                "lr": self.learning_rates[name],
                "name": name,
            }
            for name, module in self.trained.items()
        ]
        optimizer = self.make_optimizer(groups)
        scheduler = self.make_scheduler(optimizer=optimizer, **self.schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Everything but the bookkeeping, without waiting."""
        return {name: value.to(device, non_blocking=True) for name, value in batch.items()}

    def on_fit_start(self) -> None:
        """The frozen networks are not registered, so Lightning does not move them."""
        self.components.to(self.device)

    def on_train_start(self) -> None:
        """A checkpoint's moments have been taken whole onto the GPU by now."""
        if self.trainer.global_step:
            paged_again(self.trainer.optimizers[0])

    def cpu(self) -> Self:
        """Stays where it is: Lightning's teardown calls this, but what was trained is drawn with and written next, and
        the host's memory may not hold it (Colab's 12.7 GB)."""
        return self

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The average belongs to the state."""
        if self.average is not None:
            checkpoint["average"] = self.average.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The average goes on where it was."""
        if self.average is not None:
            self.average.load_state_dict(checkpoint["average"])
