"""A base in one file is the base that it was written from."""

import pickle

import pytest
import torch

from avatar_exp.errors import UserError
from avatar_exp.formats.single_file import original_state, write_single_file
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


def test_what_is_wrong_is_said(tiny_random, file, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load(str(tmp_path / "none.safetensors"), like=str(tiny_random))
    with pytest.raises(UserError, match=r"model\.like=HUB_ID_OR_FOLDER"):
        load(str(file), like="tiny")
    with pytest.raises(UserError, match="hf download stable-diffusion-v1-5/stable-diffusion-v1-5") as error:
        load(str(file))
    assert "safetensors" not in str(error.value)  # the weights are here: only configs and vocabulary are to be fetched
