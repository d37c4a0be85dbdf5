"""The estimate of a GPU's memory, against what autograd really keeps and against weights that are counted."""

import pytest
import torch

from avatar_exp.models import footprint

ROWS = 3


def really_kept(components):
    """Elements that a real forward pass keeps, on this CPU and by its own attention."""
    latents = torch.randn(ROWS, 4, 8, 8)
    ids = components.token_ids(["photo of minh"] * ROWS)
    for module in components.modules.values():
        module.train()
    with footprint.kept(components.unet, components.text_encoder) as sizes:
        states = components.text_encoder(ids).last_hidden_state
        components.unet(latents, torch.zeros(ROWS, dtype=torch.long), encoder_hidden_states=states).sample.sum()
    return sum(sizes.values())


def test_what_is_counted_without_weights_is_what_is_kept(components):
    counted = footprint.activations(components, ROWS, 64, text_is_trained=True, checkpointing=False)
    assert counted == pytest.approx(really_kept(components), rel=0.05)


def test_it_grows_with_the_rows_and_shrinks_with_checkpointing(components):
    one, two = (footprint.activations(components, rows, 64, True, False) for rows in (1, 2))
    assert two == pytest.approx(2 * one, rel=0.05)
    assert footprint.activations(components, 2, 64, True, True) < 0.5 * two
    assert footprint.activations(components, 2, 64, False, False) < two


def test_the_parts_are_counted_weights(components):
    trained = {"unet": components.unet.requires_grad_(True)}
    every = sum(p.numel() for module in components.modules.values() for p in module.parameters())
    unet = sum(p.numel() for p in components.unet.parameters())
    asked = {"rows": 2, "side": 64, "checkpointing": False}
    plain = footprint.need(components, trained, moment_bytes=8, **asked)
    assert (plain.weights, plain.gradients, plain.moments, plain.average) == (4 * every, 4 * unet, 8 * unet, 0)
    components.compute_dtype, components.ema = torch.bfloat16, 0.99
    half = footprint.need(components, trained, moment_bytes=2, **asked)
    text = sum(p.numel() for p in components.text_encoder.parameters())
    assert (half.weights, half.moments, half.average) == (4 * every + 2 * (unet + text), 2 * unet, 4 * unet)
    assert half.activations == pytest.approx(plain.activations / 2)
    assert f"{half.total / 1e9:.1f} GB" in str(half)


def test_attention_is_itself_again_afterwards(components):
    before = torch.nn.functional.scaled_dot_product_attention
    footprint.activations(components, 1, 64, True, False)
    assert torch.nn.functional.scaled_dot_product_attention is before
