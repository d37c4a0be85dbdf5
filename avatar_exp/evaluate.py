"""``python -m avatar_exp.evaluate run=DIR``: the paper's protocol, 25 prompts by 4 pictures, with honest intervals."""

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.decide import check_torchvision, precision_faults
from avatar_exp.config.machine import import_quietly
from avatar_exp.config.sampler import KEYS, scoring_of, settle_sampler
from avatar_exp.config.start import Origin, start
from avatar_exp.config.weights import base_to_load, named_run, weights_to_load
from avatar_exp.errors import UserError, counted, raise_all
from avatar_exp.run_folder import RunFolder, append_line, write_json
from avatar_exp.sample import load_components

if TYPE_CHECKING:
    from PIL import Image

    from avatar_exp.data.concept import Concept
    from avatar_exp.models.components import Components
    from avatar_exp.sampling import Request, Tick
    from avatar_exp.scoring.scorer import Against, Scorer
    from avatar_exp.scoring.step import Scored

log = logging.getLogger("avatar_exp")

PEOPLE = ("person", "man", "woman", "boy", "girl", "child", "face")
HIGHER_IS_BETTER = {"drift": False, "memorisation": False}


def job(config: DictConfig, origin: Origin) -> None:
    """Draw by the base and by the trained weights, score, write and print."""
    run = named_run(config)
    settle_sampler(config, run)
    if config.face_crop is None:
        config.face_crop = scoring_of(run).get("face_crop", False)  # runs from before there was this key have none
    raise_all("this cannot be evaluated:", faults(config))
    check_torchvision()
    import_quietly()
    from avatar_exp.progress import Phases
    from avatar_exp.sampling import draw_all
    from avatar_exp.scoring.scorer import Drawn, scorer

    phases = Phases()
    weights, base = weights_to_load(run, str(config.step)), base_of(config, run)
    concept = subject_of(config, run)
    prompts = protocol(config, base["path"], concept)
    numbers = [number for number in range(len(prompts)) for _ in range(config.num_images_per_prompt)]
    of_class = [concept.of_class(prompt) for prompt in prompts]
    components = load_components(base, config.precision)
    side, fingerprint = side_of(run) or components.resolution, components.fingerprint
    by = scorer(config.clip, config.identity, base["path"], components.device, config.face_crop)
    with phases.phase("the base's pictures") as tick:
        base_images = base_pictures(components, requests(config, of_class, side), config, tick)
    against = measured(by, concept, config, Drawn(base_images, numbers), of_class, side)
    del components  # two full-size bases need not lie in memory at once
    components = load_components(weights, config.precision)
    asked = requests(config, [concept.fill(prompt) for prompt in prompts], side)
    once = requests(config, of_class, side)[:: config.num_images_per_prompt]
    with phases.phase("pictures") as tick:
        images = [image for image, _ in draw_all(components, [*asked, *once], config.batch_size, tick)]
    subject, same_class = images[: len(asked)], images[len(asked) :]
    found = by.score(against, Drawn(subject, numbers), Drawn(same_class, range(len(prompts))))
    write(origin.folder, config, asked, subject, found, by, fingerprint)


def side_of(run: RunFolder) -> int | None:
    """The pixels that a run was trained at, where they are not the base's own."""
    return OmegaConf.load(run.resolved).data.resolution if run.resolved.is_file() else None


def faults(config: DictConfig) -> list[str]:
    """What is wrong with the numbers, one line each."""
    at_least_one = ("num_images_per_prompt", "num_inference_steps", "batch_size")
    found = [f"{key}={config[key]}: must be at least 1" for key in at_least_one if config[key] < 1]
    known = sorted(file.stem for file in (conf_dir() / "protocols").glob("*.yaml"))
    if config.protocol is not None and config.protocol not in known:
        found.append(f"protocol={config.protocol}: expected one of {', '.join(known)}")
    return found + precision_faults(config.precision)


def base_of(config: DictConfig, run: RunFolder) -> dict[str, Any]:
    """The arguments of ``models.load.load`` for the base that the weights began as.

    Raises:
        UserError: if the folder does not say, and nobody did.
    """
    if config.base:
        return {"path": str(config.base)}
    if not run.resolved.is_file():
        raise UserError(
            f"run={run.path} is not a run of train, so its base is not known; name it: base=tiny, or a hub id"
        )
    return base_to_load(run)


def subject_of(config: DictConfig, run: RunFolder) -> "Concept":
    """The run's own concept, or the one that ``photos``, ``identifier`` and ``class_noun`` describe.

    Raises:
        UserError: if it is neither a run nor described, or has no photos.
    """
    from avatar_exp.config.concepts import concepts
    from avatar_exp.data.concept import Concept

    if run.resolved.is_file() and not config.photos:
        resolved = OmegaConf.load(run.resolved)
        assert isinstance(resolved, DictConfig)
        known = concepts(resolved)
        concept = next((one for one in known if config.identifier in (None, one.identifier)), None)
        if concept is None:
            raise UserError(f"identifier={config.identifier}: the run learnt {', '.join(o.identifier for o in known)}")
    elif config.photos and config.identifier:
        concept = Concept(config.identifier, str(config.photos), class_noun=config.class_noun)
    else:
        raise UserError(
            f"run={run.path} is not a run of train: name the subject and its photos, identifier=hoanganh photos=DIR"
        )
    raise_all("the photos to compare with cannot be read:", concept.faults(class_pictures=0))
    return concept


def protocol(config: DictConfig, base: str, concept: "Concept") -> Sequence[str]:
    """The list of prompts: that of the class, or for the built-in base the one in the words of its world.

    Raises:
        UserError: if the class is not known to be a person, and no list was named.
    """
    from avatar_exp.models.locate import TINY

    name = config.protocol or ("drawn" if base == TINY else "person" if concept.class_noun in PEOPLE else None)
    if name is None:
        raise UserError(f"which prompts suit a {concept.class_noun}? protocol=person, animal or object")
    return list(OmegaConf.load(conf_dir() / "protocols" / f"{name}.yaml").prompts)


def requests(config: DictConfig, texts: Sequence[str], side: int) -> "list[Request]":
    """Each text with each seed."""
    from avatar_exp.sampling import Request

    return [
        Request(
            text,
            config.seed + number,
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
            scheduler=config.scheduler,
            height=side,
            width=side,
        )
        for text in texts
        for number in range(config.num_images_per_prompt)
    ]


def base_pictures(
    components: "Components", asked: "Sequence[Request]", config: DictConfig, tick: "Tick"
) -> "list[Image.Image]":
    """From the store, or drawn once."""
    from avatar_exp.pictures import open_picture
    from avatar_exp.sampling import stored_pictures
    from avatar_exp.store import Store

    files = stored_pictures(components, Store(Path(config.store)), asked, config.batch_size, tick)
    return [open_picture(file) for file in files]


def measured(
    by: "Scorer", concept: "Concept", config: DictConfig, base: Any, texts: Sequence[str], side: int
) -> "Against":
    """Photos and base, measured; the photos of the run are taken whole, those held out included."""
    from avatar_exp.data.photos import crop_square, open_photo

    files = concept.photos()
    photos = [crop_square(open_photo(file), side) for file in files]
    against = by.against(photos, [], base, texts)
    by.without_face([file.name for file in files], photos)
    if against.identity and against.identity.why_not_measurable:
        log.warning("likeness is not measurable: %s", against.identity.why_not_measurable)
    return against


def write(
    folder: Path,
    config: DictConfig,
    asked: "Sequence[Request]",
    images: "Sequence[Image.Image]",
    found: "Scored",
    by: "Scorer",
    base: str,
) -> None:
    """Pictures, scores.jsonl picture by picture, scores.json, a sheet, and the table."""
    from avatar_exp.pictures import grid, save_picture

    each = config.num_images_per_prompt
    for number, (request, image) in enumerate(zip(asked, images, strict=True)):
        name = f"{number // each:02d}_{number % each}.png"
        values = {f"score/{key}": round(float(value[number]), 5) for key, value in found.pictures.items()}
        record = {key: getattr(request, key) for key in request.__dataclass_fields__}
        save_picture(image, folder / name, record)
        append_line(folder / "scores.jsonl", {"file": name, "prompt": request.prompt, "seed": request.seed, **values})
    by_prompt = {
        request.prompt: {key: fmean(value[n * each : (n + 1) * each].tolist()) for key, value in found.pictures.items()}
        for n, request in enumerate(asked[::each])
    }
    rows = [
        {"score": name, "value": value, "low": None, "high": None, "error": found.errors.get(name)}
        | ({"low": found.intervals[name].low, "high": found.intervals[name].high} if name in found.intervals else {})
        for name, value in found.scores.items()
    ]
    content = {
        "run": str(config.run), "step": config.step, "base": base, "seed": config.seed,
        "sampler": {key: config[key] for key in KEYS},
        "prompts": len(by_prompt), "pictures": len(images),
        "embedders": by.names, "scores": rows, "by_prompt": by_prompt,
    }  # fmt: skip
    write_json(folder / "scores.json", content)
    pictures = [images[n : n + each] for n in range(0, len(images), each)]
    titles = [request.prompt for request in asked[::each]]
    grid(pictures, titles, [f"seed {request.seed}" for request in asked[:each]], cell=160).save(folder / "sheet.png")
    log.info("\n%s\n", table(rows))
    for name, embedder in by.names.items():
        log.info("%-26s by %s", name, embedder)
    drawn, prompts = counted(len(images), "picture"), counted(len(by_prompt), "prompt")
    log.info("%s of %s, and scores.json, in %s", drawn, prompts, folder)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Scores with their intervals, and which way is better."""
    lines = [f"{'score':<16}{'value':>8}   {'95 % interval':<18}{'error':>7}   better"]
    for row in rows:
        between = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        error = "" if row["error"] is None else f"{row['error']:.3f}"
        better = "higher" if HIGHER_IS_BETTER.get(row["score"], True) else "lower"
        lines.append(f"{row['score']:<16}{row['value']:>8.3f}   {between:<18}{error:>7}   {better}")
    return "\n".join(lines)


def main() -> None:
    """The command."""
    start("evaluate", job)


if __name__ == "__main__":
    main()
