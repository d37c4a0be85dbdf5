"""Part 7: the UNet, with the text encoder trained along."""

import json
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextModel

from avatar_exp.diffusion.objective import (
    add_noise,
    face_weights,
    min_snr_weight,
    mse_per_sample,
    posterior_sample,
    target,
)
from avatar_exp.tiny.autoencoder import LATENT_CHANNELS
from avatar_exp.tiny.bench import Bench, Figures, Settings, fresh_folder, publish, replace_folder, write_json
from avatar_exp.tiny.clip import caption_ids, load_clip
from avatar_exp.tiny.fitting import Every, Trained, fit, generator_of, groups_of
from avatar_exp.tiny.latents import load_moments
from avatar_exp.tiny.pictures import CAPTIONS, held_out_pictures, training_pictures
from avatar_exp.tiny.tokenizer import MAX_TOKENS, load_tokenizer, token_ids

EMPTY_SHARE = 0.1  # captions dropped, so that classifier-free guidance works (Ho & Salimans 2022)
GAMMA = 5.0
TEXT_LR = 0.3  # of the UNet's
FACE = 4.0  # times the weight of the rest: a fault is seen there first, and it is a fifth of a picture
SNAPSHOT_SECONDS = 480.0


def new_unet() -> Any:
    """About 8.4 million parameters: SD 1.5's blocks, one layer each; attention at 8 x 8 and 4 x 4 only."""
    torch.manual_seed(0)
    model: Any = UNet2DConditionModel(
        sample_size=16,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(96, 128, 144),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=128,
        attention_head_dim=4,  # diffusers means the number of heads
        norm_num_groups=16,
    )
    model.set_attn_processor(AttnProcessor())  # a third faster: the gradient of fused attention is slow on a CPU
    return model


def new_scheduler() -> Any:
    """The noise schedule of SD 1.5."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        clip_sample=False,
        steps_offset=1,
    )


def text_encoder_from(clip: Any) -> Any:
    """A CLIPTextModel with the weights of CLIP's text tower."""
    encoder: Any = CLIPTextModel._from_config(clip.config.text_config, attn_implementation="eager")
    tower = {key.removeprefix("text_model."): value for key, value in clip.text_model.state_dict().items()}
    own = {key.removeprefix("text_model."): key for key in encoder.state_dict()}
    encoder.load_state_dict({own[key]: value for key, value in tower.items() if key in own})
    return encoder


class Denoising(Trained):
    """Predict the noise in scaled latents, given a caption."""

    def __init__(
        self, model: nn.ModuleDict, settings: Settings, moments: Tensor, ids: Tensor, empty: Tensor, boxes: Tensor
    ) -> None:
        """moments: [N, 16, 16, 16], of scaled latents; ids: [N, CAPTIONS, 77]; empty: [77]; boxes: [N, 4], of faces."""
        super().__init__(model, settings)
        self.moments, self.ids, self.empty, self.boxes = moments, ids, empty, boxes
        self.alphas_cumprod = new_scheduler().alphas_cumprod

    def groups(self) -> list[dict[str, Any]]:
        """The text encoder, which has learnt already, moves more slowly."""
        return [
            *groups_of(self.model["unet"], self.settings),
            *groups_of(self.model["text_encoder"], self.settings, TEXT_LR),
        ]

    def loss(self, step: int) -> Tensor:
        """Min-SNR weighted error of the predicted noise."""
        batch = self.settings.batch
        rows = torch.randint(len(self.moments), (batch,), generator=generator_of(step, "photo"))
        timesteps = torch.randint(1000, (batch,), generator=generator_of(step, "timestep"))
        draws = generator_of(step, "caption")
        ids = self.ids[rows, torch.randint(CAPTIONS, (batch,), generator=draws)]
        dropped = torch.rand(batch, 1, generator=draws) < EMPTY_SHARE
        ids = torch.where(dropped, self.empty, ids)
        weights = face_weights(self.boxes[rows], FACE, *self.moments.shape[-2:])
        errors = self.errors(self.model, rows, ids, timesteps, step, weights)
        return (min_snr_weight(timesteps, self.alphas_cumprod, GAMMA, "epsilon").to(self.device) * errors).mean()

    def errors(
        self, model: Any, rows: Tensor, ids: Tensor, timesteps: Tensor, step: int, weights: Tensor | None = None
    ) -> Tensor:
        """Squared error of the predicted noise for each sample, [B]; weights: [B, 1, h, w], of mean 1."""
        mean, log_variance = self.moments[rows].float().chunk(2, dim=1)
        posterior = torch.randn(mean.shape, generator=generator_of(step, "posterior"))
        noise = torch.randn(mean.shape, generator=generator_of(step, "noise"))
        latents, noise = posterior_sample(mean, log_variance, posterior).to(self.device), noise.to(self.device)
        noisy = add_noise(latents, noise, timesteps, self.alphas_cumprod)
        text = model["text_encoder"](ids.to(self.device)).last_hidden_state
        found = model["unet"](noisy, timesteps.to(self.device), text).sample
        wanted = target("epsilon", latents, noise, timesteps, self.alphas_cumprod)
        return mse_per_sample(found, wanted, None if weights is None else weights.to(self.device))


def scaled_moments(bench: Bench, which: str) -> Tensor:
    """[N, 16, 16, 16] fp16: moments of the latents times the autoencoder's scaling factor."""
    scale = json.loads((bench.out / "vae" / "config.json").read_text())["scaling_factor"]
    mean, log_variance = load_moments(bench.work, which).float().chunk(2, dim=1)
    return torch.cat([mean * scale, log_variance + 2 * torch.tensor(scale).log()], dim=1).half()


def export(bench: Bench, model: Any) -> None:
    """Publish ``unet/``, ``text_encoder/``, ``scheduler/`` and the ``model_index.json`` that makes it a pipeline."""
    publish(bench.out / "unet", model["unet"])
    publish(bench.out / "text_encoder", model["text_encoder"])
    new = fresh_folder(bench.out / "scheduler")
    new_scheduler().save_pretrained(new)
    settings = json.loads((new / "scheduler_config.json").read_text())
    # As in SD 1.5: what PNDM and DDIM read, so that any scheduler can be made from this config.
    settings |= {"_class_name": "PNDMScheduler", "set_alpha_to_one": False, "skip_prk_steps": True}
    write_json(new / "scheduler_config.json", settings)
    replace_folder(new, bench.out / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": settings["_diffusers_version"],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    write_json(bench.out / "model_index.json", index)


@torch.no_grad()
def held_out_error(bench: Bench, module: Denoising) -> float:
    """Mean squared error of the noise over held-out pictures, times spread evenly; about 1 for an untrained UNet."""
    pictures = held_out_pictures(bench.work)
    ids = caption_ids(load_tokenizer(bench), pictures)[:, 0]
    boxes = torch.from_numpy(pictures.boxes)
    seen = Denoising(module.averaged, bench.settings, scaled_moments(bench, "held_out"), ids, module.empty, boxes)
    rows = torch.arange(len(pictures))
    timesteps = (rows * 1000) // len(rows)
    parts = [
        seen.errors(module.averaged, rows[i : i + 64], ids[i : i + 64], timesteps[i : i + 64], i)
        for i in range(0, len(rows), 64)
    ]
    return float(torch.cat(parts).mean())


def run(bench: Bench) -> Figures:
    """Train; publish a snapshot of the averaged weights every few minutes, and the last ones."""
    tokenizer = load_tokenizer(bench)
    empty: Tensor = token_ids(tokenizer, [""]).reshape(MAX_TOKENS)
    pictures = training_pictures(bench.work)
    ids, boxes = caption_ids(tokenizer, pictures), torch.from_numpy(pictures.boxes)
    model = nn.ModuleDict({"unet": new_unet(), "text_encoder": text_encoder_from(load_clip(bench))})
    module = Denoising(model, bench.settings, scaled_moments(bench, "training"), ids, empty, boxes)
    snapshot = Every(SNAPSHOT_SECONDS, lambda trainer: export(bench, module.averaged))
    figures = fit(bench, module, [snapshot])
    export(bench, module.averaged)
    return {**figures, "held_out_error": held_out_error(bench, module)}
