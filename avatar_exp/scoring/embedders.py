"""Pictures to features, behind one interface: any vision model that ``transformers`` loads."""

from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer

from avatar_exp.errors import UserError
from avatar_exp.models.locate import TINY, locate, tiny_folder

# What is taken for `auto` if the base does not bring its own (the built-in one does: clip/ and identity/). Each at one
# commit: scores of two years must not differ because a repository was changed in between.
DEFAULTS = {
    "clip": "openai/clip-vit-large-patch14@32bd64288804d66eefd0ccbe215aa642df71cc41",
    "identity": "facebook/dinov2-base@f9e44c814b77203eaa57a6bdbbd535f21ede1415",
}


class Embedder:
    """Image features of one model: CLIP's projected ones, else the pooled output."""

    def __init__(self, name: str, device: torch.device, batch_size: int = 32) -> None:
        """Load ``name``: a hub id, perhaps with ``@revision``, a folder, ``tiny/clip`` or ``tiny/identity``.

        Raises:
            UserError: if it is not there and cannot be fetched.
        """
        folder = folder_of(name)
        self.name, self.device, self.batch_size = name, device, batch_size
        named = (AutoConfig.from_pretrained(folder, local_files_only=True).architectures or [""])[0]
        kind = getattr(transformers, named) if named.endswith("WithProjection") else AutoModel  # Auto would drop it
        self.model = kind.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval().to(device)
        self.processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        self.folder = folder

    @property
    def reads_text(self) -> bool:
        """Whether the model was trained on texts too, as CLIP was."""
        return hasattr(self.model, "get_text_features")

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """[N, D], fp32, on the CPU."""
        features = []
        for start in range(0, len(images), self.batch_size):
            chunk = list(images[start : start + self.batch_size])
            pixels = self.processor(images=chunk, return_tensors="pt").pixel_values.to(self.device)
            with torch.no_grad():
                encode = getattr(self.model, "get_image_features", self.model)
                output = encode(pixel_values=pixels)
            pooled = getattr(output, "image_embeds", None)  # of CLIPVisionModelWithProjection
            pooled = getattr(output, "pooler_output", output) if pooled is None else pooled
            features.append(pooled.flatten(1).float().cpu())
        return torch.cat(features)

    def texts(self, prompts: Sequence[str]) -> Tensor:
        """[P, D], fp32, on the CPU: texts in the space of the pictures; only of a model that ``reads_text``."""
        tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        tokens = tokenizer(list(prompts), padding=True, truncation=True, return_tensors="pt").to(self.device)
        with torch.no_grad():
            output = self.model.get_text_features(**tokens)
        features: Tensor = getattr(output, "pooler_output", output).float().cpu()
        return features


def folder_of(name: str) -> Path:
    """Where ``name`` is, see ``Embedder``; fetched first if it is on the hub only."""
    path, _, revision = (name, "", "") if Path(name).is_dir() else name.partition("@")
    return locate(path, revision=revision or None)


def weight_bytes(name: str) -> int:
    """The size of a model's files (those taken by default hold fp32); 0 if it is not there and cannot be fetched."""
    try:
        return sum(file.stat().st_size for file in folder_of(name).glob("*.safetensors"))
    except UserError:
        return 0


def name_of(asked: str | None, kind: str, base: str) -> str | None:
    """The model to load for a config value: ``auto`` is the base's own, or else a well-known one; None is none.

    Args:
        kind: ``clip`` or ``identity``.
        base: the base's path; a folder may bring ``clip/`` and ``identity/``.
    """
    if asked != "auto":
        return asked
    own = (tiny_folder() if base == TINY else Path(base)) / kind
    return str(own) if (own / "config.json").is_file() else DEFAULTS[kind]
