"""Part 8: the decoder alone, trained further: the latents, and all that learnt from them, stay as they are."""

from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from avatar_exp.tiny.autoencoder import crops, load_autoencoder, psnr, reconstruction_loss
from avatar_exp.tiny.bench import Bench, Figures, Settings, publish
from avatar_exp.tiny.fitting import Trained, fit, generator_of, groups_of
from avatar_exp.tiny.pictures import Pictures, held_out_pictures, training_pictures

MSE_WEIGHT = 10.0  # more than before: sharp as they are, the edges must now also be in the right place


class Decoding(Trained):
    """Reconstruct crops from the fixed encoder's latents."""

    def __init__(self, model: Any, settings: Settings, pictures: Pictures) -> None:
        model.set_attn_processor(AttnProcessor())
        super().__init__(model, settings)
        self.pictures = pictures
        self.model.encoder.requires_grad_(False)
        self.model.quant_conv.requires_grad_(False)

    def groups(self) -> list[dict[str, Any]]:
        """The decoder and the convolution before it."""
        return [
            *groups_of(self.model.decoder, self.settings),
            {"params": list(self.model.post_quant_conv.parameters()), "lr": self.settings.lr, "orthogonal": False},
        ]

    def loss(self, step: int) -> Tensor:
        """Reconstruction from a draw of the posterior."""
        wanted = crops(self.pictures, step, self.settings.batch, faces=(1, 2, 3)).to(self.device)
        with torch.no_grad():
            latents = self.model.encode(wanted).latent_dist.sample(generator=generator_of(step, "posterior"))
        made = self.model.decode(latents).sample.float()
        loss: Tensor = reconstruction_loss(made, wanted) + MSE_WEIGHT * (made - wanted).square().mean()
        return loss


def run(bench: Bench) -> Figures:
    """Train, publish ``vae/`` with its new decoder, and measure what was published."""
    module = Decoding(load_autoencoder(bench), bench.settings, training_pictures(bench.work))
    figures = fit(bench, module)
    module.averaged.requires_grad_(False)
    publish(bench.out / "vae", module.averaged)
    return {**figures, **psnr(load_autoencoder(bench), held_out_pictures(bench.work))}
