"""ModelSpec's keys, kohya's, and our own."""

import base64
import io
import json

import pytest
from formats.test_made import CONFIG, SD1
from PIL import Image

from avatar_exp.formats.made import Architecture, Made, made
from avatar_exp.formats.metadata import kohya, model_spec, own, thumbnail

SETTINGS = {
    "lr": 1e-4, "method": "Lora", "method.unet": True, "method.text_encoder": True, "method.rank": 16,
    "method.dropout": 0.1, "model.lr_scale": 1.0, "seed": 7, "precision": "bf16-mixed", "batch_size": 2,
    "lr_scheduler.name": "cosine", "optimizer": "adamw8bit", "prior.count": 50, "prior.weight": 0.3,
}  # fmt: skip
TINY = {**SD1, "block_out_channels": [96, 128, 144]}


def one(unet=SD1, prediction_type="epsilon", **more):
    told = {"step": 200, "base": "stable-diffusion-v1-5/stable-diffusion-v1-5", "settings": SETTINGS, "photos": 12}
    return Made(Architecture(unet, 512, prediction_type), **{**told, **more})


@pytest.mark.parametrize(
    ("unet", "lora", "architecture", "implementation"),
    [
        (SD1, False, "stable-diffusion-v1", "https://github.com/Stability-AI/generative-models"),
        (SD1, True, "stable-diffusion-v1/lora", "diffusers"),
        (TINY, True, "stable-diffusion-v1-small/lora", "diffusers"),  # no tool may take it for SD 1.x
    ],
)
def test_what_model_spec_must_have(unet, lora, architecture, implementation):
    found = model_spec(one(unet), lora)
    assert found["modelspec.sai_model_spec"] == "1.0.0"
    assert (found["modelspec.architecture"], found["modelspec.implementation"]) == (architecture, implementation)
    assert (found["modelspec.title"], found["modelspec.resolution"]) == ("avatar", "512x512")
    assert found["modelspec.license"] == "creativeml-openrail-m"
    assert found["modelspec.prediction_type"] == "epsilon"
    assert all(isinstance(value, str) and value for value in found.values())
    assert {"modelspec.trigger_phrase", "modelspec.thumbnail", "modelspec.usage_hint"}.isdisjoint(found)
    assert model_spec(one(prediction_type="v_prediction"), lora)["modelspec.prediction_type"] == "v"


def test_with_leave_there_are_words_and_a_picture(tmp_path):
    Image.new("RGB", (512, 512), (200, 30, 40)).save(tmp_path / "a.png")
    found = model_spec(one(words=("minh person",), pictures=[("photo of minh person", tmp_path / "a.png")]), lora=True)
    assert found["modelspec.title"] == found["modelspec.trigger_phrase"] == "minh person"
    kind, _, data = found["modelspec.thumbnail"].partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert (image.format, image.size) == ("JPEG", (256, 256))
        assert max(abs(a - b) for a, b in zip(image.getpixel((9, 9)), (200, 30, 40), strict=True)) < 6


def test_a_small_picture_is_not_enlarged():
    data = thumbnail(Image.new("RGBA", (128, 64))).partition(",")[2]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (128, 64)


def test_kohyas_keys_have_the_spelling_that_readers_know():
    found = kohya(one(), "avatar")
    expected = {
        "ss_network_module": "networks.lora", "ss_network_dim": "16", "ss_network_alpha": "16", "ss_v2": "False",
        "ss_base_model_version": "sd_v1", "ss_sd_model_name": "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "ss_output_name": "avatar", "ss_unet_lr": "0.0001", "ss_text_encoder_lr": "0.0001", "ss_steps": "200",
        "ss_mixed_precision": "bf16", "ss_resolution": "(512, 512)", "ss_num_train_images": "12", "ss_seed": "7",
        "ss_num_reg_images": "50", "ss_prior_loss_weight": "0.3", "ss_network_dropout": "0.1",
    }  # fmt: skip
    assert {key: found.get(key) for key in expected} == expected
    assert "ss_tag_frequency" not in found
    named = kohya(one(words=("minh person",)), "minh")
    assert json.loads(named["ss_tag_frequency"]) == {"photos": {"minh person": 12}}


def test_learning_rates_are_those_of_the_optimizer():
    scaled = {**SETTINGS, "model.lr_scale": 250.0, "model.lora_lr_scale": 25.0, "text_encoder_lr": 2e-4}
    found = kohya(one(TINY, settings={**scaled, "method.unet": False, "method.alpha": 4.0}), "avatar")
    assert (found["ss_learning_rate"], found["ss_text_encoder_lr"]) == ("0.0025", "0.005")
    assert "ss_unet_lr" not in found
    assert "ss_base_model_version" not in found
    assert found["ss_network_alpha"] == "4.0"


def test_no_word_of_the_users_is_in_a_file(run):
    """``run`` and its config are full of them."""
    found = made(run, CONFIG, Architecture(SD1, 512), 200, names=False)
    written = {**model_spec(found, lora=True), **own(found), **kohya(found, "avatar")}
    assert "minh" not in str(written).casefold()
    assert json.loads(written["avatar_exp"])["sampler"]["scheduler"] == "DDIM"


def test_our_own_key_is_json():
    found = json.loads(own(one(scores={"score/likeness": 0.8}))["avatar_exp"])
    assert (found["step"], found["settings"]["lr"], found["scores"]) == (200, 1e-4, {"score/likeness": 0.8})
    assert "intervals_95" not in found
