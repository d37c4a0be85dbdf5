"""Which weights outlive the run: the steps that were named, and the best one so far."""

import logging
import math
from typing import Any

import pytorch_lightning as pl
from safetensors.torch import load_file, save_file

from avatar_exp.formats.diffusers_folder import write_pipeline
from avatar_exp.scoring.choose import Candidate, front, prefers, reason
from avatar_exp.training.callbacks.every import EverySteps
from avatar_exp.training.run import Run

log = logging.getLogger("avatar_exp")


class Keep(EverySteps):
    """Keeps ``steps`` as pipelines of their own and, with ``choose: best``, the weights of the best step so far.

    Best is what ``scoring.choose.prefers`` says of ``metric``. Only the incumbent's weights are on disk, and those of
    the ones before as long as a run may go back to where they were it.
    """

    def __init__(self, run: Run, steps: list[int], choose: str, metric: str | list[str], max_drift: float) -> None:
        super().__init__(every=1)
        self.run, self.steps, self.choose, self.max_drift = run, set(steps), choose, max_drift
        self.metric = metric if isinstance(metric, str) else "score/choice"  # several are for a sweeper to weigh
        self.best: Candidate | None = None
        for step in sorted(run.scores):  # of a run that goes on
            if step and self._consider(step):
                self._tell(step)

    def _candidate(self, step: int) -> Candidate | None:
        scores = self.run.scores.get(step, {})
        if self.metric not in scores:
            return None
        value, drift = self.metric, "score/drift"
        errors = self.run.errors.get(step, {})
        told = (scores[value], errors.get(value, math.nan), scores.get(drift, math.nan), errors.get(drift, math.nan))
        return Candidate(step, *told)

    def at_step(self, trainer: pl.Trainer, module: Any, step: int) -> None:
        """Look at the step's score, and at its number."""
        if not trainer.is_global_zero:
            return
        if step in self.steps:
            with self.run.phases.phase("kept steps", announce=False):
                with_average(module, lambda: write_pipeline(self.run.components, self.run.folder.kept_step(step)))
        if step not in self.run.scores:
            return
        if self._consider(step) and self.choose == "best":
            file = self.run.folder.incumbent(step)
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_suffix(".part")
            with_average(module, lambda: save_file(weights(module), temporary))
            temporary.replace(file)
        self._tell(step)

    def _consider(self, step: int) -> bool:
        """Whether a step becomes the best one so far."""
        candidate = self._candidate(step)
        if candidate is None or not prefers(candidate, self.best, self.max_drift):
            return False
        self.best = candidate
        return True

    def _tell(self, step: int) -> None:
        """The choice as it stands at a step."""
        if self.best is None:
            return
        trained = {number: values for number, values in self.run.scores.items() if number}
        later = [
            one for number in sorted(trained) if self.best.step < number <= step and (one := self._candidate(number))
        ]
        self.run.folder.update(
            best_step=self.best.step,
            best_reason=reason(self.best, later, self.metric, self.max_drift),
            front=list(front(trained, "score/likeness", "score/prompt")),
        )

    def load_chosen(self, module: Any, last: int) -> None:
        """Put the chosen weights into the networks: what is written as pipeline/ is what they hold.

        Not a hook: Lightning leaves its own out when a resumed run has no step left to do.
        """
        if module.average is not None:
            module.average.apply()
        chosen = last
        file = self.run.folder.incumbent(self.best.step) if self.best is not None else None
        if self.choose == "best" and self.best is not None and file is not None and file.is_file():
            chosen = self.best.step
            stored = load_file(file)
            for name, parameter in module.trained.named_parameters():
                if name in stored:
                    parameter.data.copy_(stored[name])
        self.run.folder.update(chosen_step=chosen)


def weights(module: Any) -> dict[str, Any]:
    """The trained parameters by name."""
    return {name: p.detach().cpu().contiguous() for name, p in module.trained.named_parameters() if p.requires_grad}


def with_average(module: Any, do: Any) -> None:
    """Do it while the networks hold their average, where there is one."""
    if module.average is None:
        do()
        return
    with module.average.applied():
        do()
