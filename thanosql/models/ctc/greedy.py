"""Log-probabilities of each frame and a vocabulary in, the transcript of the best token of each frame out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.results import Transcript

if TYPE_CHECKING:
    import numpy as np


def greedy(log_probabilities: np.ndarray, vocabulary: Vocabulary) -> Transcript:
    """The transcript of the best token of each frame; log-probabilities `(frames, vocab)`, natural logarithm.

    The confidence is the geometric mean, over the characters (word breaks included), of the probability that each has
    in its most certain frame; of a transcript without any, over the frames, of the probability of the blank. No frames
    at all give an empty transcript with confidence 0.
    """
    return greedy_path(*best_tokens(log_probabilities), vocabulary)


def best_tokens(log_probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of each frame of `(frames, vocab)`, an array or a tensor on the CPU: its best token's id, and log-probability."""
    import numpy as np

    logs = np.asarray(log_probabilities)
    return logs.argmax(axis=-1), logs.max(axis=-1)


def greedy_path(best: np.ndarray, certainty: np.ndarray, vocabulary: Vocabulary) -> Transcript:
    """What `greedy` gives, of each frame's best token and its log-probability, both `(frames,)`."""
    import numpy as np

    if len(best) == 0:
        return Transcript("", 0.0)
    best = vocabulary.joined(best)
    starts = np.flatnonzero(np.concatenate([[True], best[1:] != best[:-1]]))
    ids = best[starts]
    logs = np.maximum.reduceat(certainty, starts)[ids != vocabulary.blank].tolist()
    mean = sum(logs) / len(logs) if logs else float(certainty.mean())
    return Transcript(vocabulary.spell(ids.tolist()), min(1.0, math.exp(mean)))
