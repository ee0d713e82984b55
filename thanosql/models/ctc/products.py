"""Weights in, matrix products out, as fast as this processor's library makes them.

oneDNN keeps a weight in its own order and can apply GELU while a result is still in the cache; torch has its linear. Which
of them is faster depends on the processor and the shape, so it is measured (`models/measurements.py`). oneDNN's are private
operators of torch: where they are missing, or do not give what torch's own linear gives, torch's own is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from thanosql.models.measurements import APART, Measured, measure

Activation = Callable[[Tensor], Tensor]
NEIGHBOURS = (2, 3, 8, 17, 49, 96)  # rows that are tried together
FUSED, PACKED, TORCH = "oneDNN-with-GELU", "oneDNN", "torch"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
OPERATIONS = 1e8  # of a product that is timed: a few milliseconds
FEWEST_ROWS, MOST_ROWS = 128, 2048  # of it
NARROW = 1 << 18  # numbers in a weight: models of smaller ones gain more by utterances that go together


class Product:
    """x `(rows, inputs)` → activation(x · weightᵀ + bias) `(rows, outputs)`, in the weight's dtype."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, activation: Activation | None = None, *, used_once: bool = False
    ) -> None:
        self.nbytes = sum(part.numel() * part.element_size() for part in (weight, bias) if part is not None)
        self.dtype = weight.dtype
        self._bias = None if bias is None else bias.detach().to(weight.dtype)
        self._activation = activation
        outputs, inputs = weight.shape
        self._measured = fastest(inputs, outputs, self.dtype, activation is functional.gelu, used_once)
        self._way = self._measured.choice
        if used_once:  # oneDNN then reorders it in the product; to keep it in that order would cost more
            self._weight = weight.detach()
        else:
            # Cloned: what is kept must not hold a whole checkpoint's memory, nor its file.
            self._weight = _ordered(weight.detach().clone(memory_format=torch.contiguous_format), self._way)

    @property
    def keeps_rows(self) -> bool:
        """Whether a row has the same last bits whatever rows stand beside it, on this processor."""
        return self._measured.alike

    def __call__(self, x: Tensor) -> Tensor:
        if len(x) == 1:  # a single row is another product, whose last bits differ
            return self(x.expand(2, -1))[:1]
        y = _multiply(x, self._weight, self._bias, self._way)
        return y if self._way == FUSED or self._activation is None else self._activation(y)


def fastest(inputs: int, outputs: int, dtype: torch.dtype, gelu: bool, used_once: bool = False) -> Measured:
    """How products of a shape are computed here: measured once on a machine, in milliseconds."""
    names = [TORCH]
    if onednn_works(dtype):
        names = [FUSED, PACKED, TORCH] if gelu else [PACKED, TORCH]
    generator = torch.Generator().manual_seed(0)
    rows = int(min(MOST_ROWS, max(FEWEST_ROWS, OPERATIONS / (2 * inputs * outputs))))

    def drawn(count: int) -> Tensor:
        return torch.randn(count, inputs, generator=generator).to(dtype)

    @cache
    def operands() -> tuple[Tensor, Tensor]:
        return drawn(rows), drawn(outputs)

    @cache
    def weight(name: str) -> Tensor:
        return operands()[1] if used_once else _ordered(operands()[1], name)

    def compute(name: str, x: Tensor | None = None) -> Tensor:
        y = _multiply(operands()[0] if x is None else x, weight(name), None, name)
        return functional.gelu(y) if gelu and name != FUSED else y

    def keeps_rows(name: str) -> bool:
        """oneDNN's packed products were seen to (AVX-512); torch's own in float32 are another product for few rows."""
        x = operands()[0][: NEIGHBOURS[-1]]
        whole = compute(name, x)
        return all(torch.equal(compute(name, x[:count]), whole[:count]) for count in NEIGHBOURS[:-1])

    without = "" if PACKED in names else ", no oneDNN"
    what = (
        f"{str(dtype).removeprefix('torch.')} {inputs}→{outputs}{' GELU' if gelu else ''}{' once' if used_once else ''}"
    )
    ways = {name: partial(compute, name) for name in names}
    apart = 0.0 if inputs * outputs < NARROW and not used_once else APART
    with torch.inference_mode():
        return measure("product", f"{what}, {torch.get_num_threads()} threads{without}", ways, keeps_rows, apart)


def measure_bfloat16() -> Measured:
    """How long products of bfloat16 take beside float32's, each the way that is the fastest here."""
    inputs, outputs, rows = 512, 512, 192
    x, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    with torch.inference_mode():
        products = {name: Product(weight.to(kind), None) for name, kind in DTYPES.items()}
        ways = {name: partial(product, x.to(product.dtype)) for name, product in products.items()}
        return measure("precision", f"{inputs}→{outputs}, {torch.get_num_threads()} threads", ways)


def _ordered(weight: Tensor, way: str) -> Tensor:
    """A weight as a way to multiply takes it."""
    found: Tensor = weight if way == TORCH else torch.ops.mkldnn._reorder_linear_weight(weight)
    return found


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None, way: str) -> Tensor:
    if way == TORCH:
        return functional.linear(x, weight, bias)
    attribute, algorithm = ("gelu", "none") if way == FUSED else ("none", "")
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, attribute, [], algorithm)
    return y


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
