"""A prepared waveform in, the frames of a convolutional feature encoder out, on a CPU, in fewer steps than its own.

Convolutions are matrix products over windows of channels-last frames, in blocks that stay in the cache; the first
layer's group norm, whose statistics follow from ten-by-ten moments of the waveform, is folded into its weights. In bfloat16
the first layer, norms and sums stay float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from thanosql.models.ctc.products import Activation, Product
from thanosql.models.families.waveform_ctc.convolutions import frames, geometry
from thanosql.models.families.waveform_ctc.steps import normalizes_over_time
from thanosql.models.measurements import measure

BLOCK_BYTES = 2**20  # of the first layer, computed at a time: what stays in a second-level cache
SHORTEST_BLOCK = 64  # frames, 1.3 s of audio
ROUNDED = 8  # frames


class Norm:
    """Layer norm over the last axis, in float32."""

    def __init__(self, norm: torch.nn.LayerNorm) -> None:
        self._weight = norm.weight.detach().float().clone()
        self._bias = norm.bias.detach().float().clone()
        self._eps = norm.eps

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x.float(), self._weight.shape, self._weight, self._bias, self._eps)


class FeatureEncoder:
    """Prepared waveform `(samples,)` float32 → `(frames, conv_dim[-1])` in `dtype`. `config` is the model's."""

    def __init__(self, encoder: Any, config: Any, dtype: torch.dtype) -> None:
        layers = list(encoder.conv_layers)
        self._kernels, self._strides = list(config.conv_kernel), list(config.conv_stride)
        self._dtype = dtype
        self._grouped = normalizes_over_time(encoder)
        self._activation = activation(layers[0].activation)
        self._norms = [None if self._grouped else Norm(layer.layer_norm) for layer in layers]
        first = layers[0]
        self._first_weight = first.conv.weight.detach().float()[:, 0].clone()
        self._first_bias = None if first.conv.bias is None else first.conv.bias.detach().float().clone()
        self._group: Any = first.layer_norm if self._grouped else None
        # Where a norm over time is folded into it, the first layer is another for each waveform.
        self._first_product = None if self._grouped else Product(self._first_weight, self._first_bias)
        self._geometry = geometry(self._kernels, self._strides)
        fused = self._activation if self._grouped else None  # a norm stands between product and activation otherwise
        self.products = [
            Product(layer.conv.weight.detach().permute(0, 2, 1).flatten(1).to(dtype), layer.conv.bias, fused)
            for layer in layers[1:]
        ]
        self._block = self._fastest_block()

    def _fastest_block(self) -> int:
        """Frames computed at a time: of a narrow first layer, whose blocks may be longer, measured."""
        reach, step = self._geometry
        width = len(self._first_weight) * self._first_weight.element_size() * step // self._strides[0]
        longest = BLOCK_BYTES // width
        if longest <= SHORTEST_BLOCK:
            return SHORTEST_BLOCK
        waveform = torch.randn((2 * longest - 1) * step + reach, generator=torch.Generator().manual_seed(0))

        def compute(block: int) -> None:
            self._block = block
            self(waveform)

        ways = {str(block): partial(compute, block) for block in (longest, SHORTEST_BLOCK, 2 * longest)}
        what = f"{str(self._dtype).removeprefix('torch.')} {list(self._geometry)} {width}, {torch.get_num_threads()} threads"
        return int(measure("block", what, ways).choice)

    @property
    def keeps_rows(self) -> bool:
        """Whether several waveforms at once have the same last bits as each alone."""
        first = [] if self._first_product is None else [self._first_product]
        return all(product.keeps_rows for product in first + self.products)

    def __call__(self, *waveforms: Tensor) -> Tensor:
        """The frames of one waveform, or of several, one after the other; each has the frames that it has alone."""
        reach, step = self._geometry
        found = []
        for together in packs([frames(len(one), self._kernels, self._strides) for one in waveforms], self._block):
            chosen = [waveforms[index] for index, _ in together]
            counts = [count for _, count in together]
            if len(chosen) > 1:
                found.extend(self._short(chosen, counts))
                continue
            first = self._first(chosen[0])
            for begin in range(0, counts[0], self._block):
                end = min(begin + self._block, counts[0])
                heard_here = chosen[0][begin * step : (end - 1) * step + reach]
                found.append(self._later(first(_lengthened(heard_here, end - begin, step, reach)))[: end - begin])
        return torch.cat(found)

    def _short(self, waveforms: list[Tensor], counts: list[int]) -> list[Tensor]:
        """The frames of several waveforms that fit into a block. They lie end to end, each in a slot of whole steps:
        every window of a waveform then stands where it would stand alone, and what reaches over its end is left out."""
        reach, step = self._geometry
        slots = [-(-len(one) // step) for one in waveforms]
        ends = list(accumulate(slots))
        begins = [end - slot for end, slot in zip(ends, slots, strict=True)]
        joined = waveforms[0].new_zeros((_rounded(ends[-1]) - 1) * step + max(reach, step))
        for one, begin in zip(waveforms, begins, strict=True):
            joined[begin * step : begin * step + len(one)] = one
        if self._group is None:
            x = self._first(joined)(joined)
        else:  # each has a first layer of its own
            rows = step // self._strides[0]
            x = waveforms[0].new_zeros(
                (len(joined) - self._kernels[0]) // self._strides[0] + 1, len(self._first_weight)
            )
            for one, begin in zip(waveforms, begins, strict=True):
                y = self._first(one)(one)
                x[begin * rows : begin * rows + len(y)] = y
        x = self._later(x)
        return [x[begin : begin + count] for begin, count in zip(begins, counts, strict=True)]

    def _first(self, waveform: Tensor) -> Callable[[Tensor], Tensor]:
        """The first layer, as it is for a waveform: from any part of it to rows of channels."""
        product = self._first_product
        if product is None:
            product = Product(*self._fold_group_norm(waveform), self._activation, used_once=True)
        return lambda part: self._after(0, product(_windows(part[:, None], self._kernels[0], self._strides[0])))

    def _later(self, x: Tensor) -> Tensor:
        """The other layers."""
        for number, product in enumerate(self.products, start=1):
            x = self._after(number, product(_windows(x.to(self._dtype), self._kernels[number], self._strides[number])))
        return x

    def _after(self, number: int, x: Tensor) -> Tensor:
        norm = self._norms[number]
        return x if norm is None else self._activation(norm(x))

    def _fold_group_norm(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """The first layer's weights with its norm over time inside: its mean and variance are the windows' moments."""
        windows = _windows(waveform[:, None], self._kernels[0], self._strides[0]).double()
        weight = self._first_weight.double()
        means = windows.mean(0)
        moments = windows.T @ windows / len(windows) - torch.outer(means, means)
        variance = ((weight @ moments) * weight).sum(1).clamp_min(0)
        scale = self._group.weight.double() / (variance + self._group.eps).sqrt()
        # The convolution's own bias moves the mean by as much, and so goes out with it.
        return (weight * scale[:, None]).float(), (self._group.bias.double() - weight @ means * scale).float()


def packs(counts: Sequence[int], most: int) -> list[list[tuple[int, int]]]:
    """Indices and frames of utterances in their order, put together as long as they have at most so many frames.

    >>> packs([70, 20, 30, 20], 64)
    [[(0, 70)], [(1, 20), (2, 30)], [(3, 20)]]
    """
    found: list[list[tuple[int, int]]] = []
    filled = 0
    for index, count in enumerate(counts):
        if found and filled + count <= most:
            found[-1].append((index, count))
            filled += count
        else:
            found.append([(index, count)])
            filled = count
    return found


def _rounded(count: int) -> int:
    """Frames to compute for so many: each new shape costs oneDNN half a millisecond, so there are few."""
    return -(-count // ROUNDED) * ROUNDED


def _lengthened(waveform: Tensor, count: int, step: int, reach: int) -> Tensor:
    """Samples of so many frames, with zeros after them up to a rounded number of frames."""
    return functional.pad(waveform, (0, (_rounded(count) - 1) * step + reach - len(waveform)))


def _windows(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Every `stride`th window of `kernel` rows of `(rows, width)`: a view `(windows, kernel * width)`."""
    x = x.contiguous()
    width = x.shape[1]
    return x.as_strided(((len(x) - kernel) // stride + 1, kernel * width), (stride * width, 1))


def activation(module: Any) -> Activation:
    """The exact GELU by its function, so that it can be fused; any other as it is."""
    found: Activation = functional.gelu if getattr(module, "act", None) is functional.gelu else module
    return found
