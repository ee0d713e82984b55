"""Blocks of mono samples at any rates in, blocks at 16,000 Hz out: of all of a recording, or of a part of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    import numpy as np

    Blocks = Iterator[tuple[int, np.ndarray]]

REACH = 0.05  # seconds to either side that a resampled sample is made of, and more


def resampled(source: Blocks) -> Iterator[np.ndarray]:
    """Float32 `(samples,)` at 16,000 Hz of (sampling rate in Hz, float32 `(frames,)`), by soxr (HQ)."""
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


def window(
    source: Callable[[int, int], Blocks], rate: int, begin: int, stop: int, mixed: Callable[[Blocks], Blocks]
) -> Iterator[np.ndarray]:
    """The samples `begin` to `stop` at 16,000 Hz of a recording at `rate` that is sought in: as `resampled` gives them.

    `source` gives the blocks between two frames, which `mixed` makes mono. Decoding begins where a sample of either rate
    falls on one of the other, so that the same filter meets the same samples.
    """
    step = math.gcd(rate, SAMPLING_RATE)
    frames_a_step, samples_a_step = rate // step, SAMPLING_RATE // step
    reach = REACH if rate != SAMPLING_RATE else 0.0
    first = max(0, begin - math.ceil(reach * SAMPLING_RATE)) // samples_a_step
    last = math.ceil((stop / SAMPLING_RATE + reach) * rate)
    at = first * samples_a_step
    for block in resampled(mixed(source(first * frames_a_step, last))):
        yield block[max(0, begin - at) : max(0, stop - at)]
        at += len(block)
