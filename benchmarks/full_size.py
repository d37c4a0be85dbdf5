"""Stable Diffusion 1.5 at its full size, with random weights: trained, exported in every format, read back.

    python -m benchmarks.full_size --work /somewhere/new

Wants 20 GiB of memory and 25 GiB of disk, and prints the table of docs/formats.md. What is random has the architecture,
the names and the sizes of the real one; no picture is looked at.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from avatar_exp.models.locate import tiny_folder
from avatar_exp.run_folder import write_json
from benchmarks.markdown import head, row

PARTS = ("unet", "text_encoder", "vae")
FULL = {"channels": (320, 640, 1280, 1280), "text": 768, "layers": 12, "vocabulary": 49408, "side": 64, "vae": 128}
SHORT = ("max_steps=2", "prior.count=1", "prior.sampler.num_inference_steps=1", "sample_every=0", "precision=32")
METHODS: Mapping[str, Sequence[str]] = {"full": (), "lora": ("method=lora", "lr=1e-4")}
FORMATS: Mapping[str, Sequence[tuple[str, str]]] = {
    "full": (("diffusers", "fp16"), ("single_file", "fp16"), ("single_file", "fp32")),
    "lora": (("diffusers", "fp16"), ("single_file", "fp16"), ("lora_diffusers", "fp16"), ("lora_kohya", "fp16")),
}
DTYPES = {"fp16": torch.float16, "fp32": torch.float32}
KEYS = {"single_file": 1130, "lora_diffusers": 352, "lora_kohya": 528}  # of SD 1.5; the LoRAs of the default layers
ROUNDING = 2e-3  # of weights of about 1 in fp16, added in another order


def random_base(
    folder: Path, *, channels: tuple[int, ...], text: int, layers: int, vocabulary: int, side: int, vae: int
) -> None:
    """Write a base of SD 1.5's architecture as fp16 files, one network at a time, to hold little memory."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    makers: dict[str, Callable[[], Any]] = {
        "unet": lambda: UNet2DConditionModel(
            sample_size=side, block_out_channels=channels, cross_attention_dim=text, attention_head_dim=8
        ),
        "text_encoder": lambda: CLIPTextModel(
            CLIPTextConfig(
                vocab_size=vocabulary,
                hidden_size=text,
                intermediate_size=4 * text,
                num_hidden_layers=layers,
                num_attention_heads=text // 64 or 1,
                hidden_act="quick_gelu",
            )
        ),
        "vae": lambda: AutoencoderKL(
            sample_size=8 * side,
            block_out_channels=(vae, 2 * vae, 4 * vae, 4 * vae),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
        ),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, make in makers.items():
            make().half().save_pretrained(folder / name)
    DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    ).save_pretrained(folder / "scheduler")
    shutil.copytree(tiny_folder() / "tokenizer", folder / "tokenizer")  # its ids are SD 1.5's first ones
    of_transformers = {"text_encoder": "CLIPTextModel", "tokenizer": "CLIPTokenizer"}
    of_diffusers = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "scheduler": "DDIMScheduler"}
    index = {part: ["transformers", name] for part, name in of_transformers.items()}
    index |= {part: ["diffusers", name] for part, name in of_diffusers.items()}
    none = {part: [None, None] for part in ("safety_checker", "feature_extractor")}
    write_json(folder / "model_index.json", {"_class_name": "StableDiffusionPipeline", **index, **none})


def recipe(base: Path, folder: Path) -> tuple[str, ...]:
    """The tutorial's recipe for two steps on such a base."""
    places = (f"model.path={base}", "model.vae=null", f"outputs={folder}/outputs", f"store={folder}/store")
    return ("concept=hoanganh", "experiment=viblo", *SHORT, *places, "logger=none")


@dataclass(frozen=True)
class Ended:
    """What a command took."""

    seconds: float
    peak: int  # bytes


def told(took: Ended) -> tuple[str, str]:
    """Seconds and gigabytes, to be read."""
    return f"{took.seconds:.0f} s", f"{took.peak / 1e9:.1f} GB"


def ran(*arguments: str) -> Ended:
    """A command in a process of its own.

    Raises:
        SystemExit: if it fails.
    """
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return Ended(time.monotonic() - began, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def keys_of(file: Path) -> set[str]:
    """The names in a file."""
    with safe_open(file, "pt") as opened:
        return set(opened.keys())


def plain(part: str, key: str) -> str:
    """A weight's name as transformers 5 has it; older readers look for another, which ``format=diffusers`` writes."""
    return key.removeprefix("text_model.") if part == "text_encoder" else key


def read_back(format: str, dtype: str, out: Path, run: Path, base: Path) -> str:
    """What an export holds, against the pipeline of its run; what differs is said in words."""
    (file, *_) = [*out.glob("*.safetensors"), out / "unet" / "diffusion_pytorch_model.safetensors"]
    if format != "diffusers" and len(keys_of(file)) != KEYS[format]:
        return f"{len(keys_of(file))} keys, expected {KEYS[format]}"
    if format.startswith("lora"):
        return same_lora(out, file.name, run, base)
    return same_networks(format, DTYPES[dtype], out, run, base)


def same_networks(format: str, dtype: torch.dtype, out: Path, run: Path, base: Path) -> str:
    """Every weight of the run's pipeline, bit by bit in the precision of the file."""
    if format == "single_file":
        from avatar_exp.models.load import load

        parts = load(str(next(out.glob("*.safetensors"))), like=str(base))
        found = {part: dict(getattr(parts, part).state_dict()) for part in PARTS}
    else:
        found = {part: load_file(next((out / part).glob("*.safetensors"))) for part in PARTS}
    for part in PARTS:
        own = load_file(next((run / "pipeline" / part).glob("*.safetensors")))
        exported = {plain(part, key): value for key, value in found[part].items()}
        if {plain(part, key) for key in own} != exported.keys():
            return f"other keys in {part}"
        if any(not torch.equal(value.to(dtype), exported[plain(part, key)].to(dtype)) for key, value in own.items()):
            return f"other weights in {part}"
    return f"{sum(map(len, found.values()))} keys, bit by bit"


def same_lora(out: Path, name: str, run: Path, base: Path) -> str:
    """What diffusers makes of the matrices in the base's weights, against the run's pipeline."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(base, safety_checker=None, local_files_only=True)
    pipeline.load_lora_weights(str(out), weight_name=name)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    most = 0.0
    for part in ("unet", "text_encoder"):
        own = load_file(next((run / "pipeline" / part).glob("*.safetensors")))
        fused = {plain(part, key): value for key, value in getattr(pipeline, part).state_dict().items()}
        differences = (
            (value.float() - fused[plain(part, key)].float()).abs().max().item() for key, value in own.items()
        )
        most = max(most, *differences)
    said = f"{KEYS['lora_kohya' if '.alpha' in str(keys_of(out / name)) else 'lora_diffusers']} keys"
    return f"{said}, at most {most:.0e} apart" if most < ROUNDING else f"{said}, but {most:.3f} apart"


def size_of(out: Path) -> float:
    """Megabytes of weights."""
    return sum(file.stat().st_size for file in out.rglob("*.safetensors")) / 1e6


def main() -> None:
    """Train, export, read back, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full_size", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a folder that is not there yet")
    given = parser.parse_args()
    work = given.work.resolve()
    random_base(work / "base", **FULL)  # type: ignore[arg-type]
    print(head("method", "training, 2 steps", "peak", "format", "weights", "export", "peak", "read back"))
    for method, overrides in METHODS.items():
        trained = ran("avatar_exp.train", *recipe(work / "base", work / method), *overrides)
        (run,) = (work / method / "outputs").glob("train/*/*")
        for format, dtype in FORMATS[method]:
            out = work / "exports" / f"{method}-{format}-{dtype}"
            wrote = ran("avatar_exp.export", f"run={run}", f"format={format}", f"dtype={dtype}", f"out={out}")
            found = read_back(format, dtype, out, run, work / "base")
            print(row([method, *told(trained), f"{format} {dtype}", f"{size_of(out):,.1f} MB", *told(wrote), found]))
            sys.stdout.flush()
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
