"""Part 2: the autoencoder (AutoencoderKL, 8 pixels to 1), 128 x 128 x 3 to 8 x 16 x 16."""

from collections.abc import Collection
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from avatar_exp.tiny.bench import Bench, Figures, Settings, publish
from avatar_exp.tiny.fitting import Trained, fit, generator_of
from avatar_exp.tiny.pictures import SIZE, Pictures, held_out_pictures, to_floats, training_pictures

LATENT_CHANNELS = 8
CROP = 64  # pixels: convolutions learn as much from a crop, at a quarter of the price
KL_WEIGHT = 1e-6


def new_autoencoder() -> Any:
    """About 3.3 million parameters, most of them where the pictures are small and they cost little."""
    torch.manual_seed(0)
    model: Any = AutoencoderKL(
        block_out_channels=(32, 48, 96, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=16,
        sample_size=SIZE,
    )
    model.set_attn_processor(AttnProcessor())  # on a CPU, the gradient of torch's fused attention is slow
    return model


def crops(pictures: Pictures, step: int, batch: int, faces: Collection[int] = (1, 3)) -> Tensor:
    """[batch, 3, 64, 64] in [-1, 1], half of them mirrored; ``faces``: which of every four are near the face."""
    generator = generator_of(step, "photo")
    rows = torch.randint(len(pictures), (batch,), generator=generator).tolist()
    corners = torch.randint(SIZE - CROP + 1, (batch, 2), generator=generator).tolist()
    jitter = torch.randint(-8, 9, (batch, 2), generator=generator).tolist()
    found = []
    for i, (row, corner) in enumerate(zip(rows, corners, strict=True)):
        left, top = corner
        if i % 4 in faces:
            box = pictures.boxes[row] * SIZE
            left = int((box[0] + box[2]) / 2) - CROP // 2 + jitter[i][0]
            top = int((box[1] + box[3]) / 2) - CROP // 2 + jitter[i][1]
        left, top = (min(max(0, edge), SIZE - CROP) for edge in (left, top))
        crop = pictures.pixels[row, top : top + CROP, left : left + CROP]
        found.append(to_floats(crop[None, :, ::-1] if i % 4 >= 2 else crop[None]))
    return torch.cat(found)


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """L1 + 3 MSE + 0.3 L1 of the finite differences along x and y (which keeps the drawn edges sharp); a scalar."""
    error = made - wanted
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    loss: Tensor = error.abs().mean() + 3 * error.square().mean() + 0.3 * edges
    return loss


class Autoencoding(Trained):
    """Reconstruct crops through a draw from the posterior."""

    def __init__(self, model: Any, settings: Settings, pictures: Pictures) -> None:
        super().__init__(model, settings)
        self.pictures = pictures

    def loss(self, step: int) -> Tensor:
        """Reconstruction of the step's crops, and a little of the posterior's distance from a normal."""
        wanted = crops(self.pictures, step, self.settings.batch).to(self.device)
        posterior = self.model.encode(wanted).latent_dist
        made = self.model.decode(posterior.sample(generator=generator_of(step, "posterior"))).sample
        divergence: Tensor = posterior.kl().float().mean()
        return reconstruction_loss(made.float(), wanted) + KL_WEIGHT * divergence


@torch.no_grad()
def some_latents(model: Any, pictures: Pictures, count: int = 512) -> Tensor:
    """[count, 8, 16, 16]: posterior samples of pictures spread through the set."""
    rows = torch.linspace(0, len(pictures) - 1, min(count, len(pictures))).long().tolist()
    generator = generator_of(0, "noise")
    latents = [
        model.encode(pictures.floats(rows[i : i + 32])).latent_dist.sample(generator=generator)
        for i in range(0, len(rows), 32)
    ]
    return torch.cat(latents)


@torch.no_grad()
def even_channels(model: Any, latents: Tensor) -> None:
    """Give each latent channel mean 0 and standard deviation 1 over ``latents``, changing no reconstruction.

    Diffusion adds the same noise to every channel, so one that is small would drown early, and one scaling factor for
    all (LDM, appendix G) cannot help that. The 1 x 1 convolutions before and after the latents can.
    """
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    before, after, channels = model.quant_conv, model.post_quant_conv, len(mean)
    before.weight[:channels] /= std.reshape(-1, 1, 1, 1)
    before.bias[:channels] = (before.bias[:channels] - mean) / std
    before.bias[channels:] -= 2 * std.log()  # log-variances
    after.bias += after.weight[:, :, 0, 0] @ mean
    after.weight *= std.reshape(1, -1, 1, 1)


@torch.no_grad()
def psnr(model: Any, pictures: Pictures) -> Figures:
    """Mean PSNR in dB, decoding the posterior's mean: of whole pictures, and inside the face box."""
    whole, face = [], []
    for i in range(0, len(pictures), 16):
        wanted = pictures.floats(slice(i, i + 16))
        made = model.decode(model.encode(wanted).latent_dist.mode()).sample.clamp(-1, 1)
        error = ((made - wanted) / 2).square().mean(1)
        for picture, box in zip(error, pictures.boxes[i : i + 16], strict=True):
            left, top, right, bottom = (round(float(edge) * SIZE) for edge in box)
            whole.append(picture.mean())
            face.append(picture[max(0, top) : bottom, max(0, left) : right].mean())
    return {
        "psnr": float((-10 * torch.stack(whole).log10()).mean()),
        "psnr_face": float((-10 * torch.stack(face).log10()).mean()),
    }


def load_autoencoder(bench: Bench) -> Any:
    """The published autoencoder, in fp32: what later parts see is what ships."""
    return AutoencoderKL.from_pretrained(bench.out / "vae").eval()


def run(bench: Bench) -> Figures:
    """Train, measure the latents' scale, publish ``vae/``, and measure what was published."""
    pictures = training_pictures(bench.work)
    module = Autoencoding(new_autoencoder(), bench.settings, pictures)
    figures = fit(bench, module)
    even_channels(module.averaged, some_latents(module.averaged, pictures))
    scaling_factor = 1 / float(some_latents(module.averaged, pictures).std())
    module.averaged.register_to_config(scaling_factor=scaling_factor)
    publish(bench.out / "vae", module.averaged)
    return {**figures, "scaling_factor": scaling_factor, **psnr(load_autoencoder(bench), held_out_pictures(bench.work))}
