"""Calibration: of the words at 0.9 nine in ten are right, and what was surer stays surer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.models.ctc.calibration import Calibration, calibration_error, fit
from thanosql.models.ctc.decoder import TimedTranscript
from thanosql.models.ctc.timestamps import Timed
from thanosql.models.results import Assessment, Transcript


def words(seed: int, count: int, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Confidences of words, and whether they are right; a model that is too sure by `power`: c = chance ^ power."""
    random = np.random.default_rng(seed)
    chances = random.beta(2.0, 0.7, count)
    return chances**power, random.uniform(0, 1, count) < chances


@pytest.mark.parametrize("power", [0.1, 0.25, 1.0, 4.0])
def test_words_never_seen_are_right_as_often_as_their_chance_says(power: float) -> None:
    found = fit(*words(0, 1000, power))
    assert found is not None
    confidences, right = words(1, 4000, power)
    chances = np.array([found.chance(one) for one in confidences])
    # 0.017 of it is the draw itself: the error of the true chances.
    assert calibration_error(chances, right) <= 0.03
    if power in (0.1, 4.0):
        assert calibration_error(confidences, right) > 0.1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(-3, 3), st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_what_was_surer_stays_surer(seed: int, slope: float, confidences: list[float]) -> None:
    """Also where the words it was measured on say the opposite."""
    random = np.random.default_rng(seed)
    certain = random.uniform(0, 1, 300)
    found = fit(certain, random.uniform(0, 1, 300) < 1 / (1 + np.exp(-slope * (certain - 0.5) * 4)))
    assert found is not None
    chances = [found.chance(one) for one in sorted(confidences)]
    assert all(later >= earlier - 1e-9 for earlier, later in zip(chances, chances[1:]))
    assert all(0 <= chance <= 1 for chance in chances)


def test_too_few_words_and_words_that_are_all_right_calibrate_nothing() -> None:
    confidences, right = words(0, 60, 1.0)
    assert fit(confidences, right) is None
    assert fit(np.full(500, 0.9), np.ones(500, dtype=bool)) is None
    assert fit(np.empty(0), np.empty(0, dtype=bool)) is None


def test_all_that_has_a_confidence_is_calibrated() -> None:
    half = Calibration(0.0, 0.0, 0.0, 100, 0.0)  # whatever it was, one half
    timed = TimedTranscript("A", 0.9, (Timed("A", 0.0, 0.1, 0.8),))
    assert half.of(Transcript("A", 0.9)) == Transcript("A", 0.5)
    assert half.of(timed) == TimedTranscript("A", 0.5, (Timed("A", 0.0, 0.1, 0.5),))
    assert half.of(Assessment(Transcript("A", 0.9), 1.0, 2.0)) == Assessment(Transcript("A", 0.5), 1.0, 2.0)


@pytest.mark.parametrize(
    "card", [None, {}, {"calibration": None}, {"calibration": {"sure": 1.0}}, {"calibration": [1]}]
)
def test_a_card_without_a_calibration_has_none(card: dict[str, object] | None) -> None:
    assert Calibration.of_card(card) is None
