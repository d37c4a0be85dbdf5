"""Where the files of a model are: built in, in a folder, or on the Hugging Face hub (only what is needed of it)."""

import contextlib
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import avatar_exp
from avatar_exp.errors import UserError
from avatar_exp.models.build import refuse_other_build

log = logging.getLogger("avatar_exp")

TINY = "tiny"
PIPELINE_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
WITHOUT_WEIGHTS = ("tokenizer", "scheduler")
STEMS = ("diffusion_pytorch_model", "model")  # of the names of weights
CONNECT_SECONDS = 1.5
# Repositories that have left the hub, and where the same weights are now.
GONE = {"runwayml/stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5"}


def tiny_folder() -> Path:
    """The built-in base, shipped inside the package."""
    return Path(avatar_exp.__file__).parent / "tiny" / "weights"


def living(path: str) -> str:
    """The address that a base has now; a folder's is its own."""
    return path if Path(path).is_dir() else GONE.get(path, path)


def patterns(parts: Sequence[str], variant: str | None, weights: bool = True) -> tuple[list[str], list[str]]:
    """The files to fetch: configs, and one variant of the weights of these parts, as safetensors.

    Args:
        parts: none: the repository's root.

    Returns:
        What is taken, and what of that is left: without a variant, the weights of all variants.
    """
    taken, dot = ["*.json", "*.txt"], f".{variant}" if variant else ""
    if weights and not parts:
        taken += [f"{stem}{dot}{end}.safetensors" for stem in STEMS for end in ("", "-0*")]
    elif weights:
        names = f"*{dot}*.safetensors" if variant else "*.safetensors"
        taken += [f"{part}/{names}" for part in parts if part not in WITHOUT_WEIGHTS]
    return taken, [] if variant or not weights else ["*.*.safetensors"]


def locate(
    path: str,
    parts: Sequence[str] = (),
    revision: str | None = None,
    variant: str | None = None,
    weights: bool = True,
) -> Path:
    """The local folder of a model; downloads it first if it is a hub id that is not complete in the cache.

    Args:
        path: ``tiny``, ``tiny/clip`` or ``tiny/identity``, a folder, or a hub id ``owner/name``.
        parts: sub-folders that are needed; none: the root.
        weights: false where the configs and the vocabulary are enough.

    Raises:
        UserError: if it is nowhere: within 2 seconds, with the command that downloads it; or if it is a base of another
            build, before its weights are downloaded.
    """
    if path == TINY or path.startswith(f"{TINY}/"):
        return _complete(tiny_folder() / path[len(TINY) :].lstrip("/"), path, parts, None, weights)
    if Path(path).is_dir():
        return _complete(Path(path), path, parts, variant, weights)
    if path.count("/") != 1 or path.startswith((".", "/", "~")):
        raise UserError(f"model {path!r}: no such folder, and not a hub id (owner/name)")
    if path in GONE:
        log.info("%s has left the hub: %s is taken, its weights at their new address", path, GONE[path])
    return _from_hub(living(path), parts, revision, variant, weights)


def names_of_weights(variant: str | None) -> re.Pattern[str]:
    """What the files of a variant are called, whole or in shards; group 1 is the ending."""
    dot = re.escape(f".{variant}") if variant else ""
    return re.compile(rf"[^.]+{dot}(?:-\d+-of-\d+)?\.(safetensors|bin)")


def missing_parts(folder: Path, parts: Sequence[str], variant: str | None = None, weights: bool = True) -> list[str]:
    """The parts of which a config or the weights (in that variant, where they are needed) are absent."""
    name_of_weights = names_of_weights(variant)

    def is_there(part: str) -> bool:
        files = {file.name for file in (folder / part).glob("*") if file.is_file()}
        if part in WITHOUT_WEIGHTS:
            return bool(files)
        return "config.json" in files and (not weights or any(map(name_of_weights.fullmatch, files)))

    return [part or "weights" for part in (parts or [""]) if not is_there(part)]


def _complete(folder: Path, path: str, parts: Sequence[str], variant: str | None, weights: bool) -> Path:
    if "unet" in parts:
        refuse_other_build(folder, path)
    missing = missing_parts(folder, parts, variant, weights)
    if missing:
        wanted = f"variant {variant} of {', '.join(missing)}" if variant else ", ".join(missing)
        raise UserError(f"model {path!r}: {folder} lacks {wanted} (expected a diffusers folder)")
    return folder


def _from_hub(repository: str, parts: Sequence[str], revision: str | None, variant: str | None, weights: bool) -> Path:
    from huggingface_hub import constants, snapshot_download

    taken, left = patterns(parts, variant, weights)
    wanted = {"revision": revision, "allow_patterns": taken, "ignore_patterns": left}
    if cached := _from_cache(repository, wanted, parts, variant, weights):
        return cached
    try:
        if constants.HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        if not _hub_answers(CONNECT_SECONDS):  # the client itself would ask for most of a minute
            raise OSError(f"{constants.ENDPOINT} does not answer")
        if "unet" in parts:  # kilobytes, that tell whether gigabytes are of use
            configs = {"revision": revision, "allow_patterns": patterns(parts, variant, weights=False)[0]}
            refuse_other_build(Path(snapshot_download(repository, **configs)), repository)
        # Shows a bar with size and time left.
        fetched = Path(snapshot_download(repository, **wanted))
        return _complete(fetched, repository, parts, variant, weights)
    except UserError:
        raise
    except Exception as error:  # the client raises its own, httpx's and OSError, depending on where it fails
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        command = ["hf", "download", repository, *(["--revision", revision] if revision else [])]
        command += [f"--include '{one}'" for one in taken] + [f"--exclude '{one}'" for one in left]
        raise UserError(
            f"model {repository!r} (is the name spelt right?) is not on this machine and could not be fetched: {reason}"
            f"\n  download it where there is a network:  {' '.join(command)}"
            "\n  or give a folder:                      model.path=DIR"
            "\n  or use the built-in base:              model=tiny"
        ) from error


def _from_cache(
    repository: str, wanted: Mapping[str, Any], parts: Sequence[str], variant: str | None, weights: bool
) -> Path | None:
    """The copy on this machine, if it is complete; one that was fetched from its old address will do."""
    from huggingface_hub import snapshot_download

    for name in (repository, *(old for old, new in GONE.items() if new == repository)):
        with contextlib.suppress(OSError):  # LocalEntryNotFoundError among them
            cached = Path(snapshot_download(name, **wanted, local_files_only=True))
            if not missing_parts(cached, parts, variant, weights):
                if name != repository:
                    log.info("%s: the copy on this machine is used, fetched when its address was %s", repository, name)
                return _complete(cached, repository, parts, variant, weights)
    return None


def _hub_answers(seconds: float) -> bool:
    """Whether the hub can be reached. Asked in a thread: a name server or a second address takes its own time."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    answered = threading.Event()

    def ask() -> None:
        with contextlib.suppress(Exception):
            get_session().head(constants.ENDPOINT, timeout=seconds)
            answered.set()

    threading.Thread(target=ask, daemon=True).start()
    return answered.wait(seconds)
