"""Rows of audio in, batches for an executor out; its outcomes in, an outcome for every row out.

Rows of one audio and one text are recognized once. What the prediction cache has is not recognized again. Batches are
packed by duration, longest first, so that little is padded and what does not fit into memory shows at once. The last
batches for several workers are smaller, so that all are done at about the same time ("guided self-scheduling": Polychronopoulos
and Kuck, 1987).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from thanosql.models.audio.info import Note
from thanosql.models.audio.parts import Audio, AudioPart
from thanosql.models.tasks import BATCH_SECONDS, AudioRow, Failure, Outcome, TranscribeTask

if TYPE_CHECKING:
    from thanosql.engine.executors.base import Executor, Workers
    from thanosql.models.cancellation import Cancellation

WINDOW = 1024  # rows that are put in order of duration together,
WINDOW_BYTES = 64 * 2**20  # fewer where the rows hold the audio itself
TOLERANCE = 1.01  # of a duration, before it counts as wrong
SHARES = 2  # batches that each worker still gets, at the least, of the audio that is left
SMALLEST_SECONDS = (
    1.0  # of audio in one of the last batches, so that giving it to a worker costs little beside its work
)

Key = tuple[Audio, str | None]  # an audio, and its text


class Cache(Protocol):
    """What was recognized before; `prediction.cache` has one."""

    @property
    def batch_seconds(self) -> float:
        """Audio that may be lost at a kill, and so stand in one batch."""

    def recall(self, keys: Sequence[Key]) -> Mapping[Key, tuple[Any, float]]:
        """Those that were recognized, with their seconds."""

    def expect(self, seconds: float) -> None:
        """So much audio is about to be recognized: save first what could be lost beside it."""

    def keep(self, key: Key, value: Any, seconds: float) -> None:
        """This was recognized."""


def recognize(
    task: TranscribeTask,
    rows: Iterable[AudioRow],
    executor: Executor,
    cancellation: Cancellation,
    cache: Cache | None = None,
    *,
    total_seconds: float | None = None,
) -> Iterator[Outcome]:
    """An outcome for each row, not in the rows' order. Raises what the executor raises.

    Where `total_seconds`, the audio of all rows, are known, the last batches are smaller for an executor of several workers.

    An audio that stands in several rows with one text is recognized once: in the whole stream with a `cache`, else as
    long as its rows are close.
    """
    most = min(BATCH_SECONDS, cache.batch_seconds) if cache is not None else BATCH_SECONDS
    task = replace(task, batch_seconds=most)
    ending = _Ending(total_seconds, partial(executor.workers, task.options))
    packed = _Packed(iter(rows), task.options.batch_size, most, cache, ending)
    groups = executor.transcribe(task, packed.batches(), cancellation)
    try:
        packed.expect()
        for outcomes in groups:
            yield from packed.recalled()
            for outcome in outcomes:
                packed.keep(outcome)
            for outcome in outcomes:
                yield from packed.spread(outcome)
            packed.expect()
        yield from packed.recalled()
    finally:
        close = getattr(groups, "close", None)
        if close is not None:
            close()


class _Ending:
    """How large the last batches may be: a share of the audio that is `left`, for so many workers."""

    def __init__(self, total_seconds: float | None, workers: Callable[[], Workers | None]) -> None:
        # Seconds at most: what the cache has is known only when it is drawn.
        self.left = math.inf if total_seconds is None else total_seconds
        self._asked = workers

    @cached_property
    def _workers(self) -> int:
        workers = self._asked()  # when there is work: a cluster that runs is connected to for the answer
        return 1 if workers is None else workers.count

    def limit(self, most: float) -> float:
        """Seconds of audio that the next batch may have."""
        if self.left == math.inf or self._workers == 1:
            return most
        return min(most, max(SMALLEST_SECONDS, self.left / (SHARES * self._workers)))


class _Packed:
    """The rows on their way: those waiting for an outcome by the first row of their audio, those recalled.

    No row has a list of its own: with tens of thousands under way, Python's collection of garbage took most of the time.
    """

    def __init__(
        self,
        rows: Iterator[AudioRow],
        batch_size: int,
        most_seconds: float,
        cache: Cache | None,
        ending: _Ending,
    ) -> None:
        self._rows = rows
        self._batch_size = batch_size
        self._most = most_seconds
        self._cache = cache
        self._ending = ending
        self._under_way: dict[Key, AudioRow] = {}  # rows that wait for their outcome, the first of each audio and text
        self._alike: dict[
            Key, list[AudioRow]
        ] = {}  # the others of the same audio and text: few, so a list each costs little
        self._keys: dict[int, Key] = {}  # of the rows under way
        self._recalled: deque[Outcome] = deque()
        self._next_seconds = 0.0  # of the largest batch that is under way

    def batches(self) -> Iterator[tuple[AudioRow, ...]]:
        """Windows of the stream in order of duration, cut by the number of utterances and by seconds."""
        while window := _window(self._rows):
            firsts = self._grouped(window)
            # One for each window, so that what is recalled does not pile up.
            yield ()
            if len(firsts) < len(window):  # some are recalled, or share an audio
                self._ending.left -= sum(row.seconds for row in window) - sum(row.seconds for row in firsts)
            ordered = tuple(_ordered(firsts))
            begin = 0
            while begin < len(ordered):
                batch = ordered[begin : begin + self._batch_size]
                filled = sum(row.seconds for row in batch)
                if filled > (most := self._ending.limit(self._most)):
                    batch, filled = _beginning(batch, most)
                begin += len(batch)
                self._next_seconds = max(self._next_seconds, min(filled, self._most))
                self._ending.left -= filled
                yield batch

    def _grouped(self, window: Sequence[AudioRow]) -> list[AudioRow]:
        """The rows that are to be recognized: the first of each group that is neither under way nor recalled."""
        under_way, keys = self._under_way, self._keys
        firsts = []
        for row in window:
            key = row.audio, row.text
            # A row that is under way takes those that come later, too.
            if under_way.setdefault(key, row) is row:
                keys[row.row] = key
                firsts.append(row)
            else:
                self._alike.setdefault(key, []).append(row)
        if self._cache is None:
            return firsts
        recalled = self._cache.recall([keys[row.row] for row in firsts])
        for key, (value, seconds) in recalled.items():
            rows = self._done(under_way[key].row)
            self._recalled.extend(_outcome(row, value, seconds) for row in rows)
        return [row for row in firsts if row.row in keys] if recalled else firsts

    def recalled(self) -> Iterator[Outcome]:
        """Outcomes that the cache had, as far as the stream was drawn."""
        while self._recalled:
            yield self._recalled.popleft()

    def expect(self) -> None:
        if self._cache is not None and self._next_seconds:
            self._cache.expect(self._next_seconds)

    def keep(self, outcome: Outcome) -> None:
        """Put a new outcome into the cache; failures are found again in no time, and may be mended meanwhile."""
        key = self._keys[outcome.row]
        first = self._under_way[key]
        if outcome.seconds > TOLERANCE * first.seconds:
            self._next_seconds = self._most  # durations are not what they were said to be: expect as much as may come
        if self._cache is not None and not isinstance(outcome.value, Failure):
            self._cache.keep(key, outcome.value, outcome.seconds)

    def spread(self, outcome: Outcome) -> Iterator[Outcome]:
        """The outcome for every row of its audio and text."""
        for row in self._done(outcome.row):
            if row.row == outcome.row and not isinstance(row.audio, AudioPart):
                yield outcome
            else:
                yield _outcome(row, outcome.value, outcome.seconds, outcome.notes)

    def _done(self, first: int) -> tuple[AudioRow, ...]:
        """A row that waits no more, and those of the same audio and text."""
        key = self._keys.pop(first)
        return self._under_way.pop(key), *self._alike.pop(key, ())


def _outcome(row: AudioRow, value: Any, seconds: float, notes: tuple[Note, ...] = ()) -> Outcome:
    """A row's outcome; words are timed in its recording, whichever part of it the row means."""
    start = row.audio.start if isinstance(row.audio, AudioPart) else 0.0
    if start and getattr(value, "words", None):
        value = replace(value, words=tuple(word.later(start) for word in value.words))
    return Outcome(row.row, value, seconds, notes)


def _beginning(batch: tuple[AudioRow, ...], most: float) -> tuple[tuple[AudioRow, ...], float]:
    """As many rows of a batch as have `most` seconds, at least one; and their seconds."""
    filled = batch[0].seconds
    for number, row in enumerate(batch[1:], start=1):
        if filled + row.seconds > most:
            return batch[:number], filled
        filled += row.seconds
    return batch, filled


def _ordered(rows: list[AudioRow]) -> list[AudioRow]:
    """Longest first; parts of one recording stay together, so that those of one that cannot be sought in are decoded once."""
    place: dict[object, int] = {}
    for row in rows:
        if isinstance(row.audio, AudioPart) and not row.audio.is_whole:
            place.setdefault((row.audio.audio, row.audio.channel, row.audio.track), len(place) + 1)
    rows = sorted(
        rows, key=attrgetter("row")
    )  # mostly they are: two sorts by one number each are faster than one by both
    rows.sort(key=attrgetter("seconds"), reverse=True)

    def which(row: AudioRow) -> int:
        part = row.audio
        return place.get((part.audio, part.channel, part.track), 0) if isinstance(part, AudioPart) else 0

    if place:
        rows.sort(key=which)
    return rows


def _window(rows: Iterator[AudioRow]) -> list[AudioRow]:
    window: list[AudioRow] = []
    size = 0
    for row in islice(rows, WINDOW):
        window.append(row)
        audio = row.audio
        size += len(audio.audio if isinstance(audio, AudioPart) else audio)
        if size > WINDOW_BYTES:
            break
    return window
