"""Confidences and whether the words were right in; what makes of a confidence the chance of being right out.

Beta calibration (Kull, Silva Filho and Flach 2017): log p / (1 − p) = a log c − b log(1 − c) + o, with a and b not below 0, so
that what was surer stays surer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thanosql.models.results import Assessment, Transcript

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH_WORDS = 100
ENOUGH_OF_EACH = 5  # right words, and wrong ones
LEAST = 1e-6  # distance from 0 and 1
PRIOR = 1.0  # how strongly a, b and o are held to 1, 1 and 0, which change nothing
STEPS = 50


@dataclass(frozen=True, slots=True)
class Calibration:
    """`sure` and `unsure` are a and b, `offset` o; `words` is how many it was measured on, `error` the expected
    calibration error on them afterwards."""

    sure: float
    unsure: float
    offset: float
    words: int
    error: float

    def chance(self, confidence: float) -> float:
        """The share of words of that confidence that are right, from 0 to 1.

        >>> Calibration(1.0, 1.0, 0.0, 500, 0.01).chance(0.75)
        0.75
        """
        certain = min(1 - LEAST, max(LEAST, confidence))
        odds = self.sure * math.log(certain) - self.unsure * math.log1p(-certain) + self.offset
        return round(1 / (1 + math.exp(-min(50.0, max(-50.0, odds)))), 9)

    def of(self, value: Any) -> Any:
        """A transcript or assessment, its confidence and those of its words as chances."""
        if isinstance(value, Assessment):
            return dataclasses.replace(value, transcript=self.of(value.transcript))
        changed = dataclasses.replace(value, confidence=self.chance(value.confidence))
        if isinstance(value, Transcript):
            return changed
        words = tuple(dataclasses.replace(word, confidence=self.chance(word.confidence)) for word in value.words)
        return dataclasses.replace(changed, words=words)

    @classmethod
    def of_card(cls, card: Mapping[str, Any] | None) -> Calibration | None:
        """What a model's card has of it; None where there is nothing that can be read."""
        content = (card or {}).get("calibration")
        try:
            return cls(**content) if isinstance(content, dict) else None
        except TypeError:
            return None


def described(card: Mapping[str, Any] | None) -> str:
    """What the confidence of a model with that card means, behind "confidence is …".

    >>> described({"calibration": {"sure": 1.0, "unsure": 1.0, "offset": 0.0, "words": 1200, "error": 0.018}})
    'calibrated on 1,200 words: of the words at 0.9, about nine in ten are right (calibration error 0.018)'
    >>> described(None)[:15]
    'not calibrated:'
    """
    found = Calibration.of_card(card)
    if found is None:
        return (
            "not calibrated: a higher one is surer, but it is not the share of words that are right. BUILD or FIT with "
            "valid_split=0.1 calibrates it"
        )
    return (
        f"calibrated on {found.words:,} words: of the words at 0.9, about nine in ten are right "
        f"(calibration error {found.error:.3f})"
    )


def fit(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration | None:
    """The calibration of words with these confidences `(words,)`; None where there are too few to say.

    >>> random = np.random.default_rng(0)
    >>> chances = random.uniform(0, 1, 4000)
    >>> found = fit(chances ** 0.25, random.uniform(0, 1, 4000) < chances)
    >>> round(found.chance(0.5 ** 0.25), 1)
    0.5
    """
    certain = np.clip(confidences, LEAST, 1 - LEAST)
    if len(right) < ENOUGH_WORDS or min(int(right.sum()), int((~right).sum())) < ENOUGH_OF_EACH:
        return None
    features = np.stack([np.log(certain), -np.log1p(-certain), np.ones(len(certain))], axis=1)
    weights = _weights(features, right, free=[0, 1, 2])
    for place in (0, 1):
        if weights[place] < 0:
            weights = _weights(features, right, free=[1 - place, 2])
    weights[:2] = np.maximum(weights[:2], 0.0)
    made = Calibration(float(weights[0]), float(weights[1]), float(weights[2]), len(right), 0.0)
    chances = np.array([made.chance(one) for one in confidences.tolist()])
    return dataclasses.replace(made, error=round(calibration_error(chances, right), 4))


def calibration_error(chances: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float:
    """The expected calibration error: over bins of as many words, the mean distance of the mean chance from the share
    of right words."""
    parts = np.array_split(np.argsort(chances, kind="stable"), bins)
    return float(sum(len(part) * abs(chances[part].mean() - right[part].mean()) for part in parts if len(part))) / len(
        right
    )


def _weights(features: NDArray[np.float64], right: NDArray[np.bool_], free: list[int]) -> NDArray[np.float64]:
    """The likeliest weights by Newton's method, those that are not `free` 0."""
    inputs = features[:, free]
    prior = np.array([1.0, 1.0, 0.0])[free]
    weights = prior.copy()
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-np.clip(inputs @ weights, -50, 50)))
        gradient = inputs.T @ (right - chances) - PRIOR * (weights - prior)
        curvature = (inputs.T * (chances * (1 - chances))) @ inputs + PRIOR * np.eye(len(free))
        step = np.linalg.solve(curvature, gradient)
        weights = weights + np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < 1e-8:
            break
    found = np.zeros(3)
    found[free] = weights
    return found
