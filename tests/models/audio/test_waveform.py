from __future__ import annotations

import gc
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.models import checkpoints
from thanosql.models import audio
from thanosql.models.audio import AudioError, reading
from thanosql.models.audio.decoder_messages import unnamed_file
from thanosql.models.audio.waveform import LongWaveform
from thanosql.models.families import waveform_ctc
from thanosql.models.families.waveform_ctc import preparation
from thanosql.models.options import TranscribeOptions


def noise(samples: int) -> np.ndarray:
    random = np.random.default_rng(0)
    return (0.1 + random.normal(size=samples) * np.linspace(0.01, 0.3, samples)).astype(np.float32)


def spilled(waveform: np.ndarray) -> LongWaveform:
    long = LongWaveform()
    for block in np.array_split(waveform, 7):
        long.append(block)
    return long


def test_slices_are_those_of_the_array() -> None:
    waveform = noise(10_001)
    long = spilled(waveform)
    assert len(long) == 10_001
    for part in (slice(0, 5), slice(9_000, 20_000), slice(-3, None), slice(None), slice(7, 7), slice(9, 2)):
        assert np.array_equal(long[part], waveform[part])
    with pytest.raises(ValueError, match="from start to end only"):
        long[::2]


def test_a_recording_past_the_limit_is_read_to_a_file_with_the_same_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, noise(50_000), 22_050)
    expected = audio.read(str(path))
    short = audio.decode(str(path)).waveform
    assert isinstance(short, np.ndarray)
    assert np.array_equal(short, expected)
    monkeypatch.setattr(reading, "LONG_SECONDS", 1.0)
    long = audio.decode(str(path)).waveform
    assert isinstance(long, LongWaveform)
    assert np.array_equal(long[:], expected)


def test_what_is_wrong_with_a_file_is_said_as_read_says_it(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no audio")
    for read in (audio.read, audio.decode):
        with pytest.raises(AudioError, match="not"):
            read(str(tmp_path / "a.wav"))


def test_a_long_waveform_is_heard_as_the_array_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "CHUNK", 30_000)
    options = TranscribeOptions(device="cpu", window_seconds=2.0)
    folder = checkpoints.make(tmp_path / "m")
    recognizer = waveform_ctc.load(str(folder), options)
    waveform = noise(100_123)
    (expected,) = recognizer.log_probabilities([waveform], window_seconds=2.0)
    (found,) = recognizer.log_probabilities([spilled(waveform)], window_seconds=2.0)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 1e-4
    texts = [recognizer.transcribe([one], options)[0].text for one in (waveform, spilled(waveform))]
    assert texts[0] == texts[1] != ""


def test_its_file_is_closed_with_it_in_a_circle_too() -> None:
    """What an exception's traceback holds is such a circle; a file left open is a warning, and warnings fail here."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(20):
            waveform = LongWaveform(unnamed_file())  # made before it, so that the collector comes to it first
            waveform.circle = waveform  # type: ignore[attr-defined]
            del waveform
        gc.collect()
    assert [str(one.message) for one in said] == []
