"""Hidden states `(frames, hidden)` in, what the positional convolution adds to them out, of the same shape.

Its kernel is as long as 2.6 s of audio, so it is a product of spectra: overlapping blocks of frames are transformed,
multiplied and joined (overlap-save; Oppenheim and Schafer, Discrete-Time Signal Processing, section 8.7). That is a
quarter of the time of matrix products over windows in float32, half of that in bfloat16, and exact in float32, in which
it is done for either.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK_KERNELS = 2  # frames in a transformed block, as a multiple of the kernel


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

    def __call__(self, hidden: Tensor) -> Tensor:
        """float32 in and out."""
        count, width = hidden.shape
        size, before, step = self._block, self._kernel // 2, self._block - self._kernel + 1
        blocks = -(-count // step)
        padded = hidden.new_zeros(width, (blocks - 1) * step + size)
        padded[:, before : before + count] = hidden.T
        spectra = torch.fft.rfft(padded.as_strided((width, blocks, size), (padded.shape[1], step, 1)))
        _, groups, inputs, _ = self._spectrum.shape
        products = spectra.view(groups, inputs, blocks, -1).permute(3, 0, 2, 1) @ self._spectrum
        joined = torch.fft.irfft(products.permute(1, 3, 2, 0).reshape(width, blocks, -1), size)[..., :step]
        found = joined.reshape(width, -1)[:, :count].T
        found = found if self._bias is None else found + self._bias
        activated: Tensor = self._activation(found if self._norm is None else self._norm(found))
        return activated
