"""References to audio in, transcripts out: in this process, reading ahead in threads while the model runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from thanosql.models.base import Recognizer, TranscribeOptions, Transcript

if TYPE_CHECKING:
    import numpy as np

READERS = 2  # threads that decode; the model has the cores
BATCHES_AHEAD = 3
BATCH_SECONDS = 60.0  # audio in one batch at most, unless one utterance alone is longer
WINDOW = 1024  # rows that are put in order of duration together,
WINDOW_BYTES = 64 * 2**20  # fewer where the rows hold the audio itself

Audio = str | bytes


def transcribe(
    rows: Iterable[tuple[int, Audio, float]],
    recognizer: Recognizer,
    options: TranscribeOptions,
    read: Callable[[Audio], np.ndarray],
) -> Iterator[tuple[int, Transcript | Exception]]:
    """`(row, audio, seconds)` → `(row, transcript)`, or the error that reading the row raised; not in the rows' order.

    An audio reference that stands in several rows of a window is read and recognized once.
    """
    stream = iter(rows)
    with ThreadPoolExecutor(READERS, thread_name_prefix="decode") as pool:
        try:
            for batch, waveforms in _read_ahead(_batches(stream, options.batch_size), pool, read):
                yield from _transcribe_batch(batch, waveforms, recognizer, options)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


Batch = list[tuple[list[int], Audio]]  # the rows of each audio


def _batches(stream: Iterator[tuple[int, Audio, float]], batch_size: int) -> Iterator[Batch]:
    """Windows of the stream in order of duration, longest first, cut by the number of utterances and by audio seconds."""
    while window := list(_window(stream)):
        rows_of: dict[Audio, list[int]] = {}
        seconds_of: dict[Audio, float] = {}
        for row, audio, seconds in window:
            rows_of.setdefault(audio, []).append(row)
            seconds_of[audio] = seconds
        batch: Batch = []
        filled = 0.0
        for audio in sorted(rows_of, key=lambda audio: (-seconds_of[audio], rows_of[audio][0])):
            if batch and (len(batch) == batch_size or filled + seconds_of[audio] > BATCH_SECONDS):
                yield batch
                batch, filled = [], 0.0
            batch.append((rows_of[audio], audio))
            filled += seconds_of[audio]
        yield batch


def _window(stream: Iterator[tuple[int, Audio, float]]) -> Iterator[tuple[int, Audio, float]]:
    held = 0
    for row in islice(stream, WINDOW):
        yield row
        held += len(row[1])
        if held > WINDOW_BYTES:
            return


def _read_ahead(
    batches: Iterator[Batch], pool: ThreadPoolExecutor, read: Callable[[Audio], np.ndarray]
) -> Iterator[tuple[Batch, list[np.ndarray | Exception]]]:
    waiting: deque[tuple[Batch, list[Future[np.ndarray]]]] = deque()
    while True:
        for batch in islice(batches, BATCHES_AHEAD - len(waiting)):
            waiting.append((batch, [pool.submit(read, audio) for _, audio in batch]))
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


def _transcribe_batch(
    batch: Batch,
    waveforms: Sequence[np.ndarray | Exception],
    recognizer: Recognizer,
    options: TranscribeOptions,
) -> Iterator[tuple[int, Transcript | Exception]]:
    heard = [waveform for waveform in waveforms if not isinstance(waveform, Exception)]
    transcripts = iter(recognizer.transcribe(heard, options)) if heard else iter(())
    for (rows, _), waveform in zip(batch, waveforms):
        outcome = waveform if isinstance(waveform, Exception) else next(transcripts)
        for row in rows:
            yield row, outcome
