"""Where CTC puts the labels of words, and how loud the sound is there, in; where each word begins and ends out.

CTC puts a label where the model is sure of it: the first one close to the word's beginning, the last one well before its
end, on FSDD 160 ms in the median. Between the last label of a word and the first of the next lie the rest of the one, a
pause or none, and the onset of the other. The sound tells them apart: a pause is where it is as quiet as the recording is
around there. A short quiet, as before a plosive, ends no word; without any quiet, words meet in the dip right before the
next one's first label, or there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thanosql.models.audio.levels import STEP_SECONDS, levels
from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thanosql.models.audio.waveform import Waveform

PAUSE_STEPS = 12  # quiet of this length is no closure of a plosive
FAR_STEPS = 60  # no word goes on for longer after its last label, or begins earlier before its first one
TAIL_STEPS = 16  # how far a word goes on in the median, where the sound does not tell
RANGE_DB = 40.0  # what is weaker than this against the word's loudest 10 ms is no part of it
MARGIN_DB = (3.0, 10.0)  # above the recording's quiet: for an even noise, at most for one that comes and goes
SPREADS = 3.0  # how much more than its own spread sound must stand above the quiet
HEADROOM_DB = 3.0  # a word that does not stand out by more, at its loudest, is not bounded by this level
MEETING_STEPS = 6  # how far before the first label of a word it may begin where no pause is before it
DIP_DB = 3.0  # what is quieter by less is not where words meet
NEAR_STEPS = 10  # how far from its label the sound of a letter is looked for
AROUND_STEPS = 500  # before and after a moment, of which the quietest part is the recording's quiet there
EVERY_STEPS = 50  # from one moment at which the quiet is measured to the next
QUIETEST, LOWER = 10, 2  # percentiles


class WordBounds:
    """The beginning and end of words in one recording, from how loud it is."""

    def __init__(self, waveform: Waveform) -> None:
        self.seconds = len(waveform) * 1000 // SAMPLING_RATE / 1000  # in whole milliseconds, as times are
        self._levels = levels(waveform)
        self._steps = self._levels.shape[1]
        self._quiet, self._margin = _quiet(self._levels)

    def of(self, words: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """(start, end) in seconds of words, for those of their labels; in order, none past the end.

        >>> noise, tone = np.full(8000, 1e-4, np.float32), np.sin(np.arange(8000)).astype(np.float32)
        >>> ((start, end),) = WordBounds(np.concatenate([noise, tone, noise])).of([(0.52, 0.7)])
        >>> abs(start - 0.5) <= 0.02, abs(end - 1.0) <= 0.02
        (True, True)
        """
        if not words or not self._steps:
            return [(min(start, self.seconds), min(end, self.seconds)) for start, end in words]
        first = [min(round(start / STEP_SECONDS), self._steps - 1) for start, _ in words]
        last = [min(max(round(end / STEP_SECONDS), begin + 1), self._steps) for (_, end), begin in zip(words, first)]
        loudest = np.stack(
            [self._levels[:, max(0, begin - 5) : end + 5].max(axis=1) for begin, end in zip(first, last)], axis=1
        )
        starts, ends = list(first), list(last)
        for number in range(len(words) + 1):  # the gap before each word, and the one after the last
            here = loudest[:, max(0, number - 1) : number + 1].min(axis=1)
            before = (first[number - 1], last[number - 1]) if number else None
            after = (first[number], last[number]) if number < len(words) else None
            end, start = self._gap(before, after, here)
            if number:
                ends[number - 1] = max(end, starts[number - 1] + 1)
            if number < len(words):
                starts[number] = max(start, ends[number - 1]) if number else start
        return [
            (min(round(start * STEP_SECONDS, 3), self.seconds), min(round(end * STEP_SECONDS, 3), self.seconds))
            for start, end in zip(starts, ends)
        ]

    def silent(self, labels: tuple[float, float], others: tuple[float, float]) -> bool:
        """Whether labels stand where nothing is heard, and others, those that follow them, in a sound; all in seconds."""
        if not self._steps:
            return False
        begin, end = (min(round(time / STEP_SECONDS), self._steps - 1) for time in labels)
        first, last = (min(round(time / STEP_SECONDS), self._steps - 1) for time in others)
        here = self._levels[:, max(0, begin - NEAR_STEPS) : min(end + NEAR_STEPS, first) + 1].max(axis=1)
        there = self._levels[:, max(end, first - NEAR_STEPS) : last + NEAR_STEPS + 1].max(axis=1)
        least, tells = self._least(begin, there)
        return bool(tells.any() and (here < least)[tells].all())

    def _least(self, step: int, loudest: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """How loud sound is at least, near a step and a word as loud as `loudest`, and which of the two levels tell."""
        moment = min(step, self._steps - 1) // EVERY_STEPS
        least = np.maximum(loudest - RANGE_DB, self._quiet[:, moment] + self._margin[:, moment])
        return least, loudest >= least + HEADROOM_DB

    def _gap(
        self, before: tuple[int, int] | None, after: tuple[int, int] | None, loudest: NDArray[np.float32]
    ) -> tuple[int, int]:
        """Where the word before the gap ends and the one after it begins, in steps; words are those of their labels."""
        begin = before[1] if before else max(0, after[0] - FAR_STEPS) if after else 0
        end = max(begin, after[0]) if after else min(self._steps, begin + FAR_STEPS)
        least, tells = self._least(begin, loudest)
        if not tells.any():
            return (min(begin + TAIL_STEPS, end) if before else end), end
        least = np.where(tells, least, np.inf)
        # A label may stand in the silence after its word, or before it.
        low = before[0] + 1 if before else begin
        high = max(end, after[1] - 1) if after else end
        one, other = self._levels[:, low:high]
        sound = (one >= least[0]) | (other >= least[1])
        begin -= _length(~sound[: begin - low][::-1]) if before else 0
        end += _length(~sound[end - low :]) if after else 0
        quiet = _runs(~sound[begin - low : end - low], begin)
        pauses = [
            (one, other)
            for one, other in quiet
            if other - one >= PAUSE_STEPS or (before is None and one == begin) or (after is None and other == end)
        ]
        if not pauses and quiet and before and after:
            pauses = [max(quiet, key=lambda run: run[1] - run[0])]
        if pauses:
            ends, starts = pauses[0][0], pauses[-1][1]
        elif before and after:
            ends = starts = self._meeting(begin, end, loudest[:, None], tells)
        else:
            ends, starts = end, begin
        if before and ends - before[1] > FAR_STEPS:
            ends = before[1] + TAIL_STEPS
        if after and after[0] - starts > FAR_STEPS:
            starts = after[0]
        return ends, max(starts, ends)

    def _meeting(self, begin: int, end: int, loudest: NDArray[np.float32], tells: NDArray[np.bool_]) -> int:
        """Where words meet without a pause: where it is quietest shortly before the first label of the one that follows."""
        first = max(begin, end - MEETING_STEPS)
        level = (self._levels[:, first : end + 1] - loudest)[tells].max(axis=0)
        return first + int(level.argmin()) if len(level) and level.min() <= level[-1] - DIP_DB else end


def _length(mask: NDArray[np.bool_]) -> int:
    """How many are true before the first that is not."""
    return int(mask.argmin()) if not mask.all() else len(mask)


def _runs(mask: NDArray[np.bool_], offset: int) -> list[tuple[int, int]]:
    """Where the mask is true, from and to (exclusive), counted from `offset`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(offset + int(one), offset + int(other)) for one, other in edges.reshape(-1, 2)]


def _quiet(found: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How loud the quietest sound is at each moment, and how much louder sound must be to stand out of it, both
    `(2, moments)`."""
    moments = range(0, found.shape[1], EVERY_STEPS)
    if not moments:
        return np.empty((2, 0), np.float32), np.empty((2, 0), np.float32)
    around = [found[:, max(0, at - AROUND_STEPS) : at + AROUND_STEPS] for at in moments]
    low, lower = (
        np.stack(one, axis=1) for one in zip(*(np.percentile(one, (QUIETEST, LOWER), axis=1) for one in around))
    )
    return low, np.clip(SPREADS * (low - lower), *MARGIN_DB)
