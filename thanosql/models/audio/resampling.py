"""Blocks of mono samples at any rates in, blocks at 16,000 Hz out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    import numpy as np


def resampled(source: Iterator[tuple[int, np.ndarray]]) -> Iterator[np.ndarray]:
    import numpy as np
    import soxr

    rate, stream = SAMPLING_RATE, None
    for given, block in source:
        if given != rate:  # some broadcasts change their rate on the way
            if stream is not None:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
            rate = given
            stream = soxr.ResampleStream(rate, SAMPLING_RATE, 1, "float32", "HQ") if rate != SAMPLING_RATE else None
        yield block if stream is None else stream.resample_chunk(np.ascontiguousarray(block))
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
