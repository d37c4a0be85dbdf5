"""Pretrain the built-in base from nothing, on a CPU or a GPU: ``python -m avatar_exp.tiny.pretrain``.

Eight parts, one after the other. A finished part is skipped and an interrupted one goes on from its last checkpoint, so
the command can be stopped and given again at any moment.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from avatar_exp.tiny.bench import SEED, Bench, Figures, Settings, write_json

# In their order. Steps are chosen from the seconds per step on 2 cores: about three hours in all.
PARTS: Mapping[str, Settings] = {
    "pictures": Settings(steps=10000, batch=1),
    "autoencoder": Settings(steps=7000, batch=8, lr=2e-3, muon_lr=5e-3, ema=0.998),
    "tokenizer": Settings(steps=0, batch=1),
    "clip": Settings(steps=1000, batch=128, lr=1e-3, muon_lr=3e-3, ema=0.99),
    "identity": Settings(steps=900, batch=64, lr=2e-3, muon_lr=5e-3, ema=0.99),
    "latents": Settings(steps=0, batch=32),
    "denoiser": Settings(steps=23000, batch=32, lr=1e-3, muon_lr=5e-3, ema=0.999, decay=0.287),
    "decoder": Settings(steps=11000, batch=8, lr=1e-3, muon_lr=3e-3, ema=0.998),
}
QUICK: Mapping[str, Settings] = {
    "pictures": Settings(steps=12, batch=1),
    "autoencoder": Settings(steps=20, batch=8, lr=2e-3, muon_lr=5e-3, ema=0.9),
    "tokenizer": PARTS["tokenizer"],
    "clip": Settings(steps=20, batch=16, lr=1e-3, muon_lr=3e-3, ema=0.9),
    "identity": Settings(steps=20, batch=8, lr=2e-3, muon_lr=5e-3, ema=0.9),
    "latents": PARTS["latents"],
    "denoiser": Settings(steps=20, batch=8, lr=1e-3, muon_lr=5e-3, ema=0.9),
    "decoder": Settings(steps=20, batch=8, lr=1e-3, muon_lr=3e-3, ema=0.9),
}
# Folders of weights that a part publishes; it is done anew when one of them is missing.
MAKES: Mapping[str, tuple[str, ...]] = {
    "autoencoder": ("vae",),
    "tokenizer": ("tokenizer",),
    "clip": ("clip",),
    "identity": ("identity",),
    "denoiser": ("unet", "text_encoder", "scheduler"),
    "decoder": ("vae",),
}


def runners() -> Mapping[str, Callable[[Bench], Figures]]:
    """What makes each part (imported here, so that ``--help`` is quick)."""
    from avatar_exp.tiny import autoencoder, clip, decoder, denoiser, identity, latents, pictures, tokenizer

    modules = (pictures, autoencoder, tokenizer, clip, identity, latents, denoiser, decoder)
    return {module.__name__.rpartition(".")[2]: module.run for module in modules}


def commit() -> str | None:
    """The commit this runs from, if git knows."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() if found.returncode == 0 else None


def finished(bench: Bench) -> Figures | None:
    """The figures of a part that is done, or None."""
    marker = bench.work / bench.name / "done.json"
    there = all((bench.out / folder).is_dir() for folder in MAKES.get(bench.name, ()))
    figures: Figures | None = json.loads(marker.read_text()) if marker.exists() and there else None
    return figures


def make(bench: Bench) -> Figures:
    """Make one part, unless it is done."""
    figures = finished(bench)
    if figures is not None:
        print(f"{bench.name:<11} done before", flush=True)
        return figures
    print(f"{bench.name:<11} starts", flush=True)
    began = time.perf_counter()
    figures = {"minutes": 0.0, **runners()[bench.name](bench)}
    figures["minutes"] = figures["minutes"] or (time.perf_counter() - began) / 60
    write_json(bench.folder / "done.json", figures)
    shown = "   ".join(f"{key} {value:.4g}" for key, value in figures.items())
    print(f"{bench.name:<11} done   {shown}", flush=True)
    return figures


def write_record(work: Path, out: Path) -> None:
    """pretrain.json and README.md, from the figures of all parts that are done."""
    import torch

    from avatar_exp.tiny.weights_card import card

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    parts = {name: finished(Bench(name, settings, work, out)) for name, settings in PARTS.items()}
    record: dict[str, Any] = {
        "seed": SEED,
        "commit": commit(),
        "versions": {name: version(name) for name in ("torch", "diffusers", "transformers")},
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}, {gpu or 'no GPU'}",
        "parts": {name: figures for name, figures in parts.items() if figures is not None},
    }
    write_json(out / "pretrain.json", record)
    (out / "README.md").write_text(card(record, out))


def pretrain(work: Path, out: Path, names: list[str], quick: bool, threads: int) -> None:
    """Make the named parts in order; the record is brought up to date after each."""
    import torch
    from transformers.utils import logging

    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    out.mkdir(parents=True, exist_ok=True)
    for leftover in out.glob(".*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for name, settings in (QUICK if quick else PARTS).items():
        if name in names:
            make(Bench(name, settings, work, out))
            write_record(work, out)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m avatar_exp.tiny.pretrain", description=__doc__)
    parser.add_argument(
        "--work", type=Path, default=Path("pretrain"), help="pictures, latents, checkpoints: throw away"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights", help="the folder of weights")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these")
    parser.add_argument("--quick", action="store_true", help="a few steps of everything, to see that it runs")
    parser.add_argument("--threads", type=int, default=2, help="1 is faster where others keep a core busy")
    given = parser.parse_args(arguments)
    pretrain(given.work, given.out, given.parts, given.quick, given.threads)


if __name__ == "__main__":
    main()
