"""The local executor gives every row its answer, whatever batches the rows fall into."""

from __future__ import annotations

import threading

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
    assert sorted(row for row, _ in found) == list(range(1, len(rows) + 1))
    for row, answer in found:
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
