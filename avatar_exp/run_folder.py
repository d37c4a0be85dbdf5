"""One run on disk: its names, atomic writes, and reading it back, also when it is broken or half written.

The contract between the commands. ``train`` writes a run folder; ``sample``, the report and the comparison only read
one through this file.
"""

import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from avatar_exp.errors import UserError

SCHEMA_VERSION = 1


def safe_name(text: str, limit: int = 80) -> str:
    """``text`` as a folder name of ``[A-Za-z0-9._-]``: Vietnamese letters lose their marks, the rest becomes ``-``."""
    plain = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-.")
    return name[:limit].rstrip("-.") or "unnamed"


def make_exclusively(parent: Path, name: str) -> Path:
    """Make ``parent/name``, or ``name-2``, ``name-3``, ... if it is taken: two runs never share a folder."""
    parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, 10_000):
        path = parent / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"10,000 folders named {name}-N in {parent}; clear some away")


def timestamp() -> str:
    """Now, as the run folders are named: ``2026-11-22_17-05-09``."""
    return datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which becomes ``folder`` at the end; if anything fails, nothing is left of it.

    Raises:
        UserError: if something is there already: it might be somebody's.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder} is there already; name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield temporary
        temporary.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()  # that kept its name


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write readable JSON atomically. NaN is refused: it is not JSON, and other readers stop at it."""
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one if the file is missing or broken (a run may have died while it was written)."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file; a line that does not parse (the last of a killed run) is passed over."""
    if not path.is_file():
        return
    for line in path.read_bytes().split(b"\n"):  # not splitlines: a prompt may hold other line ends, unescaped
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Add one object to a JSON-lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def keep_lines_to_step(path: Path, step: int) -> None:
    """Drop the rows after ``step``: a resumed run writes them anew."""
    rows = [row for row in read_lines(path) if row.get("step", 0) <= step]
    if path.is_file():
        write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run; ``info`` is its run.json."""

    path: Path

    @property
    def config(self) -> Path:
        """The composed config with its interpolations, as Hydra writes it."""
        return self.path / ".hydra" / "config.yaml"

    @property
    def overrides(self) -> Path:
        """What was typed, a YAML list of ``key=value``."""
        return self.path / ".hydra" / "overrides.yaml"

    @property
    def resolved(self) -> Path:
        """The config with every interpolation and every automatic choice replaced by its value."""
        return self.path / ".hydra" / "resolved.yaml"

    @property
    def run_json(self) -> Path:
        """Status, origin, decisions, scores and phase times."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """One object per logged step."""
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        """``step_00200/*.png``, ``grid.png`` and ``records.jsonl``."""
        return self.path / "samples"

    @property
    def grid(self) -> Path:
        """Rows: steps, columns: prompts."""
        return self.samples / "grid.png"

    @property
    def records(self) -> Path:
        """One object per sample: step, file, prompt, seed and sampler settings."""
        return self.samples / "records.jsonl"

    @property
    def class_records(self) -> Path:
        """The same of the pictures of the class."""
        return self.samples / "class_records.jsonl"

    @property
    def picture_scores(self) -> Path:
        """One object per scored sample: step, prompt, seed and its own scores, for comparisons picture by picture."""
        return self.samples / "scores.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The newest resumable state."""
        return self.path / "checkpoints" / "last.ckpt"

    def incumbent(self, step: int) -> Path:
        """The trained weights of a step that is, or was, the best so far, where ``choose=best``."""
        return self.path / "checkpoints" / f"best_{step:05d}.safetensors"

    @property
    def incumbents(self) -> dict[int, Path]:
        """Those on disk, by step: the best one, and those that were it since the last checkpoint."""
        return {int(file.stem.partition("_")[2]): file for file in self.checkpoint.parent.glob("best_*.safetensors")}

    @property
    def pipeline(self) -> Path:
        """The chosen weights as a diffusers folder."""
        return self.path / "pipeline"

    @property
    def report(self) -> Path:
        """One self-contained page."""
        return self.path / "report.html"

    @property
    def fresh_samples(self) -> Path:
        """The chosen weights on seeds that had no part in choosing them."""
        return self.samples / "fresh"

    def kept_step(self, step: int) -> Path:
        """The weights of a step named in ``keep_steps``, as a diffusers folder."""
        return self.path / f"pipeline_step_{step:05d}"

    def step_samples(self, step: int) -> Path:
        """The pictures drawn after ``step`` optimizer steps."""
        return self.samples / f"step_{step:05d}"

    @property
    def info(self) -> dict[str, Any]:
        """run.json as it stands; empty when it is missing or broken."""
        return read_json(self.run_json)

    def update(self, **fields: Any) -> None:
        """Merge fields into run.json, atomically."""
        # Not ``info``, which takes a file that cannot be read for an empty one: it would be lost here.
        before = json.loads(self.run_json.read_text()) if self.run_json.is_file() else {}
        write_json(self.run_json, {"schema_version": SCHEMA_VERSION, **before, **fields})

    @property
    def exists(self) -> bool:
        """Whether this folder holds a run at all."""
        return self.config.is_file() or self.run_json.is_file()
