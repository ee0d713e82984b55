"""A model of transformers in; what the training loop asks of it that is the same in every family, out.

Chen et al. 2016, "Training deep nets with sublinear memory cost": of each layer whose activations are computed anew, only
what goes in is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import torch


class TransformersModel:
    """A TrainableModel around transformers' own module, but for what its family adds: its masks, features and logits."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._recomputes = False

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        yield from self.model.named_parameters()

    def to(self, device: torch.device) -> Self:
        self.model.to(device)
        return self

    def train(self) -> Self:
        start_learning(self.model)
        return self

    def eval(self) -> Self:
        self.model.eval()
        return self

    def recompute(self, on: bool) -> None:
        """Whether the layers are computed anew for their gradients, with the same draws of dropout, for a quarter to a
        third more time."""
        if on == self._recomputes:
            return
        # Newer versions of transformers say activation checkpointing where older ones say gradient checkpointing.
        name = "activation" if hasattr(self.model, "activation_checkpointing_enable") else "gradient"
        if on:
            getattr(self.model, f"{name}_checkpointing_enable")({"use_reentrant": False})
        else:
            getattr(self.model, f"{name}_checkpointing_disable")()
        self._recomputes = on


def start_learning(model: Any) -> None:
    """Put a model into training mode, all but its batch norms (a Conformer's): those keep the statistics that they
    have learned, since a step's few utterances would give poor ones, and hear each other through them."""
    import torch

    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
