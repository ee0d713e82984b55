"""Utterances in, what was heard in them out: in this process, reading ahead in threads while the model runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np

READERS = 2  # threads that decode; the model has the cores
BATCHES_AHEAD = 3
BATCH_SECONDS = 60.0  # audio in one batch at most, unless one utterance alone is longer
WINDOW = 1024  # rows that are put in order of duration together,
WINDOW_BYTES = 64 * 2**20  # fewer where the rows hold the audio itself

Audio = str | bytes
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Utterance:
    """One row's audio (a path, or the file's bytes), its duration, and its reference text where one is asked about."""

    row: int
    audio: Audio
    seconds: float
    reference: str | None = None


Group = list[Utterance]  # rows of the same audio and reference: recognized once
Recognize = Callable[[list["np.ndarray"], list[str | None]], list[T]]


def recognize(
    utterances: Iterable[Utterance],
    recognizer: Recognize[T],
    read: Callable[[Audio], np.ndarray],
    batch_size: int,
) -> Iterator[tuple[int, T | Exception]]:
    """`(row, what the recognizer gave)`, or the error that reading the row raised; not in the rows' order.

    `recognizer` takes waveforms and their references, `read` gives the waveform of an audio. An audio that stands in
    several rows of a window with one reference is read and recognized once.
    """
    stream = iter(utterances)
    with ThreadPoolExecutor(READERS, thread_name_prefix="decode") as pool:
        try:
            for batch, waveforms in _read_ahead(_batches(stream, batch_size), pool, read):
                yield from _recognize_batch(batch, waveforms, recognizer)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _batches(stream: Iterator[Utterance], batch_size: int) -> Iterator[list[Group]]:
    """Windows of the stream in order of duration, longest first, cut by the number of utterances and by audio seconds."""
    while window := list(_window(stream)):
        groups: dict[tuple[Audio, str | None], Group] = {}
        for utterance in window:
            groups.setdefault((utterance.audio, utterance.reference), []).append(utterance)
        batch: list[Group] = []
        filled = 0.0
        for group in sorted(groups.values(), key=lambda group: (-group[0].seconds, group[0].row)):
            if batch and (len(batch) == batch_size or filled + group[0].seconds > BATCH_SECONDS):
                yield batch
                batch, filled = [], 0.0
            batch.append(group)
            filled += group[0].seconds
        yield batch


def _window(stream: Iterator[Utterance]) -> Iterator[Utterance]:
    held = 0
    for utterance in islice(stream, WINDOW):
        yield utterance
        held += len(utterance.audio)
        if held > WINDOW_BYTES:
            return


def _read_ahead(
    batches: Iterator[list[Group]], pool: ThreadPoolExecutor, read: Callable[[Audio], np.ndarray]
) -> Iterator[tuple[list[Group], list[np.ndarray | Exception]]]:
    waiting: deque[tuple[list[Group], list[Future[np.ndarray]]]] = deque()
    while True:
        for batch in islice(batches, BATCHES_AHEAD - len(waiting)):
            waiting.append((batch, [pool.submit(read, group[0].audio) for group in batch]))
        if not waiting:
            return
        batch, futures = waiting.popleft()
        yield batch, [_outcome(future) for future in futures]


def _outcome(future: Future[np.ndarray]) -> np.ndarray | Exception:
    try:
        return future.result()
    except Exception as error:
        # Only a failure to read the audio is a row's own; any other is a defect and stops the statement.
        from thanosql.models.audio import AudioError

        if isinstance(error, AudioError):
            return error
        raise


def _recognize_batch(
    batch: list[Group], waveforms: list[np.ndarray | Exception], recognizer: Recognize[T]
) -> Iterator[tuple[int, T | Exception]]:
    heard = [
        (waveform, group[0].reference)
        for group, waveform in zip(batch, waveforms)
        if not isinstance(waveform, Exception)
    ]
    found = iter(recognizer([waveform for waveform, _ in heard], [text for _, text in heard]) if heard else [])
    for group, waveform in zip(batch, waveforms):
        outcome = waveform if isinstance(waveform, Exception) else next(found)
        for utterance in group:
            yield utterance.row, outcome
