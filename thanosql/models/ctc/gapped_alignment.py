"""Log-probabilities and the words of a text that may not fit in, where each stands or that it has no audio out.

Viterbi's recursion of `alignment`, with three more states that a star stands for, as in Pratap et al. 2023 (section 3.1.2):
a gap between two words takes audio without text; a word may be left out on the way through a gap, text without audio; and
a word that the vocabulary cannot spell takes any audio. A star has the probability of the likeliest token in each frame, so
that leaving the text is charged by how much better than the text the model's own hearing is: `Costs` says how much better
it must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thanosql.models.ctc.alignment import AlignmentError, Span, block_of, spans

if TYPE_CHECKING:
    from numpy.typing import NDArray


_BETWEEN, _GAP, _NOBODY = -1, -2, -3  # owners of frames that are no word's, and of the frame before the first
_NOTHING8, _NOTHING32 = np.empty(0, dtype=np.int8), np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Costs:
    """What leaving the text costs, in nats: measured by `benchmarks/align.py`, see docs/performance.md.

    `gap` once for a gap, `frame` for each frame that a star takes, `letter` for each label of a word that is left out.
    """

    gap: float = 10.0
    frame: float = 0.05
    letter: float = 4.0


@dataclass(frozen=True, slots=True)
class Place:
    """What stands in frames `start` to `end` (exclusive): word number `word`, or audio without text where it is None.

    `labels` are those of a word that was spelled; of one that the vocabulary cannot spell, of one that has no audio
    (`start` is `end` then) and of a gap there are none. `excess` is how much likelier the likeliest token of each frame
    is than the labels, in nats.
    """

    word: int | None
    start: int
    end: int
    labels: tuple[Span, ...] = ()
    excess: float = 0.0


def align_gapped(
    log_probabilities: np.ndarray,
    words: Sequence[Sequence[int] | None],
    blank: int,
    delimiter: int | None,
    costs: Costs | None,
) -> tuple[Place, ...]:
    """Where each word stands, by natural log-probabilities `(frames, vocab)`; every word has one place, in order.

    A word is its labels, or None for one that the vocabulary cannot spell. `delimiter` is the label between words, if
    there is one. Without `costs` there are no gaps, and no word is left out. Raises AlignmentError where the words do
    not fit into the frames.
    """
    if not words:
        return _speech_alone(log_probabilities, blank, costs) if costs is not None else ()
    lattice = _Lattice(log_probabilities, words, blank, delimiter, costs)
    if costs is None and len(log_probabilities) < lattice.needed:
        raise AlignmentError(f"the text needs {lattice.needed:,} frames, and the audio has {len(log_probabilities):,}")
    if not len(log_probabilities):
        return tuple(Place(number, 0, 0) for number in range(len(words)))
    return tuple(lattice.places(lattice.path()))


def _speech_alone(log_probabilities: np.ndarray, blank: int, costs: Costs) -> tuple[Place, ...]:
    """The gap that an empty text has: the frames that gain most by being no blanks, where that is worth a gap."""
    gains = log_probabilities.max(axis=1, initial=-np.inf) - costs.frame - log_probabilities[:, blank]
    sums = np.concatenate([[0.0], np.cumsum(gains, dtype=np.float64)])
    lowest = np.minimum.accumulate(sums)
    end = int((sums - lowest).argmax())
    start = int(sums[: end + 1].argmin())
    return (Place(None, start, end),) if sums[end] - sums[start] > costs.gap else ()


class _Lattice:
    """States of blank, label, blank, … blank, then of the gaps: one before each word and one behind the last.

    A column is the best log-probability of being in each state, `(states,)`.
    """

    def __init__(
        self,
        log_probabilities: np.ndarray,
        words: Sequence[Sequence[int] | None],
        blank: int,
        delimiter: int | None,
        costs: Costs | None,
    ) -> None:
        self.logs = log_probabilities
        self.blank = blank
        self.delimiter = delimiter
        self.costs = costs
        self.frame_cost = (costs or Costs()).frame
        self.star = log_probabilities.shape[1]
        self.row = np.empty(self.star + 1)  # of the frame that is looked at, and the star's
        wanted: list[int] = []
        first, last = [], []
        for number, word in enumerate(words):
            if number and delimiter is not None:
                wanted.append(delimiter)
            first.append(2 * len(wanted) + 1)
            wanted += [self.star] if word is None else word
            last.append(2 * len(wanted) - 1)
        self.first, self.last = np.array(first), np.array(last)
        self.labels = np.full(2 * len(wanted) + 1, blank, dtype=np.int64)
        self.labels[1::2] = wanted
        labels = self.labels[1::2]
        self.skips = np.where(labels[1:] != labels[:-1], 0.0, -np.inf)
        self.needed = len(labels) + int((labels[1:] == labels[:-1]).sum())
        self.states = len(self.labels)
        letters = np.array([1 if word is None else len(word) for word in words])
        left_out = letters * (costs.letter if costs is not None else 0.0)
        self.left_out = np.concatenate([[0.0], np.cumsum(left_out)])
        self.numbers = np.arange(len(self.left_out), dtype=np.int32)

    def path(self) -> NDArray[np.int64]:
        """The state of each frame, `(frames,)`; those of gaps from `states` on."""
        frames = len(self.logs)
        gaps = len(self.left_out)
        block = block_of(frames, self.states + 5 * gaps, 8 * (self.states + gaps))
        begins = range(0, frames, block)
        columns = [self._first()]
        for begin in begins[1:]:
            column = columns[-1]
            for frame in range(begin - block + 1, begin + 1):
                column = self._step(column, frame, traced=False)[0]
            columns.append(column)
        path = np.empty(frames, dtype=np.int64)
        state = -1
        for begin, column in zip(reversed(begins), reversed(columns)):
            end = min(begin + block, frames - 1)
            moves = []
            for frame in range(begin + 1, end + 1):
                column, steps, entered, through = self._step(column, frame)
                moves.append((steps, entered, through))
            if state < 0:
                state = self._last(column)
            for frame in range(end, begin, -1):
                path[frame] = state
                state = self._before(state, *moves[frame - begin - 1])
        path[0] = state
        return path

    def _before(
        self, state: int, steps: NDArray[np.int8], entered: NDArray[np.int8], through: NDArray[np.int32]
    ) -> int:
        """The state of the frame before, by what `_step` says of this one."""
        if state < self.states:
            back = int(steps[state])
            return state - back if back < 3 else self.states + int(np.searchsorted(self.first, state))
        gap = int(through[state - self.states])
        back = int(entered[gap])
        return self.states + gap if not back else int(self.last[gap - 1]) + back - 1

    def _emitted(self, frame: int) -> tuple[NDArray[np.float64], float]:
        star = float(self.logs[frame].max()) - self.frame_cost
        self.row[:-1] = self.logs[frame]
        self.row[-1] = star
        return self.row[self.labels], star

    def _first(self) -> NDArray[np.float64]:
        emitted, star = self._emitted(0)
        column = np.full(self.states + len(self.left_out), -np.inf)
        column[:2] = emitted[:2]
        if self.costs is not None:
            column[self.states :] = star - self.costs.gap - self.left_out
        return column

    def _step(
        self, column: NDArray[np.float64], frame: int, *, traced: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.int8], NDArray[np.int32]]:
        """The next column; how many states back each of its values came from (3: from the gap before it); of each gap, how
        it was entered (0: it went on, 1: from the last label before it, 2: from the blank behind that), and the gap that it
        was before words were left out. Where it is not `traced`, the column alone."""
        emitted, star = self._emitted(frame)
        old = column[: self.states]
        new = np.empty_like(column)
        best = new[: self.states]
        best[:] = old
        moves, entered, through = _NOTHING8, _NOTHING8, _NOTHING32
        np.maximum(old[:-1], old[1:], out=best[1:])
        skipping = old[1:-2:2] + self.skips
        if traced:
            moves = np.zeros(self.states, dtype=np.int8)
            np.greater(old[:-1], old[1:], out=moves[1:], casting="unsafe")
            moves[3::2][skipping > best[3::2]] = 2
        np.maximum(skipping, best[3::2], out=best[3::2])
        if self.costs is None:
            new[self.states :] = -np.inf
            best += emitted
            return new, moves, entered, through
        gaps = column[self.states :]
        if traced:
            moves[self.first[gaps[:-1] > best[self.first]]] = 3
        best[self.first] = np.maximum(best[self.first], gaps[:-1])
        best += emitted
        here = gaps.copy()
        ending, behind = old[self.last] - self.costs.gap, old[self.last + 1] - self.costs.gap
        if traced:
            entered = np.zeros(len(gaps), dtype=np.int8)
            entered[1:] = np.where(behind > np.maximum(ending, gaps[1:]), 2, ending > gaps[1:])
        np.maximum(here[1:], np.maximum(ending, behind), out=here[1:])
        # The best gap to have come from, words left out on the way: a running maximum.
        reached = here + self.left_out
        running = np.maximum.accumulate(reached)
        if traced:
            through = np.maximum.accumulate(np.where(reached == running, self.numbers, 0))
        new[self.states :] = running - self.left_out + star
        return new, moves, entered, through

    def _last(self, column: NDArray[np.float64]) -> int:
        """The state that the best path ends in: the last label, the blank behind it, or the last gap."""
        ends = [self.states - 2, self.states - 1, len(column) - 1]
        best = max(ends, key=lambda state: float(column[state]))
        if column[best] == -np.inf:
            raise AlignmentError("the model gives the text no probability at all")
        return best

    def places(self, path: NDArray[np.int64]) -> list[Place]:
        """What each word and each gap stands in, by the state of each frame."""
        owners = np.full(self.states + len(self.left_out), _BETWEEN)
        for number, (first, last) in enumerate(zip(self.first, self.last)):
            owners[first : last + 1] = number
        owners[self.states :] = _GAP
        owner = owners[path]
        edges = np.flatnonzero(np.diff(owner, prepend=_NOBODY)).tolist()
        found: list[Place] = []
        word, at = 0, 0  # the next word to be placed; where those are that turn out to be left out
        gap: Place | None = None
        for begin, end in zip(edges, [*edges[1:], len(path)]):
            number = int(owner[begin])
            if number == _BETWEEN:
                continue
            if number == _GAP:
                gap, at = self._gap(begin, end), begin
                continue
            found += [Place(one, at, at) for one in range(word, number)]
            found += [gap] if gap is not None else []
            found.append(self._word(number, begin, end, path))
            word, at, gap = number + 1, end, None
        found += [Place(one, at, at) for one in range(word, len(self.first))]
        return found + ([gap] if gap is not None else [])

    def _word(self, number: int, begin: int, end: int, path: NDArray[np.int64]) -> Place:
        labels = self.labels[path[begin:end]]
        if labels[0] == self.star:
            sound = self._sound(begin, end)
            return Place(number, *(sound or (begin, end)))
        logs = self.logs[begin:end]
        excess = float((logs.max(axis=1) - logs[np.arange(end - begin), labels]).sum())
        found = tuple(
            Span(one.label, one.start + begin, one.end + begin, one.peak, one.mean)
            for one in spans(logs, labels, self.blank)
        )
        return Place(number, begin, end, found, excess)

    def _gap(self, begin: int, end: int) -> Place | None:
        """What is heard in a gap; words alone may have been left out there."""
        sound = self._sound(begin, end)
        return None if sound is None else Place(None, *sound)

    def _sound(self, begin: int, end: int) -> tuple[int, int] | None:
        """From the first to behind the last frame in which the likeliest token is part of a word."""
        best = self.logs[begin:end].argmax(axis=1)
        frames = np.flatnonzero((best != self.blank) & (best != self.delimiter))
        return (begin + int(frames[0]), begin + int(frames[-1]) + 1) if len(frames) else None
