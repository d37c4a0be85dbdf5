"""A base that cannot be trained here is refused before its weights are fetched."""

import huggingface_hub
import pytest
from huggingface_hub import constants

from avatar_exp.errors import UserError
from avatar_exp.models import locate as module
from avatar_exp.models.build import refuse_other_build
from avatar_exp.models.load import load
from avatar_exp.models.locate import PIPELINE_PARTS, locate, tiny_folder
from avatar_exp.run_folder import write_json

UNET = {"in_channels": 4, "addition_embed_type": None, "cross_attention_dim": 768}
INDEX = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
XL = {**INDEX, "_class_name": "StableDiffusionXLPipeline", "text_encoder_2": ["transformers", "CLIPTextModel"]}
OTHERS = [
    (INDEX, {"in_channels": 9}, ["takes 9 channels where its latents have 4", "inpainting"]),
    (INDEX, {"in_channels": 7}, ["takes 7 channels", "enlarges"]),
    (INDEX, {"in_channels": 3}, ["takes 3 channels"]),
    (INDEX, {"class_embed_type": "projection"}, ["class_embed_type=projection"]),
    (XL, {"addition_embed_type": "text_time"}, ["XLPipeline", "second text encoder", "addition_embed_type=text_time"]),
    ({"_class_name": "FluxPipeline", "transformer": ["diffusers", "x"]}, {}, ["transformer in place of a UNet"]),
]


def configs(folder, index=INDEX, unet=()):
    write_json(folder / "model_index.json", index)
    for part in PIPELINE_PARTS:
        write_json(folder / part / "config.json", {**UNET, **dict(unet)} if part == "unet" else {})
    return folder


@pytest.mark.parametrize(("index", "unet", "said"), OTHERS)
def test_another_build_is_named_with_what_works(tmp_path, index, unet, said):
    with pytest.raises(UserError) as error:
        load(str(configs(tmp_path, index, unet)))  # which holds no weights: it is not those that it is told by
    for words in (*said, str(tmp_path), "expected Stable Diffusion 1.x or 2.x for text to image", "model=tiny"):
        assert words in str(error.value)


def test_what_is_trained_here_passes(tmp_path, tiny_random):
    for folder in (configs(tmp_path), tiny_random, tiny_folder()):
        refuse_other_build(folder, "x")
    for part in ("unet", "vae"):  # latents of another width, and a UNet for them
        write_json(tmp_path / part / "config.json", {"in_channels": 16, "latent_channels": 16})
    refuse_other_build(tmp_path, "x")
    refuse_other_build(tmp_path / "nothing", "x")


def hub(monkeypatch, folder, index, unet):
    """A hub whose repositories hold only configs; returns what it was asked for."""
    asked = []

    def fetch(name, allow_patterns, local_files_only=False, **_):
        if local_files_only:
            raise OSError("not here")
        asked.append((name, [one for one in allow_patterns if one.endswith("safetensors")]))
        return str(configs(folder, index, unet))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(module, "_hub_answers", lambda _: True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return asked


@pytest.mark.parametrize(("index", "unet", "said"), OTHERS)
def test_of_the_hub_only_configs_are_fetched_to_see_it(tmp_path, monkeypatch, index, unet, said):
    asked = hub(monkeypatch, tmp_path, index, unet)
    with pytest.raises(UserError, match="is a base of another build"):
        locate("somebody/base", PIPELINE_PARTS)
    assert asked == [("somebody/base", [])]


def test_of_a_base_that_is_trained_here_weights_are_fetched_next(tmp_path, monkeypatch):
    asked = hub(monkeypatch, tmp_path, INDEX, {})
    with pytest.raises(UserError, match="lacks unet, vae, text_encoder"):  # this hub has no weights
        locate("somebody/base", PIPELINE_PARTS)
    assert [bool(weights) for _, weights in asked] == [False, True]
