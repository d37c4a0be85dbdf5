"""What is written is what was in memory, and every other tool can read it."""

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from avatar_exp.config.weights import is_pipeline
from avatar_exp.formats import diffusers_folder
from avatar_exp.formats.diffusers_folder import add_old_names, write_pipeline
from avatar_exp.models.load import load


def change(components):
    for module in components.modules.values():
        for parameter in module.parameters():
            parameter.data.mul_(1.25).add_(0.001)


def test_weights_come_back_bit_by_bit(components, tmp_path):
    change(components)
    write_pipeline(components, tmp_path / "pipeline")
    again = load(str(tmp_path / "pipeline"))
    for name, module in components.modules.items():
        saved = again.modules[name].state_dict()
        assert all(torch.equal(value, saved[key]) for key, value in module.state_dict().items())
    assert again.scheduler.config.beta_schedule == "scaled_linear"
    assert torch.equal(again.token_ids(["ảnh minh"]), components.token_ids(["ảnh minh"]))


def test_where_it_was_loaded_from_is_not_told(components, tiny_random, tmp_path):
    assert str(tiny_random) in str(components.unet.config["_name_or_path"])
    write_pipeline(components, tmp_path / "pipeline")
    for config in (tmp_path / "pipeline").rglob("*.json"):
        assert str(tiny_random.parent) not in config.read_text()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_another_precision_can_be_asked_for(components, tmp_path, dtype):
    write_pipeline(components, tmp_path / "pipeline", dtype)
    for name in components.modules:
        (file,) = (tmp_path / "pipeline" / name).glob("*.safetensors")
        assert {tensor.dtype for tensor in load_file(file).values()} == {dtype}
    assert components.unet.dtype == torch.float32


def test_older_readers_find_their_names_and_newer_ones_the_same_weights(components, tmp_path):
    write_pipeline(components, tmp_path / "pipeline")
    add_old_names(tmp_path / "pipeline", components.tokenizer)
    names = list(load_file(tmp_path / "pipeline" / "text_encoder" / "model.safetensors"))
    assert all(name.startswith("text_model.") and name.count("text_model.") == 1 for name in names)
    again = load(str(tmp_path / "pipeline"))
    assert all(
        torch.equal(value, again.text_encoder.state_dict()[key])
        for key, value in components.text_encoder.state_dict().items()
    )
    assert torch.equal(again.token_ids(["ảnh minh"]), components.token_ids(["ảnh minh"]))
    add_old_names(tmp_path / "pipeline", components.tokenizer)  # twice is once
    assert names == list(load_file(tmp_path / "pipeline" / "text_encoder" / "model.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_runs_are_written_as_fp16_and_stay_fp32_in_memory(components, tmp_path, dtype):
    components.compute_dtype = dtype
    write_pipeline(components, tmp_path / "pipeline")
    assert {p.dtype for module in components.modules.values() for p in module.parameters()} == {torch.float32}
    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "pipeline")
    assert pipe.unet.dtype == torch.float32 or pipe.unet.dtype == torch.float16
    again = load(str(tmp_path / "pipeline"))
    for name, value in components.unet.state_dict().items():
        assert torch.equal(again.unet.state_dict()[name], value.half().float())


def test_plain_diffusers_loads_it(components, tmp_path):
    change(components)
    write_pipeline(components, tmp_path / "pipeline")
    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "pipeline", local_files_only=True)
    assert torch.equal(pipe.unet.conv_in.weight, components.unet.conv_in.weight)
    assert type(pipe.scheduler).__name__ == "DDIMScheduler"
    assert pipe.safety_checker is None


def test_what_was_there_is_replaced_whole(components, tmp_path):
    folder = tmp_path / "pipeline"
    folder.mkdir()
    (folder / "old.bin").write_text("old")
    (tmp_path / ".pipeline.part").mkdir()
    (tmp_path / ".pipeline.part" / "half").write_text("of a killed run")
    write_pipeline(components, folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipeline"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae",
    ]  # fmt: skip


def test_a_failure_keeps_the_old_pipeline(components, tmp_path, monkeypatch):
    folder = tmp_path / "pipeline"
    write_pipeline(components, folder)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(diffusers_folder, "write_json", fail)
    with pytest.raises(OSError, match="disk full"):
        write_pipeline(components, folder)
    assert is_pipeline(folder)
    load(str(folder))


@pytest.mark.parametrize("content", [None, "", "{", '{"vae": []}', "[]"])
def test_what_is_no_pipeline(tmp_path, content):
    if content is not None:
        (tmp_path / "model_index.json").write_text(content)
    assert not is_pipeline(tmp_path)


def test_what_is_a_pipeline(tiny_random):
    assert is_pipeline(tiny_random)
