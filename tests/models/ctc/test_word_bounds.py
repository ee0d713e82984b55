"""Where words begin and end: held against sounds whose places are known to the sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.models.audio.levels import BLOCK, levels
from thanosql.models.audio.waveform import LongWaveform
from thanosql.models.ctc.word_bounds import WordBounds

RATE = 16_000
STEP = 0.0101  # seconds: times are found to a step of 10 ms


def recording(
    *sounds: tuple[float, float], seconds: float = 4.0, noise: float = 1e-3, level: float = 0.1
) -> np.ndarray:
    """Sounds like voices (a buzz of 120 Hz) from and to so many seconds, under even noise."""
    time = np.arange(int(RATE * seconds)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * time) / harmonic for harmonic in range(1, 20))
    on = np.zeros(len(time), dtype=bool)
    for start, end in sounds:
        on[int(start * RATE) : int(end * RATE)] = True
    drawn = np.random.default_rng(0).normal(0, noise, len(time))
    return (np.where(on, level * buzz, 0) + drawn).astype(np.float32)


def test_a_word_goes_on_behind_its_last_label_until_its_sound_ends() -> None:
    bounds = WordBounds(recording((0.5, 1.1), (2.0, 2.6)))
    (one, other) = bounds.of([(0.56, 0.8), (1.96, 2.3)])
    assert one == pytest.approx((0.5, 1.1), abs=STEP)
    assert other == pytest.approx((2.0, 2.6), abs=STEP)


def test_labels_in_the_silence_around_a_word_move_into_it() -> None:
    (one,) = WordBounds(recording((0.5, 1.1))).of([(0.38, 1.24)])
    assert one == pytest.approx((0.5, 1.1), abs=STEP)


def test_a_short_quiet_within_a_word_does_not_end_it() -> None:
    """The closure of a plosive: "eight" is silent for 80 ms before its last sound."""
    (one, other) = WordBounds(recording((0.5, 0.9), (0.98, 1.05), (1.6, 2.0))).of([(0.52, 0.86), (1.6, 1.9)])
    assert one == pytest.approx((0.5, 1.05), abs=STEP)
    assert other == pytest.approx((1.6, 2.0), abs=STEP)


def test_words_without_a_pause_meet_where_the_next_one_is_heard_first() -> None:
    assert WordBounds(recording((0.5, 1.5))).of([(0.5, 0.8), (1.0, 1.3)])[0][1] == 1.0
    assert WordBounds(recording((0.5, 1.5))).of([(0.5, 0.8), (1.0, 1.3)])[1][0] == 1.0


@pytest.mark.parametrize("dip", [0.95, 0.97])
def test_or_in_a_dip_right_before_it(dip: float) -> None:
    """Words that are said without a pause are weaker where they meet, but not silent."""
    sound = recording((0.5, 1.5))
    sound[int(dip * RATE) : int((dip + 0.02) * RATE)] *= 0.3
    (one, other) = WordBounds(sound).of([(0.5, 0.8), (1.0, 1.3)])
    assert one[1] == other[0] == pytest.approx(dip, abs=2 * STEP)


def test_but_not_in_one_long_before_it() -> None:
    sound = recording((0.5, 1.5))
    sound[int(0.85 * RATE) : int(0.87 * RATE)] *= 0.3
    assert WordBounds(sound).of([(0.5, 0.8), (1.0, 1.3)])[1][0] == 1.0


def test_a_sound_long_after_a_word_is_none_of_it() -> None:
    (one,) = WordBounds(recording((0.5, 1.0), (1.5, 1.55))).of([(0.52, 0.9)])
    assert one == pytest.approx((0.5, 1.0), abs=STEP)


def test_where_sound_never_falls_silent_a_word_ends_soon_after_its_last_label() -> None:
    steady = np.random.default_rng(0).normal(0, 0.1, 4 * RATE).astype(np.float32)
    (one, other) = WordBounds(steady).of([(0.5, 1.0), (3.0, 3.4)])
    assert one[1] < 1.7
    assert 2.4 <= other[0] <= 3.1


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-3, 1e-2])
def test_the_recordings_own_noise_is_its_silence(noise: float) -> None:
    (one,) = WordBounds(recording((1.0, 1.6), noise=noise)).of([(1.04, 1.4)])
    assert one == pytest.approx((1.0, 1.6), abs=2 * STEP)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(0, 3.0), min_size=2, max_size=12).filter(lambda times: len(times) % 2 == 0),
    st.integers(0, 2**31),
    st.floats(0.01, 3.0),
)
def test_words_are_in_order_and_never_past_the_end(times: list[float], seed: int, seconds: float) -> None:
    """Whatever the labels' places and the sound: a frame may stand beyond the last sample."""
    random = np.random.default_rng(seed)
    loudness = np.repeat(random.choice([0, 1e-4, 1e-2, 0.5], 60), 800)[: int(seconds * RATE)]
    waveform = (random.normal(size=len(loudness)) * loudness).astype(np.float32)
    ordered = sorted(times)
    words = list(zip(ordered[::2], ordered[1::2]))
    found = WordBounds(waveform).of(words)
    ends = [time for word in found for time in word]
    assert len(found) == len(words)
    assert ends == sorted(ends)
    assert all(0 <= time <= len(waveform) / RATE for time in ends)


def test_no_words_and_no_audio_give_none() -> None:
    assert WordBounds(recording()).of([]) == []
    assert WordBounds(np.empty(0, dtype=np.float32)).of([]) == []
    assert WordBounds(np.empty(0, dtype=np.float32)).of([(0.0, 0.02)]) == [(0.0, 0.0)]


def test_levels_of_a_long_recording_are_those_of_its_whole() -> None:
    waveform = np.random.default_rng(0).normal(0, 0.1, BLOCK + 12_345).astype(np.float32)
    long = LongWaveform()
    long.append(waveform)
    found = levels(long)
    assert found.shape == (2, -(-len(waveform) // 160))
    np.testing.assert_array_equal(found, levels(waveform))
    place = BLOCK // 160  # a step that begins a block
    part = waveform[BLOCK - 1 : BLOCK + 160].astype(np.float64)
    np.testing.assert_allclose(found[1, place], 10 * np.log10((np.diff(part) ** 2).mean()), atol=1e-4)
