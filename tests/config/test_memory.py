"""What is said of a GPU's memory; the GPU itself is not needed for it."""

import logging

import pytest
import torch

from avatar_exp.config import memory
from avatar_exp.errors import UserError, mendable


@pytest.fixture
def asked(components):
    """Two photos with their prior pictures, everything trained, nothing spared."""
    trained = {name: components.modules[name].requires_grad_(True) for name in ("unet", "text_encoder")}
    return memory.Asked(components, trained, batch=2, prior=True, side=128, moment_bytes=8, checkpointing=False)


def test_every_cheaper_setting_is_cheaper(asked):
    cheaper = asked.cheaper()
    assert set(cheaper) == {
        "model.gradient_checkpointing=true", "optimizer=adamw8bit", "batch_size=1", "method.text_encoder=false",
        "data.resolution=64", "model.offload=true",
    }  # fmt: skip
    assert all(other.need.total < asked.need.total for other in cheaper.values())


def test_what_is_in_force_already_is_not_advised(asked):
    spared = memory.replace(asked, batch=1, moment_bytes=2, checkpointing=True, trained={"unet": asked.components.unet})
    assert set(spared.cheaper()) == {"data.resolution=64", "model.offload=true"}
    away = memory.replace(spared, components=memory.replace(asked.components, offload=True))
    assert set(away.cheaper()) == {"data.resolution=64"}


def test_scorers_and_a_vae_that_waits_elsewhere_are_counted_as_they_are(asked):
    assert memory.replace(asked, scorers=10**9).need.total == asked.need.total + 1e9
    vae = 4 * sum(weight.numel() for weight in asked.components.vae.parameters())
    away = memory.replace(asked, components=memory.replace(asked.components, offload=True))
    assert asked.need.total - away.need.total == vae


def test_what_fits_leaves_some_memory_free(asked):
    need = asked.need.total
    assert not memory.fits(asked, free=0.9 * need)
    assert not memory.fits(asked, free=need)  # the estimate is one
    assert memory.fits(asked, free=2 * need)


def test_a_picture_of_64_pixels_cannot_be_made_smaller(asked):
    assert not any("resolution" in typed for typed in memory.replace(asked, side=64).cheaper())


def test_a_cpu_is_left_alone(asked, caplog):
    caplog.set_level(logging.INFO, logger="avatar_exp")
    assert memory.decided(asked, "auto") is asked
    assert caplog.text == ""


def test_too_little_is_said_before(asked, caplog):
    caplog.set_level(logging.INFO, logger="avatar_exp")
    memory.say(asked, free=100e9)
    assert "it may not do" not in caplog.text
    memory.say(asked, free=0.1e9)
    assert "it may not do" in caplog.text


def test_a_full_gpu_is_explained(asked, monkeypatch):
    monkeypatch.setattr(memory, "usage", lambda: (11.2e9, 0.3e9))
    monkeypatch.setattr(memory, "savings", lambda asked: ["optimizer=adamw8bit saves about 5.9 GB"])
    with pytest.raises(UserError) as error, memory.explained(asked):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB. If reserved but unallocated ...")
    said = str(error.value)
    assert "optimizer=adamw8bit saves about 5.9 GB" in said
    assert "11.2 GB are used by this run, 0.3 GB are free; CUDA out of memory. Tried to allocate 20 MiB." in said
    with pytest.raises(ZeroDivisionError), memory.explained(asked):
        _ = 1 / 0


@pytest.mark.parametrize(
    "words", ["CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"]
)
def test_other_words_for_it_are_known(words):
    with pytest.raises(UserError, match="out of GPU memory"), memory.explained():
        raise RuntimeError(words)
    assert isinstance(mendable(RuntimeError(words)), UserError)
    with pytest.raises(RuntimeError, match="of another kind"), memory.explained():
        raise RuntimeError("of another kind")
    assert not isinstance(mendable(RuntimeError("of another kind")), UserError)
