"""Make clean synthesized speech sound like other throats, rooms, microphones and telephones.

In: int16 waveforms at 16 kHz of one batch. Out: one padded float32 batch, each utterance normalized to mean 0 and
variance 1 over its own samples as Wav2Vec2FeatureExtractor does. Filters and rooms are one product per utterance in
the frequency domain, so that two cores can keep up with the training.
"""

import numpy as np

SAMPLE_RATE = 16_000  # Hz

# Batches are padded to one of these lengths (samples): oneDNN prepares its kernels anew for each shape that it has not
# met lately, which halves the speed where every batch has a shape of its own.
LENGTHS = tuple(int(0.4 * 1.17**k * SAMPLE_RATE) for k in range(18))


def padded_length(n_samples: int) -> int:
    """The shortest of `LENGTHS` that holds `n_samples`."""
    return next((length for length in LENGTHS if length >= n_samples), n_samples)


def stretched(samples: np.ndarray, factor: float) -> np.ndarray:
    """Read out `factor` times as fast: pitch, formants and rate move together. Linear interpolation."""
    n = int(len(samples) / factor)
    return np.interp(np.arange(n, dtype=np.float32) * factor, np.arange(len(samples)), samples).astype(np.float32)


def random_response(n_fft: int, rng: np.random.Generator) -> np.ndarray:
    """Magnitude response of a random microphone and band limit; float32, shape = (n_fft // 2 + 1,)."""
    frequency = np.linspace(0, SAMPLE_RATE / 2, n_fft // 2 + 1, dtype=np.float32)
    octaves = np.log2(np.maximum(frequency, 50.0) / 1000)
    decibels = rng.normal(0, 2.0) * octaves
    knots = np.linspace(octaves[0], octaves[-1], 7)
    decibels = decibels + np.interp(octaves, knots, rng.normal(0, 3.0, 7))
    if rng.random() < 0.3:  # a resonance or a hole of a third of an octave or more
        centre, width = rng.uniform(octaves[0] + 1, octaves[-1]), rng.uniform(0.15, 0.5)
        decibels = decibels + rng.uniform(-12, 8) * np.exp(-(((octaves - centre) / width) ** 2))
    response = 10 ** (np.clip(decibels, -40, 20) / 20)
    kind = rng.random()
    if kind < 0.5:  # sampled at 8 kHz and brought back to 16 kHz
        response = response * (frequency < rng.uniform(3300, 4000))
    elif kind < 0.65:
        response = response * (frequency < rng.uniform(4000, 8000))
    if rng.random() < 0.4:
        corner = rng.uniform(60, 350)
        response = response / np.sqrt(1 + (corner / np.maximum(frequency, 1.0)) ** 4)
    return response.astype(np.float32)


def random_room(n_fft: int, rng: np.random.Generator) -> np.ndarray:
    """Spectrum of a room's impulse response: the direct sound and an exponentially fading noise; complex64."""
    seconds = rng.uniform(0.05, 0.5)  # until -60 dB
    n = min(n_fft, int(seconds * SAMPLE_RATE))
    tail = rng.standard_normal(n).astype(np.float32) * 10 ** (-3 * np.arange(n, dtype=np.float32) / n)
    tail *= 10 ** (rng.uniform(-22, -3) / 20) / np.sqrt((tail**2).sum())
    tail[: int(0.002 * SAMPLE_RATE)] = 0
    tail[0] = 1
    return np.fft.rfft(tail, n_fft).astype(np.complex64)


def random_noise(n: int, rng: np.random.Generator, others: np.ndarray) -> np.ndarray:
    """Coloured noise, hum or babble of unit variance; float32, shape = (n,). `others` is speech to babble with."""
    kind = rng.random()
    if kind < 0.25 and len(others) > n:
        noise = np.zeros(n, np.float32)
        for _ in range(rng.integers(2, 6)):
            start = rng.integers(0, len(others) - n)
            noise += others[start : start + n]
    else:
        spectrum = np.fft.rfft(rng.standard_normal(n).astype(np.float32))
        frequency = np.linspace(20, SAMPLE_RATE / 2, len(spectrum), dtype=np.float32)
        noise = np.fft.irfft(spectrum * frequency ** -rng.uniform(0, 1.2), n).astype(np.float32)
    if rng.random() < 0.15:
        seconds = np.arange(n, dtype=np.float32) / SAMPLE_RATE
        noise = noise / (noise.std() + 1e-9) + 2 * np.sin(2 * np.pi * rng.choice((50, 60, 120)) * seconds)
    return noise / (noise.std() + 1e-9)


def augmented(samples: np.ndarray, rng: np.random.Generator, others: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """One int16 utterance to one augmented float32 utterance, shape = (n_samples,).

    `strength` from 0 to 1 is how often each distortion is used; `others` is speech to make babble of.
    """
    samples = samples.astype(np.float32) / 32768
    if rng.random() < 0.7:
        samples = stretched(samples, float(np.exp(rng.normal(0, 0.10 * strength))))
    if rng.random() < 0.3 * strength:  # cut into the edges as tight end-pointing does
        first, last = int(rng.uniform(0, 0.02) * SAMPLE_RATE), int(rng.uniform(0, 0.04) * SAMPLE_RATE)
        samples = samples[first : len(samples) - last]
    before, after = (int(rng.uniform(0, rng.choice((0.02, 0.02, 0.25))) * SAMPLE_RATE) for _ in range(2))
    samples = np.pad(samples, (before, after))
    n = len(samples)
    if rng.random() < 0.85 * strength:
        n_fft = 1 << (n - 1).bit_length()
        spectrum = np.fft.rfft(samples, n_fft) * random_response(n_fft, rng)
        if rng.random() < 0.4 * strength:
            spectrum = spectrum * random_room(n_fft, rng)
        samples = np.fft.irfft(spectrum, n_fft)[:n].astype(np.float32)
    samples = samples / (samples.std() + 1e-9)
    if rng.random() < 0.2 * strength:  # an overdriven microphone
        samples = np.tanh(samples * rng.uniform(0.3, 1.5))
        samples = samples / (samples.std() + 1e-9)
    if rng.random() < 0.85:
        decibels = rng.uniform(35 - 30 * strength, 45)
        samples = samples + random_noise(n, rng, others) * 10 ** (-decibels / 20)
    return samples.astype(np.float32)


def harsher(samples: np.ndarray, rng: np.random.Generator, others: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """As `augmented`, and cut closer, coded in few bits, clipped, or of a level that drifts."""
    n = len(samples)
    if rng.random() < 0.35 * strength:  # at most a twelfth of it from each end
        first, last = (int(min(rng.uniform(0, 0.05) * SAMPLE_RATE, 0.08 * n)) for _ in range(2))
        samples = samples[first : n - last]
    heard = augmented(samples, rng, others, strength)
    kind = rng.random()
    if kind < 0.12 * strength:
        heard = _coded(heard, rng)
    elif kind < 0.2 * strength:
        loudest = np.quantile(np.abs(heard), rng.uniform(0.9, 0.99))
        heard = np.clip(heard, -loudest, loudest)
    if rng.random() < 0.25 * strength:
        decibels = np.interp(np.linspace(0, 1, len(heard)), np.linspace(0, 1, 4), rng.normal(0, 4, 4))
        heard = heard * 10 ** (decibels / 20)
    return heard.astype(np.float32)


def _coded(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rounded to 8 bits of mu-law, as on a telephone line, or to 5 to 8 bits."""
    peak = np.abs(samples).max() + 1e-9
    level = samples / peak
    if rng.random() < 0.5:
        companded = np.round(np.sign(level) * np.log1p(255 * np.abs(level)) / np.log(256) * 127) / 127
        return peak * np.sign(companded) * np.expm1(np.abs(companded) * np.log(256)) / 255
    steps = 2.0 ** rng.integers(4, 8)
    return peak * np.round(level * steps) / steps


def batch_of(utterances: list[np.ndarray], longest: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Normalized float32 waveforms padded with zeros to `longest`, and an int64 mask; shape = (n_batch, longest)."""
    longest = longest or max(map(len, utterances))
    waveforms = np.zeros((len(utterances), longest), np.float32)
    mask = np.zeros((len(utterances), longest), np.int64)
    for row, samples in enumerate(utterances):
        waveforms[row, : len(samples)] = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        mask[row, : len(samples)] = 1
    return waveforms, mask
