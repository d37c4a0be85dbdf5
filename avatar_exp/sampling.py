"""The one sampler: prior images, grids, scores and ``sample`` all draw their pictures here.

A picture depends on its own request, not on the batch it is drawn in: its noise comes from its own seed.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from PIL import Image
from torch import Tensor

from avatar_exp.data.photos import to_image
from avatar_exp.errors import UserError, ran_out_of_memory
from avatar_exp.models.components import Components
from avatar_exp.pictures import save_picture
from avatar_exp.store import Store

log = logging.getLogger("avatar_exp")

SAMPLER_VERSION = 1  # raise it when the same request gives another picture: stored pictures are keyed by it

Record = dict[str, Any]
Tick = Callable[[int, int], None]  # pictures done, pictures wanted
Watch = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class Request:
    """One picture; the fields are named as in diffusers."""

    prompt: str
    seed: int
    negative_prompt: str = ""
    num_inference_steps: int = 24
    guidance_scale: float = 7.5  # Ho & Salimans 2022; at 1 or below the prompt is used without guidance
    scheduler: str = "DDIM"
    height: int = 512  # pixels
    width: int = 512

    @property
    def settings(self) -> tuple[Any, ...]:
        """What pictures of one batch must share."""
        return (self.num_inference_steps, self.guidance_scale, self.scheduler, self.height, self.width)


def scheduler_class(name: str) -> Any:
    """A diffusers scheduler by name, with or without "Scheduler" at the end.

    Raises:
        UserError: for a name that diffusers does not have.
    """
    found = getattr(diffusers, name if name.endswith("Scheduler") else f"{name}Scheduler", None)
    if not inspect.isclass(found) or not hasattr(found, "from_config"):
        raise UserError(
            f"scheduler={name}: diffusers has none of that name; e.g. DDIM, DPMSolverMultistep, "
            "EulerAncestralDiscrete, UniPCMultistep, PNDM, DDPM"
        )
    return found


def batches(requests: Sequence[Request], size: int) -> Iterator[list[Request]]:
    """Runs of neighbouring requests with the same settings, at most ``size`` long; the order is kept."""
    batch: list[Request] = []
    for request in requests:
        if batch and (len(batch) == size or request.settings != batch[0].settings):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def sample(
    components: Components, requests: Sequence[Request], batch_size: int
) -> Iterator[tuple[Image.Image, Record]]:
    """Draw the requests in order, with the record of what made each picture; with half as many at once, from then on,
    where a GPU's memory runs out.
    """
    made_by = {"sampler_version": SAMPLER_VERSION, "precision": str(components.compute_dtype).removeprefix("torch.")}
    for batch in batches(requests, batch_size):
        while batch:
            together = batch[:batch_size]
            try:
                pixels = decoded(components, together)
            except RuntimeError as error:
                if not ran_out_of_memory(error) or len(together) == 1:
                    raise
                batch_size = len(together) // 2
                log.warning("out of memory with %d pictures at once: on with %d", len(together), batch_size)
                torch.cuda.empty_cache()  # does nothing where CUDA is not in use
                continue
            for request, picture in zip(together, pixels, strict=True):
                yield to_image(picture), {**asdict(request), **made_by}
            batch = batch[len(together) :]


def decoded(components: Components, batch: Sequence[Request]) -> list[Tensor]:
    """Pictures [3, H, W] in [-1, 1] of a batch that shares its settings."""
    with components.inference():
        latents = denoise(components, batch) / components.vae.config.scaling_factor
        # One by one: decoding takes the most memory of all, and a training state may lie beside it.
        return [components.vae.decode(latent[None]).sample[0] for latent in latents]


def draw_all(
    components: Components, requests: Sequence[Request], batch_size: int, tick: Tick
) -> list[tuple[Image.Image, Record]]:
    """The same, all of them, telling ``tick`` how far it is."""
    found = []
    for picture in sample(components, requests, batch_size):
        found.append(picture)
        tick(len(found), len(requests))
    return found


def denoise(components: Components, batch: Sequence[Request], watch: Watch | None = None) -> Tensor:
    """[B, C, H, W] latents of a batch that shares its settings; to be called within ``components.inference()``.

    Args:
        watch: is shown the number of each step, from 0, and the latents after it.
    """
    first, device = batch[0], components.device
    scheduler = scheduler_class(first.scheduler).from_config(components.scheduler.config)
    scheduler.set_timesteps(first.num_inference_steps, device=device)
    generators = [torch.Generator().manual_seed(request.seed) for request in batch]
    shape = (
        components.unet.config.in_channels,
        first.height // components.downscale,
        first.width // components.downscale,
    )
    noise = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
    latents: Tensor = noise.to(device) * scheduler.init_noise_sigma

    guided = first.guidance_scale > 1
    texts = [request.negative_prompt for request in batch] if guided else []
    states = components.text_states(components.token_ids([*texts, *(request.prompt for request in batch)]))
    # Stochastic schedulers get each picture's own generator, so they too are independent of the batch.
    own_noise = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for step, timestep in enumerate(scheduler.timesteps):
        inputs = scheduler.scale_model_input(torch.cat([latents, latents]) if guided else latents, timestep)
        prediction = components.unet(inputs, timestep, encoder_hidden_states=states).sample.float()
        if guided:
            without, with_prompt = prediction.chunk(2)
            prediction = without + first.guidance_scale * (with_prompt - without)
        latents = scheduler.step(prediction, timestep, latents, **own_noise).prev_sample
        if watch:
            watch(step, latents)
    return latents


def stored_pictures(
    components: Components, store: Store, requests: Sequence[Request], batch_size: int, tick: Tick | None = None
) -> list[Path]:
    """The pictures of an untrained base, from the store; those that are not there yet are drawn.

    Only for a base as it was loaded: the key holds the fingerprint of the files, not of weights in training.
    """
    common = {
        "base": components.fingerprint,
        "sampler_version": SAMPLER_VERSION,
        "precision": str(components.compute_dtype).removeprefix("torch."),
    }

    def draw(missing: list[int]) -> Iterator[tuple[int, Callable[[Path], None]]]:
        drawn = sample(components, [requests[index] for index in missing], batch_size)
        for done, (index, (image, record)) in enumerate(zip(missing, drawn, strict=True), 1):
            yield index, lambda folder, image=image, record=record: save_picture(image, folder / "picture.png", record)  # type: ignore[misc]
            if tick:
                tick(done, len(missing))

    ingredients = [{**common, **asdict(request)} for request in requests]
    return [
        entry / "picture.png" for entry in store.entries("pictures", ingredients, draw, group=components.fingerprint)
    ]
