"""A waveform in, how loud it is in each hundredth of a second out: what tells sound from silence.

Speech has fricatives that are weak and high, and vowels that are strong and low. So there are two levels: of the samples,
and of their differences, in which what is high stands out of a hum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thanosql.models.audio.waveform import Waveform

STEP_SAMPLES = 160
STEP_SECONDS = STEP_SAMPLES / SAMPLING_RATE
SILENCE = 1e-10  # added to the mean square: digital silence is −100 dB
BLOCK = 6_000 * STEP_SAMPLES  # samples that are looked at together, a minute


def levels(waveform: Waveform) -> NDArray[np.float32]:
    """The level of each 10 ms in dB of full scale, `(2, steps)`: of the samples, and of their differences.

    The last step may be shorter than the others.

    >>> levels(np.full(400, 0.1, dtype=np.float32)).round(1).tolist()
    [[-20.0, -20.0, -20.0], [-42.0, -100.0, -100.0]]
    """
    steps = -(-len(waveform) // STEP_SAMPLES)
    found = np.empty((2, steps), dtype=np.float32)
    for begin in range(0, len(waveform), BLOCK):
        first = max(0, begin - 1)
        block = np.asarray(waveform[first : begin + BLOCK], dtype=np.float64)
        before = block[:1] if begin else np.zeros(1)
        block = block[begin - first :]
        place = begin // STEP_SAMPLES
        for row, signal in enumerate((block, np.diff(block, prepend=before))):
            energy = np.add.reduceat(signal**2, np.arange(0, len(signal), STEP_SAMPLES))
            counts = np.full(len(energy), STEP_SAMPLES)
            counts[-1] = len(signal) - STEP_SAMPLES * (len(energy) - 1)
            found[row, place : place + len(energy)] = 10 * np.log10(energy / counts + SILENCE)
    return found
