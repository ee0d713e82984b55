"""A model and the training options in; its optimizer, and the learning rate of each step, out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from thanosql.models.options import TrainOptions


def learning_rate(step: int, steps: int, options: TrainOptions) -> float:
    """The rate of a step, counted from 0: a straight rise over `warmup_ratio` of the steps, then half a cosine to zero.

    >>> from thanosql.models.options import TrainOptions
    >>> options = TrainOptions(learning_rate=1.0, warmup_ratio=0.5)
    >>> [round(learning_rate(step, 4, options), 3) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warmup = math.ceil(options.warmup_ratio * steps)
    if step < warmup:
        return options.learning_rate * (step + 1) / warmup
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def adamw(model: Any, options: TrainOptions) -> torch.optim.AdamW:
    """AdamW over what is not frozen, in its fused form; norms, biases and other vectors do not decay."""
    import torch

    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            # A weight norm's magnitude is the scale of a norm, though it is stored as an array of three axes.
            vector = parameter.ndim < 2 or name.endswith(("weight_g", "weight.original0"))
            (plain if vector else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": options.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate, fused=True)
