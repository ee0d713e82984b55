"""A waveform in, the same as a model hears it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from thanosql.models.wav2vec2.checkpoint import Features


def prepare(waveform: np.ndarray, features: Features) -> np.ndarray:
    """A waveform as the model hears it, float32 `(samples,)`: as Wav2Vec2FeatureExtractor makes it, bit for bit."""
    if not features.do_normalize or len(waveform) == 0:
        return waveform
    normalized: np.ndarray = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
    return normalized
