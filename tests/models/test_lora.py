"""W + alpha / rank * B A, by hand; what is trained, and what stays as it was."""

import pytest
import torch
from training.test_module import batch_of, module_of

from avatar_exp.errors import UserError
from avatar_exp.models.lora import TEXT_TARGETS, UNET_TARGETS, Lora, has_additions, layers, plain
from avatar_exp.models.trainable import Average, Full

QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
TEXT_QUERY = "encoder.layers.0.self_attn.q_proj"


def grown(components, **options):
    """A LoRA whose B is not 0 any more, as after training."""
    trained = Lora(**{"rank": 4, **options}).prepare(components)
    generator = torch.Generator().manual_seed(1)
    for name in trained:
        for _, layer in layers(components.modules[name]):
            layer.lora_B["default"].weight.data.normal_(std=0.1, generator=generator)
    return trained


def noise_and_words(components):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 4, 8, 8, generator=generator), components.token_ids(["photo of minh", "a person"])


def predicted(components):
    latents, ids = noise_and_words(components)
    with torch.no_grad():
        return components.unet(latents, 500, encoder_hidden_states=components.text_states(ids)).sample


@pytest.mark.parametrize(("unet", "text_encoder"), [(True, True), (True, False), (False, True)])
def test_only_the_additions_are_trained(components, unet, text_encoder):
    before = {name: {*dict(network.named_parameters())} for name, network in components.modules.items()}
    trained = Lora(unet, text_encoder).prepare(components)
    assert set(trained) == {name for name, is_on in (("unet", unet), ("text_encoder", text_encoder)) if is_on}
    for name, network in components.modules.items():
        learning = {key for key, parameter in network.named_parameters() if parameter.requires_grad}
        assert bool(learning) == (name in trained)
        assert not learning & before[name]
        assert network.training == (name in trained)
        if name in trained:
            assert {key for key, _ in trained[name].named_parameters()} == learning
            assert all(value is network.get_parameter(key) for key, value in trained[name].named_parameters())


def test_every_layer_of_the_attention_has_its_own(components):
    linear = {
        name: {key for key, one in network.named_modules() if isinstance(one, torch.nn.Linear)}
        for name, network in components.modules.items()
    }
    Lora().prepare(components)
    for name, targets in (("unet", UNET_TARGETS), ("text_encoder", TEXT_TARGETS)):
        found = {key for key, _ in layers(components.modules[name])}
        assert found == {key for key in linear[name] if key.endswith(tuple(f".{target}" for target in targets))}
        assert len(found) >= 8


def test_at_the_start_nothing_is_changed(components):
    before = predicted(components)
    Lora().prepare(components)
    assert torch.equal(predicted(components), before)


def test_the_start_is_a_function_of_the_seed_and_takes_no_global_number(tiny_random):
    from avatar_exp.models.load import load

    state = torch.get_rng_state()
    found = []
    for options, seed in (({}, 1), ({}, 1), ({}, 2), ({"text_encoder": False}, 1)):
        trained = Lora(**options).prepare(load(str(tiny_random)), seed)
        found.append(trained["unet"].get_parameter(f"{QUERY}.lora_A.default.weight"))
    first, again, other, alone = found
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(first, alone)  # one network's start does not depend on the other
    assert first.abs().max() <= 32**-0.5
    assert first.std().item() == pytest.approx(32**-0.5 / 3**0.5, rel=0.1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("rank", "alpha"), [(4, None), (4, 4), (4, 10), (3, 1.5)])
def test_in_the_weights_it_is_the_papers_equation(components, rank, alpha):
    weights = {key: value.clone() for key, value in components.unet.state_dict().items()}
    trained = grown(components, rank=rank, alpha=alpha)
    a, b = (trained["unet"].get_parameter(f"{QUERY}.lora_{one}.default.weight").double() for one in "AB")
    assert (a.shape, b.shape) == ((rank, 32), (32, rank))
    wanted = weights[f"{QUERY}.weight"].double() + (alpha or rank) / rank * b @ a
    found = plain(components.unet).state_dict()
    torch.testing.assert_close(found[f"{QUERY}.weight"].double(), wanted, rtol=0, atol=1e-6)
    assert found.keys() == weights.keys()
    others = {key for key in weights if not key.removesuffix(".weight").endswith(UNET_TARGETS)}
    assert all(torch.equal(found[key], weights[key]) for key in others)


def test_a_plain_network_computes_what_the_one_with_additions_does(components):
    before = predicted(components)
    grown(components, alpha=7)
    with_additions = predicted(components)
    components.unet, components.text_encoder = plain(components.unet), plain(components.text_encoder)
    assert not any(map(has_additions, components.modules.values()))
    torch.testing.assert_close(predicted(components), with_additions, rtol=1e-4, atol=1e-5)
    assert (with_additions - before).abs().max() > 1e-2


def test_what_is_trained_on_is_not_touched_by_making_a_plain_one(components):
    grown(components)
    kept = {key: (value, value.clone()) for key, value in components.unet.state_dict().items()}
    made = plain(components.unet)
    assert all(torch.equal(value, copy) for value, copy in kept.values())
    assert has_additions(components.unet)
    assert made.conv_in.weight.data_ptr() == components.unet.conv_in.weight.data_ptr()  # shared: it takes no memory


def test_a_network_without_additions_is_plain_already(components):
    Full().prepare(components)
    assert plain(components.unet) is components.unet


@pytest.mark.parametrize("checkpointing", [False, True])
def test_one_step_of_training_moves_the_additions_and_nothing_else(components, checkpointing):
    if checkpointing:
        components.unet.enable_gradient_checkpointing()
        components.text_encoder.gradient_checkpointing_enable()
    module = module_of(components, Lora(rank=2))
    base = {key: value.clone() for key, value in components.unet.state_dict().items() if "lora" not in key}
    optimizer = module.configure_optimizers()["optimizer"]
    for _ in range(2):  # B alone has a gradient in the first step
        module.training_step(batch_of(components, 2, True), 0)["loss"].backward()
        optimizer.step()
    for name in ("unet", "text_encoder"):
        for key, layer in layers(components.modules[name]):
            assert layer.lora_B["default"].weight.abs().max() > 0, key
            assert layer.lora_A["default"].weight.grad.abs().max() > 0, key
    assert all(torch.equal(value, components.unet.state_dict()[key]) for key, value in base.items())


def test_gradients_are_those_of_the_equation(components):
    """Of B in the text encoder, against automatic differentiation of W + alpha / rank * B A written out."""
    trained = grown(components, rank=2, alpha=5)
    module = module_of(components, Full())  # not trained with: only its loss is wanted
    batch = batch_of(components, 1, True)
    for parameter in trained["text_encoder"].parameters():
        parameter.requires_grad_(True)
    module.per_sample_loss(batch).sum().backward()
    key = f"{TEXT_QUERY}.lora_B.default.weight"
    ours = trained["text_encoder"].get_parameter(key).grad

    layer = components.text_encoder.get_submodule(TEXT_QUERY)
    a, b = (layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach().requires_grad_())
    written_out = torch.nn.Module()
    written_out.forward = lambda x: torch.nn.functional.linear(
        x, layer.base_layer.weight + 5 / 2 * b @ a, layer.base_layer.bias
    )
    components.text_encoder.get_submodule(TEXT_QUERY.rpartition(".")[0]).q_proj = written_out
    module.per_sample_loss(batch).sum().backward()
    torch.testing.assert_close(b.grad, ours, rtol=1e-4, atol=1e-7)


def test_checkpoints_and_averages_hold_the_additions_alone(components):
    components.ema = 0.5
    module = module_of(components, Lora(text_encoder=False, rank=2))
    keys = module.state_dict()
    assert all(".lora_A." in key or ".lora_B." in key for key in keys)
    assert len(keys) == 2 * len(list(layers(components.unet)))
    assert len(module.average.state_dict()["shadow_params"]) == len(keys)
    other = Average(module.trained, 0.5)
    other.load_state_dict(module.average.state_dict())


def test_dropout_is_on_in_training_and_off_in_pictures(components):
    grown(components, dropout=0.5)
    first, second = predicted(components), predicted(components)
    assert not torch.equal(first, second)
    with components.inference():
        assert torch.equal(predicted(components), predicted(components))
    components.unet.eval(), components.text_encoder.eval()
    still = predicted(components)
    components.unet, components.text_encoder = plain(components.unet), plain(components.text_encoder)
    torch.testing.assert_close(predicted(components), still, rtol=1e-4, atol=1e-5)


def test_learning_rates_have_a_scale_of_their_own_where_the_base_says_so(components):
    components.lr_scale, components.lora_lr_scale = 250.0, 25.0
    Lora().prepare(components)
    assert components.lr_scale == 25.0


def test_layers_that_are_not_there_are_named_with_those_that_are(components):
    with pytest.raises(UserError, match=r"(?s)method.unet_targets=\['to_x'\].*'to_q'"):
        Lora(unet_targets=["to_x"]).prepare(components)


def test_nothing_to_train_is_refused(components):
    with pytest.raises(UserError, match="nothing would be trained"):
        Lora(False, False).prepare(components)
