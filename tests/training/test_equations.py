"""One step of every objective against the papers' equations in plain torch: the loss and every gradient.

``Paper`` knows the pictures and the prompts, and calls nothing of the project's but its draws: which picture is shown,
mirrored or not, with which words, and what is added to it, it works out by itself, sample by sample.
"""

from types import SimpleNamespace

import pytest
import torch

from avatar_exp.data.datamodule import SampleStream
from avatar_exp.data.latents import Moments
from avatar_exp.data.training_set import Example, TrainingSet
from avatar_exp.diffusion.draws import draw, shuffled_index
from avatar_exp.models.load import load
from avatar_exp.models.trainable import Full
from avatar_exp.training.module import DreamBooth
from avatar_exp.training.objective import Objective

PRIOR_WEIGHT, SIDE = 0.3, 8
SEED = 1632  # its first photo is mirrored, loses its caption and is hardly noisy; its second is and does none of that
PROMPTS = {False: "photo of minh person", True: "photo of a person"}
OPTIONS = {
    "plain": {},
    "min-SNR": {"min_snr_gamma": 5.0},
    "min-SNR, gamma 1": {"min_snr_gamma": 1.0},
    "offset noise": {"offset_noise": 0.1},
    "face weight": {"face_weight": 4.0},
    "caption dropout": {"caption_dropout": 0.5},
    "flips": {"flip": True},
    "all": {
        "min_snr_gamma": 5.0, "offset_noise": 0.1, "face_weight": 4.0, "caption_dropout": 0.5, "flip": True,
    },
}  # fmt: skip


def picture(seed, face=None):
    """Latents of a picture and of its mirror image (which are not mirrored latents), and where its face is."""
    mean, log_variance, mean_2, log_variance_2 = torch.randn(4, 4, SIDE, SIDE, generator=draw(seed, 0, "photo"))
    moments, mirrored = Moments(mean * 5, log_variance - 3), Moments(mean_2 * 5, log_variance_2 - 3)
    return {"moments": moments, "mirrored": mirrored, "face": torch.tensor(face or [0.0] * 4)}


FACES = [[0.125, 0.1875, 0.59375, 0.90625], [0.3125, 0.34375, 0.8125, 0.9375], None]
PICTURES = {
    False: [picture(n, face) for n, face in enumerate(FACES)],
    True: [picture(10 + n) for n in range(4)],
}


def batch_of(components, size, prior, options):
    """The first batch as the project deals it."""
    ids = {is_prior: components.token_ids([prompt])[0] for is_prior, prompt in PROMPTS.items()}
    sets = [[Example(text=ids[is_prior], **one) for one in PICTURES[is_prior]] for is_prior in (False, True)]
    dealt = {name: options[name] for name in ("flip", "caption_dropout") if name in options}
    one = TrainingSet(sets[0], sets[1] if prior else [], components.token_ids([""])[0])
    return next(iter(SampleStream([one], seed=SEED, batch_size=size, timesteps=1000, **dealt)))


def module_of(components, options, **more):
    objective = Objective(**{name: value for name, value in options.items() if name not in ("flip", "caption_dropout")})
    return DreamBooth(
        components, Full().prepare(components), optimizer=torch.optim.AdamW, lr_scheduler=None,
        learning_rates={}, prior_weight=PRIOR_WEIGHT, objective=objective, **more,
    )  # fmt: skip


class Paper:
    """Ruiz et al. 2022, eq. 2, and the papers of the options."""

    def __init__(self, components, options, prediction_type):
        self.components, self.is_v = components, prediction_type == "v_prediction"
        self.options = {"flip": False, "caption_dropout": 0.0, **options}
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float32) ** 2
        self.alpha_bar = torch.cumprod(1 - betas, dim=0)

    def words(self, slot, is_prior):
        """Ho & Salimans 2022, algorithm 1: c <- empty with probability p."""
        dropped = torch.rand((), generator=draw(SEED, slot, "caption")) < self.options["caption_dropout"]
        spelt = self.components.tokenizer("" if dropped else PROMPTS[is_prior]).input_ids
        return spelt + [self.components.tokenizer.pad_token_id] * (77 - len(spelt))

    def noise(self, slot):
        """Guttenberg 2023: randn_like(latents) + s * randn(latents.shape[0], latents.shape[1], 1, 1)."""
        plain = torch.randn(4, SIDE, SIDE, generator=draw(SEED, slot, "noise"))
        strength = self.options.get("offset_noise", 0)
        return plain + strength * torch.randn(4, 1, 1, generator=draw(SEED, slot, "offset")) if strength else plain

    def sample(self, n, is_prior):
        """x_t, t, words, target, weight of the sample and of its latent pixels."""
        slot, pictures = 2 * n + is_prior, PICTURES[is_prior]
        shown = pictures[shuffled_index(SEED, n, "prior" if is_prior else "photo", len(pictures))]
        mirror = self.options["flip"] and bool(torch.rand((), generator=draw(SEED, slot, "flip")) < 0.5)
        moments = shown["mirrored" if mirror else "moments"]
        posterior = torch.randn(4, SIDE, SIDE, generator=draw(SEED, slot, "posterior"))
        x0 = moments.mean + torch.exp(moments.log_variance / 2) * posterior
        x0 = x0 * self.components.vae.config.scaling_factor
        t, noise = int(torch.randint(0, 1000, (), generator=draw(SEED, slot, "timestep"))), self.noise(slot)
        signal, spread = self.alpha_bar[t] ** 0.5, (1 - self.alpha_bar[t]) ** 0.5
        wanted = signal * noise - spread * x0 if self.is_v else noise
        pixels = self.pixels(shown["face"].tolist(), mirror)
        return signal * x0 + spread * noise, t, self.words(slot, is_prior), wanted, self.weight(t), pixels

    def weight(self, t):
        """Hang et al. 2023: min(SNR, gamma) / SNR for the noise, min(SNR, gamma) / (SNR + 1) for v."""
        if "min_snr_gamma" not in self.options:
            return 1.0
        alpha_bar = float(self.alpha_bar[t])
        snr = alpha_bar / (1 - alpha_bar)
        return min(snr, self.options["min_snr_gamma"]) / (snr + self.is_v)

    def pixels(self, box, mirror):
        """Each latent pixel's weight, by the share of 32 x 32 points in it that lie in the face; their mean is 1."""
        left, top, right, bottom = box
        if mirror:
            left, right = 1 - right, 1 - left
        factor, fine = self.options.get("face_weight", 1.0), 32
        places = [(k + 0.5) / (SIDE * fine) for k in range(SIDE * fine)]
        edges = (top, bottom), (left, right)
        rows, columns = ([float(low <= place < high) for place in places] for low, high in edges)
        shares = torch.outer(torch.tensor(rows), torch.tensor(columns)).double()
        weights = 1 + (factor - 1) * shares.reshape(SIDE, fine, SIDE, fine).mean((1, 3))
        return (weights / weights.mean()).float()

    def loss(self, size, prior):
        """Mean over the photos + lambda * mean over the prior pictures; one forward pass, as the networks take it."""
        rows = [self.sample(n, is_prior) for is_prior in (False, True)[: 1 + prior] for n in range(size)]
        noisy, times, words, wanted, weights, pixels = zip(*rows, strict=True)
        states = self.components.text_encoder(torch.tensor(words)).last_hidden_state
        output = self.components.unet(torch.stack(noisy), torch.tensor(times), encoder_hidden_states=states).sample
        errors = [
            weight * ((found - one) ** 2 * area).sum() / one.numel()
            for found, one, weight, area in zip(output, wanted, weights, pixels, strict=True)
        ]
        instance = sum(errors[:size]) / size
        return instance + PRIOR_WEIGHT * sum(errors[size:]) / size if prior else instance


@pytest.fixture(scope="module")
def components(tiny_random):
    """Loaded once: no test here takes a step."""
    return load(str(tiny_random))


def stepped(components, loss):
    """The loss, and the gradients by name, which are taken away."""
    loss.backward()
    found = {}
    for network in ("unet", "text_encoder"):
        for name, parameter in components.modules[network].named_parameters():
            if parameter.grad is not None:
                found[f"{network}.{name}"], parameter.grad = parameter.grad, None
    return loss.item(), found


def distances(ours, theirs):
    """By name: how far one gradient is from the other, relative to that one.

    Not of the text encoder's key biases: a softmax does not see what is added to all keys, so theirs is rounding.
    """
    assert ours.keys() == theirs.keys()
    real = [name for name in theirs if not name.endswith("k_proj.bias")]
    return {name: float((ours[name] - theirs[name]).norm() / theirs[name].norm()) for name in real}


def every_case(test):
    """Prior on and off, batch 1 and 2, both things that a UNet may predict."""
    for values in ("prediction_type", ["epsilon", "v_prediction"]), ("size", [1, 2]), ("prior", [True, False]):
        test = pytest.mark.parametrize(*values)(test)
    return test


@every_case
@pytest.mark.parametrize("option", OPTIONS)
def test_loss_and_gradients_are_the_papers(components, option, prior, size, prediction_type):
    components.scheduler.register_to_config(prediction_type=prediction_type)
    batch = batch_of(components, size, prior, OPTIONS[option])
    assert len(batch["timesteps"]) == (2 * size if prior else size)
    loss, ours = stepped(components, module_of(components, OPTIONS[option]).training_step(batch, 0)["loss"])
    wanted, theirs = stepped(components, Paper(components, OPTIONS[option], prediction_type).loss(size, prior))
    assert len(ours) > 80
    assert loss == pytest.approx(wanted, rel=1e-6)
    assert {name: off for name, off in distances(ours, theirs).items() if off > 1e-6} == {}


@every_case
def test_once_the_text_encoder_has_stopped_the_unet_learns_as_before(components, prior, size, prediction_type):
    components.scheduler.register_to_config(prediction_type=prediction_type)
    module = module_of(components, {}, text_encoder_stop=5)
    module._trainer = SimpleNamespace(global_step=5)
    loss, ours = stepped(components, module.training_step(batch_of(components, size, prior, {}), 0)["loss"])
    wanted, theirs = stepped(components, Paper(components, {}, prediction_type).loss(size, prior))
    assert loss == pytest.approx(wanted, rel=1e-6)
    theirs = {name: one for name, one in theirs.items() if name.startswith("unet.")}
    assert {name: off for name, off in distances(ours, theirs).items() if off > 1e-6} == {}


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("option", [one for one in OPTIONS if one != "plain"])
def test_each_option_changes_the_loss(components, option, size):
    """Otherwise the tests above would say nothing about it."""
    with torch.no_grad():
        plain, other = (Paper(components, OPTIONS[one], "epsilon").loss(size, False) for one in ("plain", option))
    assert abs(other / plain - 1) > 1e-4


@pytest.mark.parametrize("prior_weight", [0.3, 1.0])
def test_min_snr_leaves_the_balance_with_the_prior_alone(components, prior_weight):
    """A photo and a prior picture with the same noise at the same time weigh 1 to ``prior.weight``, whatever gamma."""
    batch = batch_of(components, 1, True, {})
    for name in batch.keys() - {"is_prior"}:
        batch[name][1] = batch[name][0]
    for gamma in (None, 0.5, 5.0):
        module = module_of(components, {"min_snr_gamma": gamma})
        module.prior_weight = prior_weight
        found = module.training_step(batch, 0)
        assert found["train/loss_prior"].item() == pytest.approx(found["train/loss_instance"].item())
        assert found["loss"].item() == pytest.approx((1 + prior_weight) * found["train/loss_instance"].item())
