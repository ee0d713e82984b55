"""A model in, the same in training mode, all but its batch norms, out."""

from __future__ import annotations

from typing import Any


def start_learning(model: Any) -> None:
    """Put a model into training mode, all but its batch norms (a Conformer's): those keep the statistics that they
    have learned, since a step's few utterances would give poor ones, and hear each other through them."""
    import torch

    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
