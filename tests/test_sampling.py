"""The one sampler: diffusers' pipeline is the reference; a picture depends on its own request only."""

import inspect
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from avatar_exp import sampling
from avatar_exp.errors import UserError
from avatar_exp.pictures import read_record
from avatar_exp.sampling import Request, batches, denoise, sample, scheduler_class, stored_pictures
from avatar_exp.store import Store, content_key

REQUEST = Request("photo of minh person", 7, "blurry", num_inference_steps=4, height=64, width=64)
SCHEDULERS = ["DDIM", "EulerAncestralDiscrete", "DPMSolverMultistepScheduler", "PNDM", "DDPM"]


def drawn(components, requests, batch_size=8):
    return [np.asarray(image, dtype=np.int16) for image, _ in sample(components, requests, batch_size)]


def pipeline(components, scheduler):
    return StableDiffusionPipeline(
        vae=components.vae, text_encoder=components.text_encoder, tokenizer=components.tokenizer, unet=components.unet,
        scheduler=scheduler_class(scheduler).from_config(components.scheduler.config), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("guidance", [7.5, 1.0])
def test_pictures_are_diffusers_own(components, scheduler, guidance):
    requests = [replace(REQUEST, seed=seed, scheduler=scheduler, guidance_scale=guidance) for seed in (7, 8)]
    pipe = pipeline(components, scheduler)
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        [REQUEST.prompt] * 2, negative_prompt=[REQUEST.negative_prompt] * 2, num_inference_steps=4, height=64, width=64,
        guidance_scale=guidance, generator=[torch.Generator().manual_seed(seed) for seed in (7, 8)],
    ).images  # fmt: skip
    for ours, other in zip(drawn(components, requests), theirs, strict=True):
        assert np.abs(ours - np.asarray(other, dtype=np.int16)).max() <= 1
        assert ours.std() > 1  # not one grey


def test_where_memory_runs_out_fewer_are_drawn_at_once_and_the_pictures_are_the_same(components, caplog):
    requests = [replace(REQUEST, seed=n) for n in range(7)]
    wanted, batches_seen = drawn(components, requests, 1), []

    def small(module, inputs):
        batches_seen.append(len(inputs[0]) // 2)  # with and without the prompt
        if batches_seen[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = components.unet.register_forward_pre_hook(small)
    found = drawn(components, requests, 6)
    assert all(np.abs(one - two).max() <= 1 for one, two in zip(wanted, found, strict=True))
    assert batches_seen[:2] == [6, 3]
    assert set(batches_seen[2:]) == {1}  # 3 // 2
    assert "out of memory with 6 pictures at once: on with 3" in caplog.text
    hook.remove()


def test_one_picture_that_does_not_fit_is_an_error(components):
    def full(module, inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    components.unet.register_forward_pre_hook(full)
    with pytest.raises(torch.OutOfMemoryError):
        drawn(components, [REQUEST, REQUEST], 2)


@pytest.mark.parametrize("scheduler", ["DDIM", "EulerAncestralDiscrete", "DDPM"])
def test_a_picture_does_not_depend_on_its_batch(components, scheduler):
    requests = [replace(REQUEST, prompt=f"photo {n}", seed=n, scheduler=scheduler) for n in range(5)]
    alone, together = drawn(components, requests, 1), drawn(components, requests, 3)
    for one, two in zip(alone, together, strict=True):
        assert np.abs(one - two).max() <= 1
    assert np.abs(drawn(components, requests[::-1], 5)[0] - alone[-1]).max() <= 1


@pytest.mark.parametrize(
    "change",
    [{"prompt": "another"}, {"seed": 8}, {"negative_prompt": ""}, {"num_inference_steps": 5}, {"guidance_scale": 3.0},
     {"scheduler": "EulerAncestralDiscrete"}, {"height": 128}],
)  # fmt: skip
def test_every_setting_counts(components, change):
    one, two = (drawn(components, [request])[0] for request in (REQUEST, replace(REQUEST, **change)))
    assert one.shape != two.shape or np.abs(one - two).max() > 1


def test_mixed_requests_come_back_in_order(components):
    requests = [replace(REQUEST, seed=n, height=64 * (1 + n % 2)) for n in range(4)]
    made = list(sample(components, requests, 8))
    assert [image.height for image, _ in made] == [64, 128, 64, 128]
    assert [record["seed"] for _, record in made] == [0, 1, 2, 3]


def test_batches_hold_neighbours_of_the_same_settings():
    requests = [replace(REQUEST, seed=n, guidance_scale=1.0 if n == 3 else 7.5) for n in range(6)]
    assert [[request.seed for request in batch] for batch in batches(requests, 2)] == [[0, 1], [2], [3], [4, 5]]
    assert list(batches([], 2)) == []


def test_the_record_says_what_made_the_picture(components):
    ((_, record),) = sample(components, [REQUEST], 1)
    assert record == {
        "prompt": "photo of minh person", "seed": 7, "negative_prompt": "blurry", "num_inference_steps": 4,
        "guidance_scale": 7.5, "scheduler": "DDIM", "height": 64, "width": 64, "precision": "float32",
        "sampler_version": sampling.SAMPLER_VERSION,
    }  # fmt: skip


def test_sampling_disturbs_nothing(components):
    components.unet.train()
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    before = {name: value.clone() for name, value in components.unet.state_dict().items()}
    for _ in sample(components, [replace(REQUEST, scheduler="EulerAncestralDiscrete", seed=n) for n in range(2)], 1):
        assert components.unet.training  # between two pictures too: a caller may stop here
        assert torch.is_grad_enabled()
    assert (components.unet.training, components.vae.training) == (True, False)
    assert torch.equal(state, torch.get_rng_state())
    assert np.random.get_state()[1].tolist() == numpy_state
    assert all(torch.equal(value, before[name]) for name, value in components.unet.state_dict().items())
    assert all(parameter.grad is None for parameter in components.unet.parameters())


def test_the_latents_can_be_watched_on_their_way(components):
    seen = []
    with components.inference():
        last = denoise(components, [REQUEST], watch=lambda step, latents: seen.append((step, latents.clone())))
    assert [step for step, _ in seen] == list(range(REQUEST.num_inference_steps))
    assert torch.equal(seen[-1][1], last)
    assert not torch.equal(seen[0][1], last)


@pytest.mark.parametrize("name", ["NoSuch", "UNet2DConditionModel", "torch", ""])
def test_an_unknown_scheduler_is_refused_with_examples(name):
    with pytest.raises(UserError, match="DPMSolverMultistep"):
        scheduler_class(name)


def test_stored_pictures_are_drawn_once_and_extend(components, tmp_path):
    store, ticks = Store(tmp_path), []
    requests = [replace(REQUEST, seed=n) for n in range(4)]
    few = stored_pictures(components, store, requests[:2], 8)
    many = stored_pictures(components, store, requests, 8, lambda *ticked: ticks.append(ticked))
    assert many[:2] == few
    assert ticks == [(1, 2), (2, 2)]
    assert store.made == {"pictures": 4}
    assert read_record(many[3])["seed"] == 3
    from PIL import Image

    fresh = drawn(components, requests)
    for file, image in zip(many, fresh, strict=True):
        assert np.abs(np.asarray(Image.open(file), dtype=np.int16) - image).max() <= 1


def test_the_key_is_of_every_setting_the_base_the_precision_and_the_version(components, tmp_path, monkeypatch):
    """What a picture depends on: the fields of Request, and what sample() takes besides that is not its batch size."""
    assert set(inspect.signature(sample).parameters) == {"components", "requests", "batch_size"}
    file = stored_pictures(components, Store(tmp_path), [REQUEST], 1)[0]
    ingredients = {field.name: getattr(REQUEST, field.name) for field in fields(Request)}
    ingredients |= {"base": components.fingerprint, "sampler_version": 1, "precision": "float32"}
    monkeypatch.setattr(sampling, "SAMPLER_VERSION", 1)
    assert file.parent.name == content_key(ingredients)


def test_another_base_precision_or_version_is_another_picture(components, tmp_path, monkeypatch):
    store = Store(tmp_path)
    stored_pictures(components, store, [REQUEST], 1)
    others = [
        replace(components, fingerprints={**components.fingerprints, "vae": "other"}),
        replace(components, compute_dtype=torch.bfloat16),
    ]
    for other in others:
        stored_pictures(other, store, [REQUEST], 1)
    monkeypatch.setattr(sampling, "SAMPLER_VERSION", 99)
    stored_pictures(components, store, [REQUEST], 1)
    assert store.made == {"pictures": 4}
