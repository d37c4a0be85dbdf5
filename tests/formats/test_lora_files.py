"""A LoRA's two files: back through diffusers' own reader, and at full size by the names that web UIs look for."""

import json

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from models.test_lora import grown
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

from avatar_exp.formats.diffusers_folder import write_pipeline
from avatar_exp.formats.lora import LORA_FILE, Additions, additions_of, kohya_state, read_lora, write_kohya, write_lora
from avatar_exp.formats.single_file import UNET, original_text_encoder, original_unet
from avatar_exp.models.load import load
from avatar_exp.models.locate import tiny_folder
from avatar_exp.models.lora import TEXT_TARGETS, UNET_TARGETS, Lora

WRITERS = {"diffusers": write_lora, "kohya": write_kohya}
NETWORKS = [{}, {"text_encoder": False}, {"unet": False}]
RANKS = [{"rank": 4}, {"rank": 4, "alpha": 10}, {"rank": 2, "alpha": 0.5}]

# Of a LoRA of Stable Diffusion 1.5 as kohya's trainer writes it.
KNOWN = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight": (4, 320),
    "lora_unet_down_blocks_1_attentions_1_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 768),
    "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v.lora_up.weight": (1280, 4),
    "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn1_to_out_0.lora_up.weight": (320, 4),
    "lora_unet_up_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0.alpha": (),
    "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight": (4, 768),
    "lora_te_text_model_encoder_layers_11_self_attn_out_proj.lora_up.weight": (768, 4),
    "lora_te_text_model_encoder_layers_11_self_attn_out_proj.alpha": (),
}


def without_prefix(state):
    return {key.removeprefix("text_model."): value for key, value in state.items()}


def in_diffusers(base, file):
    """The networks of a plain pipeline that has loaded the file and put it into its weights."""
    pipeline = StableDiffusionPipeline.from_pretrained(base, local_files_only=True, safety_checker=None)
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    return {"unet": pipeline.unet, "text_encoder": pipeline.text_encoder}


@pytest.mark.parametrize("ranks", RANKS, ids=str)
@pytest.mark.parametrize("networks", NETWORKS, ids=str)
@pytest.mark.parametrize("form", WRITERS)
def test_diffusers_loads_the_same_weights(tmp_path, form, networks, ranks):
    components = load("tiny")
    grown(components, **networks, **ranks)
    file = tmp_path / "any name.safetensors"
    WRITERS[form](additions_of(components), file, torch.float32, {"modelspec.title": "x"})
    write_pipeline(components, tmp_path / "pipeline")
    ours, base = load(str(tmp_path / "pipeline")).modules, load("tiny").modules
    for name, network in in_diffusers(tiny_folder(), file).items():
        theirs = without_prefix(network.state_dict())
        moved = 0.0
        for key, value in without_prefix(ours[name].state_dict()).items():
            assert (theirs[key] - value).abs().max() < 1e-6, key
            moved = max(moved, (value - without_prefix(base[name].state_dict())[key]).abs().max().item())
        assert (moved > 0.01) == networks.get(name, True)


@pytest.mark.parametrize("form", WRITERS)
def test_diffusers_draws_the_same_picture(tmp_path, form):
    components = load("tiny")
    grown(components, rank=4, alpha=9)
    write_pipeline(components, tmp_path / "pipeline")
    WRITERS[form](additions_of(components), tmp_path / "lora.safetensors", torch.float32, {})

    def draw(pipeline):
        pipeline.set_progress_bar_config(disable=True)
        pipeline.scheduler = components.scheduler
        seed = torch.Generator().manual_seed(3)
        return pipeline("photo of a person", num_inference_steps=3, generator=seed, output_type="np").images

    whole = draw(StableDiffusionPipeline.from_pretrained(tmp_path / "pipeline", safety_checker=None))
    base = StableDiffusionPipeline.from_pretrained(tiny_folder(), safety_checker=None)
    before = draw(base)
    base.load_lora_weights(str(tmp_path), weight_name="lora.safetensors")
    difference = abs(draw(base) - whole).max()
    assert difference < 1e-4
    assert abs(before - whole).max() > 0.1


def test_a_pipeline_has_its_lora_beside_it(components, tmp_path):
    grown(components, rank=3, alpha=2)
    write_pipeline(components, tmp_path / "pipeline")
    found = read_lora(tmp_path / "pipeline" / LORA_FILE)
    assert found.configs["unet"] == {
        "r": 3, "lora_alpha": 2, "bias": "none", "target_modules": ["to_k", "to_out.0", "to_q", "to_v"],
    }  # fmt: skip
    ours = additions_of(components)
    assert found.configs == ours.configs
    assert all(torch.equal(found.tensors[key], value) for key, value in ours.tensors.items())
    assert found.size == ours.size == sum(tensor.numel() for tensor in found.tensors.values())


def test_without_additions_there_is_no_file(components, tmp_path):
    assert additions_of(components) is None
    write_pipeline(components, tmp_path / "pipeline")
    assert not (tmp_path / "pipeline" / LORA_FILE).exists()


def test_the_metadata_is_diffusers_and_keeps_what_else_is_given(components, tmp_path):
    grown(components, rank=3, alpha=2)
    write_lora(additions_of(components), tmp_path / "one.safetensors", torch.float16, {"modelspec.title": "an avatar"})
    with safe_open(tmp_path / "one.safetensors", "pt") as opened:
        metadata = opened.metadata()
    assert (metadata["format"], metadata["modelspec.title"]) == ("pt", "an avatar")
    assert json.loads(metadata["lora_adapter_metadata"])["text_encoder.lora_alpha"] == 2
    assert {value.dtype for value in load_file(tmp_path / "one.safetensors").values()} == {torch.float16}
    assert [one.name for one in tmp_path.iterdir()] == ["one.safetensors"]


def test_the_names_and_shapes_at_full_size(components):
    """Stable Diffusion 1.5's own layers, without their weights."""
    text = CLIPTextConfig(vocab_size=49408, hidden_size=768, num_hidden_layers=12, num_attention_heads=12)
    with torch.device("meta"):
        wide = {"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "attention_head_dim": 8}
        components.unet, components.text_encoder = UNet2DConditionModel(**wide), CLIPTextModel(text)
    trained = Lora(rank=4).prepare(components)
    found = additions_of(components)
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in trained.items()}
    assert counts == {"unet": 797_184, "text_encoder": 294_912}  # 128 and 48 layers
    assert found.size == sum(counts.values())
    state = {key: tuple(value.shape) for key, value in kohya_state(found).items()}
    assert len(state) == 3 * (128 + 48)
    assert {key: state.get(key) for key in KNOWN} == KNOWN
    assert {key.split("_")[1] for key in state} == {"unet", "te"}


def as_a1111_reads(name):
    """The layer of the original layout that A1111 gives a UNet's matrices to: blocks numbered from the input on."""
    place, _, rest = name.removeprefix("lora_unet_").partition("_attentions_")
    number, _, layer = rest.partition("_")
    if place == "mid_block":
        return f"middle_block_1_{layer}"
    side, _, block = place.rpartition("_")
    first = {"down_blocks": ("input", 1), "up_blocks": ("output", 0)}[side]
    return f"{first[0]}_blocks_{first[1] + 3 * int(block) + int(number)}_1_{layer}"


def test_every_layer_is_one_of_the_single_file_too():
    text = CLIPTextConfig(vocab_size=49408, hidden_size=768, num_hidden_layers=12, num_attention_heads=12)
    with torch.device("meta"):
        wide = {"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "attention_head_dim": 8}
        unet, text_encoder = UNet2DConditionModel(**wide), CLIPTextModel(text)
    whole = {key.removeprefix(UNET).removesuffix(".weight") for key, _ in original_unet(unet.state_dict(), 2)}
    layers = {key.replace(".", "_") for key in whole}
    tensors = {}
    for name, _ in unet.named_modules():
        if name.endswith(UNET_TARGETS):
            tensors[f"unet.{name}.lora_A.weight"] = torch.zeros(4, 1)
    for name, _ in text_encoder.named_modules():
        if name.endswith(TEXT_TARGETS):
            tensors[f"text_encoder.text_model.{name}.lora_A.weight"] = torch.zeros(4, 1)
    configs = {network: {"lora_alpha": 4} for network in ("unet", "text_encoder")}
    names = {key.partition(".")[0] for key in kohya_state(Additions(tensors, configs))}
    unets = {as_a1111_reads(name) for name in names if name.startswith("lora_unet_")}
    assert len(unets) == 128
    assert unets <= layers
    file = {
        key.removesuffix(".weight").partition("transformer.")[2].replace(".", "_")
        for key, _ in original_text_encoder(text_encoder.state_dict())
    }
    assert {name.removeprefix("lora_te_") for name in names if name.startswith("lora_te_")} <= file


def test_half_precision_is_half_the_file_and_alpha_is_kept(components, tmp_path):
    grown(components, rank=8, alpha=2.5)
    for name, dtype in (("whole", torch.float32), ("half", torch.bfloat16)):
        write_kohya(additions_of(components), tmp_path / name, dtype, {})
    assert (tmp_path / "half").stat().st_size < 0.7 * (tmp_path / "whole").stat().st_size
    alphas = [value for key, value in load_file(tmp_path / "half").items() if key.endswith(".alpha")]
    assert {(value.item(), value.ndim) for value in alphas} == {(2.5, 0)}
