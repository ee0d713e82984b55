"""Errors and words per utterance in, how sure their rate is out: bootstrap over utterances or over clusters of them.

M. Bisani and H. Ney, Bootstrap estimates for confidence intervals in ASR performance evaluation, ICASSP 2004.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
AT_ONCE = 4_000_000  # drawn indices held at a time


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate with the bounds of its 95% interval; fractions, that may pass 1."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One rate less another on the same utterances, its 95% interval and two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def error_rate(errors: ArrayLike, words: ArrayLike, clusters: ArrayLike | None = None, *, seed: int = 0) -> Interval:
    """The rate sum(errors) / sum(words) with its percentile bootstrap interval.

    `errors` and `words` are counts per utterance `(utterances,)`; `clusters` names each one's cluster (its speaker), and
    then whole clusters are drawn. With no error at all the upper bound is 3 over the number of words (the rule of
    three): a bootstrap of zeros knows no uncertainty. One utterance or cluster says nothing of others, so its bounds are
    NaN. Without any word all three are NaN.
    """
    import numpy as np

    e, w = _per_cluster(np.asarray(errors, float), np.asarray(words, float), clusters)
    total = w.sum()
    if total == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    rate = float(e.sum() / total)
    if e.sum() == 0:
        return Interval(0.0, 0.0, 3.0 / float(total))
    if _alone(e, w):
        return Interval(rate, float("nan"), float("nan"))
    rates = _rates(e, w, seed)
    low, high = np.quantile(rates, (0.025, 0.975))
    return Interval(rate, float(low), float(high))


def paired_difference(
    errors: ArrayLike, other_errors: ArrayLike, words: ArrayLike, clusters: ArrayLike | None = None, *, seed: int = 0
) -> Difference:
    """rate(errors) - rate(other_errors) on the same utterances, by a paired bootstrap: both are drawn together.

    The p-value is twice the smaller share of resampled differences on either side of 0, never under 1 / resamples, nor under
    2 to the power of 1 - n, where n utterances (clusters) differ: the least that a sign test of n pairs can give, since
    resamples of a few pairs that all changed for the better hold nothing else. Of one alone the bounds are NaN.
    """
    import numpy as np

    change = np.asarray(errors, float) - np.asarray(other_errors, float)
    d, w = _per_cluster(change, np.asarray(words, float), clusters)
    total = w.sum()
    if total == 0:
        return Difference(float("nan"), float("nan"), float("nan"), float("nan"))
    rates = _rates(d, w, seed)
    low, high = np.quantile(rates, (0.025, 0.975))
    one_side = min(int((rates <= 0).sum()), int((rates >= 0).sum()))
    p_value = min(1.0, max(2 * (one_side + 1) / (len(rates) + 1), 2.0 ** (1 - np.count_nonzero(d))))
    if _alone(d, w):
        low = high = float("nan")
    return Difference(float(d.sum() / total), float(low), float(high), p_value)


def _alone(errors: NDArray[np.float64], words: NDArray[np.float64]) -> bool:
    """Whether there is only one to draw from, so that all resamples are alike."""
    return int(((errors != 0) | (words > 0)).sum()) == 1


def _per_cluster(
    errors: NDArray[np.float64], words: NDArray[np.float64], clusters: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import numpy as np

    if errors.shape != words.shape or errors.ndim != 1:
        raise ValueError(f"errors {errors.shape} and words {words.shape} must be one count per utterance each")
    if clusters is None:
        return errors, words
    _, of = np.unique(np.asarray(clusters), return_inverse=True)
    return np.bincount(of, errors).astype(np.float64), np.bincount(of, words).astype(np.float64)


def _rates(errors: NDArray[np.float64], words: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The rate in each resample; one without any word is drawn again by being left out."""
    import numpy as np

    sums = np.concatenate(list(_draws(errors, words, seed)))
    sums = sums[sums[:, 1] > 0]
    rates: NDArray[np.float64] = sums[:, 0] / sums[:, 1]
    return rates


def _draws(errors: NDArray[Any], words: NDArray[Any], seed: int) -> Iterator[NDArray[np.float64]]:
    import numpy as np

    random = np.random.default_rng(seed)
    at_once = max(1, AT_ONCE // len(errors))
    for first in range(0, RESAMPLES, at_once):
        drawn = random.integers(0, len(errors), (min(at_once, RESAMPLES - first), len(errors)))
        yield np.stack([errors[drawn].sum(1), words[drawn].sum(1)], axis=1)
