"""A waveform and a random generator in; the same words as another voice, room and line would carry them out.

What is varied: speed with pitch (Ko et al. 2015, "Audio augmentation for speech recognition"), tempo alone (WSOLA,
Verhelst & Roelands 1993), pauses around the words, room (a decaying tail), tone and bandwidth, noise, level. All but
the first two are one product in the frequency domain, so that an utterance costs about as much as one FFT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    import numpy as np

_WINDOW = 400  # samples, 25 ms: a pitch period of the deepest voice and a half
_SEARCH = 128  # samples, 8 ms


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far each property may wander: factors log-uniform in [1 / (1 + x), 1 + x], a `…_share` is a probability."""

    speed: float = 0.12
    tempo: float = 0.12
    tempo_share: float = 0.5
    pause: float = 0.15  # seconds of quiet added at either end, at most
    room_share: float = 0.2
    reverberation: tuple[float, float] = (0.05, 0.4)  # seconds to fall by 60 dB
    tone: float = 5.0  # dB up or down, in bands about an octave wide
    band_share: float = 0.3
    low_pass: tuple[float, float] = (2_400.0, 7_500.0)  # Hz
    high_pass: tuple[float, float] = (40.0, 400.0)  # Hz
    noise_share: float = 0.4
    signal_to_noise: tuple[float, float] = (10.0, 40.0)  # dB
    level: tuple[float, float] = (-20.0, 6.0)  # dB, kept below full scale


def augment(
    waveform: np.ndarray,
    generator: np.random.Generator,
    augmentation: Augmentation | None = None,
    *,
    shortest: int = 0,
) -> np.ndarray:
    """Another recording of the same words; float32 `(samples,)` at 16 kHz in and out.

    The result has at least `shortest` samples wherever the waveform itself has: what an utterance needs for its text
    to fit its frames. The same generator state gives the same samples.
    """
    import numpy as np

    how = augmentation or Augmentation()
    room = max(1.0, len(waveform) / max(shortest, 1)) if shortest else np.inf  # how much faster it may get
    speed = min(_factor(generator, how.speed), room)
    tempo = _factor(generator, how.tempo) if generator.random() < how.tempo_share else 1.0
    tempo = min(tempo, room / speed)
    varied = _resample(waveform, speed)
    if abs(tempo - 1.0) > 0.02:
        varied = stretch(varied, tempo)
    before, after = (generator.random(2) * how.pause * SAMPLING_RATE).astype(int)
    varied = np.pad(varied, (before, max(after, shortest - len(varied) - before)))
    return _through_a_room(varied, generator, how)


def stretch(waveform: np.ndarray, tempo: float) -> np.ndarray:
    """The waveform `tempo` times as fast at the same pitch: overlapping windows, each moved to where it fits best."""
    import numpy as np

    hop = _WINDOW // 2
    length = int(len(waveform) / tempo)
    if length < 2 * _WINDOW:
        return waveform
    count = length // hop + 1
    padded = np.pad(waveform, (_SEARCH, _SEARCH + 2 * _WINDOW))
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)  # halves that add up to one
    result = np.zeros((count + 1) * hop, np.float32)
    start = _SEARCH
    result[:_WINDOW] += padded[start : start + _WINDOW] * np.where(np.arange(_WINDOW) < hop, 1, window)
    for step in range(1, count):
        natural = padded[start + hop : start + hop + _WINDOW]  # what would have followed
        wanted = min(int(step * hop * tempo), len(waveform))
        region = padded[wanted : wanted + _WINDOW + 2 * _SEARCH]
        if len(natural) < _WINDOW or len(region) < _WINDOW:
            break
        start = wanted + int(np.argmax(np.correlate(region, natural)))
        result[step * hop : step * hop + _WINDOW] += padded[start : start + _WINDOW] * window
    return result[:length]


def _factor(generator: np.random.Generator, spread: float) -> float:
    import math

    return math.exp(generator.uniform(-1.0, 1.0) * math.log1p(spread))


def _resample(waveform: np.ndarray, speed: float) -> np.ndarray:
    import numpy as np
    import soxr

    if abs(speed - 1.0) < 0.005:
        return waveform
    result: np.ndarray = soxr.resample(waveform, SAMPLING_RATE * speed, SAMPLING_RATE, quality="LQ")
    return result.astype(np.float32, copy=False)


def _through_a_room(waveform: np.ndarray, generator: np.random.Generator, how: Augmentation) -> np.ndarray:
    import numpy as np

    tail = 0
    reverberation = 0.0
    if generator.random() < how.room_share:
        reverberation = generator.uniform(*how.reverberation)
        tail = int(reverberation * SAMPLING_RATE)
    size = _smooth(len(waveform) + tail)
    spectrum = np.fft.rfft(waveform, size)
    frequencies = np.fft.rfftfreq(size, 1 / SAMPLING_RATE).astype(np.float32)
    power = float(np.mean(np.square(waveform))) or 1e-12
    if tail:
        spectrum *= np.fft.rfft(_impulse(tail, reverberation, generator), size)
    noise = generator.random() < how.noise_share
    if noise:
        ratio = 10 ** (generator.uniform(*how.signal_to_noise) / 10)
        spectrum += _noise(frequencies, size, power / ratio, generator)
    spectrum *= _response(frequencies, generator, how)
    result = np.fft.irfft(spectrum, size)[: len(waveform)]
    peak = float(np.max(np.abs(result), initial=1e-9))
    gain = min(10 ** (generator.uniform(*how.level) / 20), 0.99 / peak)
    return (result * gain).astype(np.float32)


def _impulse(samples: int, reverberation: float, generator: np.random.Generator) -> np.ndarray:
    """The direct sound and, at a tenth to all of its energy, a tail that falls by 60 dB in `reverberation` seconds."""
    import numpy as np

    time = np.arange(samples, dtype=np.float32) / SAMPLING_RATE
    impulse = generator.standard_normal(samples, dtype=np.float32) * np.exp(-6.9 * time / reverberation)
    impulse *= np.sqrt(generator.uniform(0.1, 1.0) / max(float(np.sum(impulse**2)), 1e-9))
    impulse[0] = 1.0
    return impulse.astype(np.float32)


def _noise(frequencies: np.ndarray, size: int, power: float, generator: np.random.Generator) -> np.ndarray:
    """Noise of that mean power, from white to brown, as a spectrum."""
    import numpy as np

    slope = generator.uniform(0.0, 2.0)
    shape = np.maximum(frequencies, 60.0) ** (-slope / 2)
    parts = generator.standard_normal((2, len(frequencies)), dtype=np.float32)
    noise = (parts[0] + 1j * parts[1]) * shape
    total = 2 * float(np.sum(np.abs(noise) ** 2)) / size**2  # Parseval: its mean square in time
    scaled: np.ndarray = noise * np.sqrt(power / max(total, 1e-30))
    return scaled


def _response(frequencies: np.ndarray, generator: np.random.Generator, how: Augmentation) -> np.ndarray:
    """The line's gain at each frequency: a tone control of seven bands, and limits at both ends."""
    import numpy as np

    knots = np.log([60.0, 150.0, 350.0, 800.0, 1_600.0, 3_200.0, 7_000.0])
    decibels = generator.uniform(-how.tone, how.tone, len(knots)) * generator.random()
    gain = 10 ** (np.interp(np.log(np.maximum(frequencies, 20.0)), knots, decibels) / 20)
    if generator.random() < how.band_share:
        low, high = (np.exp(generator.uniform(*np.log(edges))) for edges in (how.high_pass, how.low_pass))
        gain /= np.sqrt(1 + (low / np.maximum(frequencies, 1.0)) ** 8)
        gain /= np.sqrt(1 + (frequencies / high) ** 24)
    result: np.ndarray = gain.astype(np.float32)
    return result


def _smooth(length: int) -> int:
    """The next length that is quick to transform: a power of two, or 1.25 or 1.5 times one."""
    power = 1 << max(length - 1, 1).bit_length()
    return next((size for size in (power * 5 // 8, power * 3 // 4) if size >= length), power)
