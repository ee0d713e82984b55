"""A model of transformers in; its layers computed anew for their gradients, with the same draws of dropout, or kept, out.

Chen et al. 2016, "Training deep nets with sublinear memory cost": of each layer only what goes in is kept.
"""

from __future__ import annotations

from typing import Any


class Recomputation:
    """Turns it on and off, pass by pass, for a quarter to a third more time."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._on = False

    def set(self, on: bool) -> None:
        """Whether the next forward pass keeps nothing of its layers but what goes in."""
        if on == self._on:
            return
        # Newer versions of transformers say activation checkpointing where older ones say gradient checkpointing.
        name = "activation" if hasattr(self._model, "activation_checkpointing_enable") else "gradient"
        if on:
            getattr(self._model, f"{name}_checkpointing_enable")({"use_reentrant": False})
        else:
            getattr(self._model, f"{name}_checkpointing_disable")()
        self._on = on
