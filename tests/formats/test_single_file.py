"""The original keys: at full size against what is known of Stable Diffusion 1.5, and back through diffusers' reader."""

from collections.abc import Mapping
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors import safe_open
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from avatar_exp.errors import UserError
from avatar_exp.formats.diffusers_folder import write_pipeline
from avatar_exp.formats.single_file import original_text_encoder, original_unet, original_vae, write_single_file

# Of v1-5-pruned.safetensors, places where the two ways of counting differ.
KNOWN = {
    "model.diffusion_model.time_embed.2.weight": (1280, 1280),
    "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    "model.diffusion_model.input_blocks.3.0.op.weight": (320, 320, 3, 3),
    "model.diffusion_model.input_blocks.4.0.skip_connection.weight": (640, 320, 1, 1),
    "model.diffusion_model.input_blocks.11.0.in_layers.2.weight": (1280, 1280, 3, 3),
    "model.diffusion_model.middle_block.1.proj_in.weight": (1280, 1280, 1, 1),
    "model.diffusion_model.middle_block.2.out_layers.3.bias": (1280,),
    "model.diffusion_model.output_blocks.2.1.conv.weight": (1280, 1280, 3, 3),
    "model.diffusion_model.output_blocks.5.2.conv.weight": (1280, 1280, 3, 3),
    "model.diffusion_model.output_blocks.8.2.conv.weight": (640, 640, 3, 3),
    "model.diffusion_model.output_blocks.11.1.proj_out.weight": (320, 320, 1, 1),
    "model.diffusion_model.output_blocks.11.0.emb_layers.1.weight": (320, 1280),
    "model.diffusion_model.out.2.weight": (4, 320, 3, 3),
    "first_stage_model.encoder.down.2.downsample.conv.weight": (512, 512, 3, 3),
    "first_stage_model.encoder.mid.attn_1.q.weight": (512, 512, 1, 1),
    "first_stage_model.decoder.mid.attn_1.proj_out.bias": (512,),
    "first_stage_model.decoder.mid.block_2.conv1.weight": (512, 512, 3, 3),
    "first_stage_model.decoder.up.0.block.0.nin_shortcut.weight": (128, 256, 1, 1),
    "first_stage_model.decoder.up.3.upsample.conv.weight": (512, 512, 3, 3),
    "first_stage_model.decoder.norm_out.weight": (128,),
    "first_stage_model.post_quant_conv.weight": (4, 4, 1, 1),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
    "cond_stage_model.transformer.text_model.encoder.layers.11.mlp.fc2.weight": (768, 3072),
    "cond_stage_model.transformer.text_model.final_layer_norm.bias": (768,),
}


@pytest.fixture(scope="module")
def full_size() -> Mapping[str, torch.nn.Module]:
    """The networks of Stable Diffusion 1.5 without their weights."""
    wide = (320, 640, 1280, 1280)
    text = CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    with torch.device("meta"):
        return {
            "unet": UNet2DConditionModel(block_out_channels=wide, cross_attention_dim=768, attention_head_dim=8),
            "vae": AutoencoderKL(
                block_out_channels=(128, 256, 512, 512), layers_per_block=2,
                down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            ),
            "text_encoder": CLIPTextModel(text),
        }  # fmt: skip


def shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def test_the_keys_and_shapes_of_stable_diffusion(full_size):
    parts = [
        dict(original_unet(full_size["unet"].state_dict(), 2)),
        dict(original_vae(full_size["vae"].state_dict())),
        dict(original_text_encoder(full_size["text_encoder"].state_dict())),
    ]
    assert [len(part) for part in parts] == [686, 248, 196]
    found = shapes({key: value for part in parts for key, value in part.items()})
    assert len(found) == 686 + 248 + 196
    assert {key: found.get(key) for key in KNOWN} == KNOWN


def test_diffusers_own_reader_turns_them_back(full_size):
    """The opposite direction, written by others."""
    unet, vae = full_size["unet"], full_size["vae"]
    back = convert_ldm_unet_checkpoint(dict(original_unet(unet.state_dict(), 2)), dict(unet.config))
    assert shapes(back) == shapes(unet.state_dict())
    assert shapes(convert_ldm_vae_checkpoint(dict(original_vae(vae.state_dict())), dict(vae.config))) == shapes(
        vae.state_dict()
    )


@pytest.mark.parametrize("base", ["components", "tiny"])
def test_the_file_comes_back_bit_by_bit(base, request, tmp_path):
    from avatar_exp.models.load import load

    parts = request.getfixturevalue(base) if base == "components" else load(base)
    write_pipeline(parts, tmp_path / "folder")
    file = tmp_path / "one.safetensors"
    write_single_file(parts, file, torch.float32, {"modelspec.title": "an avatar"})
    again = StableDiffusionPipeline.from_single_file(
        str(file), config=str(tmp_path / "folder"), local_files_only=True, safety_checker=None
    )
    for name, module in parts.modules.items():
        saved = {key.removeprefix("text_model."): value for key, value in getattr(again, name).state_dict().items()}
        own = {key.removeprefix("text_model."): value for key, value in module.state_dict().items()}
        assert shapes(saved) == shapes(own), name
        assert all(torch.equal(value, saved[key]) for key, value in own.items()), name
    with safe_open(file, "pt") as opened:
        assert opened.metadata() == {"format": "pt", "modelspec.title": "an avatar"}
    assert [one.name for one in tmp_path.glob("*.part")] == []


def test_half_precision_is_half_the_file(components, tmp_path):
    for name, dtype in (("whole", torch.float32), ("half", torch.float16)):
        write_single_file(components, tmp_path / f"{name}.safetensors", dtype, {})
    whole, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half"))
    assert half == pytest.approx(whole / 2, rel=0.1)
    assert components.unet.dtype == torch.float32


def test_another_layout_is_refused(components, tmp_path):
    strange = SimpleNamespace(unet=SimpleNamespace(config=SimpleNamespace(layers_per_block=(1, 2))))
    with pytest.raises(UserError, match="layers_per_block"):
        write_single_file(strange, tmp_path / "x.safetensors", torch.float32, {})
