"""How files are is asked by other processes, in the same words as by this one, and by this one where they end."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from thanosql.models.audio import file_states as module
from thanosql.models.audio.access import AudioAccess
from thanosql.models.audio.file_states import FileStates, file_states
from thanosql.models.audio.origins import AudioOrigins


@pytest.fixture
def origins(tmp_path: Path) -> AudioOrigins:
    for name in ("a.wav", "b c.wav", "é.wav", "line\nend.wav", "한국어.wav", "?"):
        (tmp_path / name).write_bytes(name.encode())
    return AudioOrigins(AudioAccess(roots=(tmp_path,)))


def references(folder: Path) -> list[str | None]:
    there = [str(folder / name) for name in ("a.wav", "b c.wav", "line\nend.wav", "한국어.wav", "?")]
    nearly = ["a.wav", f"file://{folder}/a.wav", str(folder / "e\u0301.wav"), "A.wav"]
    none = [str(folder), "nowhere.wav", "", "?", "https://localhost:1/a.wav", "data:audio/wav;base64,AAAA"]
    return [*there, None, *nearly, *none, None]


def test_other_processes_say_what_this_one_would(origins: AudioOrigins, tmp_path: Path) -> None:
    asked = references(tmp_path)
    expected = list(origins.states(asked))
    assert None in expected
    assert "" in expected
    states = FileStates(origins, 2)
    try:
        assert states.askers == 2
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(states.of, [asked] * 40)) == [expected] * 40
        assert states.of([]) == []
        assert states.of([None, None]) == ["", ""]
        assert states.of(["nowhere.wav"]) == [None]
        (tmp_path / "a.wav").write_bytes(b"another")
        assert states.of(asked) == list(origins.states(asked)) != expected
    finally:
        states.close()


def test_a_process_that_is_ended_from_outside_costs_no_answer(origins: AudioOrigins, tmp_path: Path) -> None:
    asked = references(tmp_path)
    states = FileStates(origins, 1)
    try:
        assert states.of(asked) == list(origins.states(asked))
        states._started[0]._process.kill()
        for _ in range(2):
            assert states.of(asked) == list(origins.states(asked))
    finally:
        states.close()


def test_processes_are_started_for_many_references_alone_and_end_with_the_block(
    origins: AudioOrigins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)), raising=False)
    monkeypatch.setattr(module, "WORTH", 10)
    with file_states(origins, 9) as few:
        assert few._started == []
    with file_states(origins, 10) as many:
        assert len(many._started) == 2
    assert [process._process.returncode is None for process in many._started] == [False, False]


def test_where_no_process_can_be_started_this_one_asks(
    origins: AudioOrigins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "no_python"))
    states = FileStates(origins, 2)
    assert states.of(references(tmp_path)) == list(origins.states(references(tmp_path)))
    states.close()


def test_it_ends_when_its_requests_do(origins: AudioOrigins) -> None:
    """As when the process that asks is killed."""
    states = FileStates(origins, 1)
    process = states._started[0]._process
    assert process.stdin is not None
    process.stdin.close()
    for _ in range(600):
        if process.poll() is not None:
            break
        time.sleep(0.1)
    assert process.returncode == 0
    states.close()
