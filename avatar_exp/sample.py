"""``python -m avatar_exp.sample run=DIR prompt='{subject} on the beach'``: avatars from a run or a diffusers folder."""

import logging
import shlex
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.decide import check_torchvision, chosen_precision, precision_faults
from avatar_exp.config.machine import import_quietly
from avatar_exp.config.sampler import settle_sampler
from avatar_exp.config.start import Origin, start
from avatar_exp.config.weights import named_run, weights_to_load
from avatar_exp.errors import UserError, counted, raise_all
from avatar_exp.run_folder import RunFolder, append_line

if TYPE_CHECKING:
    from avatar_exp.models.components import Components
    from avatar_exp.sampling import Request

log = logging.getLogger("avatar_exp")


def job(config: DictConfig, origin: Origin) -> None:
    """Draw every prompt, write the PNGs and their sheet."""
    run = named_run(config)
    settle_sampler(config, run)
    raise_all("this cannot be drawn:", faults(config))
    check_torchvision()
    import_quietly()
    asked = asked_prompts(config)
    prompts = [_filled(prompt, config, run) for prompt in asked]
    if any("{" in one for one in asked) and (said := about_subjects(config.subject, known_subjects(run))):
        log.info("subject   %s", said)
    weights = weights_to_load(run, str(config.step))
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
    """What is wrong with precision and numbers, one line each."""
    at_least_one = ("num_images_per_prompt", "num_inference_steps", "batch_size")
    found = precision_faults(config.precision)
    found += [f"{key}={config[key]}: must be at least 1" for key in at_least_one if config[key] < 1]
    for key in ("height", "width"):
        if config[key] is not None and (config[key] < 64 or config[key] % 8):
            found.append(f"{key}={config[key]}: must be a multiple of 8, from 64 on")
    return found


def asked_prompts(config: DictConfig) -> Sequence[str]:
    """The prompts that were named, or those that every run is pictured with.

    Raises:
        UserError: if the file of prompts cannot be read, or one has a placeholder that is not known.
    """
    from avatar_exp.data.concept import placeholder_faults

    asked = {"prompt": [config.prompt] if config.prompt else [], "prompts": list(config.prompts)}
    asked["prompts_file"] = lines_of(config.prompts_file) if config.prompts_file else []
    raise_all("this cannot be drawn:", [fault for one in asked.items() for fault in placeholder_faults(*one)])
    return [prompt for one in asked.values() for prompt in one] or list(
        OmegaConf.load(conf_dir() / "scoring" / "default.yaml").prompts
    )


def lines_of(file: str) -> list[str]:
    """The prompts in a file, one a line.

    Raises:
        UserError: if it is not there, or no text.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise UserError(f"prompts_file={file}: no such file (from {Path.cwd()})") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"prompts_file={file}: expected a text in UTF-8, one prompt a line ({error})") from error
    return [line.strip() for line in lines if line.strip()]


def _filled(prompt: str, config: DictConfig, run: RunFolder) -> str:
    """{subject} and {class} from the command line, the run, or the run that a pipeline lies in.

    Raises:
        UserError: if none of them says what a placeholder means.
    """
    from avatar_exp.data.concept import fill

    if "{subject}" not in prompt and "{class}" not in prompt and "{identifier}" not in prompt:
        return prompt
    identifier, noun = whose(config.subject, known_subjects(run))
    class_noun = config.class_noun or noun
    subject = config.subject or (f"{identifier} {class_noun}".strip() if identifier else None)
    if subject is None:
        raise UserError(
            f"{prompt!r} has a placeholder, but {run.path} belongs to no run; say what it means: "
            "subject='hoanganh person'"
        )
    return fill(prompt, subject, class_noun or subject.split()[-1], identifier)


def known_subjects(run: RunFolder) -> list[tuple[str, str]]:
    """Identifier and class noun of each subject that a run, or the one that a pipeline lies in, has learnt."""
    info = run.info or RunFolder(run.path.parent).info
    names, nouns = info.get("concept", []), info.get("class_noun", [])
    return [(str(name), str(noun)) for name, noun in zip_longest(names, nouns[: len(names)], fillvalue="")]


def whose(subject: str | None, known: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Identifier and class noun of the one whom ``subject`` names, of the first if it was not typed. Of somebody who is
    not known there is no identifier.
    """
    first = known[0] if known else ("", "")
    if subject is None:
        return first
    named = [one for one in known if f"{subject} ".startswith(f"{one[0]} ")]
    return max(named, key=lambda one: len(one[0]), default=("", first[1]))  # "thao vy person" is not of "thao"


def about_subjects(subject: str | None, known: Sequence[tuple[str, str]]) -> str | None:
    """Who is drawn when several are known and none is named, or that somebody is named who is not known."""
    named = [" ".join(one).strip() for one in known]
    if subject is not None:
        unknown = bool(known) and not whose(subject, known)[0]
        return f"{subject} was not learnt; this run knows: {', '.join(named)}" if unknown else None
    if len(named) < 2:
        return None
    told = ", ".join(f"{one} (subject={shlex.quote(one)})" for one in named[1:])
    return f"{{subject}} is {named[0]}; this run also knows: {told}"


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
    log.info("%s in %s\nsheet     %s", counted(len(requests), "picture"), folder, sheet)


def main() -> None:
    """The command."""
    start("sample", job)


if __name__ == "__main__":
    main()
