"""``python -m avatar_exp.export run=DIR format=single_file``: files that other tools read, and a card beside them."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.decide import check_torchvision
from avatar_exp.config.machine import import_quietly
from avatar_exp.config.start import Origin, start
from avatar_exp.config.weights import named_run, weights_to_load
from avatar_exp.errors import UserError, raise_all
from avatar_exp.run_folder import RunFolder, make_exclusively, read_json, safe_name, timestamp, whole_folder

if TYPE_CHECKING:
    import torch

    from avatar_exp.formats.made import Architecture, Made

log = logging.getLogger("avatar_exp")

FORMATS = ("diffusers", "single_file", "lora_diffusers", "lora_kohya")
DTYPES = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}
DIFFUSERS_LORA = "pytorch_lora_weights.safetensors"  # what diffusers looks for where no name is given


@dataclass(frozen=True)
class Export:
    """What is written, and from where."""

    source: Mapping[str, Any]  # the arguments of models.load.load
    format: str
    dtype: str
    made: "Made"
    name: str | None = None  # of its file, as it was asked for

    @property
    def file(self) -> str:
        """The name of its file; of format=diffusers what it would be."""
        if self.name is None and self.format == "lora_diffusers":
            return DIFFUSERS_LORA
        return f"{(self.name or safe_name(self.made.title)).removesuffix('.safetensors')}.safetensors"

    @property
    def torch_dtype(self) -> "torch.dtype":
        """Of its tensors."""
        import torch

        found: torch.dtype = getattr(torch, DTYPES[self.dtype])
        return found


def job(config: DictConfig, origin: Origin) -> None:
    """Find the weights, write them whole or not at all, and say where they are and how they are used."""
    run = named_run(config)
    raise_all("this cannot be exported:", faults(config))
    check_torchvision()
    import_quietly()
    from avatar_exp.formats.made import made, words

    source = weights_to_load(run, str(config.step))
    owner, step = (run, 0) if str(config.step) == "0" and run.resolved.is_file() else whose(Path(source["path"]))
    settings = plain_config(owner)
    refuse_names(config, settings, owner)
    format = config.format or ("lora_kohya" if lora_of(source, step) else "single_file")
    built = architecture(source)
    refuse_format(format, source, step, settings, owner, built)
    export = Export(source, format, config.dtype, made(owner, settings, built, step, config.names), config.file)
    out = Path(config.out) if config.out else make_exclusively(Path(config.outputs) / "exports", timestamp())
    with whole_folder(out) as folder:
        write(export, folder)
    log.info("%s", "\n".join(last_lines(export, out, words(owner.info) if step else ())))


def faults(config: DictConfig) -> list[str]:
    """What is wrong with the keys, one line each."""
    found = []
    if config.format is not None and config.format not in FORMATS:
        found.append(f"format={config.format}: expected one of {', '.join(FORMATS)}")
    if config.dtype not in DTYPES:
        found.append(f"dtype={config.dtype}: expected one of {', '.join(DTYPES)}")
    if config.out and Path(config.out).suffix == ".safetensors":
        found.append(f"out={config.out}: expected a folder; the card lies beside the file, which file=NAME names")
    if config.file and config.format == "diffusers":
        found.append(f"file={config.file}: format=diffusers has no file of its own; out=FOLDER names the folder")
    if config.file and safe_name(stem := config.file.removesuffix(".safetensors")) != stem:
        found.append(f"file={config.file}: a name may hold a-z, A-Z, 0-9, . _ - only, as {safe_name(stem)}")
    return found


def whose(folder: Path) -> tuple[RunFolder, int | None]:
    """The run that a folder of weights lies in, and the step they are of; None for one that lies in no run."""
    run = RunFolder(folder.absolute().parent)
    if not run.exists:
        return run, None
    kept = re.fullmatch(r"pipeline_step_(\d+)", folder.absolute().name)
    return run, int(kept.group(1)) if kept else run.info.get("chosen_step")


def plain_config(run: RunFolder) -> dict[str, Any]:
    """The run's resolved config; empty without a run."""
    found = OmegaConf.to_container(OmegaConf.load(run.resolved)) if run.resolved.is_file() else {}
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def lora_of(source: Mapping[str, Any], step: int | None) -> Path | None:
    """The file of matrices that lies beside the weights; None where there is none."""
    from avatar_exp.formats.lora import LORA_FILE

    file = Path(source["path"]) / LORA_FILE
    return file if step != 0 and file.is_file() else None


def refuse_names(config: DictConfig, settings: Mapping[str, Any], run: RunFolder) -> None:
    """A run that was to keep name and pictures on this machine has them in no file that is made to leave it.

    Raises:
        UserError: if both are asked for.
    """
    if config.names and settings.get("privacy"):
        raise UserError(
            f"names=true: {run.path} was trained with privacy=true: no name and no picture of the subject is to leave "
            "this machine, and an export is made to leave it.\nWithout names=true it is written without them; the "
            "trigger words are told here only"
        )


def architecture(source: Mapping[str, Any]) -> "Architecture":
    """What tools know these weights by: from the configs that lie beside them."""
    from avatar_exp.formats.made import Architecture
    from avatar_exp.models.checkpoint import prediction_of
    from avatar_exp.models.locate import PIPELINE_PARTS, locate
    from avatar_exp.models.one_file import is_one_file

    path = source["like"] if is_one_file(source["path"]) else source["path"]
    folder = locate(path, PIPELINE_PARTS, source.get("revision"), source.get("variant"), weights=False)
    unet, vae = (read_json(folder / part / "config.json") for part in ("unet", "vae"))
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
    side = int(unet.get("sample_size", 64)) * 2 ** (len(vae.get("block_out_channels", [0] * 4)) - 1)
    said = prediction_of(Path(source["path"])) if is_one_file(source["path"]) else None
    return Architecture(unet, side, said or scheduler.get("prediction_type", "epsilon"))


def refuse_format(
    format: str,
    source: Mapping[str, Any],
    step: int | None,
    settings: Mapping[str, Any],
    run: RunFolder,
    of: "Architecture",
) -> None:
    """What cannot be written in a format.

    Raises:
        UserError: with the formats that can.
    """
    if of.is_sd2 and format in ("single_file", "lora_kohya"):
        raise UserError(
            f"format={format}: these weights are built as Stable Diffusion 2.x, whose files have names that are not "
            "written here yet; format=diffusers and format=lora_diffusers are"
        )
    if not format.startswith("lora") or lora_of(source, step):
        return
    if step == 0:
        raise UserError(f"format={format}: step=0 is the base, to which nothing has been added yet; format=diffusers")
    method = str(settings.get("method", {}).get("_target_", "unknown")).rpartition(".")[2].lower()
    again = (
        f"\nA LoRA is trained by python -m avatar_exp.train repeat={run.path} method=lora lr=1e-4" if settings else ""
    )
    raise UserError(
        f"format={format}: there is no LoRA in {source['path']} (method={method}): whole networks were trained, and "
        f"format=single_file or format=diffusers writes them whole.{again}"
    )


def write(export: Export, folder: Path) -> None:
    """The weights, their card, and a preview beside a file that tools show by it."""
    from avatar_exp.formats.card import write_card, write_preview

    if export.format.startswith("lora"):
        write_lora_file(export, folder / export.file)
    else:
        write_networks(export, folder)
    write_card(export.made, folder, export.file, export.format, export.dtype)
    if export.format != "diffusers":
        write_preview(export.made, folder / f"{Path(export.file).stem}.preview.png")
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)  # as they come only their owner may read them


def write_lora_file(export: Export, file: Path) -> None:
    """The matrices that lie beside the weights, in the form that was asked for."""
    from avatar_exp.formats import metadata
    from avatar_exp.formats.lora import read_lora, write_kohya, write_lora

    source = lora_of(export.source, export.made.step)
    assert source is not None
    told = metadata.model_spec(export.made, lora=True) | metadata.own(export.made)
    if export.format == "lora_kohya":
        told |= metadata.kohya(export.made, safe_name(export.made.title))
    writer = write_kohya if export.format == "lora_kohya" else write_lora
    writer(read_lora(source), file, export.torch_dtype, told)


def write_networks(export: Export, folder: Path) -> None:
    """All weights: one file, or a diffusers folder that older versions read too."""
    from avatar_exp.formats import metadata
    from avatar_exp.formats.diffusers_folder import add_old_names, write_pipeline
    from avatar_exp.formats.single_file import write_single_file
    from avatar_exp.models.load import load

    components = load(**export.source)
    if export.format == "single_file":
        told = metadata.model_spec(export.made, lora=False) | metadata.own(export.made)
        write_single_file(components, folder / export.file, export.torch_dtype, told)
        return
    write_pipeline(components, folder / "weights", export.torch_dtype)
    add_old_names(folder / "weights", components.tokenizer)
    for part in (folder / "weights").iterdir():
        part.rename(folder / part.name)
    (folder / "weights").rmdir()


def last_lines(export: Export, out: Path, words: tuple[str, ...]) -> list[str]:
    """Where it is, the words that bring the subject, and where it goes."""
    from avatar_exp.formats.card import WHERE, places

    written = out if export.format == "diffusers" else out / export.file
    size = sum(file.stat().st_size for file in (out.rglob("*") if written == out else [written]) if file.is_file())
    lines = [f"written   {written} ({size / 1e6:.4g} MB, {export.dtype})"]
    if words:
        kept = "" if export.made.words else "  (told here only; names=true writes them, and pictures, into the files)"
        lines.append(f"words     {', '.join(words)}{kept}")
    if export.format in WHERE:
        lines += [f"use       {line}" for line in places(export.made, export.file, export.format)]
    return [*lines, f"card      {out / 'README.md'}  (how diffusers loads it, how it was made, scores)"]


def main() -> None:
    """The command."""
    start("export", job)


if __name__ == "__main__":
    main()
