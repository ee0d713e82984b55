"""Other throats by the WORLD vocoder: one utterance in, the same words in other voices out.

In: float32 at 16 kHz. Out: float32 at 16 kHz with another vocal-tract length, pitch, melody, breath and timing, each
independent of the others, which reading out faster or slower (augmentation.py) cannot do. Needs the package pyworld.
"""

from collections.abc import Iterator

import numpy as np

SAMPLE_RATE = 16_000  # Hz
MARGIN = 800  # samples of silence that the analysis wants at both ends


def other_throats(samples: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """`count` random variations of an utterance; float32, shape = (n_samples,), peak 0.5."""
    import pyworld

    padded = np.pad(samples.astype(np.float64), MARGIN)
    pitch, times = pyworld.dio(padded, SAMPLE_RATE, f0_floor=60, f0_ceil=500)
    pitch = pyworld.stonemask(padded, pitch, times, SAMPLE_RATE)
    envelope = pyworld.cheaptrick(padded, pitch, times, SAMPLE_RATE)
    aperiodicity = pyworld.d4c(padded, pitch, times, SAMPLE_RATE)
    for _ in range(count):
        below, above, share = _warp(envelope.shape[1], rng)
        warped = np.exp((1 - share) * np.log(envelope[:, below] + 1e-16) + share * np.log(envelope[:, above] + 1e-16))
        breath = rng.uniform(0, 0.35) if rng.random() < 0.3 else 0.0
        rough = (1 - share) * aperiodicity[:, below] + share * aperiodicity[:, above] + breath
        frames = _uneven_times(len(pitch), rng)
        made = pyworld.synthesize(
            _melody(pitch[frames], rng),
            np.ascontiguousarray(warped[frames]),
            np.ascontiguousarray(np.clip(rough[frames], 0.001, 1.0)),
            SAMPLE_RATE,
        )[MARGIN - 100 : 100 - MARGIN].astype(np.float32)
        yield made * (0.5 / max(1e-4, float(np.abs(made).max())))


def _warp(n_bins: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bins between which to read the envelope of another vocal-tract length, and the share of the upper one."""
    factor = np.exp(np.clip(rng.normal(0, 0.11), -0.25, 0.25))
    bend = rng.uniform(-0.08, 0.08)  # back and front of the mouth do not grow alike
    bins = np.arange(n_bins)
    source = np.clip(bins / factor * (1 + bend * np.sin(np.pi * bins / n_bins)), 0, n_bins - 1)
    below = source.astype(int)
    return below, np.minimum(below + 1, n_bins - 1), source - below


def _uneven_times(n_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Which frame to say when: a rate that changes within the utterance; shape = (n_new_frames,)."""
    knots = np.cumsum(np.r_[0, np.exp(rng.normal(0, 0.25, 5))])
    n_new = max(8, int(n_frames * np.exp(np.clip(rng.normal(0, 0.2), -0.45, 0.45))))
    at = np.interp(np.linspace(0, 1, n_new), knots / knots[-1], np.linspace(0, 1, 6)) * (n_frames - 1)
    return np.clip(at, 0, n_frames - 1).round().astype(int)


def _melody(pitch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Hz by frame, 0 where unvoiced: moved by about a quarter of an octave, flatter or livelier, less steady."""
    voiced = pitch > 0
    if not voiced.any():
        return pitch
    mean = np.exp(np.log(pitch[voiced]).mean())
    shift, spread = np.exp(rng.normal(0, 0.25)), rng.uniform(0.3, 1.8)
    unsteady = np.exp(np.cumsum(rng.normal(0, 0.004, len(pitch))))
    moved = pitch.copy()
    moved[voiced] = np.clip(mean * shift * (pitch[voiced] / mean) ** spread * unsteady[voiced], 50, 500)
    return moved
