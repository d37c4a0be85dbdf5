"""What training chooses from: each photo and each prior picture as latents and words."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps
from torch import Tensor

from avatar_exp.data.alike import families
from avatar_exp.data.boxes import NO_FACE, face_box
from avatar_exp.data.concept import Concept
from avatar_exp.data.glance import glance
from avatar_exp.data.latents import Moments, moments, text_embedding
from avatar_exp.data.photos import UnreadableError, crop_square, open_photo
from avatar_exp.diffusion.draws import seed_of
from avatar_exp.errors import UserError
from avatar_exp.models.components import Components
from avatar_exp.store import Store


@dataclass(frozen=True)
class Example:
    """One picture, ready to be trained on."""

    moments: Moments
    mirrored: Moments | None  # of the flipped picture, where flips are on
    text: Tensor  # [77] token ids where the text encoder is trained, [77, D] states where it is frozen
    face: Tensor = NO_FACE  # [4] left, top, right, bottom as fractions, where faces are weighted; NO_FACE: none


@dataclass(frozen=True)
class TrainingSet:
    """The examples of one concept."""

    instance: Sequence[Example]
    prior: Sequence[Example]
    empty: Tensor | None = None  # the words of the empty prompt, as an example's text, where captions are dropped


def split(photos: Sequence[Path], holdout: int, seed: int) -> tuple[list[Path], list[Path]]:
    """(for training, held out): which ones depends on their names and the seed, not on their order.

    A photo that another is nearly the same as is held out only where too few others are, and then next to its copies:
    it would be no photo that training has not seen.
    """
    drawn = sorted(photos, key=lambda photo: seed_of(seed, 0, f"holdout/{photo.name}"))
    held = set((_copies_last(drawn) if 0 < holdout < len(drawn) else drawn)[:holdout])
    return [photo for photo in photos if photo not in held], [photo for photo in photos if photo in held]


def _copies_last(photos: Sequence[Path]) -> list[Path]:
    """The same photos: first those without a copy, then each with its copies; otherwise in the order they came in."""
    try:
        family = families([glance(photo).thumb for photo in photos])  # mostly known: they were checked before
    except UnreadableError:
        return list(photos)
    size = Counter(family)
    return [photos[k] for k in sorted(range(len(photos)), key=lambda k: (size[family[k]] > 1, family[k]))]


def training_set(
    concept: Concept,
    photos: Sequence[Path],
    prior: Sequence[Path],
    components: Components,
    store: Store,
    *,
    resolution: int,
    flip: bool,
    text_is_trained: bool,
    empty_prompt: bool = False,
    faces: bool = False,
    tick: Callable[[int, int], None] | None = None,
) -> TrainingSet:
    """Latents and words of every photo and prior picture, at ``resolution`` pixels.

    Args:
        flip: with latents of the mirrored pictures too, made by the VAE: mirrored latents would be other pictures'.
        text_is_trained: words as token ids, not as states.
        empty_prompt: with the words of the empty prompt.
        faces: with the photos' face boxes.

    Raises:
        UserError: if a picture cannot be read.
    """
    files = [*photos, *prior]
    prompts = [*(concept.caption(photo) for photo in photos), *[concept.fill(concept.class_prompt)] * len(prior)]
    images = [_square(file, resolution) for file in files]
    plain = moments(components, store, images, tick)
    mirrored: Sequence[Moments | None] = [None] * len(files)
    if flip:
        mirrored = moments(components, store, [mirror(image) for image in images], tick)
    words = {
        prompt: components.token_ids([prompt])[0] if text_is_trained else text_embedding(components, store, prompt)
        for prompt in {*prompts, *([""] if empty_prompt else [])}
    }
    boxes = [*(face_box(photo) if faces else NO_FACE for photo in photos), *[NO_FACE] * len(prior)]
    examples = [Example(m, f, words[p], b) for m, f, p, b in zip(plain, mirrored, prompts, boxes, strict=True)]
    return TrainingSet(examples[: len(photos)], examples[len(photos) :], words.get(""))


def _square(file: Path, resolution: int) -> Image.Image:
    try:
        return crop_square(open_photo(file), resolution)
    except UnreadableError as error:
        raise UserError(f"{file}: cannot be read: {error}") from error


def mirror(image: Image.Image) -> Image.Image:
    """Left becomes right."""
    return ImageOps.mirror(image)
