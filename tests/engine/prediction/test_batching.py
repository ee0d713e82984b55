"""Every row gets its outcome once, whatever batches the rows fall into and whatever the cache has already."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanosql.engine.executors import local
from thanosql.engine.executors.base import Workers
from thanosql.engine.executors.local import LocalExecutor
from thanosql.engine.prediction import batching
from thanosql.engine.prediction.batching import Key, recognize
from thanosql.models.audio import AudioError, DecodedAudio
from thanosql.models.audio.access import AudioAccess
from thanosql.models.cancellation import Cancellation, Cancelled
from thanosql.models.options import TranscribeOptions
from thanosql.models.tasks import BATCH_SECONDS, AudioRow, Failure, Outcome, Output, TranscribeTask
from thanosql.models.worker import Read, Worker

RATE = 16_000


def task(batch_size: int = 16) -> TranscribeTask:
    return TranscribeTask(
        output=Output.TRANSCRIPT, audio=AudioAccess(roots=()), options=TranscribeOptions(batch_size=batch_size)
    )


class Echo:
    """An executor that says each row's audio and text back; `broken` cannot be read."""

    def __init__(self, workers: int = 1) -> None:
        self.batches: list[tuple[str, ...]] = []
        self._workers = workers

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        for batch in batches:
            if batch:
                self.batches.append(tuple(str(row.audio) for row in batch))
            yield tuple(
                Outcome(row.row, Failure("damaged") if row.audio == "broken" else (row.audio, row.text), row.seconds)
                for row in batch
            )

    def workers(self, how: TranscribeOptions) -> Workers:
        return Workers(self._workers, 1.0, 0.0, f"{self._workers} workers")

    def train(self, *_: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is held."""


ROWS = st.lists(st.tuples(st.sampled_from(["1", "2", "3", "broken"]), st.sampled_from([None, "a", "b"])), max_size=30)


@given(ROWS, st.integers(1, 5))
def test_every_row_gets_its_own_outcome_once(rows: list[tuple[str, str | None]], batch_size: int) -> None:
    numbered = [AudioRow(row, audio, len(audio), text) for row, (audio, text) in enumerate(rows, start=1)]
    found = list(recognize(task(batch_size), numbered, Echo(), Cancellation()))
    assert sorted(outcome.row for outcome in found) == list(range(1, len(rows) + 1))
    for outcome in found:
        audio, text = rows[outcome.row - 1]
        assert outcome.value == (Failure("damaged") if audio == "broken" else (audio, text))


def test_one_audio_in_many_rows_is_recognized_once() -> None:
    echo = Echo()
    rows = [AudioRow(row, "same", 1.0) for row in range(1, 101)]
    assert len(list(recognize(task(), rows, echo, Cancellation()))) == 100
    assert echo.batches == [("same",)]


class Remembering:
    """A cache of a dict's, and what was asked of it."""

    batch_seconds = 2.0

    def __init__(self) -> None:
        self.known: dict[Key, tuple[Any, float]] = {}
        self.expected: list[float] = []

    def recall(self, keys: Sequence[Key]) -> dict[Key, tuple[Any, float]]:
        return {key: self.known[key] for key in keys if key in self.known}

    def expect(self, seconds: float) -> None:
        self.expected.append(seconds)

    def keep(self, key: Key, value: Any, seconds: float) -> None:
        self.known[key] = value, seconds


def test_with_a_cache_an_audio_is_recognized_once_however_far_apart_its_rows_are() -> None:
    echo = Echo()
    rows = 5 * batching.WINDOW
    stream = (AudioRow(row, str(row % 7), 0.1) for row in range(rows))
    found = {outcome.row: outcome.value for outcome in recognize(task(2), stream, echo, Cancellation(), Remembering())}
    assert sorted(audio for batch in echo.batches for audio in batch) == [str(number) for number in range(7)]
    assert found == {row: (str(row % 7), None) for row in range(rows)}


def test_what_is_recalled_does_not_pile_up() -> None:
    cache = Remembering()
    cache.known[("known", None)] = ("known", None), 1.0
    drawn = 0

    def rows() -> Iterator[AudioRow]:
        nonlocal drawn
        for row in range(20 * batching.WINDOW):
            drawn += 1
            yield AudioRow(row, "known", 1.0)

    found = recognize(task(), rows(), Echo(), Cancellation(), cache)
    next(found)
    assert drawn <= (local.BATCHES_AHEAD + 1) * batching.WINDOW


def test_batches_hold_at_most_their_number_and_their_seconds() -> None:
    echo = Echo()
    list(recognize(task(), [AudioRow(row, str(row), 1.0) for row in range(40)], echo, Cancellation()))
    assert [len(batch) for batch in echo.batches] == [16, 16, 8]
    echo.batches.clear()
    list(recognize(task(), [AudioRow(row, str(row), BATCH_SECONDS) for row in range(3)], echo, Cancellation()))
    assert [len(batch) for batch in echo.batches] == [1, 1, 1]


def test_a_row_under_way_is_nothing_but_itself_to_the_collection_of_garbage() -> None:
    """With a list for each, the collections took most of the time in which ten million rows are planned."""
    rows = [AudioRow(row, str(row), 1.0) for row in range(batching.WINDOW)]

    class Counting(Echo):
        def transcribe(
            self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
        ) -> Iterator[tuple[Outcome, ...]]:
            gc.collect()
            before = len(gc.get_objects())
            under_way = list(batches)
            gc.collect()
            self.tracked = len(gc.get_objects()) - before
            yield from super().transcribe(task, under_way, cancellation)

    counting = Counting()
    assert len(list(recognize(task(), rows, counting, Cancellation()))) == batching.WINDOW
    assert counting.tracked < batching.WINDOW / 8  # a batch of 16 each, and what holds them


def seconds_of_batches(workers: int, rows: int, seconds: float, repeated: int = 1) -> list[float]:
    """Of `rows` recordings of so many seconds, each in `repeated` rows, for so many workers."""
    echo = Echo(workers)
    stream = [AudioRow(repeated * row + n, str(row), seconds) for row in range(rows) for n in range(repeated)]
    total = seconds * len(stream)
    assert len(list(recognize(task(), stream, echo, Cancellation(), total_seconds=total))) == len(stream)
    return [seconds * len(batch) for batch in echo.batches]


SEVERAL = pytest.mark.parametrize(
    ("workers", "rows", "seconds"), [(2, 100, 0.5), (10, 3000, 0.5), (7, 500, 2.0), (4, 60, 30.0)]
)


@SEVERAL
def test_the_last_batches_for_several_workers_are_shares_of_what_is_left(
    workers: int, rows: int, seconds: float
) -> None:
    left = seconds * rows
    for batch in seconds_of_batches(workers, rows, seconds):
        assert batch <= max(seconds, batching.SMALLEST_SECONDS, left / (batching.SHARES * workers))
        left -= batch


@SEVERAL
def test_the_last_batch_is_small_though_many_rows_name_one_recording(workers: int, rows: int, seconds: float) -> None:
    batches = seconds_of_batches(workers, rows, seconds, repeated=3)
    assert batches[-1] <= max(seconds, batching.SMALLEST_SECONDS) < 0.2 * seconds * rows / workers


def test_one_worker_or_unknown_durations_have_batches_as_large_as_may_be() -> None:
    assert seconds_of_batches(1, 40, 1.0) == [16, 16, 8]
    echo = Echo(workers=5)
    list(recognize(task(), [AudioRow(row, str(row), 1.0) for row in range(40)], echo, Cancellation()))
    assert [len(batch) for batch in echo.batches] == [16, 16, 8]


class Silent(Worker):
    """A worker whose audio is a second of its name's number, and whose model says the number; `broken` cannot be read."""

    def read(self, rows: Sequence[AudioRow]) -> list[Read]:
        return [(row, self._one(row)) for row in rows]

    def _one(self, row: AudioRow) -> Any:
        if row.audio == "broken":
            return Failure("damaged")
        if row.audio == "defect":
            raise ZeroDivisionError
        return DecodedAudio(np.full(RATE, float(row.audio), np.float32))

    def _recognized(self, rows: Sequence[AudioRow], waveforms: list[Any]) -> Sequence[Any]:
        return [float(waveform[0]) for waveform in waveforms]


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    monkeypatch.setattr(local, "Worker", Silent)
    return LocalExecutor("local", models=None)  # type: ignore[arg-type]


def test_a_batch_that_is_longer_than_was_said_goes_in_parts_that_a_kill_may_cost(executor: LocalExecutor) -> None:
    cache = Remembering()
    stream = (AudioRow(row, str(row), 0.1) for row in range(9))
    found = list(recognize(task(), stream, executor, Cancellation(), cache))
    assert {outcome.row: outcome.value for outcome in found} == {row: float(row) for row in range(9)}
    # From the first part on, as much is expected as may come.
    assert cache.expected[1:] == [2.0] * 5


def test_a_failure_that_is_not_the_rows_own_stops_everything_and_leaves_no_thread(executor: LocalExecutor) -> None:
    before = set(threading.enumerate())  # one of an earlier test may end meanwhile
    with pytest.raises(ZeroDivisionError):
        list(recognize(task(4), [AudioRow(1, "defect", 1.0)], executor, Cancellation()))
    assert set(threading.enumerate()) <= before


def test_stopping_early_leaves_no_thread(executor: LocalExecutor) -> None:
    before = set(threading.enumerate())
    rows = (AudioRow(row, "1", 1.0, str(row)) for row in range(10_000))
    running = recognize(task(4), rows, executor, Cancellation())
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) <= before


def test_a_stop_that_was_asked_for_comes_between_two_batches(executor: LocalExecutor) -> None:
    cancellation = Cancellation()
    running = recognize(task(4), (AudioRow(row, str(row), 1.0) for row in range(100)), executor, cancellation)
    found = [next(running).row for _ in range(4)]
    cancellation.cancel("the session was closed")
    with pytest.raises(Cancelled, match="the session was closed"):
        found.extend(outcome.row for outcome in running)
    assert len(found) == 4


def test_only_an_audio_error_is_a_rows_own() -> None:
    worker = Worker(task())
    row = AudioRow(1, "/nowhere.wav", 1.0)
    assert worker.read([row]) == [(row, Failure("no such file: /nowhere.wav"))]
    with pytest.raises(AudioError):
        worker.task.audio.read("/nowhere.wav")
