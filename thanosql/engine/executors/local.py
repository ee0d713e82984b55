"""Utterances in, what was heard in them out: in this process, reading ahead in threads while the model runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from thanosql.models.audio.waveform import SAMPLING_RATE

if TYPE_CHECKING:
    from thanosql.models.audio.waveform import Waveform

READERS = 2  # threads that decode; the model has the cores
BATCHES_AHEAD = 3
BATCH_SECONDS = 60.0  # audio in one batch at most, unless one utterance alone is longer
WINDOW = 1024  # rows that are put in order of duration together,
WINDOW_BYTES = 64 * 2**20  # fewer where the rows hold the audio itself

Audio = str | bytes
Key = tuple[Audio, str | None]  # an audio, and its reference text
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Utterance:
    """One row's audio (a path, or the file's bytes), its duration, and its reference text where one is asked about."""

    row: int
    audio: Audio
    seconds: float
    reference: str | None = None


class Done(NamedTuple, Generic[T]):
    """What became of a row: what the recognizer gave, or why it could not be read; `seconds` are those that were read."""

    row: int
    outcome: T | Exception
    seconds: float


class Memory(Protocol[T]):
    """What was recognized before, and keeps what is; `engine.kept` has one."""

    @property
    def batch_seconds(self) -> float:
        """Audio that may be lost, and so stand in one batch."""

    def recall(self, keys: Sequence[Key]) -> Mapping[Key, tuple[T, float]]:
        """Those that were recognized, with their seconds."""

    def expect(self, seconds: float) -> None:
        """So much audio is about to be recognized."""

    def keep(self, key: Key, outcome: T, seconds: float) -> None:
        """This was recognized."""


Group = list[Utterance]  # rows of the same audio and reference: recognized once
Recognize = Callable[[list["Waveform"], list[str | None]], list[T]]


@dataclass(frozen=True)
class _Batch(Generic[T]):
    """Groups to recognize, and rows that need it no more."""

    groups: list[Group] = field(default_factory=list)
    done: list[Done[T]] = field(default_factory=list)


def recognize(
    utterances: Iterable[Utterance],
    recognizer: Recognize[T],
    read: Callable[[Audio], Waveform],
    batch_size: int,
    *,
    memory: Memory[T] | None = None,
    readers: int = READERS,
) -> Iterator[Done[T]]:
    """What the recognizer gave for each row, or the error that reading it raised; not in the rows' order.

    `recognizer` takes waveforms and their references, `read` gives the waveform of an audio. An audio that stands in
    several rows with one reference is read and recognized once: in the whole stream with a `memory`, else as long as
    its rows are close.
    """
    with ThreadPoolExecutor(readers, thread_name_prefix="decode") as pool:
        try:
            yield from _Run(recognizer, batch_size, memory).answers(iter(utterances), pool, read)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Run(Generic[T]):
    def __init__(self, recognizer: Recognize[T], batch_size: int, memory: Memory[T] | None) -> None:
        self._recognizer = recognizer
        self._batch_size = batch_size
        self._memory = memory
        self._limit = min(BATCH_SECONDS, memory.batch_seconds) if memory is not None else BATCH_SECONDS
        self._waiting: dict[Key, Group] = {}  # those that are read ahead

    def answers(
        self, stream: Iterator[Utterance], pool: ThreadPoolExecutor, read: Callable[[Audio], Waveform]
    ) -> Iterator[Done[T]]:
        for batch, waveforms in _read_ahead(self._batches(stream), pool, read):
            yield from batch.done
            yield from self._recognized(batch.groups, waveforms)

    def _batches(self, stream: Iterator[Utterance]) -> Iterator[_Batch[T]]:
        """Windows of the stream in order of duration, longest first, cut by the number of utterances and by seconds."""
        while window := list(_window(stream)):
            groups: dict[Key, Group] = {}
            for utterance in window:
                key = _key(utterance)
                # A group that is read ahead takes those that come later, too.
                (self._waiting.get(key) or groups.setdefault(key, [])).append(utterance)
            # One for each window, so that no more of them are read than there is need for.
            yield _Batch(done=list(self._recalled(groups)))
            self._waiting.update(groups)
            batch: list[Group] = []
            filled = 0.0
            for group in sorted(groups.values(), key=lambda group: (-group[0].seconds, group[0].row)):
                if batch and (len(batch) == self._batch_size or filled + group[0].seconds > self._limit):
                    yield _Batch(batch)
                    batch, filled = [], 0.0
                batch.append(group)
                filled += group[0].seconds
            if batch:
                yield _Batch(batch)

    def _recalled(self, groups: dict[Key, Group]) -> Iterator[Done[T]]:
        """The rows that are remembered, taken out of `groups`."""
        if self._memory is None:
            return
        for key, (outcome, seconds) in self._memory.recall(list(groups)).items():
            for utterance in groups.pop(key):
                yield Done(utterance.row, outcome, seconds)

    def _recognized(self, groups: list[Group], waveforms: list[Waveform | Exception]) -> Iterator[Done[T]]:
        heard: list[tuple[Group, Waveform]] = []
        filled = 0.0
        for group, waveform in zip(groups, waveforms):
            if isinstance(waveform, Exception):
                yield from self._answered(group, waveform, 0.0)
                continue
            seconds = len(waveform) / SAMPLING_RATE
            # What was not known beforehand may be longer than was thought.
            if heard and filled + seconds > 1.01 * self._limit:
                yield from self._recognized_together(heard, filled)
                heard, filled = [], 0.0
            heard.append((group, waveform))
            filled += seconds
        if heard:
            yield from self._recognized_together(heard, filled)

    def _recognized_together(self, heard: list[tuple[Group, Waveform]], seconds: float) -> Iterator[Done[T]]:
        if self._memory is not None:
            self._memory.expect(seconds)
        found = self._recognizer([waveform for _, waveform in heard], [group[0].reference for group, _ in heard])
        for (group, waveform), outcome in zip(heard, found, strict=True):
            if self._memory is not None and not isinstance(outcome, Exception):
                self._memory.keep(_key(group[0]), outcome, len(waveform) / SAMPLING_RATE)
        for (group, waveform), outcome in zip(heard, found, strict=True):
            yield from self._answered(group, outcome, len(waveform) / SAMPLING_RATE)

    def _answered(self, group: Group, outcome: T | Exception, seconds: float) -> Iterator[Done[T]]:
        self._waiting.pop(_key(group[0]), None)
        for utterance in group:
            yield Done(utterance.row, outcome, seconds)


def _key(utterance: Utterance) -> Key:
    return utterance.audio, utterance.reference


def _window(stream: Iterator[Utterance]) -> Iterator[Utterance]:
    held = 0
    for utterance in islice(stream, WINDOW):
        yield utterance
        held += len(utterance.audio)
        if held > WINDOW_BYTES:
            return


def _read_ahead(
    batches: Iterator[_Batch[T]], pool: ThreadPoolExecutor, read: Callable[[Audio], Waveform]
) -> Iterator[tuple[_Batch[T], list[Waveform | Exception]]]:
    waiting: deque[tuple[_Batch[T], list[Future[Waveform]]]] = deque()
    while True:
        for batch in islice(batches, BATCHES_AHEAD - len(waiting)):
            waiting.append((batch, [pool.submit(read, group[0].audio) for group in batch.groups]))
        if not waiting:
            return
        batch, futures = waiting.popleft()
        yield batch, [_outcome(future) for future in futures]


def _outcome(future: Future[Waveform]) -> Waveform | Exception:
    try:
        return future.result()
    except Exception as error:
        # Only a failure to read the audio is a row's own; any other is a defect and stops the statement.
        from thanosql.models.audio import AudioError

        if isinstance(error, AudioError):
            return error
        raise
