"""Features of any vision model of transformers, one picture at a time or many."""

import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
    ViTConfig,
    ViTModel,
)
from transformers.models.clip import CLIPConfig

from avatar_exp.errors import UserError
from avatar_exp.models.locate import tiny_folder
from avatar_exp.scoring.embedders import DEFAULTS, Embedder, name_of

SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}
IMAGES = [Image.effect_noise((40 + 8 * n, 40), 80).convert("RGB") for n in range(5)]


@pytest.fixture(scope="module", params=["clip", "vision", "vit"])
def saved(request, tmp_path_factory):
    """(folder, model) of a small random model with its processor."""
    torch.manual_seed(0)
    vision, text = CLIPVisionConfig(**VISION), CLIPTextConfig(**SMALL, vocab_size=20)
    make = {
        "clip": lambda: CLIPModel(
            CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=8)
        ),
        "vision": lambda: CLIPVisionModel(vision),
        "vit": lambda: ViTModel(ViTConfig(**VISION)),
    }
    folder = tmp_path_factory.mktemp(request.param)
    model = make[request.param]().eval()
    model.save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder, model


def by_hand(image):
    """CLIP's preprocessing, as its paper's code does it: resize, centre crop, normalise."""
    width, height = image.size
    scale = 32 / min(width, height)
    resized = image.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
    left, top = (resized.width - 32) // 2, (resized.height - 32) // 2
    pixels = np.asarray(resized.crop((left, top, left + 32, top + 32)), dtype=np.float64) / 255
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    return torch.tensor((pixels - mean) / deviation, dtype=torch.float32).permute(2, 0, 1)


@torch.no_grad()
def wanted_features(model, image):
    pixels = by_hand(image)[None]
    if isinstance(model, CLIPModel):
        return model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)[0]
    return model(pixel_values=pixels).pooler_output[0]


def test_features_are_the_models_own(saved):
    folder, model = saved
    features = Embedder(str(folder), torch.device("cpu"))(IMAGES)
    wanted = torch.stack([wanted_features(model, image) for image in IMAGES])
    assert features.shape == wanted.shape
    torch.testing.assert_close(features, wanted, rtol=1e-3, atol=1e-3)


def test_features_do_not_depend_on_the_batch(saved):
    folder, _ = saved
    many, few = (Embedder(str(folder), torch.device("cpu"), size)(IMAGES) for size in (32, 2))
    torch.testing.assert_close(many, few, rtol=1e-4, atol=1e-5)
    assert (many.dtype, many.requires_grad) == (torch.float32, False)
    assert len({tuple(row) for row in many.tolist()}) == len(IMAGES)


def test_a_model_that_is_not_here_is_named_with_its_revision():
    with pytest.raises(UserError, match=r"hf download facebook/dinov2-base --revision abc ") as error:
        Embedder("facebook/dinov2-base@abc", torch.device("cpu"))
    assert "'facebook/dinov2-base'" in str(error.value)
    with pytest.raises(UserError, match=r"hf download facebook/dinov2-base --include"):
        Embedder("facebook/dinov2-base", torch.device("cpu"))


def test_the_known_embedders_are_pinned_to_a_commit():
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name) for name in DEFAULTS.values())


def test_a_folder_may_have_an_at_sign_in_its_name(saved, tmp_path):
    folder, _ = saved
    shutil.copytree(folder, tmp_path / "a@b")
    assert torch.equal(*(Embedder(str(one), torch.device("cpu"))(IMAGES) for one in (folder, tmp_path / "a@b")))


@pytest.mark.parametrize("kind", ["clip", "identity"])
def test_which_embedder_is_taken(tmp_path, kind):
    assert name_of("some/model", kind, "base") == "some/model"
    assert name_of(None, kind, "base") is None
    assert name_of("auto", kind, "owner/base") == DEFAULTS[kind]
    assert name_of("auto", kind, str(tmp_path)) == DEFAULTS[kind]
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "config.json").write_text("{}")
    assert name_of("auto", kind, str(tmp_path)) == str(tmp_path / kind)
    if (tiny_folder() / kind / "config.json").is_file():
        assert name_of("auto", kind, "tiny") == str(tiny_folder() / kind)


@torch.no_grad()
def test_texts_and_pictures_share_a_space_in_clip_alone():
    """Against the model's own logits, as CLIPProcessor prepares them."""
    clip = Embedder("tiny/clip", torch.device("cpu"))
    prompts = ["photo of person in the snow", "a person with a red hat on the beach"]
    pictures = [Image.new("RGB", (128, 128), color) for color in ("white", "red", "blue")]
    model, processor = (kind.from_pretrained(tiny_folder() / "clip") for kind in (CLIPModel, CLIPProcessor))
    wanted = model(**processor(text=prompts, images=pictures, return_tensors="pt", padding=True)).logits_per_image
    features, texts = clip(pictures), clip.texts(prompts)
    cosines = torch.nn.functional.normalize(features, dim=1) @ torch.nn.functional.normalize(texts, dim=1).T
    torch.testing.assert_close(cosines * model.logit_scale.exp(), wanted, rtol=1e-3, atol=1e-3)
    assert clip.reads_text
    assert not Embedder("tiny/identity", torch.device("cpu")).reads_text
