"""The parts of a Stable Diffusion, held together: what sampling and training both work on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from avatar_exp.store import content_key


def compute_dtype(precision: str) -> torch.dtype:
    """What forward passes run in under a Lightning precision."""
    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision, torch.float32)


@dataclass
class Components:
    """One base, or what training made of it. Weights are fp32; ``compute_dtype`` is what forward passes run in."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    tokenizer: CLIPTokenizer
    scheduler: DDIMScheduler  # its config is what counts: betas, prediction type; samplers are made from it
    path: str  # as it was named: hub id, folder or "tiny"
    fingerprints: dict[str, str]  # of the weights as loaded, by part
    lr_scale: float = 1.0
    lora_lr_scale: float | None = None  # in its place for matrices beside the weights
    ema: float | None = None
    offload: bool = False  # the VAE is on the device only while it draws or encodes
    compute_dtype: torch.dtype = field(default=torch.float32)

    @property
    def fingerprint(self) -> str:
        """Hash of all weights and of the noise schedule."""
        return content_key(self.fingerprints)

    @property
    def device(self) -> torch.device:
        """Where the UNet is."""
        parameter: Tensor = next(self.unet.parameters())
        return parameter.device

    @property
    def downscale(self) -> int:
        """Pixels per latent pixel, along one side (8 for Stable Diffusion)."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def resolution(self) -> int:
        """Side, in pixels, of the pictures that the base was trained on."""
        return int(self.unet.config.sample_size) * self.downscale

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The networks by name."""
        return {"unet": self.unet, "text_encoder": self.text_encoder, "vae": self.vae}

    def to(self, device: torch.device) -> "Components":
        """Move every network, but for a VAE that is to wait where it is."""
        for name, module in self.modules.items():
            if not (self.offload and name == "vae"):
                module.to(device)
        return self

    def checkpoint_gradients(self) -> None:
        """From now on compute activations again in the backward pass: less memory, about a third more time."""
        self.unet.enable_gradient_checkpointing()
        self.text_encoder.gradient_checkpointing_enable()

    def token_ids(self, prompts: Sequence[str]) -> Tensor:
        """[N, 77] ids: always padded to the full length, in training as in sampling; longer prompts are cut."""
        encoded = self.tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        )
        ids: Tensor = encoded.input_ids
        return ids

    def text_states(self, ids: Tensor) -> Tensor:
        """[N, 77, D]: what the UNet attends to. No attention mask: SD 1.x lets the padding be seen."""
        states: Tensor = self.text_encoder(ids.to(self.device)).last_hidden_state
        return states

    @contextmanager
    def vae_at_hand(self) -> Iterator[None]:
        """The VAE is where the UNet is inside, and on the CPU again afterwards if that is where it waits."""
        if self.offload:
            self.vae.to(self.device)
        try:
            yield
        finally:
            if self.offload:
                self.vae.to("cpu")

    @contextmanager
    def inference(self) -> Iterator[None]:
        """No gradients, eval mode, ``compute_dtype``; afterwards every network is in the mode it was in."""
        modes = {name: module.training for name, module in self.modules.items()}
        for module in self.modules.values():
            module.eval()
        half = self.compute_dtype != torch.float32
        try:
            with (
                self.vae_at_hand(),
                torch.no_grad(),
                torch.autocast(self.device.type, self.compute_dtype, enabled=half),
            ):
                yield
        finally:
            for name, module in self.modules.items():
                module.train(modes[name])
