"""A model of transformers in, the same model with its matrix products as fast as this processor makes them out.

Its linear layers and its convolutions of one frame are replaced by `products.Product`: for models that have no forward pass of
their own here and go through transformers' modules. They can no longer be trained or saved.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from thanosql.models.ctc.products import Product, measure_bfloat16, onednn_works

# Layers whose weights their parent's code reads: all of WavLM's attention, which hands them to torch's, and one of which the
# dtype is asked.
READ_BY_THEIR_PARENT = {
    "WavLMAttention": ("q_proj", "k_proj", "v_proj", "out_proj", "gru_rel_pos_linear"),
    "GraniteSpeech5Encoder": ("input_linear",),
}


class PackedLinear(nn.Module):
    """x `(…, inputs)` → `(…, outputs)`."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self._product = Product(weight.detach(), bias)
        self.nbytes = self._product.nbytes

    def forward(self, x: Tensor) -> Tensor:
        return self._product(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], -1)


class PackedPointwise(PackedLinear):
    """A convolution of one frame: x `(batch, inputs, frames)` → `(batch, outputs, frames)`."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def pack(model: nn.Module, dtype: torch.dtype) -> None:
    """Replace what can be replaced in a model of this dtype on a CPU, in place; nothing where oneDNN's products are missing."""
    if not onednn_works(dtype):
        return
    measure_bfloat16()
    made: dict[int, PackedLinear | None] = {}  # a weight that two layers share is packed once
    for parent in list(model.modules()):
        read = READ_BY_THEIR_PARENT.get(type(parent).__name__, ())
        for name, layer in list(parent.named_children()):
            if name in read:
                continue
            weight = getattr(layer, "weight", None)
            packed = made.setdefault(id(weight), _packed(layer)) if weight is not None else None
            if packed is not None:
                setattr(parent, name, packed)


def packed_bytes(model: nn.Module) -> int:
    """Bytes of the weights that were replaced, which are no parameters of the model any more."""
    return sum(layer.nbytes for layer in model.modules() if isinstance(layer, PackedLinear))


def _packed(layer: Any) -> PackedLinear | None:
    # By its very type: a subclass may do something else.
    if type(layer) is nn.Linear:
        return PackedLinear(layer.weight, layer.bias)
    if (
        type(layer) is nn.Conv1d
        and layer.groups == 1
        and (*layer.kernel_size, *layer.stride, *layer.padding) == (1, 1, 0)
    ):
        return PackedPointwise(layer.weight[:, :, 0], layer.bias)
    return None
