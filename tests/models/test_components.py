"""Where the networks are, and in which mode."""

import torch


def test_a_vae_that_waits_on_the_cpu_is_at_hand_only_while_it_works(components, monkeypatch):
    components.offload = True
    components.to(torch.device("meta"))
    assert (components.device.type, next(components.vae.parameters()).device.type) == ("meta", "cpu")
    moved = []
    monkeypatch.setattr(components.vae, "to", lambda where: moved.append(str(where)))
    with components.vae_at_hand():
        assert moved == ["meta"]
    assert moved == ["meta", "cpu"]


def test_without_offload_the_vae_is_where_all_is(components, monkeypatch):
    components.to(torch.device("meta"))
    assert next(components.vae.parameters()).device.type == "meta"
    monkeypatch.setattr(components.vae, "to", None)
    with components.vae_at_hand():
        pass


def test_every_network_is_in_its_own_mode_again_after_inference(components):
    components.unet.train()
    components.text_encoder.eval()
    with components.inference():
        assert not components.unet.training
        assert not torch.is_grad_enabled()
    assert (components.unet.training, components.text_encoder.training) == (True, False)
