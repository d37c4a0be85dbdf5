"""The run in Weights & Biases. The only file that knows wandb.

Nothing but what is logged here goes there: no code, no git state, no console, no machine facts, no list of packages.
"""

import logging
import netrc
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from PIL import Image
from pytorch_lightning.loggers.logger import Logger

from avatar_exp.errors import UserError

log = logging.getLogger("avatar_exp")

Mode = Literal["online", "offline", "disabled", "shared"]

# Names that begin with x_ may change with wandb's version: those that a version does not know are left out.
PRIVATE = {
    "console": "off",
    "disable_git": True,
    "disable_job_creation": True,
    "save_code": False,
    "silent": True,
    "init_timeout": 20.0,  # seconds; then the run goes on offline
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}

STAGING = "wandb/staging"  # where a run's tables and artifacts wait for their upload, in its folder


def new_id() -> str:
    """A run id of our own making, written to run.json before the first step."""
    return secrets.token_hex(4)


def mode() -> Mode:
    """``WANDB_MODE`` if it is set; else online where an API key is configured, offline where not: never a question.

    Raises:
        UserError: for a mode that does not exist: to guess could send pictures that were to stay.
    """
    asked = os.environ.get("WANDB_MODE", "").lower()
    asked = {"dryrun": "offline", "run": "online"}.get(asked, asked)
    if os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes"):
        asked = "disabled"
    if asked and asked not in get_args(Mode):
        raise UserError(f"WANDB_MODE={asked}: expected {', '.join(get_args(Mode))}")
    if asked:
        return cast(Mode, asked)
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:  # where `wandb login` keeps the key
        return "online" if netrc.netrc().authenticators(host) else "offline"
    except (OSError, netrc.NetrcParseError):
        return "offline"


def notice(project: str, entity: str | None, images: bool, model: bool, subject: str) -> str:
    """Where numbers and pictures will go, and how to keep them here: to be said before anything goes there."""
    where, now = f"{entity or 'your account'}/{project}", mode()
    if now == "disabled":
        return "wandb: disabled"
    pictures = f"pictures of {subject} go to {where}; logger.images=false keeps them here"
    if not images:
        pictures = f"numbers go to {where}; pictures of {subject} stay here"
    if model:
        pictures += f"; so do the weights, which can draw {subject} (logger.model=true)"
    return f"wandb: {pictures}" if now == "online" else f"wandb: offline, nothing is sent. Once uploaded, {pictures}"


class WandbRun(Logger):
    """One run: config, train/* and score/* over the axis ``step``, sample pictures, best/* and last/* at the end."""

    def __init__(
        self,
        project: str = "avatar_exp",
        entity: str | None = None,
        group: str | None = None,
        images: bool = True,
        model: bool = False,
        *,
        save_dir: str,
        name: str,
        run_id: str,
        config: Mapping[str, Any],
        tags: Sequence[str] = (),
    ) -> None:
        """Start it, or go on with ``run_id``.

        Args:
            images: whether sample pictures leave this machine. Photos of the subject never do.
            model: whether the weights are uploaded at the end, as an artifact.
            save_dir: the run folder; wandb's own folder is made in it.
        """
        super().__init__()
        import wandb

        self._wandb, self._images, self._model, self._id = wandb, images, model, run_id
        self.mode = mode()
        known = set(wandb.Settings.model_fields)
        settings = wandb.Settings(**{key: value for key, value in PRIVATE.items() if key in known})
        Path(save_dir).mkdir(parents=True, exist_ok=True)
        for place in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):  # else in the home folder
            if os.environ.get(place, STAGING).endswith(STAGING):
                os.environ[place] = str(Path(save_dir).resolve() / STAGING)
        arguments: dict[str, Any] = {
            "project": project, "entity": entity, "group": group, "name": name, "id": run_id, "tags": list(tags),
            "dir": save_dir, "config": dict(config), "resume": "allow", "reinit": "finish_previous",
        }  # fmt: skip
        try:
            self.run = wandb.init(mode=self.mode, settings=settings, **arguments)
        except wandb.errors.Error as error:  # no network, or a key that is refused: neither is worth losing the run
            log.warning("wandb: cannot be reached (%s); going on offline", str(error).splitlines()[0])
            wandb.teardown()  # its service still holds the id of the attempt
            self.mode = "offline"
            self.run = wandb.init(mode=self.mode, settings=settings, **arguments)
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def sync_command(self) -> str:
        """What uploads an offline run."""
        return f"wandb sync {Path(self.run.dir).parent}"

    @property
    def name(self) -> str | None:
        """The project, as Lightning names folders by it."""
        return str(self.run.project)

    @property
    def version(self) -> str:
        """The run's id."""
        return self._id

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the config was given at the start, resolved and flat."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """One row of numbers at an optimizer step."""
        self.run.log({**metrics, "step": step})

    def log_pictures(self, step: int, pictures: Mapping[str, Sequence[Image.Image]]) -> None:
        """Media under stable keys, so that W&B shows a slider over the steps; captions say prompt and step."""
        if not self._images:
            return
        media = {
            key: [self._wandb.Image(image, caption=f"{key.removeprefix('samples/')}, step {step}") for image in images]
            for key, images in pictures.items()
        }
        self.run.log({**media, "step": step})

    def log_table(self, step: int, rows: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> None:
        """All samples as one table that can be filtered and grouped: prompt, seed, step, scores, picture.

        Args:
            rows: one for each picture; what a row lacks stays empty.
            files: the pictures, in the same order.
        """
        if not self._images or not rows:
            return
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = [
            [*(row.get(name) for name in columns), self._wandb.Image(str(file))]
            for row, file in zip(rows, files, strict=True)
        ]
        self.run.log({"samples/table": self._wandb.Table(columns=[*columns, "picture"], data=cells), "step": step})

    def log_model(self, folder: Path) -> None:
        """The weights as an artifact, where that was asked for."""
        if self._model and folder.is_dir():
            artifact = self._wandb.Artifact(f"avatar-{self._id}", type="model")
            artifact.add_dir(str(folder))
            self.run.log_artifact(artifact)

    def summarise(self, values: Mapping[str, Any]) -> None:
        """best/* and last/*."""
        self.run.summary.update(dict(values))

    def close(self, exit_code: int) -> None:
        """Always to be called: an open run shows as crashed."""
        self.run.finish(exit_code=exit_code)
