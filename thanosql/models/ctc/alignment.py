"""Log-probabilities and the labels of a known text in, the frames that each label stands in out (CTC forced alignment).

The best of all alignments by Viterbi's recursion over the labels with blanks between them (Graves et al. 2006, section
4.1, with the maximum in the place of the sum): what `torchaudio.functional.forced_align` gives. No torch is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELD = 2**26  # bytes of decisions held at once; longer audio goes through twice, in memory of its square root


class AlignmentError(Exception):
    """A text that cannot be aligned; the message says why. Callers name the row."""


@dataclass(frozen=True, slots=True)
class Span:
    """A label in frames `start` to `end` (exclusive).

    `peak` and `mean` are the highest and the mean natural log-probability of the label in these frames.
    """

    label: int
    start: int
    end: int
    peak: float
    mean: float


def align(log_probabilities: np.ndarray, labels: Sequence[int], blank: int) -> tuple[Span, ...]:
    """Where each of the labels stands; natural log-probabilities `(frames, vocab)`. Raises what `best_path` raises.

    >>> import numpy as np
    >>> logs = np.log([[0.1, 0.9], [0.1, 0.9], [0.8, 0.2], [0.4, 0.6]])
    >>> [(span.label, span.start, span.end) for span in align(logs, [1, 1], blank=0)]
    [(1, 0, 2), (1, 3, 4)]
    """
    return spans(log_probabilities, best_path(log_probabilities, labels, blank), blank)


def spans(log_probabilities: np.ndarray, path: np.ndarray, blank: int) -> tuple[Span, ...]:
    """The runs of one label in a path of one label a frame `(frames,)`, blanks left out."""
    found = []
    start = 0
    for label, run in groupby(path.tolist()):
        end = start + len(list(run))
        if label != blank:
            logs = log_probabilities[start:end, label]
            found.append(Span(label, start, end, float(logs.max()), float(logs.mean())))
        start = end
    return tuple(found)


def best_path(log_probabilities: np.ndarray, labels: Sequence[int], blank: int) -> NDArray[np.int64]:
    """The label of each frame, `(frames,)`, in the likeliest of all alignments of `labels`.

    Of two that are equally likely, the one in which labels come later. Raises AlignmentError for a text that needs
    more frames than there are (one a label, and one between two that are the same), or has no probability at all;
    ValueError for a label that the vocabulary lacks, or that is the blank.
    """
    frames, vocabulary = log_probabilities.shape
    wanted = np.asarray(labels, dtype=np.int64)
    if ((wanted < 0) | (wanted >= vocabulary) | (wanted == blank)).any():
        raise ValueError("a label is the blank, or not in the vocabulary")
    needed = frames_needed(labels)
    if frames < needed:
        raise AlignmentError(f"the text needs {needed:,} frames, and the audio has {frames:,}")
    if not frames:
        return np.empty(0, dtype=np.int64)
    lattice = _Lattice(log_probabilities, wanted, blank)
    block = block_of(frames, len(lattice.labels), 8 * len(lattice.labels))
    begins = range(0, frames, block)
    columns = [lattice.first()]
    for begin in begins[1:]:
        column = columns[-1]
        for frame in range(begin - block + 1, begin + 1):
            column, _ = lattice.step(column, frame)
        columns.append(column)
    path = np.empty(frames, dtype=np.int64)
    state = -1
    for begin, column in zip(reversed(begins), reversed(columns)):
        end = min(begin + block, frames - 1)
        moves = []
        for frame in range(begin + 1, end + 1):
            column, move = lattice.step(column, frame)
            moves.append(move)
        if state < 0:
            state = lattice.last(column)
        for frame in range(end, begin, -1):
            path[frame] = state
            state -= int(moves[frame - begin - 1][state])
    path[0] = state
    return lattice.labels[path]


def block_of(frames: int, decided: int, column: int) -> int:
    """How many frames' decisions are held at once, where a frame's take `decided` bytes and a column `column`: all that
    `HELD` lets, and in longer audio as many as take least memory together with the columns kept, one a block.

    >>> block_of(50, 1000, 8000), block_of(1_000_000, 100_000, 800_000)
    (67108, 2828)
    """
    return max(HELD // decided, math.isqrt(frames * column // decided))


def frames_needed(labels: Sequence[int]) -> int:
    """The fewest frames that labels fit in: two of the same have a blank between them.

    >>> frames_needed([5, 5, 6])
    4
    """
    return len(labels) + sum(one == other for one, other in zip(labels, labels[1:]))


class _Lattice:
    """States of blank, label, blank, label, … blank; a column is the best log-probability of being in each, `(states,)`."""

    def __init__(self, log_probabilities: np.ndarray, wanted: NDArray[np.int64], blank: int) -> None:
        self.logs = log_probabilities
        self.labels = np.full(2 * len(wanted) + 1, blank, dtype=np.int64)
        self.labels[1::2] = wanted
        self.skips = np.where(wanted[1:] != wanted[:-1], 0.0, -np.inf)

    def first(self) -> NDArray[np.float64]:
        column = np.full(len(self.labels), -np.inf)
        column[:2] = self.logs[0, self.labels[:2]]
        return column

    def step(self, column: NDArray[np.float64], frame: int) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        """The next column, and how many states back each of its values came from: 0, 1 or 2."""
        best = column.copy()
        moves = np.zeros(len(column), dtype=np.int8)
        np.greater(column[:-1], column[1:], out=moves[1:], casting="unsafe")
        np.maximum(column[:-1], column[1:], out=best[1:])
        # A label may follow another without a blank between, where they are not the same.
        skipping = column[1:-2:2] + self.skips
        moves[3::2][skipping > best[3::2]] = 2
        np.maximum(skipping, best[3::2], out=best[3::2])
        return best + self.logs[frame, self.labels], moves

    def last(self, column: NDArray[np.float64]) -> int:
        """The state that the best path ends in: the last label, or the blank after it."""
        state = len(column) - 1
        if state and column[state] <= column[state - 1]:
            state -= 1
        if column[state] == -np.inf:
            raise AlignmentError("the model gives the text a probability of zero")
        return state
