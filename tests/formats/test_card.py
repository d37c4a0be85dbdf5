"""The README beside exported weights."""

import re

import pytest
import torch
import yaml
from formats.test_made import CONFIG, SD1
from formats.test_metadata import TINY, one
from PIL import Image

from avatar_exp.formats.card import GRID, WHERE, card, places, write_card, write_preview
from avatar_exp.formats.made import Architecture, made
from avatar_exp.formats.single_file import write_single_file
from avatar_exp.models.load import load

SCORES = {
    "scores": {"score/likeness": 0.8, "score/diversity": 0.4},
    "intervals": {"score/likeness": (0.7, 0.9)},
    "fresh": {"score/likeness": 0.75},
    "alarms": ["drift (step 150)"],
    "sampler": {"scheduler": "EulerAncestralDiscrete", "num_inference_steps": 20, "guidance_scale": 4.0},
}
FORMATS = {
    "diffusers": 'from_pretrained(".", torch_dtype=dtype)',
    "single_file": 'from_single_file("x.safetensors", torch_dtype=dtype)',
    "lora_diffusers": 'load_lora_weights(".", weight_name="x.safetensors")',
    "lora_kohya": 'load_lora_weights(".", weight_name="x.safetensors")',
}


def front_matter(text):
    return yaml.safe_load(re.match(r"---\n(.*?)---\n", text, re.DOTALL)[1])


def python(text):
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return block


def test_a_card_of_several_subjects_says_how_many():
    unnamed = card(one(subjects=2), "x.safetensors", "single_file", "fp16")
    assert "DreamBooth (a LoRA, merged into the weights) of 2 subjects on " in unnamed
    assert "The words that bring each subject (TRIGGER WORDS below stands for one's) are told" in unnamed
    named = card(one(subjects=2, words=("an person", "binh person")), "x.safetensors", "single_file", "fp16")
    assert "Words that bring each subject: **an person, binh person**." in named


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("unet", [SD1, TINY], ids=["sd1", "tiny"])
@pytest.mark.parametrize("words", [(), ("minh person",)])
def test_a_card_has_all_its_parts(format, unet, words):
    text = card(one(unet, words=words, **SCORES), "x.safetensors", format, "fp16")
    content = front_matter(text)
    assert content["base_model"] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert content["license"] == "creativeml-openrail-m"
    assert ("lora" in content["tags"]) == format.startswith("lora")
    assert ("instance_prompt" in content) == bool(words)
    compile(python(text), "README.md", "exec")
    assert "EulerAncestralDiscreteScheduler.from_config" in python(text)
    assert f'"photo of {"minh person" if words else "TRIGGER WORDS"} on the beach", generator=seed' in text
    assert '{"num_inference_steps": 20, "guidance_scale": 4.0}' in text
    for row in ("| steps | 200 |", "| photos | 12 |", "| lr | 0.0001 |", "| likeness | 0.800 | 0.700 to 0.900 |"):
        assert row in text
    for said in ("| diversity | 0.400 |  |", "likeness 0.750", "drift (step 150)", "consent"):
        assert said in text
    assert ("minh" in text) == bool(words)
    assert "\n\n\n" not in text


@pytest.mark.parametrize(("format", "line"), FORMATS.items())
def test_the_lines_for_diffusers_are_of_the_format(format, line):
    assert line in python(card(one(), "x.safetensors", format, "fp16"))


def test_where_a_file_goes():
    webui, comfy = places(one(), "minh.safetensors", "lora_kohya")
    assert webui == "A1111: `minh.safetensors` into `models/Lora/`, then `<lora:minh:1>` in the prompt"
    assert "`models/loras/`" in comfy
    webui, comfy = places(one(), "minh.safetensors", "single_file")
    assert "`models/Stable-diffusion/`" in webui
    assert "`models/checkpoints/`" in comfy
    assert "only diffusers" in " ".join(places(one(TINY), "x.safetensors", "single_file"))


@pytest.mark.parametrize("format", FORMATS)
def test_of_v_prediction_diffusers_and_web_uis_are_told(format):
    text = card(one(prediction_type="v_prediction"), "minh.safetensors", format, "fp16")
    compile(python(text), "README.md", "exec")
    assert '.from_config(pipeline.scheduler.config, prediction_type="v_prediction")' in python(text)
    for_file, for_lora = "`minh.yaml` beside `minh.safetensors`", "`BASE.yaml` beside `BASE.safetensors`"
    assert (for_file in text, for_lora in text) == (format == "single_file", format == "lora_kohya")
    assert ('parameterization: "v"' in text) == ("ModelSamplingDiscrete" in text) == (format in WHERE)
    plain = card(one(), "minh.safetensors", format, "fp16")
    for said in ("v_prediction", ".yaml", "It predicts"):
        assert said not in plain


def test_the_lines_for_a_file_that_predicts_v_run_and_draw_so(tmp_path, monkeypatch):
    write_single_file(load("tiny"), tmp_path / "x.safetensors", torch.float32, {})
    monkeypatch.chdir(tmp_path)
    told, here = one(TINY, base="tiny", prediction_type="v_prediction", sampler={"num_inference_steps": 1}), {}
    exec(python(card(told, "x.safetensors", "single_file", "fp32")), here)
    assert here["pipeline"].scheduler.config.prediction_type == "v_prediction"
    assert (tmp_path / "picture.png").is_file()


@pytest.mark.parametrize("format", FORMATS)
def test_no_word_of_the_users_is_on_a_card(run, format):
    text = card(made(run, CONFIG, Architecture(SD1, 512), 200, names=False), "avatar.safetensors", format, "fp16")
    assert "minh" not in text.casefold()
    assert "| lr_scheduler.name | cosine |" in text


def test_the_base_is_called_by_the_address_that_it_has_now(run):
    run.update(base={"path": "runwayml/stable-diffusion-v1-5", "local": False})
    text = card(made(run, CONFIG, Architecture(SD1, 512), 200, names=False), "x.safetensors", "lora_kohya", "fp16")
    assert front_matter(text)["base_model"] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert front_matter(text)["license"] == "creativeml-openrail-m"
    assert 'from_pretrained("stable-diffusion-v1-5/stable-diffusion-v1-5"' in python(text)
    assert "runwayml" not in text


def test_half_precision_is_for_a_gpu():
    assert 'dtype = torch.float16 if device == "cuda" else torch.float32' in card(one(), "x", "diffusers", "fp16")
    assert "dtype = torch.bfloat16\n" in card(one(), "x", "diffusers", "bf16")


@pytest.mark.parametrize("format", FORMATS)
def test_a_vae_that_a_lora_does_not_bring_is_named(run, format):
    def text(vae):
        config = {**CONFIG, "model": {**CONFIG.get("model", {}), "vae": vae}}
        return card(made(run, config, Architecture(SD1, 512), 200, names=False), "x.safetensors", format, "fp16")

    public, own, none = (text(vae) for vae in ("stabilityai/sd-vae-ft-mse", "/home/minh/vae", None))
    lora = format.startswith("lora")
    assert ("drawn with the VAE stabilityai/sd-vae-ft-mse, which a LoRA does not bring" in public) == lora
    assert (", vae=vae, torch_dtype=dtype)" in python(public)) == lora
    assert "| VAE | stabilityai/sd-vae-ft-mse |" in public
    assert "| VAE | another one than the base's |" in own
    assert "minh" not in own.casefold()
    assert "vae=vae" not in python(own)
    assert "VAE" not in none
    for one_text in (public, own, none):
        compile(python(one_text), "card", "exec")


def test_of_an_unknown_folder_and_of_a_base_nothing_is_made_up():
    unknown = card(one(step=None, base=None, settings={}, photos=None), "x.safetensors", "single_file", "bf16")
    assert "How it was made" not in unknown
    assert "How good" not in unknown
    assert "torch.bfloat16" in unknown
    assert "base_model" not in front_matter(unknown)
    assert '"BASE"' in card(one(base=None), "x.safetensors", "lora_kohya", "fp16")
    base = card(one(step=0, settings={}), "x.safetensors", "single_file", "fp16")
    assert "# base" in base
    assert "TRIGGER WORDS" not in base


def test_pictures_are_a_small_grid_and_a_preview(tmp_path):
    for number in range(10):
        Image.effect_noise((512, 512), 60).save(tmp_path / f"{number}.png")
    shown = one(words=("minh person",), pictures=[(f"prompt {n}", tmp_path / f"{n}.png") for n in range(10)])
    folder = tmp_path / "out"
    folder.mkdir()
    write_card(shown, folder, "x.safetensors", "single_file", "fp16")
    write_preview(shown, folder / "x.preview.png")
    with Image.open(folder / GRID) as grid:
        assert 8 * 128 < grid.width < 9 * 140
        assert grid.height < 220
    assert Image.open(folder / "x.preview.png").size == (256, 256)
    assert f"({GRID})" in (folder / "README.md").read_text()
    write_card(one(), tmp_path, "x.safetensors", "single_file", "fp16")
    write_preview(one(), tmp_path / "none.png")
    assert GRID not in (tmp_path / "README.md").read_text()
    assert not (tmp_path / "none.png").exists()
