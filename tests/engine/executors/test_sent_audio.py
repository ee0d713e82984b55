"""What the workers of a cluster get of audio that only the driver's machine has; no cluster is needed to see it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from thanosql import ThanoSQLDataError
from thanosql.engine.executors import ray
from thanosql.engine.executors.ray_worker import WorkerFacts, paths_of
from thanosql.models import audio
from thanosql.models.audio import AudioPart
from thanosql.models.audio.access import AudioAccess
from thanosql.models.tasks import AudioRow
from thanosql.version import __version__

RATE = 8_000


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """Two seconds of stereo noise."""
    samples = np.random.default_rng(5).uniform(-0.5, 0.5, (2 * RATE, 2)).astype("f4")
    soundfile.write(tmp_path / "call.wav", samples, RATE, subtype="FLOAT")
    return tmp_path / "call.wav"


def driver(call: Path) -> ray.Driver:
    made = ray.Driver(None)
    made.take_up(AudioAccess(roots=(call.parent,)), ("call.wav",), ())
    return made


def worker(*sizes: int | None) -> WorkerFacts:
    return WorkerFacts(__version__, "node", (), sizes)


PARTS = [AudioPart("call.wav", 0.5, 1.5, channel=2), AudioPart("call.wav", channel=1), AudioPart("call.wav", 1.25)]


@pytest.mark.parametrize("part", PARTS)
def test_a_worker_that_sees_no_file_gets_the_part_s_samples(call: Path, part: AudioPart) -> None:
    (sent,) = driver(call).sent((AudioRow(1, part, 1.0),), worker(None))
    assert isinstance(sent.audio, bytes)
    assert np.array_equal(audio.read(sent.audio), audio.read(part, [call.parent]))


def test_a_worker_that_sees_the_files_gets_the_rows_as_they_are(call: Path) -> None:
    rows = tuple(AudioRow(number, part, 1.0) for number, part in enumerate(PARTS, start=1))
    assert driver(call).sent(rows, worker(call.stat().st_size)) is rows
    assert pickle.loads(pickle.dumps(rows)) == rows


def test_a_part_that_is_not_there_is_left_for_the_worker_to_say(call: Path) -> None:
    row = AudioRow(1, AudioPart("nowhere.wav", 0.5, 1.5), 1.0)
    assert driver(call).sent((row,), worker(None)) == (row,)


def test_a_part_that_is_too_large_to_send_is_named(call: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "SENT_BYTES", 1_000)
    with pytest.raises(
        ThanoSQLDataError, match=r"Only this machine has call\.wav, 0\.5 s to 1\.5 s, channel 2, and it"
    ):
        driver(call).sent((AudioRow(1, PARTS[0], 1.0),), worker(None))


def test_the_files_of_parts_tell_whether_a_worker_sees_the_audio() -> None:
    assert paths_of([AudioPart("a.wav", 1.0), "b.wav", b"RIFF", AudioPart(b"RIFF", 1.0), "https://x/c.wav"]) == (
        "a.wav",
        "b.wav",
    )
