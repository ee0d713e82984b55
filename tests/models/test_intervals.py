"""The bootstrap agrees with what can be computed in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from thanosql.models.intervals import error_rate, paired_difference

RANDOM = np.random.default_rng(7)


def closed_form(errors: np.ndarray, words: np.ndarray) -> tuple[float, float]:
    """The ratio estimator's rate and standard error (W. G. Cochran, Sampling Techniques, section 6.3)."""
    rate = errors.sum() / words.sum()
    residuals = errors - rate * words
    return rate, np.sqrt((residuals**2).sum()) / words.sum()


def test_the_interval_is_the_ratio_estimators_normal_one_on_many_utterances() -> None:
    words = RANDOM.integers(1, 20, 2000)
    errors = RANDOM.binomial(words, 0.1)
    rate, deviation = closed_form(errors, words)
    interval = error_rate(errors, words)
    assert interval.rate == pytest.approx(rate)
    assert interval.low == pytest.approx(rate - 1.96 * deviation, abs=0.15 * deviation)
    assert interval.high == pytest.approx(rate + 1.96 * deviation, abs=0.15 * deviation)


def test_the_interval_covers_the_true_rate_about_95_times_of_100() -> None:
    covered = 0
    for trial in range(200):
        words = RANDOM.integers(1, 12, 150)
        interval = error_rate(RANDOM.binomial(words, 0.2), words, seed=trial)
        covered += interval.low <= 0.2 <= interval.high
    assert 0.90 <= covered / 200 <= 0.99


def test_clusters_that_err_together_widen_the_interval() -> None:
    speakers = np.repeat(np.arange(20), 50)
    words = np.full(1000, 5)
    errors = RANDOM.binomial(words, np.repeat(RANDOM.uniform(0, 0.5, 20), 50))
    alone, together = error_rate(errors, words), error_rate(errors, words, speakers)
    assert together.rate == alone.rate
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_without_errors_the_upper_bound_is_three_over_the_words() -> None:
    interval = error_rate([0, 0, 0], [10, 20, 30])
    assert (interval.rate, interval.low, interval.high) == (0.0, 0.0, 3 / 60)


def test_one_utterance_or_one_speaker_has_a_rate_and_no_interval() -> None:
    for interval in (error_rate([1], [2]), error_rate([1, 0], [2, 0]), error_rate([1, 3], [2, 6], ["ann", "ann"])):
        assert interval.rate == 0.5
        assert np.isnan([interval.low, interval.high]).all()
    assert error_rate([1, 0], [2, 2]).high > 0.25


def test_without_words_there_is_no_rate() -> None:
    assert np.isnan(error_rate([0, 0], [0, 0]).rate)


def test_a_seed_gives_the_same_interval_again() -> None:
    words = RANDOM.integers(1, 9, 50)
    errors = RANDOM.binomial(words, 0.3)
    assert error_rate(errors, words, seed=3) == error_rate(errors, words, seed=3)
    assert error_rate(errors, words, seed=3) != error_rate(errors, words, seed=4)


def test_a_model_against_itself_differs_by_nothing() -> None:
    difference = paired_difference([1, 0, 2], [1, 0, 2], [5, 5, 5])
    assert (difference.difference, difference.low, difference.high, difference.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_paired_difference_is_the_normal_one_on_many_utterances() -> None:
    words = RANDOM.integers(1, 20, 2000)
    errors, others = RANDOM.binomial(words, 0.10), RANDOM.binomial(words, 0.12)
    rate, deviation = closed_form(errors - others, words)
    found = paired_difference(errors, others, words)
    assert found.difference == pytest.approx(rate)
    assert found.low == pytest.approx(rate - 1.96 * deviation, abs=0.15 * deviation)
    assert found.high == pytest.approx(rate + 1.96 * deviation, abs=0.15 * deviation)
    assert found.p_value < 0.01


def test_p_values_of_equal_models_are_spread_evenly() -> None:
    values = []
    for trial in range(200):
        words = RANDOM.integers(1, 12, 100)
        values.append(
            paired_difference(RANDOM.binomial(words, 0.2), RANDOM.binomial(words, 0.2), words, seed=trial).p_value
        )
    assert 0.01 <= np.mean(np.array(values) < 0.05) <= 0.10
    assert 0.35 <= np.median(values) <= 0.65


def test_no_p_value_is_lower_than_a_sign_test_of_so_many_pairs() -> None:
    for pairs in range(1, 9):
        found = paired_difference([0] * pairs, [5] * pairs, [10] * pairs)
        assert found.p_value == pytest.approx(2 * 0.5**pairs)
    assert np.isnan([paired_difference([0], [5], [10]).low, paired_difference([0], [5], [10]).high]).all()
    unchanged = paired_difference([0, 0, 1, 1, 1], [5, 5, 1, 1, 1], [10] * 5)
    assert unchanged.p_value >= 0.5, "rows on which both err alike say nothing"
    assert paired_difference([0] * 8, [5] * 8, [10] * 8, ["ann", "bob"] * 4).p_value == 0.5


@pytest.mark.parametrize("rows", [2, 4, 6, 12])
def test_a_few_rows_seldom_make_equal_models_differ(rows: int) -> None:
    random = np.random.default_rng(rows)
    found = [
        paired_difference(random.binomial(9, 0.3, rows), random.binomial(9, 0.3, rows), [9] * rows, seed=trial).p_value
        for trial in range(200)
    ]
    assert np.mean(np.array(found) < 0.05) <= 0.12
