"""What is frozen, and the average of what is not."""

import pytest
import torch
from torch import nn

from avatar_exp.errors import UserError
from avatar_exp.models.trainable import Average, Full, only_trained


@pytest.mark.parametrize(("unet", "text_encoder"), [(True, True), (True, False), (False, True)])
def test_only_what_is_named_is_trained(components, unet, text_encoder):
    trained = Full(unet, text_encoder).prepare(components)
    wanted = {"unet": unet, "text_encoder": text_encoder, "vae": False}
    assert set(trained) == {name for name, is_trained in wanted.items() if is_trained}
    for name, module in components.modules.items():
        assert {parameter.requires_grad for parameter in module.parameters()} == {wanted[name]}
        assert module.training == wanted[name]


def test_nothing_to_train_is_refused(components):
    with pytest.raises(UserError, match="nothing would be trained"):
        Full(False, False).prepare(components)


def test_another_method_unfreezes_what_the_first_froze(components):
    Full(unet=False).prepare(components)
    Full(text_encoder=False).prepare(components)
    assert all(parameter.requires_grad for parameter in components.unet.parameters())
    assert not any(parameter.requires_grad for parameter in components.text_encoder.parameters())


def test_a_tree_of_what_is_trained_holds_the_parameters_themselves_under_their_names():
    network = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)))
    network.requires_grad_(False)
    network[1][0].weight.requires_grad_(True)
    network[1][1].bias.requires_grad_(True)
    tree = only_trained(network)
    assert {name: id(parameter) for name, parameter in tree.named_parameters()} == {
        "1.0.weight": id(network[1][0].weight),
        "1.1.bias": id(network[1][1].bias),
    }
    assert set(tree.state_dict()) == {"1.0.weight", "1.1.bias"}


def model(frozen=False):
    torch.manual_seed(0)
    made = nn.Linear(3, 2)
    made.bias.requires_grad_(not frozen)
    return made


def walk(module, average, steps):
    """Change the weights as training would, and average by hand: s <- d s + (1 - d) w, with the warm-up of d.

    The first step takes the weights as they are: nothing of the base's is in the average.
    """
    generator, shadow = torch.Generator().manual_seed(1), module.weight.detach().double().clone()
    for n in range(steps):
        module.weight.data += torch.randn(2, 3, generator=generator)
        average.step()
        decay = min(0.6, (1 + n) / (10 + n)) if n else 0.0
        shadow = decay * shadow + (1 - decay) * module.weight.detach().double()
    return shadow


def test_average_is_the_formulas():
    module = model()
    average = Average({"unet": module}, decay=0.6)
    shadow = walk(module, average, 16)  # the decay grows until the 12th
    with average.applied():
        torch.testing.assert_close(module.weight.double(), shadow, rtol=1e-5, atol=1e-5)


def test_the_own_weights_come_back_also_after_an_error():
    module = model()
    average = Average({"unet": module}, decay=0.6)
    walk(module, average, 5)
    own = module.weight.detach().clone()

    def fail():
        with average.applied():
            assert not torch.equal(module.weight, own)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert torch.equal(module.weight, own)


def test_apply_leaves_the_average_in_the_weights():
    module = model()
    average = Average({"unet": module}, decay=0.6)
    shadow = walk(module, average, 5)
    average.apply()
    torch.testing.assert_close(module.weight.double(), shadow, rtol=1e-5, atol=1e-5)


def test_a_restored_average_goes_on_as_if_never_saved():
    straight, saved, restored = model(), model(), model()
    one, two = Average({"unet": straight}, 0.6), Average({"unet": saved}, 0.6)
    walk(straight, one, 4)
    walk(saved, two, 4)
    state = {key: [p.clone() for p in v] if isinstance(v, list) else v for key, v in two.state_dict().items()}
    restored.load_state_dict(saved.state_dict())
    three = Average({"unet": restored}, 0.6)
    three.load_state_dict(state)
    for module, average in ((straight, one), (restored, three)):
        for _ in range(3):
            module.weight.data += 0.5
            average.step()
        average.apply()
    assert torch.equal(straight.weight, restored.weight)


def test_only_trained_parameters_are_averaged():
    average = Average({"unet": model(frozen=True)}, 0.9)
    assert [tuple(one.shape) for one in average.state_dict()["shadow_params"]] == [(2, 3)]
