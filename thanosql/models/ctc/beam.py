"""Log-probabilities in, the likeliest texts out: CTC prefix beam search.

A text's probability is the sum over all its alignments; a prefix keeps apart those that end in a blank and those that
end in its last label (Graves 2012, section 7.5.3; Hannun et al. 2014, algorithm 1). With a beam as wide as there are
prefixes, and nothing pruned, the sums are exact.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thanosql.models.ctc.shallow_fusion import ShallowFusion, State
from thanosql.models.ctc.vocabulary import Vocabulary

MIN_LOG = -6.0  # labels less likely than this in a frame are not followed there; the likeliest always is
MARGIN = 25.0  # prefixes that stand lower than the best by more than this are dropped

NEVER = -math.inf


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text, the labels of its likeliest spelling, the natural logarithms of its probability and of that with what
    guides the beam."""

    text: str
    labels: tuple[int, ...]
    log_probability: float
    score: float


def search(
    log_probabilities: np.ndarray,
    vocabulary: Vocabulary,
    guidance: ShallowFusion | None = None,
    *,
    width: int = 100,
    min_log: float = MIN_LOG,
    margin: float = MARGIN,
) -> list[Hypothesis]:
    """The texts of the last beam, the best first; natural log-probabilities `(frames, vocab)`.

    `width` is how many prefixes are kept after each frame; `min_log` and `margin` of minus and plus infinity prune
    nothing, as it is with guidance whose list of words is closed. Spellings of one text that differ in word breaks at its
    ends or after one another are added up.

    >>> logs = np.log([[0.4, 0.6], [0.6, 0.4]])
    >>> [(found.text, round(math.exp(found.log_probability), 2)) for found in search(logs, Vocabulary(("<pad>", "A")))]
    [('A', 0.76), ('', 0.24)]
    """
    guidance = guidance or ShallowFusion()
    if guidance.closed:  # what is heard clearly may be in no word of the list: the next best is looked for among all
        min_log, margin = NEVER, math.inf
    beam = _Beam(vocabulary, guidance, width, margin)
    for frame in np.asarray(log_probabilities, dtype=np.float64):
        followed = np.flatnonzero(frame >= min(min_log, float(frame.max())))
        beam.advance([(label, value) for label, value in zip(followed.tolist(), frame[followed].tolist())])
    return beam.hypotheses()


class _Prefix:
    """The labels from the root of a tree to here; `blank` and `label` are the log-probabilities of being here after a
    blank and after the last label, `next_…` those of the coming frame."""

    __slots__ = ("after", "blank", "held", "label", "last", "next_blank", "next_label", "parent", "refused", "state")

    def __init__(self, parent: _Prefix | None, last: int, state: State) -> None:
        self.parent = parent
        self.last = last
        self.state = state
        self.after: dict[int, _Prefix] = {}
        self.refused: set[int] = set()  # labels that lead to no word of a closed list
        self.blank = self.label = self.next_blank = self.next_label = NEVER
        self.held = False

    @property
    def labels(self) -> tuple[int, ...]:
        found = []
        prefix: _Prefix | None = self
        while prefix is not None and prefix.parent is not None:
            found.append(prefix.last)
            prefix = prefix.parent
        return tuple(reversed(found))


class _Beam:
    def __init__(self, vocabulary: Vocabulary, guidance: ShallowFusion, width: int, margin: float) -> None:
        self.vocabulary = vocabulary
        self.guidance = guidance
        self.width = width
        self.margin = margin
        self.delimiter = -1 if vocabulary.delimiter is None else vocabulary.ids.get(vocabulary.delimiter, -1)
        root = _Prefix(None, -1, guidance.start())
        root.blank = 0.0
        root.held = True
        self.prefixes = [root]

    def advance(self, followed: list[tuple[int, float]]) -> None:
        """One frame: the labels to follow in it with their log-probabilities."""
        blank = self.vocabulary.blank
        reached: dict[_Prefix, None] = {}
        for prefix in self.prefixes:
            total = _add(prefix.blank, prefix.label)
            for label, log in followed:
                if label == blank:
                    prefix.next_blank = _add(prefix.next_blank, total + log)
                    reached[prefix] = None
                    continue
                before = total
                if label == prefix.last:
                    prefix.next_label = _add(prefix.next_label, prefix.label + log)
                    reached[prefix] = None
                    before = prefix.blank
                if before > NEVER and label not in prefix.refused:
                    longer = prefix.after.get(label) or self._longer(prefix, label)
                    if longer is None:
                        prefix.refused.add(label)
                        continue
                    longer.next_label = _add(longer.next_label, before + log)
                    reached[longer] = None
        self._settle(reached)

    def _longer(self, prefix: _Prefix, label: int) -> _Prefix | None:
        if label == self.delimiter:
            if not self.guidance.may_end(prefix.state):
                return None
            state = self.guidance.divide(prefix.state)
        else:
            state = self.guidance.letter(prefix.state, self.vocabulary.tokens[label])
            if not self.guidance.may_grow(state):
                return None
        longer = prefix.after[label] = _Prefix(prefix, label, state)
        return longer

    def _settle(self, reached: dict[_Prefix, None]) -> None:
        """Keep the best of what the frame reached."""
        scored = []
        for number, prefix in enumerate(reached):
            prefix.blank, prefix.next_blank = prefix.next_blank, NEVER
            prefix.label, prefix.next_label = prefix.next_label, NEVER
            scored.append((_add(prefix.blank, prefix.label) + prefix.state.bonus, -number, prefix))
        if len(scored) > self.width:
            scored = heapq.nlargest(self.width, scored)
        least = max(score for score, _, _ in scored) - self.margin
        kept = [prefix for score, _, prefix in scored if score >= least]
        for prefix in self.prefixes:
            prefix.held = False
        for prefix in kept:
            prefix.held = True
        for prefix in (*self.prefixes, *reached):
            _forget(prefix)
        self.prefixes = kept

    def hypotheses(self) -> list[Hypothesis]:
        found: dict[str, list[tuple[float, _Prefix]]] = {}
        whole = [prefix for prefix in self.prefixes if self.guidance.may_end(prefix.state)]
        for prefix in whole or self.prefixes:
            said = prefix if whole else self._whole_words(prefix)
            text = " ".join(self.vocabulary.spell(said.labels).split())
            found.setdefault(text, []).append((_add(prefix.blank, prefix.label), said))
        return sorted(self._merged(found), key=lambda hypothesis: -hypothesis.score)

    def _whole_words(self, prefix: _Prefix) -> _Prefix:
        """The prefix without its unfinished word, where the audio ends within a word of a closed list."""
        while prefix.parent is not None and not self.guidance.may_end(prefix.state):
            prefix = prefix.parent
        return prefix

    def _merged(self, found: dict[str, list[tuple[float, _Prefix]]]) -> Iterator[Hypothesis]:
        for text, spellings in found.items():
            total = NEVER
            for log, _ in spellings:
                total = _add(total, log)
            _, best = max(spellings, key=lambda spelling: spelling[0])
            yield Hypothesis(text, best.labels, total, total + self.guidance.finish(best.state))


def _forget(prefix: _Prefix) -> None:
    """Cut off what leads to no prefix of the beam, so that memory does not grow with the audio."""
    while prefix.parent is not None and not prefix.held and not prefix.after:
        prefix.blank = prefix.label = NEVER
        prefix.parent.after.pop(prefix.last, None)
        prefix = prefix.parent


def _add(one: float, other: float) -> float:
    """The logarithm of the sum of two numbers given by their logarithms."""
    if one < other:
        one, other = other, one
    return one if other == NEVER else one + math.log1p(math.exp(other - one))
