"""One row of an evaluation: what was said, what was recognized, and how well each explains the audio."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from thanosql.models.results import Assessment
from thanosql.models.text import SPOKEN_IN, Normalizer, Spoken


@dataclass(frozen=True, slots=True)
class RecognizedRow:
    """One row: both texts normalized, and what the model made of the audio."""

    reference: str
    hypothesis: str
    assessment: Assessment

    @property
    def suspicion(self) -> float:
        """How much better the hypothesis explains the audio than the reference does, in nats a character; 0 where they
        are one text. A confident model that recognizes another word than the label says points at the label.
        """
        losses = (self.assessment.reference_loss, self.assessment.hypothesis_loss)
        if self.reference == self.hypothesis or math.isnan(losses[0]):
            return 0.0
        if math.isinf(losses[0]):
            return math.inf
        return max(0.0, losses[0] - losses[1]) / max(len(self.reference), len(self.hypothesis), 1)


def comparison_normalizer(name: str, of_model: Normalizer) -> Callable[[str, str], tuple[str, str]]:
    """What the option `normalizer` does to a reference and its hypothesis before they are compared."""
    if name == "model":
        return of_model.compared
    if name == "none":
        return lambda reference, hypothesis: (reference, hypothesis)
    return spoken_in(Normalizer(case="lower", keep="'"), name).compared


def spoken_in(normalizer: Normalizer, name: str) -> Normalizer:
    """The normalizer, with the words of the language that the option `normalizer` names, if it names one."""
    return replace(normalizer, spoken=cast("Spoken", name)) if name in SPOKEN_IN else normalizer
