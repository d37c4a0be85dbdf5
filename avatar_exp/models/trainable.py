"""What of a base is trained: freezing, and an average of the trained weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from diffusers.training_utils import EMAModel
from torch import nn

from avatar_exp.errors import UserError
from avatar_exp.models.components import Components


@dataclass(frozen=True)
class Method:
    """Full fine-tuning of the networks that are named."""

    unet: bool = True
    text_encoder: bool = True

    def prepare(self, components: Components) -> dict[str, nn.Module]:
        """Freeze everything but what is trained.

        Returns:
            The trained networks by name; their names are the keys of the learning rates.

        Raises:
            UserError: if nothing is left to train.
        """
        chosen = {"unet": self.unet, "text_encoder": self.text_encoder}
        if not any(chosen.values()):
            raise UserError("method.unet and method.text_encoder are both false: nothing would be trained")
        for name, module in components.modules.items():
            module.requires_grad_(chosen.get(name, False))
            module.train(chosen.get(name, False))
        return {name: module for name, module in components.modules.items() if chosen.get(name, False)}


class Average:
    """Exponential moving average over trained parameters only: s <- decay s + (1 - decay) w, after every step.

    The decay is warmed up as (1 + n) / (10 + n), so that the start is not dominated by the base (Tarvainen & Valpola
    2017, "Mean teachers").
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self._parameters = [p for module in modules.values() for p in module.parameters() if p.requires_grad]
        self._model = EMAModel(self._parameters, decay=decay)

    def step(self) -> None:
        """Take the weights as they now are into the average."""
        self._model.step(self._parameters)

    def apply(self) -> None:
        """From now on the networks hold the average."""
        self._model.copy_to(self._parameters)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The networks hold the average inside, and their own weights again afterwards."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        self._model.copy_to(self._parameters)
        try:
            yield
        finally:
            for parameter, value in zip(self._parameters, own, strict=True):
                parameter.data.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """The average and its step count."""
        state: dict[str, Any] = self._model.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved average."""
        self._model.load_state_dict(state)
        self._model.to(self._parameters[0].device)
