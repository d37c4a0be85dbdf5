"""Part 4: CLIP, which says how well a picture fits a text; its text tower starts the text encoder."""

from typing import Any

import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from avatar_exp.tiny.bench import Bench, Figures, Settings, publish
from avatar_exp.tiny.contrastive import image_processor, info_nce, lightly_changed, retrieval
from avatar_exp.tiny.fitting import Trained, fit, generator_of
from avatar_exp.tiny.pictures import CAPTIONS, SIZE, Pictures, held_out_pictures, training_pictures
from avatar_exp.tiny.tokenizer import MAX_TOKENS, load_tokenizer, token_ids

MAX_LOGIT_SCALE = 100.0


def new_clip(tokenizer: Any) -> Any:
    """About 2.1 million parameters; text width 128, the UNet's cross_attention_dim."""
    torch.manual_seed(0)
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": MAX_TOKENS,
        "projection_dim": 128,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "image_size": SIZE,
        "patch_size": 16,
        "hidden_size": 160,
        "intermediate_size": 640,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "projection_dim": 128,
    }
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=128)
    return CLIPModel._from_config(config, attn_implementation="eager")  # fused attention: slow gradient on a CPU


def caption_ids(tokenizer: Any, pictures: Pictures) -> Tensor:
    """[N, CAPTIONS, 77] int64."""
    flat = [caption for captions in pictures.captions for caption in captions]
    ids: Tensor = token_ids(tokenizer, flat)
    return ids.reshape(len(pictures), CAPTIONS, MAX_TOKENS)


def without_padding(ids: Tensor, eos: int) -> Tensor:
    """[B, longest]: cut after the last eos needed. The text tower is causal and pools at eos: nothing changes."""
    longest = int((ids == eos).int().argmax(1).max()) + 1
    return ids[:, :longest]


class CaptionMatching(Trained):
    """Pictures find their own caption in the batch, and captions their picture."""

    def __init__(self, model: Any, settings: Settings, pictures: Pictures, ids: Tensor, eos: int) -> None:
        super().__init__(model, settings)
        self.pictures, self.ids, self.eos = pictures, ids, eos

    def loss(self, step: int) -> Tensor:
        """InfoNCE over one wording of each of ``batch`` pictures."""
        generator = generator_of(step, "photo")
        rows = torch.randperm(len(self.pictures), generator=generator)[: self.settings.batch]
        wording = torch.randint(CAPTIONS, (len(rows),), generator=generator_of(step, "caption"))
        ids = self.ids[rows, wording]
        images = lightly_changed(self.pictures.floats(rows.sort().values.tolist()), generator)
        ids = ids[rows.argsort()].to(self.device)
        found = self.model(input_ids=without_padding(ids, self.eos), pixel_values=images.to(self.device))
        scale = self.model.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)
        same = (ids[:, None] == ids[None]).all(-1)
        return info_nce(scale * found.image_embeds @ found.text_embeds.T, same)


@torch.no_grad()
def caption_retrieval(model: Any, pictures: Pictures, ids: Tensor, eos: int) -> float:
    """The right caption among 32 different ones of held-out pictures, in [0, 1]; chance is 0.03."""
    _, first = torch.unique(ids[:, 0], dim=0, return_inverse=True)
    rows = [int((first == k).nonzero()[0]) for k in range(int(first.max()) + 1)]
    rows = [rows[i] for i in torch.randperm(len(rows), generator=generator_of(0, "caption")).tolist()]
    found = model(input_ids=without_padding(ids[rows, 0], eos), pixel_values=pictures.floats(rows))
    return retrieval(found.image_embeds @ found.text_embeds.T)


def load_clip(bench: Bench) -> Any:
    """The published CLIP, in fp32."""
    model: Any = CLIPModel.from_pretrained(bench.out / "clip")
    return model.eval()


def run(bench: Bench) -> Figures:
    """Train, publish ``clip/`` with its tokenizer and image processor, measure what was published."""
    pictures, tokenizer = training_pictures(bench.work), load_tokenizer(bench)
    eos = tokenizer.eos_token_id
    module = CaptionMatching(new_clip(tokenizer), bench.settings, pictures, caption_ids(tokenizer, pictures), eos)
    figures = fit(bench, module)
    publish(bench.out / "clip", module.averaged, tokenizer, image_processor())
    held_out = held_out_pictures(bench.work)
    right = caption_retrieval(load_clip(bench), held_out, caption_ids(tokenizer, held_out), eos)
    return {**figures, "right_caption_of_32": right}
