"""A prepared waveform in, the frames of a convolutional feature encoder out, on a CPU, in fewer steps than its own.

Convolutions are matrix products over windows of channels-last frames, in blocks that stay in the cache; the first
layer's group norm, whose statistics follow from ten-by-ten moments of the waveform, is folded into its weights. In bfloat16
the first layer, norms and sums stay float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from thanosql.models.families.waveform_ctc.convolutions import frames, geometry
from thanosql.models.families.waveform_ctc.products import Activation, Product
from thanosql.models.families.waveform_ctc.steps import normalizes_over_time

BLOCK = 64  # frames of the output computed at a time: 1.3 s of audio


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
        fused = self._activation if self._grouped else None  # a norm stands between product and activation otherwise
        self.products = [
            Product(layer.conv.weight.detach().permute(0, 2, 1).flatten(1).to(dtype), layer.conv.bias, fused)
            for layer in layers[1:]
        ]

    def __call__(self, heard: Tensor) -> Tensor:
        weight, bias = self._first_weight, self._first_bias
        if self._group is not None:
            weight, bias = self._fold_group_norm(heard)
        first = Product(weight, bias, self._activation if self._grouped else None)
        count = frames(len(heard), self._kernels, self._strides)
        reach, step = geometry(self._kernels, self._strides)
        blocks = []
        for begin in range(0, count, BLOCK):
            end = min(begin + BLOCK, count)
            blocks.append(self._block(heard[begin * step : (end - 1) * step + reach], first))
        return torch.cat(blocks)

    def _block(self, heard: Tensor, first: Product) -> Tensor:
        x = self._after(0, first(_windows(heard[:, None], self._kernels[0], self._strides[0])))
        for number, product in enumerate(self.products, start=1):
            x = self._after(number, product(_windows(x.to(self._dtype), self._kernels[number], self._strides[number])))
        return x

    def _after(self, number: int, x: Tensor) -> Tensor:
        norm = self._norms[number]
        return x if norm is None else self._activation(norm(x))

    def _fold_group_norm(self, heard: Tensor) -> tuple[Tensor, Tensor]:
        """The first layer's weights with its norm over time inside: its mean and variance are the windows' moments."""
        windows = _windows(heard[:, None], self._kernels[0], self._strides[0]).double()
        weight = self._first_weight.double()
        means = windows.mean(0)
        moments = windows.T @ windows / len(windows) - torch.outer(means, means)
        variance = ((weight @ moments) * weight).sum(1).clamp_min(0)
        scale = self._group.weight.double() / (variance + self._group.eps).sqrt()
        # The convolution's own bias moves the mean by as much, and so goes out with it.
        return (weight * scale[:, None]).float(), (self._group.bias.double() - weight @ means * scale).float()


def _windows(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Every `stride`th window of `kernel` rows of `(rows, width)`: a view `(windows, kernel * width)`."""
    x = x.contiguous()
    width = x.shape[1]
    return x.as_strided(((len(x) - kernel) // stride + 1, kernel * width), (stride * width, 1))


def activation(module: Any) -> Activation:
    """The exact GELU by its function, so that it can be fused; any other as it is."""
    found: Activation = functional.gelu if getattr(module, "act", None) is functional.gelu else module
    return found
