"""Words with their seconds in; segments out, cut at pauses, none longer than is asked for.

What is short enough for a model to learn from, and is cut nowhere but between two words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MARGIN_SECONDS = 0.15  # of a pause that belongs to the segment before it, and as much to the one behind
TOO_LONG = "too long"


@dataclass(frozen=True, slots=True)
class Word:
    """A word from `start` to `end` (seconds of the recording); `confidence` is from 0 to 1, `problem` what is wrong."""

    text: str
    start: float
    end: float
    confidence: float
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Words that follow each other, and the part of the recording that holds them, in seconds; the pauses at its ends are
    half its own, up to 0.15 s. `confidence` is from 0 to 1, `problem` the first of its words', or that it is too long."""

    text: str
    start: float
    end: float
    confidence: float
    problem: str | None = None


def cut(words: Sequence[Word], *, begin: float, end: float, min_pause: float, longest: float) -> Iterator[Segment]:
    """The segments of words in their order, between the seconds `begin` and `end` of the recording.

    They are cut at every pause of `min_pause` seconds, and at the longest pauses between where one would be longer than
    `longest` seconds: a segment is longer only if one word alone is, which its problem says then.

    >>> said = [Word("one", 0.1, 0.4, 1.0), Word("two", 0.5, 0.8, 1.0), Word("three", 2.0, 2.4, 0.25)]
    >>> for segment in cut(said, begin=0.0, end=2.5, min_pause=0.3, longest=15.0):
    ...     print(segment.text, segment.start, segment.end, segment.confidence)
    one two 0.0 0.95 1.0
    three 1.85 2.5 0.25
    """
    edges = [begin, *(_edge(left, right) for left, right in zip(words, words[1:])), end]
    for first, last in _pieces(words, edges, min_pause, longest):
        start, stop = _bounds(words, edges, first, last)
        inside = words[first:last]
        problem = next((word.problem for word in inside if word.problem), None)
        if problem is None and stop - start > longest + 1e-6:
            problem = TOO_LONG
        text = " ".join(word.text for word in inside if word.text)  # speech without text has none
        yield Segment(text, round(start, 3), round(stop, 3), _confidence(inside), problem)


def _edge(left: Word, right: Word) -> float:
    """The middle of the pause between two words."""
    return (left.end + right.start) / 2


def _bounds(words: Sequence[Word], edges: Sequence[float], first: int, last: int) -> tuple[float, float]:
    """Where the segment of words `first` to `last` (exclusive) begins and ends."""
    start = max(edges[first], words[first].start - MARGIN_SECONDS)
    stop = min(edges[last], words[last - 1].end + MARGIN_SECONDS)
    return start, stop


def _pieces(
    words: Sequence[Word], edges: Sequence[float], min_pause: float, longest: float
) -> Iterator[tuple[int, int]]:
    """(first word, the one behind the last) of each segment."""
    first = 0
    for last in range(1, len(words) + 1):
        if last == len(words) or words[last].start - words[last - 1].end >= min_pause - 1e-6:
            yield from _short(words, edges, first, last, longest)
            first = last


def _short(
    words: Sequence[Word], edges: Sequence[float], first: int, last: int, longest: float
) -> Iterator[tuple[int, int]]:
    """What stands between two pauses in pieces of `longest` seconds at most; each but the last at least half as long."""
    while first < last:
        fitting = last
        begin, stop = _bounds(words, edges, first, fitting)
        while stop - begin > longest and fitting > first + 1:
            fitting -= 1
            begin, stop = _bounds(words, edges, first, fitting)
        if fitting < last:
            usable = [at for at in range(first + 1, fitting + 1) if words[at - 1].end - begin >= longest / 2]
            fitting = max(usable or [fitting], key=lambda at: (words[at].start - words[at - 1].end, at))
        yield first, fitting
        first = fitting


def _confidence(words: Sequence[Word]) -> float:
    """The geometric mean of the characters' confidence."""
    logs = [len(word.text) * math.log(max(word.confidence, 1e-9)) for word in words]
    return round(min(1.0, math.exp(sum(logs) / max(1, sum(len(word.text) for word in words)))), 6)
