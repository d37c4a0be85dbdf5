"""Running a command in this process (importing torch and diffusers anew would cost seconds a time), or in its own."""

import contextlib
import importlib
import io
import json
import logging
import os
import random
import shlex
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import load_file

from avatar_exp.config.base import default_base
from avatar_exp.config.overrides import groups
from avatar_exp.run_folder import RunFolder, read_lines

ROOT = Path(__file__).resolve().parents[2]

# Everything that a run does, as little of it as possible.
SHORT = (
    "max_steps=4",
    "batch_size=1",
    "prior.count=2",
    "prior.sampler.num_inference_steps=2",
    "scoring.sampler.num_inference_steps=2",
    "scoring.seeds=1",
    "sample_every=4",
    "checkpoint_every=0",  # a state is three times the weights: a hundred runs would write gigabytes
)
# ... and nothing of what most tests do not look at.
BARE = (*SHORT, "model=tiny", "concept=hoanganh", "sample_every=0", "logger=none")
KEPT = ("checkpoint_every=4", "keep_checkpoints=true")
RAISE = "+callbacks.stop._target_=runs.callbacks.Raise"


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str
    outputs: Path

    @property
    def run(self) -> RunFolder:
        """The one run folder that it made under its outputs."""
        (folder,) = [path for path in self.outputs.glob("train/*/*") if path.is_dir()]
        return RunFolder(folder)

    @property
    def jobs(self) -> list[RunFolder]:
        """The jobs of the one sweep that it made, in their order."""
        return [RunFolder(path) for path in sorted(self.outputs.glob("sweeps/*/*")) if path.is_dir()]

    @property
    def pictures(self) -> Path:
        """The one folder that ``sample`` made."""
        (folder,) = self.outputs.glob("samples/*")
        return folder


class Commands:
    """Runs commands that share one store and an empty home folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.store = folder, folder / "home", folder / "store"
        self.home.mkdir()
        self._count = 0

    @property
    def environment(self) -> dict[str, str]:
        """No GPU, no network, nothing in the home folder."""
        return {
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HUB_OFFLINE": "1",
            "HOME": str(self.home),
            "WANDB_MODE": "offline",
            **{f"WANDB_{name}_DIR": str(self.folder / "wandb" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")},
        }

    def fresh_outputs(self) -> Path:
        """A folder that no command has written to yet."""
        self._count += 1
        return self.folder / f"outputs-{self._count}"

    def arguments(self, command: str, overrides: Sequence[str], outputs: Path) -> list[str]:
        """``overrides`` with a folder for what is written and the shared store, unless they name their own.

        Of a group that is given twice the last holds: a test's own behind that of ``BARE``. ``prepare`` writes into
        ``data`` of the folder that it is typed in.
        """
        last = {key: one for one in overrides if (key := one.partition("=")[0]) in groups()}
        overrides = [one for one in overrides if last.get(one.partition("=")[0], one) == one]
        given = {one.partition("=")[0] for one in overrides}
        more = {"outputs": outputs} | ({"store": self.store} if command == "train" else {})
        if given & {"resume", "repeat"} or command == "prepare":
            return list(overrides)
        return [*overrides, *(f"{key}={value}" for key, value in more.items() if key not in given)]

    def __call__(self, command: str, *overrides: str, cwd: Path = ROOT, outputs: Path | None = None) -> Result:
        """Run ``python -m avatar_exp.<command> <overrides>`` in this process."""
        outputs = outputs or self.fresh_outputs()
        main = importlib.import_module(f"avatar_exp.{command}").main
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            as_in_its_own_process(self.environment, cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            sys.argv = [command, *self.arguments(command, overrides, outputs)]
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
            except Exception:
                traceback.print_exc()
                code = 1
        return Result(code, out.getvalue(), err.getvalue(), outputs)

    def in_process_of_its_own(
        self, command: str, *overrides: str, cwd: Path = ROOT, add_outputs: bool = True
    ) -> Result:
        """The same, as a user does it."""
        outputs = self.fresh_outputs()
        arguments = self.arguments(command, overrides, outputs) if add_outputs else overrides
        os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
        ended = subprocess.run(
            [sys.executable, "-m", f"avatar_exp.{command}", *arguments],
            cwd=cwd,
            env={
                **os.environ,
                **self.environment,
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), *sys.path]),
            },
            capture_output=True,
            text=True,
        )
        return Result(ended.returncode, ended.stdout, ended.stderr, outputs)


@contextlib.contextmanager
def as_in_its_own_process(environment: Mapping[str, str], cwd: Path) -> Iterator[None]:
    """What a command changes in its process is undone afterwards."""
    kept, argv, here, root = dict(os.environ), sys.argv, Path.cwd(), logging.getLogger()
    handlers, level, interrupt = list(root.handlers), root.level, signal.getsignal(signal.SIGINT)
    numbers = torch.get_rng_state(), random.getstate()
    GlobalHydra.instance().clear()
    default_base.cache_clear()
    os.environ.update(environment)
    os.environ.pop("HYDRA_FULL_ERROR", None)
    os.chdir(cwd)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(kept)
        sys.argv = argv
        root.handlers[:] = handlers
        root.setLevel(level)
        signal.signal(signal.SIGINT, interrupt)  # Lightning ignores it from the first Ctrl-C on
        torch.set_rng_state(numbers[0])
        random.setstate(numbers[1])
        default_base.cache_clear()
        GlobalHydra.instance().clear()


def typed_again(line: str) -> list[str]:
    """The overrides of a command line that a run printed."""
    python, dash_m, module, *overrides = shlex.split(line)
    assert (python, dash_m, module) == ("python", "-m", "avatar_exp.train")
    return overrides


def rows(run: RunFolder) -> list[dict[str, Any]]:
    """metrics.jsonl without the one figure that no two runs share."""
    return [
        {key: value for key, value in row.items() if key != "train/images_per_s"} for row in read_lines(run.metrics)
    ]


def pictures(run: RunFolder) -> dict[str, bytes]:
    """Every sample of a run by its name."""
    return {str(file.relative_to(run.samples)): file.read_bytes() for file in sorted(run.samples.rglob("*.png"))}


def weights(pipeline: Path) -> dict[str, torch.Tensor]:
    """Every weight that a pipeline holds, by file and name."""
    return {
        f"{file.parent.name}/{name}": tensor
        for file in sorted(pipeline.glob("*/*.safetensors"))
        for name, tensor in load_file(file).items()
    }


def unlike(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two nests of dicts, lists, tensors and values differ by as much as a bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other}, key=str)
        return [fault for key in keys for fault in unlike(one.get(key), other.get(key), f"{where}/{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [fault for n, pair in enumerate(zip(one, other, strict=True)) for fault in unlike(*pair, f"{where}/{n}")]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if torch.equal(one, other) else [where]
    return [] if one == other else [where]


def changed(file: Path, **fields: Any) -> None:
    """Change fields of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))
