from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.models.training.augmentation import Augmentation, augment, stretch
from thanosql.models.training.seeding import generator

STILL = Augmentation(
    speed=0, tempo=0, tempo_share=0, pause=0, room_share=0, tone=0, band_share=0, noise_share=0, level=(0, 0)
)


def tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * 16_000)) / 16_000)).astype(np.float32)


def pitch(waveform: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(waveform))) * 16_000 / len(waveform))


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform))))


def test_with_nothing_to_vary_the_waveform_stays_as_it_is() -> None:
    waveform = tone(300)
    assert augment(waveform, generator("test", 0), STILL) == pytest.approx(waveform, abs=1e-5)


@given(seed=st.integers(0, 10_000), length=st.integers(1, 40_000))
@settings(max_examples=60, deadline=None)
def test_whatever_is_drawn_the_result_is_finite_within_full_scale_and_long_enough(seed: int, length: int) -> None:
    waveform = generator("speech", seed).standard_normal(length).astype(np.float32) / 4
    heard = augment(waveform, generator("test", seed), shortest=min(length, 3_000))
    assert heard.dtype == np.float32
    assert heard.ndim == 1
    assert len(heard) >= min(length, 3_000)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1.0


def test_silence_stays_finite() -> None:
    assert np.isfinite(augment(np.zeros(8_000, np.float32), generator("test", 0))).all()


def test_the_same_draw_gives_the_same_samples_and_another_gives_others() -> None:
    waveform = tone(300)
    first, again, other = (augment(waveform, generator("test", seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert len(first) != len(other) or not np.array_equal(first, other)


@pytest.mark.parametrize("tempo", [0.8, 0.93, 1.1, 1.25])
def test_a_stretched_tone_keeps_its_pitch_and_loudness(tempo: float) -> None:
    waveform = tone(220)
    slow = stretch(waveform, tempo)
    assert len(slow) == pytest.approx(len(waveform) / tempo, abs=1)
    assert pitch(slow) == pytest.approx(220, abs=2)
    assert rms(slow[1_000:-2_000]) == pytest.approx(rms(waveform), rel=0.02)


def test_speed_moves_pitch_and_length_together() -> None:
    waveform = tone(400)
    draws = [
        augment(waveform, generator("test", seed), Augmentation(**{**vars(STILL), "speed": 0.2})) for seed in range(20)
    ]
    factors = [len(waveform) / len(heard) for heard in draws]
    assert min(factors) < 0.9
    assert max(factors) > 1.1
    for factor, heard in zip(factors, draws, strict=True):
        assert pitch(heard) == pytest.approx(400 * factor, rel=0.01)


def test_noise_stands_as_far_below_the_signal_as_asked() -> None:
    waveform = tone(1_000)
    how = Augmentation(**{**vars(STILL), "noise_share": 1.0, "signal_to_noise": (10.0, 10.0)})
    for seed in range(5):
        heard = augment(waveform, generator("test", seed), how)
        gain = float(heard @ waveform / (waveform @ waveform))
        ratio = 20 * np.log10(gain * rms(waveform) / rms(heard - gain * waveform))
        assert ratio == pytest.approx(10, abs=0.7)


def test_the_band_limit_takes_away_what_a_telephone_does() -> None:
    how = Augmentation(
        **{**vars(STILL), "band_share": 1.0, "low_pass": (3_400.0, 3_400.0), "high_pass": (300.0, 300.0)}
    )
    levels = {hertz: rms(augment(tone(hertz), generator("test", 0), how)) for hertz in (60, 1_000, 6_000)}
    assert levels[1_000] == pytest.approx(rms(tone(1_000)), rel=0.05)
    assert levels[60] < 0.05 * levels[1_000]
    assert levels[6_000] < 0.05 * levels[1_000]


def test_an_utterance_of_a_second_takes_well_under_the_time_of_its_training_step() -> None:
    waveform = tone(200, 1.0)
    augment(waveform, generator("test", 0))
    started = time.process_time()
    for seed in range(20):
        augment(waveform, generator("test", seed))
    assert (time.process_time() - started) / 20 < 0.05
