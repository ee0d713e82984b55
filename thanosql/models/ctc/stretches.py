"""A waveform and its long silences in, the stretches that a model hears out; and what stands for the silences between.

Frames keep their places: a stretch begins and ends at frames of the whole, and a silence is as many frames of blank as it
is long, so that times, alignments and beams know nothing of it. A silence ends a word.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from thanosql.models.ctc.windows import Window, cut

if TYPE_CHECKING:
    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.ctc.vocabulary import Vocabulary

NOWHERE = 1e-9  # the probability of each token that a silence does not hold
ELSEWHERE = 1e-3  # that of the blank in the one frame in which a silence ends a word


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples `begin:end` of a recording; frames `first:last` of the whole, as many as the model makes of them."""

    begin: int
    end: int
    first: int
    last: int


def stretches(
    samples: int, count: int, silences: Iterable[tuple[int, int]], geometry: tuple[int, int], unit: int = 1
) -> list[Stretch]:
    """What is left of a recording of `count` frames without its silences, (from, to) in samples; at least a frame.

    `geometry` is how many samples a frame sees, and how many lie from one to the next; stretches begin at multiples of
    `unit` frames.

    >>> stretches(6_800, 21, [(1_600, 4_800)], (400, 320))
    [Stretch(begin=0, end=1680, first=0, last=5), Stretch(begin=4800, end=6800, first=15, last=21)]
    """
    reach, step = geometry
    found: list[Stretch] = []
    first = 0
    for begin, end in silences:
        last = min(-(-begin // step), count)
        after = count if end >= samples else min(end // step // unit * unit, count)
        if after <= last + reach // step:
            continue
        if last > first:
            found.append(Stretch(first * step, (last - 1) * step + reach, first, last))
        first = after
    if first < count or not found:
        first = max(0, min(first, (count - 1) // unit * unit))
        found.append(Stretch(first * step, samples, first, count))
    return found


class Joined:
    """A Waveform: the stretches of another, end to end."""

    def __init__(self, waveform: Waveform, parts: Sequence[Stretch]) -> None:
        self._waveform = waveform
        self._parts = parts
        lengths = [part.end - part.begin for part in parts]
        self.begins = np.cumsum([0, *lengths]).tolist()

    def __len__(self) -> int:
        return int(self.begins[-1])

    def __getitem__(self, part: slice) -> np.ndarray:
        begin, end, _ = part.indices(len(self))
        pieces = [
            self._waveform[one.begin + max(begin - at, 0) : one.begin + min(end - at, one.end - one.begin)]
            for one, at in zip(self._parts, self.begins)
            if at < end and begin < at + one.end - one.begin
        ]
        return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.float32)


def joined(waveform: Waveform, parts: Sequence[Stretch]) -> Waveform:
    """The stretches end to end; the waveform itself where they are all of it."""
    if len(parts) == 1 and (parts[0].begin, parts[0].end) == (0, len(waveform)):
        return waveform
    found = Joined(waveform, parts)
    return found[:] if isinstance(waveform, np.ndarray) else found


def windows(parts: Sequence[Stretch], geometry: tuple[int, int], most: int, unit: int) -> Iterator[tuple[int, Window]]:
    """The windows of all stretches in their order, each with how many frames are left out before it; their samples are
    those of the stretches end to end. See `windows.cut`."""
    at = frame = 0
    for part in parts:
        for one in cut(part.end - part.begin, part.last - part.first, *geometry, most, unit):
            yield part.first - frame, Window(one.begin + at, one.end + at, one.keep_from, one.keep_to)
            frame = part.first
        at += part.end - part.begin
        frame = part.last


class Silence:
    """What stands for a silence: natural log-probabilities float32 `(frames, vocab)`."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.blank = vocabulary.blank
        self.delimiter = None if vocabulary.delimiter is None else vocabulary.ids.get(vocabulary.delimiter)
        if vocabulary.pieces:  # they say by themselves where a word begins
            self.delimiter = None

    def frames(self, count: int, size: int, *, ends_a_word: bool) -> torch.Tensor:
        """So many frames of blank, of a vocabulary of `size`; the word before them ends in the middle one, where it must."""
        found = torch.full((count, size), math.log(NOWHERE))
        found[:, self.blank] = math.log1p(-NOWHERE * (size - 1))
        if ends_a_word and self.delimiter is not None:
            found[count // 2, self.blank] = math.log(ELSEWHERE)
            found[count // 2, self.delimiter] = math.log1p(-ELSEWHERE - NOWHERE * (size - 2))
        return found

    def opened(self, logs: torch.Tensor) -> torch.Tensor:
        """The log-probabilities of a stretch behind a silence, which ends a word: a break at the beginning is a blank."""
        if self.delimiter is None:
            return logs
        said = torch.nonzero((logs.argmax(-1) != self.blank) & (logs.argmax(-1) != self.delimiter))
        first = int(said[0]) if len(said) else len(logs)
        breaks = torch.nonzero(logs[:first].argmax(-1) == self.delimiter).flatten()
        if not len(breaks):
            return logs
        found = logs.clone()
        found[breaks, self.blank], found[breaks, self.delimiter] = (
            logs[breaks, self.delimiter],
            logs[breaks, self.blank],
        )
        return found

    def last_said(self, logs: torch.Tensor) -> int | None:
        """The last token of frames that is no blank; None where all are."""
        best = logs.argmax(-1)
        said = best[best != self.blank]
        return int(said[-1]) if len(said) else None
