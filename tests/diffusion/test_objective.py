"""Targets, weights and losses against diffusers' own schedulers and against plain arithmetic."""

import math

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.training_utils import compute_snr

from avatar_exp.diffusion.objective import (
    add_noise,
    dreambooth_loss,
    face_weights,
    min_snr_weight,
    mse_per_sample,
    offset_noise,
    posterior_sample,
    predicted_start,
    target,
)

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def batch(size=3):
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, size, 4, 8, 8, generator=generator)
    return latents, noise, torch.randint(0, 1000, (size,), generator=generator)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("scheduler", [DDIMScheduler, DDPMScheduler])
def test_add_noise_is_the_schedulers(scheduler, size):
    latents, noise, timesteps = batch(size)
    theirs = scheduler(**SCHEDULE)
    ours = add_noise(latents, noise, timesteps, theirs.alphas_cumprod)
    torch.testing.assert_close(ours, theirs.add_noise(latents, noise, timesteps), rtol=1e-6, atol=1e-6)


def test_v_target_is_the_schedulers_velocity():
    latents, noise, timesteps = batch()
    theirs = DDPMScheduler(**SCHEDULE, prediction_type="v_prediction")
    ours = target("v_prediction", latents, noise, timesteps, theirs.alphas_cumprod)
    torch.testing.assert_close(ours, theirs.get_velocity(latents, noise, timesteps), rtol=1e-6, atol=1e-6)


def test_epsilon_target_is_the_noise():
    latents, noise, timesteps = batch()
    assert torch.equal(target("epsilon", latents, noise, timesteps, torch.linspace(0.9, 0.1, 1000)), noise)


def test_noise_and_v_together_give_back_the_latents():
    """x_0 = sqrt(alpha_bar) x_t - sqrt(1 - alpha_bar) v."""
    latents, noise, timesteps = batch()
    alpha_bar = torch.linspace(0.99, 0.01, 1000)
    noisy = add_noise(latents, noise, timesteps, alpha_bar)
    v = target("v_prediction", latents, noise, timesteps, alpha_bar)
    chosen = alpha_bar[timesteps].view(-1, 1, 1, 1)
    torch.testing.assert_close(chosen.sqrt() * noisy - (1 - chosen).sqrt() * v, latents, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_the_predicted_start_is_the_schedulers(prediction_type):
    noisy, prediction, timesteps = batch()
    theirs = DDIMScheduler(**SCHEDULE, prediction_type=prediction_type, clip_sample=False)
    theirs.set_timesteps(1000)
    ours = predicted_start(prediction_type, noisy, prediction, timesteps, theirs.alphas_cumprod)
    for row, timestep in enumerate(timesteps):
        expected = theirs.step(prediction[row], timestep, noisy[row]).pred_original_sample
        torch.testing.assert_close(ours[row], expected, rtol=1e-5, atol=1e-5)


def test_another_prediction_type_is_refused():
    with pytest.raises(ValueError, match="'sample'"):
        target("sample", *batch(), torch.ones(1000))
    with pytest.raises(ValueError, match="'sample'"):
        predicted_start("sample", *batch(), torch.ones(1000))


def test_posterior_sample_is_the_vaes():
    moments = torch.randn(2, 8, 8, 8, generator=torch.Generator().manual_seed(1)) * 40  # beyond the clamp
    theirs = DiagonalGaussianDistribution(moments)
    mean, log_variance = moments.chunk(2, dim=1)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(2))
    wanted = theirs.sample(torch.Generator().manual_seed(2))
    torch.testing.assert_close(posterior_sample(mean, log_variance, noise), wanted)


def test_stored_moments_are_the_vaes_own():
    """What is stored are posterior.mean and .logvar: a draw from them is posterior.sample()."""
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4).eval()
    with torch.no_grad():
        posterior = vae.encode(torch.rand(1, 3, 16, 16)).latent_dist
    noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(3))
    ours = posterior_sample(posterior.mean, posterior.logvar, noise)
    torch.testing.assert_close(ours, posterior.sample(torch.Generator().manual_seed(3)))


def test_mse_is_each_samples_own_mean():
    prediction, wanted, _ = batch(2)
    rows = [(prediction[i].flatten().tolist(), wanted[i].flatten().tolist()) for i in range(2)]
    by_hand = [math.fsum((p - w) ** 2 for p, w in zip(*row, strict=True)) / len(row[0]) for row in rows]
    assert mse_per_sample(prediction, wanted).tolist() == pytest.approx(by_hand, rel=1e-6)


def test_mse_is_computed_in_single_precision():
    small = torch.full((1, 4), 1e-3, dtype=torch.float16)
    assert mse_per_sample(small, torch.zeros_like(small)).item() == pytest.approx(float(small[0, 0]) ** 2, rel=1e-6)


def test_weights_of_latent_pixels_are_a_weighted_mean():
    prediction, wanted, _ = batch(2)
    weights = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(4))
    by_hand = ((prediction - wanted).double() ** 2 * weights.double()).mean((1, 2, 3))
    assert mse_per_sample(prediction, wanted, weights).tolist() == pytest.approx(by_hand.tolist(), rel=1e-6)
    assert torch.equal(mse_per_sample(prediction, wanted, torch.ones(2, 1, 8, 8)), mse_per_sample(prediction, wanted))


def test_latent_pixels_on_a_face_weigh_more_and_the_mean_is_one():
    boxes = torch.tensor([[0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 1.0, 1.0], [-0.5, 0.0, 0.0625, 0.5]])
    weights = face_weights(boxes, 4.0, 16, 16)
    assert weights.shape == (3, 1, 16, 16)
    assert weights.mean((1, 2, 3)).tolist() == pytest.approx([1.0] * 3)
    first = weights[0, 0]
    assert float(first[8:, 4:12].min()) == pytest.approx(4 * float(first[0, 0]))
    assert float(first[:8].max()) == float(first[8:, :4].max()) == float(first[0, 0])
    assert weights[1].unique().tolist() == pytest.approx([1.0])
    assert (weights[2, 0] > weights[2, 0, 15, 15]).nonzero().tolist() == [[row, 0] for row in range(8)]


def test_a_latent_pixel_that_a_face_half_covers_weighs_half_as_much_more():
    weights = face_weights(torch.tensor([[0.0, 0.0, 1.5 / 16, 1.0]]), 4.0, 16, 16)[0, 0]
    assert float(weights[0, 1] / weights[0, 2]) == pytest.approx(2.5)


def test_faces_in_pictures_that_are_not_square():
    weights = face_weights(torch.tensor([[0.0, 0.5, 1.0, 1.0]]), 3.0, 4, 6)[0, 0]
    assert weights.shape == (4, 6)
    assert weights.tolist() == [[0.5] * 6] * 2 + [[1.5] * 6] * 2


@pytest.mark.parametrize("box", [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0], [0.3, 0.7, 0.3, 0.7]])
def test_without_a_face_all_latent_pixels_weigh_one(box):
    assert torch.equal(face_weights(torch.tensor([box]), 4.0, 8, 8), torch.ones(1, 1, 8, 8))


def test_weights_of_a_mirrored_face_are_mirrored():
    boxes = torch.tensor([[0.125, 0.25, 0.71875, 0.875], [1 - 0.71875, 0.25, 1 - 0.125, 0.875]])
    plain, mirrored = face_weights(boxes, 4.0, 8, 8)
    torch.testing.assert_close(plain.flip(-1), mirrored)


def test_offset_noise_moves_each_channel_as_a_whole():
    """Of variance 1 + strength^2, of which strength^2 is the channel's mean."""
    generator = torch.Generator().manual_seed(0)
    noise, offset = torch.randn(2000, 4, 8, 8, generator=generator), torch.randn(2000, 4, 1, 1, generator=generator)
    moved = offset_noise(noise, offset, 0.5)
    torch.testing.assert_close((moved - noise).var((2, 3)), torch.zeros(2000, 4), rtol=0, atol=1e-12)
    assert float(moved.var()) == pytest.approx(1.25, rel=0.02)
    assert float(moved.mean((2, 3)).var()) == pytest.approx(1 / 64 + 0.25, rel=0.05)
    assert torch.equal(offset_noise(noise, offset, 0.0), noise)


def test_mse_refuses_to_broadcast():
    with pytest.raises(ValueError, match=r"\(1, 4, 8, 8\).*\(2, 4, 8, 8\)"):
        mse_per_sample(torch.zeros(1, 4, 8, 8), torch.zeros(2, 4, 8, 8))


@pytest.mark.parametrize("gamma", [1.0, 5.0])
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_min_snr_weight_is_the_papers(prediction_type, gamma):
    scheduler = DDPMScheduler(**SCHEDULE)
    timesteps = torch.arange(0, 1000, 37)
    snr = compute_snr(scheduler, timesteps).double()
    divisor = snr + 1 if prediction_type == "v_prediction" else snr
    wanted = (torch.stack([snr, torch.full_like(snr, gamma)]).min(0).values / divisor).float()
    weight = min_snr_weight(timesteps, scheduler.alphas_cumprod, gamma, prediction_type)
    torch.testing.assert_close(weight, wanted, rtol=1e-4, atol=0)


def test_min_snr_weight_at_both_ends_of_the_schedule():
    alphas = torch.tensor([1.0 - 1e-7, 0.5, 0.0])  # the last: zero terminal SNR
    epsilon = min_snr_weight(torch.arange(3), alphas, 5.0, "epsilon")
    v = min_snr_weight(torch.arange(3), alphas, 5.0, "v_prediction")
    assert epsilon[1:].tolist() == [1.0, 1.0]
    assert v.tolist() == pytest.approx([0.0, 0.5, 0.0], abs=1e-5)
    assert torch.isfinite(torch.cat([epsilon, v])).all()


def test_min_snr_weight_belongs_to_its_own_sample():
    """With B photos and B prior pictures there are 2 B timesteps and 2 B weights; order matters."""
    alphas = torch.linspace(0.999, 0.001, 1000)
    both = min_snr_weight(torch.tensor([10, 900]), alphas, 5.0, "epsilon")
    assert both.tolist() == [min_snr_weight(torch.tensor([t]), alphas, 5.0, "epsilon").item() for t in (10, 900)]
    assert both[0] < 0.5 < both[1]


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_loss_is_instance_plus_weighted_prior(size, weight):
    losses = [0.5 + k for k in range(2 * size)]
    loss, parts = dreambooth_loss(torch.tensor(losses), torch.tensor([False] * size + [True] * size), weight)
    instance, prior = sum(losses[:size]) / size, sum(losses[size:]) / size
    assert loss.item() == pytest.approx(instance + weight * prior)
    assert {k: v.item() for k, v in parts.items()} == pytest.approx(
        {"loss": instance + weight * prior, "loss_instance": instance, "loss_prior": prior}
    )


@pytest.mark.parametrize("size", [1, 2])
def test_without_prior_the_loss_is_the_instances(size):
    losses = torch.rand(size, generator=torch.Generator().manual_seed(size))
    loss, parts = dreambooth_loss(losses, torch.zeros(size, dtype=torch.bool), 1.0)
    assert loss.item() == pytest.approx(sum(losses.tolist()) / size)
    assert set(parts) == {"loss", "loss_instance"}


def test_the_balance_does_not_depend_on_how_many_there_are_of_each():
    is_prior = torch.tensor([False, True, True, True])
    loss, _ = dreambooth_loss(torch.tensor([2.0, 1.0, 1.0, 1.0]), is_prior, 0.5)
    assert loss.item() == pytest.approx(2.5)


def test_gradients_carry_the_prior_weight():
    losses = torch.tensor([1.0, 3.0, 5.0, 7.0], requires_grad=True)
    dreambooth_loss(losses, torch.tensor([False, False, True, True]), 0.3)[0].backward()
    assert losses.grad.tolist() == pytest.approx([0.5, 0.5, 0.15, 0.15])


@pytest.mark.parametrize(
    ("losses", "is_prior"),
    [(torch.rand(2), torch.zeros(1, dtype=torch.bool)), (torch.rand(2, 1), torch.zeros(2, 1, dtype=torch.bool))],
)
def test_a_loss_that_is_not_one_number_a_sample_is_refused(losses, is_prior):
    with pytest.raises(ValueError, match=r"must be \[B\]"):
        dreambooth_loss(losses, is_prior, 1.0)


def test_a_batch_without_the_subject_is_refused():
    with pytest.raises(ValueError, match="at least one must show the subject"):
        dreambooth_loss(torch.rand(2), torch.ones(2, dtype=torch.bool), 1.0)
