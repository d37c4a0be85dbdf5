"""What diffusion training minimises: targets, weights and losses as pure functions of tensors.

Shapes: B samples, C channels, H x W latent pixels. alpha_bar is the cumulative product of (1 - beta), written
:math:`\\bar\\alpha_t` by Ho et al. (2020), "Denoising Diffusion Probabilistic Models" (DDPM).
"""

from collections.abc import Mapping

import torch
from torch import Tensor


def posterior_sample(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z = mean + exp(log_variance / 2) * noise: a draw from the VAE's posterior (Kingma & Welling 2013, eq. 10).

    All three [B, C, H, W]. ``log_variance`` is clamped to [-30, 20], as diffusers' AutoencoderKL does.
    """
    return mean + torch.exp(0.5 * log_variance.clamp(-30.0, 20.0)) * noise


def _per_sample(values: Tensor, timesteps: Tensor, like: Tensor) -> Tensor:
    """values[timesteps], shaped [B, 1, ...] to broadcast over ``like``."""
    chosen = values.to(device=like.device, dtype=like.dtype)[timesteps.to(like.device)]
    return chosen.reshape(-1, *([1] * (like.ndim - 1)))


def add_noise(latents: Tensor, noise: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps (DDPM, eq. 4).

    latents, noise: [B, C, H, W]; timesteps: [B] integers in [0, T); alphas_cumprod: [T].
    """
    alpha_bar = _per_sample(alphas_cumprod, timesteps, latents)
    return alpha_bar.sqrt() * latents + (1 - alpha_bar).sqrt() * noise


def offset_noise(noise: Tensor, offset: Tensor, strength: float) -> Tensor:
    """noise + strength * offset, [B, C, H, W]: noise whose mean over a picture varies too.

    Guttenberg 2023, "Diffusion with Offset Noise". Plain noise hardly touches that mean, which is why a model learns no
    very dark or bright pictures; Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps are Flawed",
    mend the schedule instead.

    Args:
        noise: [B, C, H, W], standard normal.
        offset: [B, C, 1, 1], standard normal: one number for each sample and channel.
        strength: >= 0; 0.1 in the source.
    """
    return noise + strength * offset


def target(prediction_type: str, latents: Tensor, noise: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """What the UNet is asked to predict, [B, C, H, W].

    ``epsilon``: the noise (DDPM, eq. 14). ``v_prediction``: v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0
    (Salimans & Ho 2022, "Progressive Distillation", section 4).

    Raises:
        ValueError: for another prediction type.
    """
    if prediction_type == "epsilon":
        return noise
    if prediction_type == "v_prediction":
        alpha_bar = _per_sample(alphas_cumprod, timesteps, latents)
        return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * latents
    raise ValueError(f"prediction_type is {prediction_type!r}; expected 'epsilon' or 'v_prediction'")


def predicted_start(
    prediction_type: str, noisy: Tensor, prediction: Tensor, timesteps: Tensor, alphas_cumprod: Tensor
) -> Tensor:
    """x_0 as a prediction implies it, [B, C, H, W] (DDPM, eq. 15; for v, Salimans & Ho 2022, appendix D).

    Raises:
        ValueError: for another prediction type.
    """
    alpha_bar = _per_sample(alphas_cumprod, timesteps, noisy)
    if prediction_type == "epsilon":
        return (noisy - (1 - alpha_bar).sqrt() * prediction) / alpha_bar.sqrt()
    if prediction_type == "v_prediction":
        return alpha_bar.sqrt() * noisy - (1 - alpha_bar).sqrt() * prediction
    raise ValueError(f"prediction_type is {prediction_type!r}; expected 'epsilon' or 'v_prediction'")


def mse_per_sample(prediction: Tensor, wanted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean squared error of each sample, [B], computed in fp32 whatever came in.

    Args:
        prediction: [B, C, H, W]; ``wanted`` likewise.
        weights: [B, 1, H, W] of mean 1 for each sample, such as ``face_weights``; None: every latent pixel alike.

    Raises:
        ValueError: if the shapes differ (broadcasting would hide a wrong batch).
    """
    if prediction.shape != wanted.shape:
        raise ValueError(f"prediction is {tuple(prediction.shape)} but the target is {tuple(wanted.shape)}")
    errors = (prediction.float() - wanted.float()).square()
    return (errors if weights is None else errors * weights).flatten(1).mean(1)


def face_weights(boxes: Tensor, factor: float, height: int, width: int) -> Tensor:
    """[B, 1, height, width]: ``factor`` times as much for a latent pixel in the face's box as outside, with mean 1.

    The masked loss of Avrahami et al. 2023, "Break-A-Scene", made soft. The mean is 1 for each sample: otherwise a
    small face would make a small loss, and small steps. A pixel that a box covers in part gets its share.

    Args:
        boxes: [B, 4] left, top, right, bottom as fractions of the picture. An empty box weighs all pixels alike.
        factor: > 0.
    """

    def covered(low: Tensor, high: Tensor, cells: int) -> Tensor:
        """[B, cells]: the share of each row (or column) of cells between two ends [B]."""
        edges = torch.arange(cells + 1, device=boxes.device, dtype=torch.float64) / cells
        inside = torch.minimum(edges[1:], high[:, None]) - torch.maximum(edges[:-1], low[:, None])
        return (inside * cells).clamp(0, 1)

    left, top, right, bottom = boxes.double().unbind(1)
    inside = covered(top, bottom, height)[:, :, None] * covered(left, right, width)[:, None]
    weights = 1 + (factor - 1) * inside
    return (weights / weights.mean((1, 2), keepdim=True))[:, None].float()


def min_snr_weight(timesteps: Tensor, alphas_cumprod: Tensor, gamma: float, prediction_type: str) -> Tensor:
    """Min-SNR-gamma loss weight of each sample, [B] (Hang et al. 2023, section 3.4).

    SNR_t = alpha_bar_t / (1 - alpha_bar_t). epsilon: min(SNR, gamma) / SNR; v_prediction: min(SNR, gamma) / (SNR + 1).
    At SNR 0 (zero terminal SNR) the epsilon weight is its limit, 1.
    """
    alpha_bar = alphas_cumprod.to(timesteps.device)[timesteps].double()
    snr = alpha_bar / (1 - alpha_bar)
    capped = snr.clamp(max=gamma)
    if prediction_type == "v_prediction":
        return (capped / (snr + 1)).float()
    return torch.where(snr > 0, capped / snr.clamp(min=1e-20), torch.ones_like(snr)).float()


def dreambooth_loss(per_sample: Tensor, is_prior: Tensor, prior_weight: float) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Instance loss + prior_weight * prior loss (Ruiz et al. 2022, "DreamBooth", eq. 2), and the two parts.

    Each part is the mean over its own samples, so the balance does not depend on how many there are of each.

    Args:
        per_sample: [B] losses.
        is_prior: [B] booleans: True for a picture that the base made of the class, False for a photo of the subject.
        prior_weight: lambda of the paper, >= 0.

    Returns:
        The scalar to minimise; and detached ``loss``, ``loss_instance`` and, with prior samples, ``loss_prior``.

    Raises:
        ValueError: if the shapes differ, or no sample shows the subject.
    """
    if per_sample.shape != is_prior.shape or per_sample.ndim != 1:
        raise ValueError(f"per_sample is {tuple(per_sample.shape)}, is_prior {tuple(is_prior.shape)}; both must be [B]")
    if bool(is_prior.all()):
        raise ValueError("every sample of the batch is a prior sample; at least one must show the subject")
    instance = per_sample[~is_prior].mean()
    parts = {"loss_instance": instance.detach()}
    loss = instance
    if bool(is_prior.any()):
        prior = per_sample[is_prior].mean()
        parts["loss_prior"] = prior.detach()
        loss = instance + prior_weight * prior
    return loss, {"loss": loss.detach(), **parts}
