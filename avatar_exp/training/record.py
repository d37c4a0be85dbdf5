"""What run.json says about where a run comes from, and how it ended."""

import importlib.metadata
import logging
import platform
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import avatar_exp
from avatar_exp.data.boxes import BOXES, read_boxes
from avatar_exp.data.concept import Concept
from avatar_exp.errors import RefusedError
from avatar_exp.run_folder import RunFolder
from avatar_exp.store import content_key, file_hash

log = logging.getLogger("avatar_exp")

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "pytorch-lightning",
    "hydra-core",
    "bitsandbytes",
    "xformers",
    "wandb",
)


def versions() -> dict[str, str]:
    """Of this project, Python and the packages whose change can change a result."""
    found = {"avatar_exp": avatar_exp.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The commit of the source tree, with ``+`` if it has changes; None for an installed wheel."""
    root = Path(avatar_exp.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        commit = subprocess.check_output(["git", "-C", root, "rev-parse", "HEAD"], text=True, stderr=subprocess.DEVNULL)
        changes = subprocess.check_output(
            ["git", "-C", root, "status", "--porcelain", "--untracked-files=no"], text=True, stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if changes.strip() else "")


def repeat_command(overrides: Sequence[str], decided: Sequence[str]) -> str:
    """One line that repeats the run anywhere: what was typed, then what was decided for the user.

    Of a key that was typed twice the last one counts; ``repeat``, ``resume`` and ``hydra.*`` name folders that are only
    here, and ``sweep`` would make many runs of one.
    """
    typed = {one.partition("=")[0]: one for one in overrides}
    values = {**{one.partition("=")[0]: one for one in decided}, **typed}
    ordered = [values[key] for key in [*typed, *(key for key in values if key not in typed)]]
    return shlex.join(
        ["python", "-m", "avatar_exp.train"]
        + [one for one in ordered if not one.startswith(("repeat=", "resume=", "sweep=", "hydra."))]
    )


@contextmanager
def only_one(folder: RunFolder) -> Iterator[None]:
    """One process at a time writes a run.

    Raises:
        RefusedError: if another one is at it.
    """
    lock = FileLock(folder.path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RefusedError(f"{folder.path} is still running in another process") from error
    try:
        yield
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


@contextmanager
def recorded(folder: RunFolder) -> Iterator[None]:
    """Status running inside; afterwards finished, failed with the error, or interrupted.

    A run that was resumed by mistake (``RefusedError``) stays what it was.
    """
    before = folder.info
    folder.update(status="running", error=None)
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as end:
        folder.update(status="interrupted")
        if folder.checkpoint.is_file():
            log.info("interrupted; to go on: python -m avatar_exp.train resume=%s", folder.path)
        if isinstance(end, SystemExit) and end.code == 1:  # what Lightning turns Ctrl-C into
            raise KeyboardInterrupt from end
        raise
    except RefusedError:
        folder.update(status=before.get("status"), error=before.get("error"))
        raise
    except BaseException as error:
        folder.update(status="failed", error=f"{type(error).__name__}: {error}")
        raise
    folder.update(status="finished")


def photos_key(concepts: Sequence[Concept]) -> str:
    """Hash of the photos: what runs that are compared must share."""
    photos = ((one.identifier, photo) for one in concepts for photo in one.photos())
    return content_key({f"{identifier}/{photo.name}": file_hash(photo) for identifier, photo in photos})


def learnt_from_key(concepts: Sequence[Concept], boxes: bool) -> str:
    """Hash of all that is learnt from: photos, captions and, where faces are weighted, the given ``boxes``."""
    seen: dict[str, Any] = {"photos": photos_key(concepts)}
    for one in concepts:
        seen |= {f"{one.identifier}/{photo.name}": one.caption(photo) for photo in one.photos()}
        if boxes:
            seen[f"{one.identifier}/{BOXES}"] = read_boxes(Path(one.instance_data_dir))
    return content_key(seen)
