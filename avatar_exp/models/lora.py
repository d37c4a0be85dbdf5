"""LoRA (Hu et al. 2021): W + alpha / rank * B A is used, only A and B are trained; W stays as it was."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from avatar_exp.diffusion.draws import seed_of
from avatar_exp.errors import UserError
from avatar_exp.models.components import Components
from avatar_exp.models.trainable import freeze_all_but, only_trained

UNET_TARGETS = ("to_q", "to_k", "to_v", "to_out.0")  # the attention of a UNet, as diffusers names it
TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")  # the attention of CLIP's text encoder


@dataclass(frozen=True)
class Lora:
    """Low-rank additions to the layers whose names end in ``*_targets``, put in by peft.

    Args:
        rank: inner size of B A: [out, rank] x [rank, in].
        alpha: the addition is scaled by alpha / rank; None: as rank, so by 1.
        dropout: share of a layer's input that A does not see in training, in [0, 1).
    """

    unet: bool = True
    text_encoder: bool = True
    rank: int = 16
    alpha: float | None = None
    dropout: float = 0.0
    unet_targets: Sequence[str] = UNET_TARGETS
    text_encoder_targets: Sequence[str] = TEXT_TARGETS

    def prepare(self, components: Components, seed: int = 0) -> dict[str, nn.Module]:
        """Put the additions in; see ``Method``. B begins as 0, so nothing is changed yet; A depends on ``seed``.

        From now on ``components.lr_scale`` is the one for matrices beside the weights.

        Raises:
            UserError: if nothing is left to train, or a network has no layer that ends in its targets.
        """
        targets = {"unet": list(self.unet_targets), "text_encoder": list(self.text_encoder_targets)}
        components.lr_scale = components.lora_lr_scale or components.lr_scale
        chosen = freeze_all_but(components, unet=self.unet, text_encoder=self.text_encoder)
        for name, network in chosen.items():
            self._add(network, targets[name], name)
            begin(network, seed_of(seed, 0, f"lora/{name}"))
        return {name: only_trained(network) for name, network in chosen.items()}

    def _add(self, network: nn.Module, targets: list[str], name: str) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        alpha = self.rank if self.alpha is None else self.alpha
        config = LoraConfig(r=self.rank, lora_alpha=alpha, lora_dropout=self.dropout, target_modules=targets)  # type: ignore[arg-type]
        try:
            with torch.random.fork_rng(devices=[]):  # peft draws a first A, which ``begin`` replaces
                inject_adapter_in_model(config, network)
        except ValueError as error:
            there = sorted(
                {key.rpartition(".")[2] for key, one in network.named_modules() if isinstance(one, nn.Linear)}
            )
            raise UserError(
                f"method.{name}_targets={targets}: {str(error).splitlines()[0]}\nLinear layers there end in: {there}"
            ) from error


def begin(network: nn.Module, seed: int) -> None:
    """A from U(-1/sqrt(in), 1/sqrt(in)), as peft begins it, but by ``seed`` alone."""
    generator = torch.Generator().manual_seed(seed)
    for _, layer in layers(network):
        weight = layer.lora_A["default"].weight
        bound = weight[0].numel() ** -0.5
        weight.data.copy_(torch.empty(weight.shape).uniform_(-bound, bound, generator=generator))


def has_additions(network: nn.Module) -> bool:
    """Whether a network has additions beside its own weights."""
    return hasattr(network, "peft_config")


def layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    """(name, layer) of each layer with an addition; ``layer.base_layer`` is the one that was there before."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in network.named_modules():
        if isinstance(module, BaseTunerLayer):
            yield name, module


def plain(network: nn.Module) -> nn.Module:
    """The network with its additions in its weights, as if there had never been any; itself where there are none.

    The given one is not touched: adding and taking away again would leave rounding errors in what is trained on. What
    has no addition is shared with it, not copied.
    """
    if not has_additions(network):
        return network
    shared: dict[int, Any] = {id(p): nn.Parameter(p.data, requires_grad=False) for p in network.parameters()}
    copied = copy.deepcopy(network, shared)  # takes these for copies it has already made
    for name, layer in list(layers(copied)):
        layer.merge(safe_merge=True)  # into a weight of its own; else into the one that is shared
        parent, _, last = name.rpartition(".")
        setattr(copied.get_submodule(parent), last, layer.get_base_layer())
    del copied.peft_config
    return copied
