"""Known sounds, and the bytes of the files that hold them, made without the code under test."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av
import numpy as np
import soundfile


def sweep(rate: int, seconds: float = 2.0) -> np.ndarray:
    """A tone that rises from 200 to 1,400 Hz under a bell, so that a shift in time shows: float32 `(samples,)`."""
    t = np.arange(int(rate * seconds)) / rate
    bell = np.exp(-(((t - seconds / 2) / (seconds / 6)) ** 2))
    return (0.5 * np.sin(2 * np.pi * (200 + 300 * t) * t) * bell).astype(np.float32)


def wav(samples: np.ndarray, rate: int, bits: int | str, *, promised: int | None = None) -> bytes:
    """A RIFF file written by hand from `(samples,)` or `(samples, channels)`; bits are 8, 16, 24, 32, 'f4' or 'f8'."""
    samples = samples.reshape(len(samples), -1).astype(np.float64)
    if bits == 8:
        data = (np.round(samples * 127) + 128).astype(np.uint8).tobytes()
    elif bits == 24:
        wide = np.round(samples * (2**23 - 1)).astype("<i4")
        data = wide.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
    elif isinstance(bits, int):
        data = np.round(samples * (2 ** (bits - 1) - 1)).astype(f"<i{bits // 8}").tobytes()
    else:
        data = samples.astype(f"<{bits}").tobytes()
    size = bits // 8 if isinstance(bits, int) else int(bits[1])
    channels = samples.shape[1]
    kind = 1 if isinstance(bits, int) else 3
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * size, channels * size, size * 8)
    count = len(data) if promised is None else promised
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVE"
        + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", count) + data
    )  # fmt: skip


def by_soundfile(samples: np.ndarray, rate: int, container: str, subtype: str | None = None) -> bytes:
    """The samples as libsndfile encodes them."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def by_av(samples: np.ndarray, rate: int, container: str, codec: str, **options: str) -> bytes:
    """The samples as FFmpeg encodes them; `(samples,)` or `(samples, 2)`."""
    samples = samples.reshape(len(samples), -1).astype(np.float32)
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    file = io.BytesIO()
    with av.open(file, "w", format=container, container_options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout, bit_rate=128_000)
        resampler = av.AudioResampler(
            stream.format.name, layout, rate, frame_size=stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)  # without them no delay is noted
        for piece in (frame, None):
            for part in resampler.resample(piece):
                output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


def eight_channels(codec: str) -> bytes:
    """A Matroska file of the sweep at 48,000 Hz in 7.1, the channels from full to 0.3 of it."""
    source = np.outer(sweep(48000), np.linspace(1, 0.3, 8)).astype(np.float32)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream(codec, rate=48000, layout="7.1")
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.format.name, "7.1", 48000, frame_size=size)
        frame = av.AudioFrame.from_ndarray(source.reshape(1, -1), "flt", "7.1")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        for piece in (frame, None):
            for part in resampler.resample(piece):
                output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


def decoded_by_av(data: bytes) -> tuple[int, np.ndarray]:
    """Sampling rate and float64 `(samples,)`, channels averaged, as FFmpeg alone decodes a file."""
    with av.open(io.BytesIO(data)) as container:
        resampler = av.AudioResampler("fltp")
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        samples = np.concatenate([frame.to_ndarray() for frame in frames], axis=1).astype(np.float64)
        return frames[0].sample_rate, samples.mean(axis=0)


def shift(heard: np.ndarray, source: np.ndarray) -> int:
    """By how many samples `heard` comes after `source`: where their correlation is highest."""
    size = 2 * max(len(heard), len(source))
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(source, size)), size)
    best = int(correlation.argmax())
    return best if best < size // 2 else best - size


def snr(heard: np.ndarray, source: np.ndarray, later: int = 0) -> float:
    """Decibels of `source` over what differs from it in `heard`, which comes `later` samples after it."""
    heard = heard[later:] if later >= 0 else np.concatenate([np.zeros(-later), heard])
    size = min(len(heard), len(source))
    noise = np.sum((heard[:size].astype(np.float64) - source[:size]) ** 2)
    return float(10 * np.log10(np.sum(source[:size].astype(np.float64) ** 2) / (noise + 1e-20)))
