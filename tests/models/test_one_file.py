"""A base in one file is the base that it was written from."""

import json
import logging
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from pytorch_lightning.callbacks import ModelCheckpoint
from safetensors.torch import save_file

from avatar_exp.errors import UserError
from avatar_exp.formats.made import Architecture, Made
from avatar_exp.formats.metadata import model_spec
from avatar_exp.formats.single_file import original_state, write_single_file
from avatar_exp.models.checkpoint import Inert, prediction_of, prediction_type, read
from avatar_exp.models.load import load


@pytest.fixture
def file(components, tmp_path):
    """``tiny_random`` in one file, in half precision."""
    path = tmp_path / "base.safetensors"
    write_single_file(components, path, torch.float16, {})
    return path


def same(one, other):
    return all(
        torch.equal(value.half().float(), other.modules[name].state_dict()[key])
        for name, module in one.modules.items()
        for key, value in module.state_dict().items()
    )


def test_the_file_is_the_base_in_fp32(components, tiny_random, file):
    found = load(str(file), like=str(tiny_random))
    assert same(components, found)
    assert {p.dtype for module in found.modules.values() for p in module.parameters()} == {torch.float32}
    assert torch.equal(found.token_ids(["ảnh minh"]), components.token_ids(["ảnh minh"]))
    assert found.scheduler.config == components.scheduler.config
    assert (found.path, set(found.fingerprints)) == (str(file), set(components.fingerprints))


def test_another_content_is_another_base(components, tiny_random, file, tmp_path):
    components.unet.conv_in.weight.data.add_(1)
    write_single_file(components, tmp_path / "other.safetensors", torch.float16, {})
    one, other = (load(str(path), like=str(tiny_random)).fingerprint for path in (file, tmp_path / "other.safetensors"))
    assert one != other


def test_a_vae_of_its_own_is_used_with_it(components, tiny_random, file):
    components.vae.requires_grad_(False)
    found = load(str(file), like=str(tiny_random), vae=str(tiny_random / "vae"))
    assert torch.equal(found.vae.decoder.conv_in.weight, components.vae.decoder.conv_in.weight)


def test_a_pickle_of_tensors_is_read(components, tiny_random, tmp_path):
    torch.save({"state_dict": original_state(components, torch.float16), "global_step": 3}, tmp_path / "base.ckpt")
    assert same(components, load(str(tmp_path / "base.ckpt"), like=str(tiny_random)))


def test_a_pickle_that_would_run_code_is_refused_and_does_not(tiny_random, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    (tmp_path / "base.ckpt").write_bytes(pickle.dumps({"state_dict": Harmful()}))
    with pytest.raises(UserError, match=r"base\.ckpt cannot be loaded"):
        load(str(tmp_path / "base.ckpt"), like=str(tiny_random))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_what_lightning_1_left_in_the_best_known_checkpoint_is_passed_over(components, tiny_random, tmp_path, zipped):
    """v1-5-pruned-emaonly.ckpt has a class of pytorch_lightning for a key; files of PyTorch < 1.6 are no zip files."""
    content = {
        "state_dict": {**original_state(components, torch.float16), "score": np.float64(0.5)},
        "callbacks": {ModelCheckpoint: {"best_model_score": np.float64(0.1), "dirpath": "/x"}},
    }
    torch.save(content, tmp_path / "base.ckpt", _use_new_zipfile_serialization=zipped)
    assert same(components, load(str(tmp_path / "base.ckpt"), like=str(tiny_random)))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux")
def test_a_checkpoint_is_not_read_into_memory_whole(tmp_path):
    torch.save({"state_dict": {"a": torch.ones(1000)}}, tmp_path / "base.ckpt")
    state, _ = read(tmp_path / "base.ckpt")
    assert str(tmp_path / "base.ckpt") in Path("/proc/self/maps").read_text()
    assert state["a"].sum() == 1000


def test_what_a_pickle_would_run_is_named_and_nobody_is_told_to_run_it(tiny_random, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"state_dict": {}, "more": Harmful()}, tmp_path / "base.ckpt")
    with pytest.raises(UserError) as error:
        load(str(tmp_path / "base.ckpt"), like=str(tiny_random))
    assert "it holds more than weights, io.open, which could run code" in str(error.value)
    assert "take the .safetensors of the same name" in str(error.value)
    for torchs in ("\x1b", "weights_only", "can still be loaded", "Stable Diffusion 1.x checkpoint"):
        assert torchs not in str(error.value)
    assert not (tmp_path / "harm").exists()


def test_a_stand_in_takes_everything_and_does_nothing():
    stands = Inert(open, ("x", "w"))
    stands.__setstate__({"a": 1})
    assert vars(stands) == {}


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1", b"PK\x03\x04 and no more"])
def test_a_pickle_that_is_none_is_said_to_be_broken(tiny_random, tmp_path, content):
    (tmp_path / "base.ckpt").write_bytes(content)
    with pytest.raises(UserError, match=r"base\.ckpt cannot be loaded"):
        load(str(tmp_path / "base.ckpt"), like=str(tiny_random))


def test_a_pickle_of_something_else_is_refused(tiny_random, tmp_path):
    torch.save([torch.ones(1)], tmp_path / "base.ckpt")
    with pytest.raises(UserError, match="it holds a list; expected a dictionary of tensors"):
        load(str(tmp_path / "base.ckpt"), like=str(tiny_random))


def exported(components, path, prediction_type):
    """As ``export`` writes it."""
    made = Made(Architecture(components.unet.config, 64, prediction_type))
    write_single_file(components, path, torch.float16, model_spec(made, lora=False))
    return str(path)


def test_a_file_that_says_that_it_predicts_v_does(components, tiny_random, tmp_path, caplog):
    caplog.set_level(logging.INFO, "avatar_exp")
    found = load(exported(components, tmp_path / "v.safetensors", "v_prediction"), like=str(tiny_random))
    assert found.scheduler.config.prediction_type == "v_prediction"
    assert "v.safetensors says prediction_type=v_prediction, which is taken in place of epsilon" in caplog.text
    assert found.fingerprints["scheduler"] != components.fingerprints["scheduler"]
    assert same(components, found)


def test_what_a_file_says_is_what_a_sampler_is_told_where_its_base_is_silent(components, tiny_random, tmp_path):
    like = shutil.copytree(tiny_random, tmp_path / "like")
    settings = like / "scheduler" / "scheduler_config.json"
    silent = {key: value for key, value in json.loads(settings.read_text()).items() if key != "prediction_type"}
    settings.write_text(json.dumps({**silent, "_class_name": "PNDMScheduler"}))  # as SD 1.5's own
    found = load(exported(components, tmp_path / "v.safetensors", "v_prediction"), like=str(like))
    for kind in (DDIMScheduler, DPMSolverMultistepScheduler):
        assert kind.from_config(found.scheduler.config).config.prediction_type == "v_prediction"


def test_what_a_file_says_is_known_without_reading_it_whole(components, tmp_path):
    assert prediction_of(Path(exported(components, tmp_path / "v.safetensors", "v_prediction"))) == "v_prediction"
    torch.save({"state_dict": {"v_pred": torch.ones(0)}}, tmp_path / "v.ckpt")
    assert prediction_of(tmp_path / "v.ckpt") == "v_prediction"


def test_a_file_that_says_epsilon_is_not_what_it_is_built_like(components, tiny_random, tmp_path):
    like = shutil.copytree(tiny_random, tmp_path / "like")
    DDIMScheduler.from_config(components.scheduler.config, prediction_type="v_prediction").save_pretrained(
        like / "scheduler"
    )
    found = load(exported(components, tmp_path / "e.safetensors", "epsilon"), like=str(like))
    assert found.scheduler.config.prediction_type == "epsilon"
    write_single_file(components, tmp_path / "silent.safetensors", torch.float16, {})
    assert load(str(tmp_path / "silent.safetensors"), like=str(like)).scheduler.config.prediction_type == "v_prediction"


@pytest.mark.parametrize(
    ("told", "keys", "found"),
    [
        ({"modelspec.prediction_type": "v"}, (), "v_prediction"),
        ({"modelspec.prediction_type": "epsilon"}, ("v_pred",), "epsilon"),
        ({"ss_v_parameterization": "True"}, (), "v_prediction"),
        ({"ss_v_parameterization": "False"}, (), None),
        ({}, ("v_pred",), "v_prediction"),
        ({"modelspec.prediction_type": "something new"}, (), None),
        ({}, ("model.diffusion_model.out.2.bias",), None),
    ],
)
def test_where_a_file_says_what_it_predicts(told, keys, found):
    assert prediction_type(told, keys) == found


@pytest.mark.parametrize(
    ("key", "shape", "said"),
    [
        ("model.diffusion_model.input_blocks.0.0.weight", (32, 9, 3, 3), "takes 9 channels .*inpainting"),
        ("conditioner.embedders.1.model.ln_final.bias", (8,), "two text encoders"),
    ],
)
def test_a_file_of_another_build_is_refused(components, tiny_random, tmp_path, key, shape, said):
    state = original_state(components, torch.float16) | {key: torch.zeros(shape)}
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=rf"another build: .*{said}(.|\n)*expected Stable Diffusion 1\.x or 2\.x"):
        load(str(tmp_path / "other.safetensors"), like=str(tiny_random))


def test_what_is_wrong_is_said(tiny_random, file, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load(str(tmp_path / "none.safetensors"), like=str(tiny_random))
    with pytest.raises(UserError, match=r"model\.like=HUB_ID_OR_FOLDER"):
        load(str(file), like="tiny")
    with pytest.raises(UserError, match="hf download stable-diffusion-v1-5/stable-diffusion-v1-5") as error:
        load(str(file))
    assert "safetensors" not in str(error.value)  # the weights are here: only configs and vocabulary are to be fetched
