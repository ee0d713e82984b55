"""Hidden states `(frames, hidden)` in, what the positional convolution adds to them out, of the same shape.

Its kernel is as long as 2.6 s of audio, so it is a product of spectra: overlapping blocks of frames are transformed,
multiplied and joined (overlap-save; Oppenheim and Schafer, Discrete-Time Signal Processing, section 8.7). That is a
quarter of the time of matrix products over windows in float32, half of that in bfloat16, and exact in float32, in which
it is done for either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

FEWEST_BLOCKS = 8  # in a product: fewer are another product, whose last bits differ
BLOCK_KERNELS = 2  # frames in a transformed block, as a multiple of the kernel


Runs = Sequence[tuple[int, int]]  # how many utterances of how many frames each, in the order of the rows


def split(hidden: Tensor, runs: Runs) -> Iterator[Tensor]:
    """Rows of utterances as `(utterances, frames, …)`, those of one length together."""
    begin = 0
    for times, count in runs:
        yield hidden[begin : begin + times * count].view(times, count, *hidden.shape[1:])
        begin += times * count


class PositionalConvolution:
    """The weights' spectra, made once."""

    def __init__(self, embedding: Any) -> None:
        convolution = embedding.conv
        weight = convolution.weight.detach().double()
        self._kernel = weight.shape[2]
        self._block = 1 << (BLOCK_KERNELS * self._kernel - 1).bit_length()
        outputs, inputs = weight.shape[0] // convolution.groups, weight.shape[1]
        # What torch calls a convolution is a correlation: the conjugate's product.
        spectrum = torch.fft.rfft(weight, self._block).conj().view(convolution.groups, outputs, inputs, -1)
        self._spectrum = spectrum.permute(3, 0, 2, 1).to(torch.complex64).contiguous()
        self._bias = None if convolution.bias is None else convolution.bias.detach().float().clone()
        self._norm = getattr(embedding, "layer_norm", None)  # Data2Vec's, which has no weights
        self._activation = embedding.activation

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        parts = (self._spectrum, self._bias)
        return sum(part.numel() * part.element_size() for part in parts if part is not None)

    def __call__(self, hidden: Tensor, runs: Runs) -> Tensor:
        """float32 in and out, `(frames, width)` of utterances, one after the other; `runs` says which frames are whose."""
        size, step = self._block, self._block - self._kernel + 1
        parts = [self._blocks(part, step) for part in split(hidden, runs)]
        spectra = torch.fft.rfft(torch.cat(parts, dim=1))
        _, groups, inputs, _ = self._spectrum.shape
        blocks = spectra.shape[1]
        factors = spectra.view(groups, inputs, blocks, -1).permute(3, 0, 2, 1)
        if blocks < FEWEST_BLOCKS:
            factors = torch.nn.functional.pad(factors, (0, 0, 0, FEWEST_BLOCKS - blocks))
        products = (factors @ self._spectrum)[:, :, :blocks]
        joined = torch.fft.irfft(products.permute(1, 3, 2, 0).reshape(len(spectra), blocks, -1), size)[..., :step]
        found, begin = [], 0
        for times, count in runs:
            each = -(-count // step)
            part = joined[:, begin : begin + times * each].reshape(len(joined), times, each * step)[:, :, :count]
            found.append(part.permute(1, 2, 0).reshape(times * count, -1))
            begin += times * each
        rows = torch.cat(found)
        rows = rows if self._bias is None else rows + self._bias
        activated: Tensor = self._activation(rows if self._norm is None else self._norm(rows))
        return activated

    def _blocks(self, hidden: Tensor, step: int) -> Tensor:
        """Overlapping blocks `(width, utterances * blocks, size)` of hidden `(utterances, frames, width)`."""
        times, count, width = hidden.shape
        blocks, before = -(-count // step), self._kernel // 2
        length = (blocks - 1) * step + self._block
        padded = hidden.new_zeros(width, times, length)
        padded[:, :, before : before + count] = hidden.permute(2, 0, 1)
        found = padded.as_strided((width, times, blocks, self._block), (times * length, length, step, 1))
        return found.reshape(width, times * blocks, self._block)
