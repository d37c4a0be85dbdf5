"""The disk a run wants, against what the files would weigh."""

import logging

import pytest
import torch
from omegaconf import OmegaConf

from avatar_exp.config import disk
from avatar_exp.config.schema import TrainConfig
from avatar_exp.models.load import load
from avatar_exp.models.lora import Lora


@pytest.fixture(scope="module")
def components():
    return load("tiny")


def config(**values):
    made = OmegaConf.structured(TrainConfig(max_steps=100, checkpoint_every=25))
    made.optimizer = {"_target_": "torch.optim.AdamW"}
    return OmegaConf.merge(made, values)


def trained(components):
    return {name: components.modules[name] for name in ("unet", "text_encoder")}


def weigh(components, *names):
    return sum(p.numel() for name in names for p in components.modules[name].parameters())


def test_weights_and_checkpoint(components):
    every = weigh(components, "unet", "text_encoder", "vae")
    learnt = weigh(components, "unet", "text_encoder")
    found = disk.need(config(keep_steps=[25, 50]), components, trained(components))
    assert found["weights"] == pytest.approx(4 * every / 1e9)
    assert found["kept steps"] == pytest.approx(2 * 4 * every / 1e9)
    assert found["checkpoint, while it trains"] == pytest.approx(2 * 12 * learnt / 1e9)
    assert set(disk.need(config(choose="best"), components, trained(components))) - set(found) == {"best step so far"}


def test_half_precision_and_eight_bits_take_less(components):
    try:
        components.compute_dtype = torch.bfloat16
        small = disk.need(
            config(optimizer={"_target_": "bitsandbytes.optim.AdamW8bit"}), components, trained(components)
        )
    finally:
        components.compute_dtype = torch.float32
    assert small["weights"] == pytest.approx(2 * weigh(components, "unet", "text_encoder", "vae") / 1e9)
    assert small["checkpoint, while it trains"] == pytest.approx(
        2 * 6 * weigh(components, "unet", "text_encoder") / 1e9
    )


def test_what_is_not_written_needs_nothing(components):
    assert disk.need(config(save="none", checkpoint_every=0), components, trained(components)) == {}
    assert disk.need(config(max_steps=0), components, trained(components)) == {}


def test_too_little_is_said_before_anything_is_trained(components, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="avatar_exp")
    disk.say(config(), components, trained(components), tmp_path, jobs=None)
    assert "will not do" not in caplog.text
    free = disk.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: free)
    disk.say(config(save="all"), components, trained(components), tmp_path, jobs=6)
    assert "it will not do" in caplog.text
    assert "weights of 6 jobs (save=all)" in caplog.text


@pytest.mark.parametrize(("save", "times"), [("all", 6), ("best_of_sweep", 2)])
def test_a_sweep_wants_the_weights_of_the_jobs_that_keep_theirs_and_one_checkpoint(components, save, times):
    asked = config(save=save, keep_steps=[25])
    one = disk.need(asked, components, trained(components))
    whole = disk.need_of_sweep(asked, one, jobs=6)
    assert whole[f"weights of 6 jobs (save={save})"] == pytest.approx(times * one["weights"])
    assert whole["kept steps of 6 jobs"] == pytest.approx(6 * one["kept steps"])
    assert whole["checkpoint, while it trains"] == one["checkpoint, while it trains"]


def test_a_sweep_that_keeps_no_weights_wants_none(components):
    asked = config(save="none")
    assert set(disk.need_of_sweep(asked, disk.need(asked, components, trained(components)), jobs=6)) == {
        "checkpoint, while it trains"
    }


@pytest.mark.parametrize(("optimizer", "moments"), [("torch.optim.AdamW", 8), ("bitsandbytes.optim.AdamW8bit", 2)])
def test_what_is_trained_is_said_with_its_memory_and_its_files(components, optimizer, moments):
    said = disk.what_is_trained(config(optimizer={"_target_": optimizer}), components, trained(components))
    unet, text, vae = (weigh(components, name) for name in ("unet", "text_encoder", "vae"))
    assert f"unet {unet / 1e6:.3g} M, text_encoder {text / 1e6:.3g} M parameters" in said
    assert f"take {(unet + text) * (4 + moments) / 1e6:.3g} MB of memory" in said
    assert said.endswith(f"files: pipeline/ {(unet + text + vae) * 4 / 1e6:.3g} MB")


def test_of_a_lora_only_the_matrices_are_counted(caplog, tmp_path):
    caplog.set_level(logging.INFO, logger="avatar_exp")
    components = load("tiny", lr_scale=250, lora_lr_scale=25)
    layers = 4 * 3  # of the text encoder, 128 wide each way
    modules = Lora(unet=False, rank=8).prepare(components)
    count = layers * 8 * (128 + 128)
    assert disk.counted(modules) == {"text_encoder": count}
    disk.say(config(lr=1e-4, choose="best", model={"ema": 0.9}), components, modules, tmp_path, jobs=None)
    assert f"gradients and optimizer take {count * 16 / 1e6:.3g} MB" in caplog.text
    assert f"lora.safetensors {count * 4 / 1e6:.3g} MB" in caplog.text
    assert "lr 0.0001 x 25 (tiny) = 0.0025; with method=lora" in caplog.text
    assert "little is learnt" not in caplog.text
    need = disk.need(config(choose="best"), components, modules)
    assert need["best step so far"] == pytest.approx(4 * count / 1e9)
    assert need["checkpoint, while it trains"] == pytest.approx(2 * 12 * count / 1e9)


def test_the_learning_rate_of_full_fine_tuning_is_warned_of(caplog, tmp_path):
    components = load("tiny")
    disk.say_lr(config(lr=1e-6), components)
    assert caplog.text == ""
    Lora(rank=1).prepare(components)
    disk.say_lr(config(lr=1e-6), components)
    assert "lr=1e-06 is one for full fine-tuning" in caplog.text
