"""Moments and text states: equal to the networks' own, and never under another picture's, prompt's or model's key."""

import inspect
from dataclasses import replace

import pytest
import torch
from PIL import Image

from avatar_exp.data import latents
from avatar_exp.data.latents import moments, moments_ingredients, pixel_hash, text_embedding, text_ingredients
from avatar_exp.data.photos import to_tensor
from avatar_exp.store import Store


def picture(seed, size=64):
    pixels = torch.rand(3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    from avatar_exp.data.photos import to_image

    return to_image(pixels)


@torch.no_grad()
def test_moments_are_the_vaes(components, tmp_path):
    images, done = [picture(0), picture(1)], []
    found = moments(components, Store(tmp_path), images, lambda *ticked: done.append(ticked))
    posterior = components.vae.encode(torch.stack([to_tensor(image) for image in images])).latent_dist
    for k in range(2):
        torch.testing.assert_close(found[k].mean, posterior.mean[k], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found[k].log_variance, posterior.logvar[k], rtol=1e-4, atol=1e-5)
    assert done == [(1, 2), (2, 2)]


def test_moments_come_back_from_the_store_bit_by_bit(components, tmp_path):
    first = moments(components, Store(tmp_path), [picture(0)])[0]
    again = Store(tmp_path)
    components.vae.encode = lambda *_: pytest.fail("nothing is missing")
    second = moments(components, again, [picture(0)])[0]
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.log_variance, second.log_variance)
    assert again.made == {}


def test_another_vae_or_another_picture_has_its_own_moments(components, tmp_path):
    store = Store(tmp_path)
    moments(components, store, [picture(0), picture(1), picture(0)])
    assert store.made == {"moments": 2}
    other = replace(components, fingerprints={**components.fingerprints, "vae": "other"})
    moments(other, store, [picture(0)])
    assert store.made == {"moments": 3}


def test_a_pixel_or_the_size_changes_the_hash():
    image = picture(0, 8)
    changed = image.copy()
    changed.putpixel((3, 3), (1, 2, 3))
    flat = Image.frombytes("RGB", (16, 4), image.tobytes())
    assert len({pixel_hash(one) for one in (image, changed, flat)}) == 3
    assert pixel_hash(image) == pixel_hash(image.copy())


@torch.no_grad()
def test_text_states_are_the_encoders(components, tmp_path):
    states = text_embedding(components, Store(tmp_path), "photo of minh")
    ids = components.tokenizer("photo of minh", padding="max_length", max_length=77, return_tensors="pt").input_ids
    torch.testing.assert_close(states, components.text_encoder(ids).last_hidden_state[0])
    assert states.shape == (77, 32)


def test_another_prompt_encoder_or_tokenizer_has_its_own_states(components, tmp_path):
    store = Store(tmp_path)
    for prompt in ("a", "b", "a"):
        text_embedding(components, store, prompt)
    assert store.made == {"text": 2}
    for part in ("text_encoder", "tokenizer"):
        text_embedding(replace(components, fingerprints={**components.fingerprints, part: "other"}), store, "a")
    assert store.made == {"text": 4}


@pytest.mark.parametrize("ingredients", [moments_ingredients, text_ingredients])
def test_every_argument_is_an_ingredient(ingredients):
    names = list(inspect.signature(ingredients).parameters)
    assert ingredients(*names) == {name: name for name in names}


def test_what_makes_moments_has_no_argument_that_is_not_an_ingredient():
    """A new one (another resize, another dtype) must enter the key: then this list changes with it."""
    assert set(inspect.signature(moments).parameters) == {"components", "store", "images", "tick"}
    assert set(inspect.signature(text_embedding).parameters) == {"components", "store", "prompt"}
    assert [name for name in dir(latents) if name.isupper()] == []
