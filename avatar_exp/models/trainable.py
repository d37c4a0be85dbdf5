"""What of a base is trained: freezing, and an average of the trained weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from diffusers.training_utils import EMAModel
from torch import nn

from avatar_exp.errors import UserError
from avatar_exp.models.components import Components


class Method(Protocol):
    """What of a base is trained. All that training, checkpoints, averages and files know of it is what this leaves.

    Whatever a method puts beside a network's weights is such that ``lora.plain`` can put it into them.
    """

    unet: bool
    text_encoder: bool

    def prepare(self, components: Components, seed: int = 0) -> dict[str, nn.Module]:
        """Freeze everything but what is trained, and put in what is trained beside the weights.

        Args:
            seed: of what begins at random.

        Returns:
            By network (the names are the keys of the learning rates) a module whose parameters are those that are
            trained: they get gradients, are averaged, and are all that a checkpoint holds.
        """


@dataclass(frozen=True)
class Full:
    """Full fine-tuning of the networks that are named."""

    unet: bool = True
    text_encoder: bool = True

    def prepare(self, components: Components, seed: int = 0) -> dict[str, nn.Module]:
        """The networks themselves; nothing begins at random.

        Raises:
            UserError: if nothing is left to train.
        """
        return freeze_all_but(components, unet=self.unet, text_encoder=self.text_encoder)


def freeze_all_but(components: Components, **chosen: bool) -> dict[str, nn.Module]:
    """Freeze every network but those that are named with True, and put these into training mode.

    Raises:
        UserError: if nothing is left to train.
    """
    if not any(chosen.values()):
        raise UserError("method.unet and method.text_encoder are both false: nothing would be trained")
    for name, module in components.modules.items():
        module.requires_grad_(chosen.get(name, False))
        module.train(chosen.get(name, False))
    return {name: module for name, module in components.modules.items() if chosen.get(name, False)}


def only_trained(network: nn.Module) -> nn.Module:
    """A tree of modules that holds a network's trained parameters, themselves, under their names there."""
    tree = nn.Module()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            *path, last = name.split(".")
            node = tree
            for part in path:
                if part not in dict(node.named_children()):
                    node.add_module(part, nn.Module())
                node = node.get_submodule(part)
            node.register_parameter(last, parameter)
    return tree


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
        """The networks hold the average inside, and their own weights again afterwards.

        They change places, so no memory is needed. Nothing may be trained inside.
        """
        self._change_places()
        try:
            yield
        finally:
            self._change_places()

    def _change_places(self) -> None:
        for parameter, share in zip(self._parameters, self._model.shadow_params, strict=True):
            parameter.data, share.data = share.data, parameter.data

    def state_dict(self) -> dict[str, Any]:
        """The average and its step count."""
        state: dict[str, Any] = self._model.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved average."""
        self._model.load_state_dict(state)
        self._model.to(self._parameters[0].device)
