"""The local executor gives every row its answer, whatever batches the rows fall into."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanosql.engine.executors import local
from thanosql.engine.executors.local import Utterance
from thanosql.models.audio import AudioError


def read(audio: str | bytes) -> np.ndarray:
    if audio == "broken":
        raise AudioError("damaged")
    return np.full(4, float(audio), np.float32)


def hear(waveforms: list[np.ndarray], references: list[str | None]) -> list[tuple[float, str | None]]:
    return [(float(waveform[0]), reference) for waveform, reference in zip(waveforms, references)]


ROWS = st.lists(st.tuples(st.sampled_from(["1", "2", "3", "broken"]), st.sampled_from([None, "a", "b"])), max_size=30)


@given(ROWS, st.integers(1, 5))
def test_every_row_gets_its_own_answer_once(rows: list[tuple[str, str | None]], batch_size: int) -> None:
    utterances = [Utterance(row, audio, len(audio), text) for row, (audio, text) in enumerate(rows, start=1)]
    found = list(local.recognize(utterances, hear, read, batch_size))
    assert sorted(done.row for done in found) == list(range(1, len(rows) + 1))
    for row, answer, _ in found:
        audio, text = rows[row - 1]
        if audio == "broken":
            assert isinstance(answer, AudioError)
        else:
            assert answer == (float(audio), text)


def test_one_audio_in_many_rows_is_read_and_recognized_once() -> None:
    heard: list[int] = []
    reads: list[str | bytes] = []

    def count(waveforms: list[np.ndarray], references: list[str | None]) -> list[int]:
        heard.append(len(waveforms))
        return [0] * len(waveforms)

    def noted(audio: str | bytes) -> np.ndarray:
        reads.append(audio)
        return np.zeros(1, np.float32)

    utterances = [Utterance(row, "same", 1.0) for row in range(1, 101)]
    assert len(list(local.recognize(utterances, count, noted, 16))) == 100
    assert (heard, reads) == ([1], ["same"])


class Remembering:
    """A memory of a dict's, and what was asked of it."""

    batch_seconds = 2.0

    def __init__(self) -> None:
        self.known: dict[local.Key, tuple[int, float]] = {}
        self.expected: list[float] = []

    def recall(self, keys: Sequence[local.Key]) -> dict[local.Key, tuple[int, float]]:
        return {key: self.known[key] for key in keys if key in self.known}

    def expect(self, seconds: float) -> None:
        self.expected.append(seconds)

    def keep(self, key: local.Key, outcome: int, seconds: float) -> None:
        self.known[key] = outcome, seconds


def test_with_a_memory_an_audio_is_recognized_once_however_far_apart_its_rows_are() -> None:
    heard: list[float] = []

    def note(waveforms: list[np.ndarray], references: list[str | None]) -> list[int]:
        heard.extend(float(waveform[0]) for waveform in waveforms)
        return [int(waveform[0]) for waveform in waveforms]

    rows = 5 * local.WINDOW
    stream = (Utterance(row, str(row % 7), 0.1) for row in range(rows))
    found = {done.row: done.outcome for done in local.recognize(stream, note, read, 2, memory=Remembering())}
    assert sorted(heard) == list(range(7))
    assert found == {row: row % 7 for row in range(rows)}


def test_a_batch_holds_no_more_audio_than_may_be_lost() -> None:
    memory = Remembering()
    stream = (Utterance(row, str(row), 0.1) for row in range(9))

    def second(audio: str | bytes) -> np.ndarray:
        return np.full(16_000, float(audio), np.float32)  # longer than was said of it

    list(local.recognize(stream, lambda waveforms, _: [0] * len(waveforms), second, 16, memory=memory))
    assert memory.expected == [2.0, 2.0, 2.0, 2.0, 1.0]


def test_batches_hold_at_most_their_number_and_their_seconds() -> None:
    sizes: list[float] = []

    def note(waveforms: list[np.ndarray], references: list[str | None]) -> list[int]:
        sizes.append(len(waveforms))
        return [0] * len(waveforms)

    short = [Utterance(row, str(row), 1.0) for row in range(40)]
    list(local.recognize(short, note, read, 16))
    assert sizes == [16, 16, 8]
    sizes.clear()
    long = [Utterance(row, str(row), local.BATCH_SECONDS) for row in range(3)]
    list(local.recognize(long, note, read, 16))
    assert sizes == [1, 1, 1]


def test_a_failure_that_is_not_the_rows_own_stops_everything_and_leaves_no_thread() -> None:
    def defect(audio: str | bytes) -> np.ndarray:
        raise ZeroDivisionError

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(local.recognize([Utterance(1, "1", 1.0)], hear, defect, 4))
    assert threading.active_count() == before


def test_stopping_early_leaves_no_thread() -> None:
    before = threading.active_count()
    running = local.recognize((Utterance(row, "1", 1.0, str(row)) for row in range(10_000)), hear, read, 4)
    next(running)
    running.close()
    assert threading.active_count() == before
