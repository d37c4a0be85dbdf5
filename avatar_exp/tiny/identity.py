"""Part 5: the identity embedder: near for two pictures of one person, far for two people, whatever the scene.

A small ResNet trained so that two pictures of a person, drawn in different scenes, find each other among others
(InfoNCE; van den Oord et al. 2018). Background and clothes belong to the scene, so looking at them cannot help.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import ResNetConfig, ResNetModel

from avatar_exp.tiny.bench import Bench, Figures, Settings, publish
from avatar_exp.tiny.contrastive import image_processor, info_nce, lightly_changed, retrieval
from avatar_exp.tiny.fitting import Trained, fit, generator_of
from avatar_exp.tiny.pictures import SCENES, Pictures, held_out_pictures, training_pictures

TEMPERATURE = 0.07


def new_embedder() -> Any:
    """About 0.7 million parameters; ``pooler_output`` is [B, 192, 1, 1]."""
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=24, hidden_sizes=[24, 48, 96, 192], depths=[1, 1, 1, 1], layer_type="basic")
    model: Any = ResNetModel(config)
    return model.to(memory_format=torch.channels_last)


def embed(model: Any, pictures: Tensor) -> Tensor:
    """[B, 3, 128, 128] in [-1, 1] to unit vectors [B, 192]."""
    return F.normalize(model(pictures).pooler_output.flatten(1).float(), dim=-1)


class SamePerson(Trained):
    """``batch`` people a step, two scenes of each."""

    def __init__(self, model: Any, settings: Settings, pictures: Pictures) -> None:
        super().__init__(model, settings)
        self.pictures = pictures

    def loss(self, step: int) -> Tensor:
        """InfoNCE over the two views of each person."""
        generator = generator_of(step, "photo")
        people = torch.randperm(len(self.pictures) // SCENES, generator=generator)[: self.settings.batch]
        scenes = torch.rand(len(people), SCENES, generator=generator).argsort(1)
        views = [self.pictures.floats((people * SCENES + scenes[:, k]).tolist()) for k in (0, 1)]
        changed = torch.cat([lightly_changed(view, generator) for view in views])
        changed = changed.to(self.device, memory_format=torch.channels_last)
        one, other = embed(self.model, changed).chunk(2)
        same = torch.zeros(len(one), len(one), dtype=torch.bool, device=self.device)
        return info_nce(one @ other.T / TEMPERATURE, same)


@torch.no_grad()
def person_retrieval(model: Any, pictures: Pictures) -> float:
    """The right one of 32 held-out people from one other picture of each, in [0, 1]; chance is 0.03."""
    one, other = (embed(model, pictures.floats(slice(k, None, SCENES))) for k in (0, 1))
    return retrieval(one @ other.T)


def run(bench: Bench) -> Figures:
    """Train, publish ``identity/`` with its image processor, measure what was published."""
    module = SamePerson(new_embedder(), bench.settings, training_pictures(bench.work))
    figures = fit(bench, module)
    publish(bench.out / "identity", module.averaged, image_processor())
    published: Any = ResNetModel.from_pretrained(bench.out / "identity")
    return {**figures, "right_person_of_32": person_retrieval(published.eval(), held_out_pictures(bench.work))}
