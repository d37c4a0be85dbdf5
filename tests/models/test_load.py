"""Loading a base: fp32 masters whatever the files hold, one fingerprint for one content."""

import logging
import shutil

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

from avatar_exp.errors import UserError
from avatar_exp.models.components import compute_dtype
from avatar_exp.models.load import fingerprint, is_tiny, load, noise_schedule, use_xformers

NETWORKS = ("unet", "vae", "text_encoder")


@pytest.fixture
def copy(tiny_random, tmp_path):
    """``tiny_random`` in a folder of its own."""
    return shutil.copytree(tiny_random, tmp_path / "base")


def halve(folder, components, variant=None):
    for name, module in components.modules.items():
        for old in (folder / name).glob("*.safetensors"):
            old.unlink()
        module.half().save_pretrained(folder / name, variant=variant)


def test_the_parts_are_what_the_folder_holds(components, tiny_random):
    assert components.path == str(tiny_random)
    assert (components.downscale, components.resolution) == (8, 64)
    assert components.scheduler.config.prediction_type == "epsilon"
    theirs = UNet2DConditionModel.from_pretrained(tiny_random, subfolder="unet").state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in components.unet.state_dict().items())
    assert not is_tiny(components)


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_half_precision_files_become_fp32_masters(components, copy, variant):
    halve(copy, components, variant)
    loaded = load(str(copy), variant=variant)
    for name, module in loaded.modules.items():
        assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
        wanted = components.modules[name].state_dict()
        assert all(torch.equal(value, wanted[key].float()) for key, value in module.state_dict().items())


def test_a_variant_that_is_not_there_is_named(copy):
    with pytest.raises(UserError, match="lacks variant fp16 of unet, vae, text_encoder"):
        load(str(copy), variant="fp16")


def test_another_vae_is_used_and_hashed(components, copy, tmp_path):
    other = AutoencoderKL.from_config(components.vae.config)
    other.save_pretrained(tmp_path / "vae")
    loaded = load(str(copy), vae=str(tmp_path / "vae"))
    assert torch.equal(loaded.vae.decoder.conv_in.weight, other.decoder.conv_in.weight)
    assert loaded.fingerprints["vae"] != components.fingerprints["vae"]
    assert {part for part in loaded.fingerprints if loaded.fingerprints[part] == components.fingerprints[part]} == {
        "unet", "text_encoder", "tokenizer", "scheduler",
    }  # fmt: skip
    assert loaded.fingerprint != components.fingerprint


def test_a_copy_has_the_same_fingerprint(components, copy):
    assert load(str(copy)).fingerprint == components.fingerprint


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_every_part_counts_for_the_fingerprint(copy, part):
    before = fingerprint(copy / part)
    file = sorted(copy.glob(f"{part}/*.safetensors") or copy.glob(f"{part}/*.json")) or sorted(
        copy.glob(f"{part}/*.json")
    )
    content = bytearray(file[0].read_bytes())
    content[-2] ^= 1
    file[0].write_bytes(bytes(content))
    assert fingerprint(copy / part) != before


def test_what_loading_does_not_read_does_not_count(copy):
    before = fingerprint(copy / "unet")
    (copy / "unet" / "README.md").write_text("words")
    assert fingerprint(copy / "unet") == before


@pytest.mark.parametrize("others", ["{stem}.fp16.safetensors", "{stem}.fp16-00001-of-00002.safetensors", "{stem}.bin"])
@pytest.mark.parametrize("own", ["{stem}.safetensors", "{stem}-00001-of-00002.safetensors"])
def test_a_variant_that_comes_into_the_folder_later_does_not_count(tmp_path, own, others):
    """A run with another variant fetches it into the same folder of the hub's cache."""
    stem = "diffusion_pytorch_model"
    for name in ("config.json", own.format(stem=stem)):
        (tmp_path / name).write_text("{}")
    before = fingerprint(tmp_path)
    (tmp_path / others.format(stem=stem)).write_text("other weights")
    (tmp_path / f"{stem}.safetensors.index.fp16.json").write_text("{}")
    assert fingerprint(tmp_path) == before
    (tmp_path / own.format(stem=stem)).write_text("changed")
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize("shards", ["", "-00001-of-00002"])
def test_of_a_variant_its_own_files_count(tmp_path, shards):
    (tmp_path / f"model.fp16{shards}.safetensors").write_text("half")
    before = fingerprint(tmp_path, "fp16")
    (tmp_path / "model.safetensors").write_text("whole")
    (tmp_path / "model.fp16.bin").write_text("as a pickle")
    assert fingerprint(tmp_path, "fp16") == before
    assert fingerprint(tmp_path) != before
    (tmp_path / f"model.fp16{shards}.safetensors").write_text("changed")
    assert fingerprint(tmp_path, "fp16") != before


def test_a_vae_of_another_kind_is_refused(components, copy, tmp_path):
    other = AutoencoderKL.from_config({**components.vae.config, "latent_channels": 16})
    other.save_pretrained(tmp_path / "vae")
    with pytest.raises(UserError, match=r"its latents have 16 channels and the base's UNet takes 4; expected"):
        load(str(copy), vae=str(tmp_path / "vae"))


def test_a_broken_file_is_a_short_message(copy):
    (copy / "unet" / "config.json").write_text("{")
    with pytest.raises(UserError, match="cannot be loaded"):
        load(str(copy))


def test_gradient_checkpointing_gives_the_same_gradients(components, tiny_random):
    found = []
    for model in (components, load(str(tiny_random), gradient_checkpointing=True)):
        model.unet.train()
        model.text_encoder.train()
        generator = torch.Generator().manual_seed(0)
        states = model.text_states(model.token_ids(["photo of minh"]))
        noisy = torch.randn(1, 4, 8, 8, generator=generator)
        model.unet(noisy, torch.tensor([10]), encoder_hidden_states=states).sample.square().mean().backward()
        found.append(
            [p.grad for p in [*model.unet.parameters(), *model.text_encoder.parameters()] if p.grad is not None]
        )
    assert len(found[0]) == len(found[1]) > 50
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_xformers_that_cannot_run_falls_back_with_a_warning(components, tiny_random, caplog):
    caplog.set_level(logging.WARNING, "avatar_exp")
    assert torch.cuda.is_available() or not use_xformers(components.unet)
    loaded = load(str(tiny_random), attention="xformers")
    if not torch.cuda.is_available():
        assert "staying on sdpa" in caplog.text
    states = loaded.text_states(loaded.token_ids(["a"]))
    with torch.no_grad():
        assert loaded.unet(torch.zeros(1, 4, 8, 8), 1, encoder_hidden_states=states).sample.isfinite().all()


def test_a_failure_of_xformers_without_words_is_survived(components, monkeypatch):
    def fail():
        raise NotImplementedError

    monkeypatch.setattr(components.unet, "enable_xformers_memory_efficient_attention", fail)
    assert not use_xformers(components.unet)


def test_prompts_are_padded_to_77_and_cut_there(components):
    ids = components.token_ids(["a", "word " * 100, ""])
    end = components.tokenizer.eos_token_id
    assert ids.shape == (3, 77)
    assert ids[0, 2:].tolist() == [end] * 75
    assert ids[1, -1] == end
    assert ids[2, 1:].tolist() == [end] * 76
    assert torch.equal(ids[0], components.token_ids(["a"])[0])


def test_inference_is_without_gradients_and_gives_every_mode_back(components):
    components.unet.train()
    components.vae.eval()
    states = []

    def look_and_fail():
        with components.inference():
            states.extend([torch.is_grad_enabled(), *(module.training for module in components.modules.values())])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        look_and_fail()
    assert states == [False] * 4
    assert (components.unet.training, components.vae.training, torch.is_grad_enabled()) == (True, False, True)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16), ("16-mixed", torch.float16)],
)
def test_compute_dtype(components, precision, dtype):
    assert compute_dtype(precision) == dtype


def test_half_precision_is_autocast(components):
    components.compute_dtype = torch.bfloat16
    with components.inference():
        states = components.text_states(components.token_ids(["a"]))
        assert components.unet(torch.zeros(1, 4, 8, 8), 1, encoder_hidden_states=states).sample.dtype == torch.bfloat16
    assert {parameter.dtype for parameter in components.unet.parameters()} == {torch.float32}


def test_the_noise_schedule_is_the_folders(components, copy):
    DDIMScheduler(beta_start=0.001, beta_end=0.01, prediction_type="v_prediction").save_pretrained(copy / "scheduler")
    loaded = load(str(copy))
    assert loaded.scheduler.config.prediction_type == "v_prediction"
    assert loaded.fingerprint != components.fingerprint


def test_another_schedulers_file_does_not_clip_latents(tmp_path):
    (tmp_path / "scheduler_config.json").write_text('{"_class_name": "EulerDiscreteScheduler", "beta_start": 0.001}')
    config = noise_schedule(tmp_path / "scheduler_config.json")
    assert (config["clip_sample"], config["steps_offset"], config["set_alpha_to_one"]) == (False, 1, False)
    assert config["beta_start"] == 0.001
