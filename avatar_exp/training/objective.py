"""What of the plain objective of DreamBooth can be changed; docs/options.md says when one would want to."""

from dataclasses import dataclass

from torch import Tensor

from avatar_exp.data.datamodule import Batch
from avatar_exp.diffusion.objective import face_weights, min_snr_weight, mse_per_sample, offset_noise


@dataclass(frozen=True)
class Objective:
    """Options of the loss, off by default. The fields are the keys of the config group ``objective``.

    Photos and prior pictures are treated alike, so that ``prior.weight`` keeps its meaning; but only photos have faces
    to weigh: of the class nothing matters more than the rest.

    Args:
        min_snr_gamma: gamma of Hang et al. 2023, > 0; None: every timestep counts alike.
        offset_noise: strength of the offset, >= 0.
        face_weight: how many times as much a latent pixel on the face counts, >= 1; None: all alike.
    """

    min_snr_gamma: float | None = None
    offset_noise: float = 0.0
    face_weight: float | None = None

    def noise(self, batch: Batch) -> Tensor:
        """[B, C, H, W]: the noise that is added to the latents, and learnt."""
        if not self.offset_noise:
            return batch["noise"]
        return offset_noise(batch["noise"], batch["offset"], self.offset_noise)

    def errors(
        self, prediction: Tensor, wanted: Tensor, batch: Batch, alphas_cumprod: Tensor, prediction_type: str
    ) -> Tensor:
        """[B]: weighted squared error of each sample's prediction [B, C, H, W]."""
        weights = None
        if self.face_weight is not None:
            weights = face_weights(batch["face"], self.face_weight, *wanted.shape[-2:])
        errors = mse_per_sample(prediction, wanted, weights)
        if self.min_snr_gamma is None:
            return errors
        return errors * min_snr_weight(batch["timesteps"], alphas_cumprod, self.min_snr_gamma, prediction_type)


PLAIN = Objective()
