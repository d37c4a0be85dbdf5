"""What run.json says about where a run comes from, and how it ended."""

import importlib.metadata
import logging
import platform
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import avatar_exp
from avatar_exp.run_folder import RunFolder

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
    """One line that repeats the run anywhere: what was typed, then what was decided for the user."""
    typed = {one.partition("=")[0] for one in overrides}
    return shlex.join(
        [
            "python",
            "-m",
            "avatar_exp.train",
            *overrides,
            *(one for one in decided if one.partition("=")[0] not in typed),
        ]
    )


@contextmanager
def recorded(folder: RunFolder) -> Iterator[None]:
    """Status running inside; afterwards finished, failed with the error, or interrupted."""
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
    except BaseException as error:
        folder.update(status="failed", error=f"{type(error).__name__}: {error}")
        raise
    folder.update(status="finished")
