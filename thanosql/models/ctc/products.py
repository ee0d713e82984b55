"""Weights in, matrix products out, as fast as this processor's library makes them.

oneDNN keeps a weight in its own order and applies GELU while a result is still in the cache (measured on a processor
with AVX-512: 1.3 × torch's linear in float32, 1.1 × in bfloat16). These are private operators of torch: where they are
missing, or do not give what torch's own linear gives, torch's own is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

Activation = Callable[[Tensor], Tensor]
NEIGHBOURS = (2, 3, 8, 17, 49, 96)  # rows that are tried together


class Product:
    """x `(rows, inputs)` → activation(x · weightᵀ + bias) `(rows, outputs)`, in the weight's dtype."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, activation: Activation | None = None, *, used_once: bool = False
    ) -> None:
        self.nbytes = sum(part.numel() * part.element_size() for part in (weight, bias) if part is not None)
        self.dtype = weight.dtype
        self._bias = None if bias is None else bias.detach().to(weight.dtype)
        self._activation = activation
        self._fused = activation is functional.gelu
        self._packed = onednn_works(weight.dtype)
        if used_once:  # oneDNN then reorders it in the product; to keep it in that order would cost more
            self._weight = weight.detach()
        else:
            # Cloned: what is kept must not hold a whole checkpoint's memory, nor its file.
            kept = weight.detach().clone(memory_format=torch.contiguous_format)
            self._weight = torch.ops.mkldnn._reorder_linear_weight(kept) if self._packed else kept

        self._shape = (weight.shape[1], weight.shape[0])

    @property
    def keeps_rows(self) -> bool:
        """Whether a row has the same last bits whatever rows stand beside it, on this processor."""
        return keeps_rows(*self._shape, self.dtype, self._fused)

    def __call__(self, x: Tensor) -> Tensor:
        if len(x) == 1:  # a single row is another product, whose last bits differ
            return self(x.expand(2, -1))[:1]
        if self._packed:
            attribute, algorithm = ("gelu", "none") if self._fused else ("none", "")
            y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, attribute, [], algorithm)
            return y if self._fused or self._activation is None else self._activation(y)
        y = functional.linear(x, self._weight, self._bias)
        return y if self._activation is None else self._activation(y)


@cache
def keeps_rows(inputs: int, outputs: int, dtype: torch.dtype, fused: bool) -> bool:
    """Whether the products of a shape have each row's last bits in any number of rows: found out, in milliseconds.

    oneDNN's packed ones were seen to (AVX-512); torch's own in float32 are another product for few rows.
    """
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(rows, inputs, generator=generator).to(dtype) for rows in (NEIGHBOURS[-1], outputs))
    product = Product(weight, None, functional.gelu if fused else None)
    whole = product(x)
    return all(torch.equal(product(x[:count]), whole[:count]) for count in NEIGHBOURS[:-1])


@cache
def onednn_works(dtype: torch.dtype) -> bool:
    """Whether the private operators are there, on this processor, and agree with torch's own linear."""
    generator = torch.Generator().manual_seed(0)
    weight, bias, x = (torch.randn(*shape, generator=generator).to(dtype) for shape in ((48, 32), (48,), (7, 32)))
    try:
        if not torch.backends.mkldnn.is_available() or not torch.backends.mkldnn.enabled:  # type: ignore[no-untyped-call]
            return False
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        found = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "gelu", [], "none")
    except (AttributeError, RuntimeError, TypeError):
        return False
    expected = functional.gelu(functional.linear(x.double(), weight.double(), bias.double()))
    tolerance = 1e-4 if dtype == torch.float32 else 0.1
    return bool((found.double() - expected).abs().max() < tolerance)
