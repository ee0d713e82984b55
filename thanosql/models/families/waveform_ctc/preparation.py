"""A waveform in, the same as a model takes it out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.families.waveform_ctc.checkpoint import Features

CHUNK = 1 << 20  # samples of a long waveform that are read at once
FLOOR = 1e-7  # of the variance


def prepare(waveform: np.ndarray, features: Features) -> np.ndarray:
    """A waveform as the model takes it, float32 `(samples,)`: as Wav2Vec2FeatureExtractor makes it, bit for bit."""
    if not features.do_normalize or len(waveform) == 0:
        return waveform
    normalized: np.ndarray = (waveform - waveform.mean()) / np.sqrt(waveform.var() + FLOOR)
    return normalized


def prepare_any_length(waveform: Waveform, features: Features) -> Waveform:
    """The same; of a waveform that is no array, slice by slice, mean and variance being those of the whole."""
    if isinstance(waveform, np.ndarray):
        return prepare(waveform, features)
    return _Normalized.of(waveform) if features.do_normalize and len(waveform) else waveform


@dataclass(frozen=True)
class _Normalized:
    waveform: Waveform
    mean: float
    deviation: float

    @classmethod
    def of(cls, waveform: Waveform) -> _Normalized:
        total = squares = 0.0
        for begin in range(0, len(waveform), CHUNK):
            part = waveform[begin : begin + CHUNK].astype(np.float64)
            total, squares = total + float(part.sum()), squares + float(part @ part)
        mean = total / len(waveform)
        return cls(waveform, mean, math.sqrt(max(0.0, squares / len(waveform) - mean**2) + FLOOR))

    def __len__(self) -> int:
        return len(self.waveform)

    def __getitem__(self, part: slice) -> np.ndarray:
        return (self.waveform[part] - np.float32(self.mean)) / np.float32(self.deviation)
