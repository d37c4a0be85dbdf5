"""``python -m avatar_exp.sample run=DIR prompt='{subject} on the beach'``: avatars from a run or a diffusers folder."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.decide import check_torchvision, chosen_precision
from avatar_exp.config.machine import import_quietly
from avatar_exp.config.sampler import settle_sampler
from avatar_exp.config.start import Origin, start
from avatar_exp.errors import UserError, raise_all
from avatar_exp.run_folder import RunFolder, append_line

if TYPE_CHECKING:
    from avatar_exp.models.components import Components
    from avatar_exp.sampling import Request

log = logging.getLogger("avatar_exp")


def job(config: DictConfig, origin: Origin) -> None:
    """Draw every prompt, write the PNGs and their sheet."""
    run = RunFolder(Path(config.run))
    settle_sampler(config, run)
    raise_all("this cannot be drawn:", faults(config))
    check_torchvision()
    import_quietly()
    weights = weights_to_load(run, str(config.step))
    prompts = [_filled(prompt, config, run) for prompt in asked_prompts(config, run)]
    components = load_components(weights, config.precision)
    side = components.resolution
    from avatar_exp.sampling import Request

    requests = [
        Request(
            prompt,
            config.seed + number,
            config.negative_prompt,
            config.num_inference_steps,
            config.guidance_scale,
            config.scheduler,
            config.height or side,
            config.width or side,
        )
        for prompt in prompts
        for number in range(config.num_images_per_prompt)
    ]
    _draw(components, requests, config, origin.folder)


def faults(config: DictConfig) -> list[str]:
    """What is wrong with the numbers, one line each."""
    at_least_one = ("num_images_per_prompt", "num_inference_steps", "batch_size")
    found = [f"{key}={config[key]}: must be at least 1" for key in at_least_one if config[key] < 1]
    for key in ("height", "width"):
        if config[key] is not None and (config[key] < 64 or config[key] % 8):
            found.append(f"{key}={config[key]}: must be a multiple of 8, from 64 on")
    return found


def weights_to_load(run: RunFolder, step: str) -> dict[str, Any]:
    """The arguments of ``models.load.load``: the folder of ``step``, or for step 0 the base that the run began with.

    Raises:
        UserError: if the weights are not there.
    """
    if step == "0" and run.resolved.is_file():
        return {key: value for key, value in OmegaConf.load(run.resolved).model.items() if key != "_target_"}
    return {"path": str(weights_folder(run, step))}


def weights_folder(run: RunFolder, step: str) -> Path:
    """Where the weights are: ``run`` itself if it is a diffusers folder, else what the run kept of ``step``.

    Raises:
        UserError: if they are not there.
    """
    from avatar_exp.formats.diffusers_folder import is_pipeline

    if is_pipeline(run.path):
        return run.path
    info = run.info
    kept = sorted(int(folder.name.rpartition("_")[2]) for folder in run.path.glob("pipeline_step_*"))
    chosen, best = info.get("chosen_step"), info.get("best_step")
    if step == "last" and info.get("steps_done") != chosen:
        step = str(info.get("steps_done"))
    if step in ("best", "last") or step == str(chosen):
        folder = run.pipeline
        if step == "best" and best != chosen and best in kept:
            folder = run.kept_step(best)
        elif step == "best" and best not in (chosen, None):
            log.info(
                "step %s, which the run chose; its best score was at step %s, not kept (choose=best)", chosen, best
            )
    else:
        folder = run.kept_step(int(step)) if step.isdigit() else run.path / "none"
    if not is_pipeline(folder):
        steps = [f"{info['chosen_step']} (chosen)"] if is_pipeline(run.pipeline) and "chosen_step" in info else []
        there = ", ".join([*steps, *map(str, kept)]) or "none"
        why = info.get("weights_removed") or f"status: {info.get('status', 'not a run')}"
        raise UserError(
            f"run={run.path} step={step}: no weights are there ({why}). "
            f"Steps kept: {there}. keep_steps=[100,200] keeps more; a diffusers folder can be named too."
        )
    return folder


def asked_prompts(config: DictConfig, run: RunFolder) -> Sequence[str]:
    """The prompts that were named, or those that every run is pictured with.

    Raises:
        UserError: if the file of prompts cannot be read.
    """
    asked = [config.prompt] if config.prompt else []
    asked += list(config.prompts)
    if config.prompts_file:
        try:
            lines = Path(config.prompts_file).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"prompts_file={config.prompts_file}: {error}") from error
        asked += [line.strip() for line in lines if line.strip()]
    return asked or list(OmegaConf.load(conf_dir() / "scoring" / "default.yaml").prompts)


def _filled(prompt: str, config: DictConfig, run: RunFolder) -> str:
    """{subject} and {class} from the command line, the run, or the run that a pipeline lies in."""
    from avatar_exp.data.concept import fill

    if "{subject}" not in prompt and "{class}" not in prompt and "{identifier}" not in prompt:
        return prompt
    info = run.info or RunFolder(run.path.parent).info
    identifier, class_noun = info.get("concept", [None])[0], config.class_noun or info.get("class_noun", [None])[0]
    subject = config.subject or (f"{identifier} {class_noun}" if identifier else None)
    if subject is None:
        raise UserError(
            f"{prompt!r} has a placeholder, but {run.path} belongs to no run; say what it means: "
            "subject='hoanganh person'"
        )
    return fill(prompt, subject, class_noun or subject.split()[-1], identifier or "")


def load_components(weights: dict[str, Any], precision: str | None) -> "Components":
    """Weights on this machine's device, in the precision that was asked for or that suits it."""
    import torch

    from avatar_exp.models.components import compute_dtype
    from avatar_exp.models.load import load

    cuda = torch.cuda.is_available()
    chosen = chosen_precision(precision, torch.cuda.get_device_capability() if cuda else None)
    components = load(**weights).to(torch.device("cuda" if cuda else "cpu"))
    components.compute_dtype = compute_dtype(chosen)
    return components


def _draw(components: "Components", requests: "Sequence[Request]", config: DictConfig, folder: Path) -> None:
    from avatar_exp.pictures import grid, save_picture
    from avatar_exp.progress import Phases
    from avatar_exp.run_folder import safe_name
    from avatar_exp.sampling import sample

    each = config.num_images_per_prompt
    rows: list[list[Any]] = []
    with Phases().phase("pictures") as tick:
        for number, (image, record) in enumerate(sample(components, requests, config.batch_size)):
            path = folder / f"{number // each:02d}_{safe_name(record['prompt'], 50)}_{record['seed']}.png"
            save_picture(image, path, {**record, "model": components.fingerprint[:16]})
            append_line(folder / "records.jsonl", {"file": path.name, **record})
            if number % each == 0:
                rows.append([])
            rows[-1].append(image)
            tick(number + 1, len(requests))
    prompts = [request.prompt for request in requests[::each]]
    seeds = [f"seed {request.seed}" for request in requests[:each]]
    sheet = folder / "sheet.png"
    grid(rows, prompts, seeds, cell=min(256, max(128, components.resolution))).save(sheet)
    log.info("%d pictures in %s\nsheet     %s", len(requests), folder, sheet)


def main() -> None:
    """The command."""
    start("sample", job)


if __name__ == "__main__":
    main()
