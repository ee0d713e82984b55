"""Long silences are found where there are any, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thanosql.models.audio import read
from thanosql.models.audio.silences import KEPT_SECONDS, long_silences
from thanosql.models.audio.waveform import SAMPLING_RATE, LongWaveform
from thanosql.models.datasets import DATASETS

RATE = SAMPLING_RATE


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Five seconds or more of digits with pauses between them."""
    paths = sorted(DATASETS["spoken_numbers"].folder.rglob("*.flac"))[:6]
    return np.concatenate([read(str(path)) for path in paths])


def noise(samples: int, slope: float, decibels: float, speech: np.ndarray) -> np.ndarray:
    """Noise whose power falls with its frequency (0 white, 0.5 pink, 1 red), so far below the speech."""
    random = np.random.default_rng(1)
    spectrum = np.fft.rfft(random.normal(size=samples))
    spectrum /= np.maximum(np.arange(len(spectrum)), samples * 20 // RATE) ** slope
    found = np.fft.irfft(spectrum, samples)
    return (found / found.std() * speech.std() * 10 ** (-decibels / 20)).astype(np.float32)


def seconds(found: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(begin / RATE, end / RATE) for begin, end in found]


def test_digital_silence_before_between_and_behind_speech_is_found(speech: np.ndarray) -> None:
    pause = np.zeros(12 * RATE, dtype=np.float32)
    found = seconds(long_silences(np.concatenate([pause, speech, pause, speech, pause])))
    length = len(speech) / RATE
    wanted = [(0.0, 9.5), (14.5 + length, 21.5 + length), (26.5 + 2 * length, 36 + 2 * length)]
    assert len(found) == 3
    # A recording begins and ends with quiet of its own, which belongs to the silence.
    assert np.abs(np.array(found) - wanted).max() < 0.3


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0], ids=["white", "pink", "red"])
@pytest.mark.parametrize("decibels", [50.0, 30.0, 20.0])
def test_the_noise_of_a_room_is_silence_and_no_word_is(speech: np.ndarray, slope: float, decibels: float) -> None:
    pause, length = np.zeros(12 * RATE, dtype=np.float32), len(speech) / RATE
    whole = np.concatenate([pause, speech, pause, 0.3 * speech, pause])
    found = seconds(long_silences(whole + noise(len(whole), slope, decibels, speech)))
    spoken = [(12.0, 12.0 + length), (24.0 + length, 24.0 + 2 * length)]
    left_out = sum(end - begin for begin, end in found)
    assert left_out > 0.6 * 36, "most of the silence is left out"
    for begin, end in found:
        for start, stop in spoken:
            # Speech that is weaker than the noise cannot be told from it: three tenths at 20 dB fade out in it.
            assert end <= start + 0.3 or begin >= stop - 0.3, f"{begin:.2f} to {end:.2f} is speech"


def test_in_speech_as_it_is_there_is_no_long_silence(speech: np.ndarray) -> None:
    assert long_silences(speech) == []
    assert long_silences(0.01 * speech) == []


def test_a_pause_of_five_seconds_stays(speech: np.ndarray) -> None:
    one = speech[: 3 * RATE]
    assert long_silences(np.concatenate([one, np.zeros(5 * RATE, np.float32), one])) == []


def test_quiet_speech_beside_loud_speech_stays(speech: np.ndarray) -> None:
    room = noise(2 * len(speech), 0.5, 60.0, speech)
    assert long_silences(np.concatenate([speech, 0.01 * speech]) + room) == []


def test_speech_over_a_constant_and_a_hum_stays(speech: np.ndarray) -> None:
    hum = 0.1 * np.sin(2 * np.pi * 50 / RATE * np.arange(len(speech))).astype(np.float32)
    assert long_silences(speech * 0.05 + hum + 0.2) == []


def test_a_tone_and_an_even_noise_are_no_silence() -> None:
    tone = np.sin(0.1 * np.arange(10 * RATE)).astype(np.float32)
    assert long_silences(tone) == []
    assert long_silences(np.random.default_rng(0).normal(size=10 * RATE).astype(np.float32)) == []


def test_a_click_does_not_end_a_silence_and_a_word_does(speech: np.ndarray) -> None:
    pause = np.zeros(20 * RATE, dtype=np.float32)
    clicked = np.concatenate([speech, pause, speech])
    at = len(speech) + 10 * RATE
    clicked[at : at + 160] = 0.3
    assert len(long_silences(clicked)) == 1
    clicked[at : at + RATE // 5] = speech[RATE : RATE + RATE // 5]
    (first, second) = long_silences(clicked)
    assert first[1] <= at - (KEPT_SECONDS - 0.05) * RATE
    assert second[0] >= at + (KEPT_SECONDS - 0.05) * RATE


@pytest.mark.parametrize("samples", [0, 1, 319, 16_000, 31_999])
def test_what_is_short_has_none(samples: int) -> None:
    assert long_silences(np.zeros(samples, dtype=np.float32)) == []


def test_of_a_recording_without_any_sound_five_seconds_stay() -> None:
    assert seconds(long_silences(np.zeros(60 * RATE + 7, dtype=np.float32))) == [(5.0, 60 + 7 / RATE)]
    assert seconds(long_silences(np.full(60 * RATE, 0.25, dtype=np.float32))) == [(5.0, 60.0)]


def test_a_recording_in_a_file_has_the_same_silences(speech: np.ndarray, tmp_path: Path) -> None:
    pause = np.zeros(90 * RATE, dtype=np.float32)
    whole = np.concatenate([pause, speech, pause])
    whole = whole + noise(len(whole), 0.5, 40.0, speech)
    spilled = LongWaveform()
    for begin in range(0, len(whole), 100_003):
        spilled.append(whole[begin : begin + 100_003])
    found = long_silences(whole)
    assert found
    assert long_silences(spilled) == found
