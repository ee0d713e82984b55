"""The kernels and strides of a convolutional feature encoder in; samples to frames and back out."""

from __future__ import annotations

from collections.abc import Sequence


def frames(samples: int, kernels: Sequence[int], strides: Sequence[int], squeeze: int = 1) -> int:
    """How many frames a convolutional feature encoder makes of so many samples (0 when they are too few).

    A transformer that hears `squeeze` frames as one (SEW) needs as many to hear anything.

    >>> frames(16_000, (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2))
    49
    """
    for kernel, stride in zip(kernels, strides, strict=True):
        samples = (samples - kernel) // stride + 1 if samples >= kernel else 0
    return samples if samples >= squeeze else 0


def sample_count(frames: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    """The fewest samples that make so many frames.

    >>> encoder = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
    >>> sample_count(1, *encoder), sample_count(2, *encoder)
    (400, 720)
    """
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        frames = (frames - 1) * stride + kernel
    return frames


def geometry(kernels: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Samples that one frame sees, and samples from one frame to the next.

    >>> geometry((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2))
    (400, 320)
    """
    reach, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        reach, step = reach + (kernel - 1) * step, step * stride
    return reach, step
