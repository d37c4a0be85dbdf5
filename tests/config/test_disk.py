"""The disk a run wants, against what the files would weigh."""

import logging

import pytest
import torch
from omegaconf import OmegaConf

from avatar_exp.config import disk
from avatar_exp.config.schema import TrainConfig
from avatar_exp.models.load import load


@pytest.fixture(scope="module")
def components():
    return load("tiny")


def config(**values):
    made = OmegaConf.structured(TrainConfig(max_steps=100, checkpoint_every=25))
    made.optimizer = {"_target_": "torch.optim.AdamW"}
    return OmegaConf.merge(made, values)


def weigh(components, *names):
    return sum(p.numel() for name in names for p in components.modules[name].parameters())


def test_weights_and_checkpoint(components):
    every = weigh(components, "unet", "text_encoder", "vae")
    trained = weigh(components, "unet", "text_encoder")
    found = disk.need(config(keep_steps=[25, 50]), components)
    assert found["weights"] == pytest.approx(4 * every / 1e9)
    assert found["kept steps"] == pytest.approx(2 * 4 * every / 1e9)
    assert found["checkpoint, while it trains"] == pytest.approx(2 * 12 * trained / 1e9)
    assert set(disk.need(config(choose="best"), components)) - set(found) == {"best step so far"}


def test_half_precision_and_eight_bits_take_less(components):
    try:
        components.compute_dtype = torch.bfloat16
        small = disk.need(config(optimizer={"_target_": "bitsandbytes.optim.AdamW8bit"}), components)
    finally:
        components.compute_dtype = torch.float32
    assert small["weights"] == pytest.approx(2 * weigh(components, "unet", "text_encoder", "vae") / 1e9)
    assert small["checkpoint, while it trains"] == pytest.approx(
        2 * 6 * weigh(components, "unet", "text_encoder") / 1e9
    )


def test_what_is_not_written_needs_nothing(components):
    assert disk.need(config(save="none", checkpoint_every=0), components) == {}
    assert disk.need(config(max_steps=0), components) == {}


def test_too_little_is_said_before_anything_is_trained(components, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="avatar_exp")
    disk.say(config(), components, tmp_path, jobs=None)
    assert "will not do" not in caplog.text
    free = disk.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: free)
    disk.say(config(save="all"), components, tmp_path, jobs=6)
    assert "it will not do" in caplog.text
    assert "weights of 6 jobs (save=all)" in caplog.text


@pytest.mark.parametrize(("save", "times"), [("all", 6), ("best_of_sweep", 2)])
def test_a_sweep_wants_the_weights_of_the_jobs_that_keep_theirs_and_one_checkpoint(components, save, times):
    asked = config(save=save, keep_steps=[25])
    one = disk.need(asked, components)
    whole = disk.need_of_sweep(asked, one, jobs=6)
    assert whole[f"weights of 6 jobs (save={save})"] == pytest.approx(times * one["weights"])
    assert whole["kept steps of 6 jobs"] == pytest.approx(6 * one["kept steps"])
    assert whole["checkpoint, while it trains"] == one["checkpoint, while it trains"]


def test_a_sweep_that_keeps_no_weights_wants_none(components):
    asked = config(save="none")
    assert set(disk.need_of_sweep(asked, disk.need(asked, components), jobs=6)) == {"checkpoint, while it trains"}
