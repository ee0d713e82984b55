"""A waveform in, what can be said of it without a model out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.models.audio.info import Note
from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    from thanosql.models.audio.recordings import DecodedAudio

DIGEST_BYTES = 12
SLICE = 1 << 20  # samples that are looked at together


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What decoding tells of an audio: `samples` at 16,000 Hz, `peak` from 0 to 1 (full scale), a digest of all samples, and
    what one should know of it."""

    samples: int
    peak: float
    digest: bytes
    notes: tuple[Note, ...] = ()

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLING_RATE


def facts_of(decoded: DecodedAudio) -> AudioFacts:
    """The facts of what was decoded; a long one is looked at in slices."""
    import numpy as np

    waveform, peak = decoded.waveform, 0.0
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for at in range(0, len(waveform), SLICE):
        part = np.ascontiguousarray(waveform[at : at + SLICE])
        digest.update(part.view(np.uint8).data)
        peak = max(peak, float(np.max(np.abs(part))))
    return AudioFacts(len(waveform), peak, digest.digest(), decoded.notes)
