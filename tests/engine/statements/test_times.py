"""What is said of time: loading apart from transcribing, and estimates by what such statements took on this machine."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import soundfile as sf

from thanosql.engine.prediction import transcription
from thanosql.engine.rows import speeds
from thanosql.engine.session import Session

PREDICT = "PREDICT USING Wav2Vec2Tiny AS SELECT * FROM librispeech_test LIMIT 12"
BUILD = "BUILD MODEL {} USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS SELECT * FROM librispeech_test LIMIT 12"


def time_of(session: Session, statement: str) -> str:
    frame = session.execute(f"EXPLAIN {statement}")
    return str(frame.set_index("item").value["time"])


def test_what_loading_took_is_said_apart(numbers: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcription, "LOADING", 1e-9)
    assert numbers.loaded.loading_seconds == 0
    said = numbers.run(PREDICT).note
    assert "× real time); loading the model took" in said
    loaded = numbers.loaded.loading_seconds
    assert loaded > 0
    before = transcription.summary(1, 10.0, transcription.Spent(2.0, loading=30.0))
    assert before.startswith("1 row, 10.0 s of audio in 2.0 s (5.0 × real time)")


@pytest.mark.parametrize("statement", [PREDICT, BUILD, PREDICT.replace("PREDICT", "EVALUATE")])
def test_an_estimate_is_by_what_such_a_statement_took(numbers: Session, statement: str) -> None:
    assert "measured just now" in time_of(numbers, statement.format("timed"))
    numbers.execute(statement.format("timed"))
    assert "as such statements took here" in time_of(numbers, statement.format("again"))
    path = numbers.settings.home / speeds.FILE
    (key, (operations, _)), *more = json.loads(path.read_text()).items()
    assert not more
    path.write_text(json.dumps({key: [operations, 90.0]}))
    assert time_of(numbers, statement.format("again")).startswith("about 1.5 min: ")
    for damage in (b"not json", b"\xff", b"[" * 100_000):
        path.write_bytes(damage)
        assert "measured just now" in time_of(numbers, statement.format("again"))
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        assert "measured just now" in time_of(numbers, statement.format("again")), "what is no file is not waited for"


@pytest.mark.parametrize(
    ("known", "another"),
    [
        (PREDICT, PREDICT.replace("AS", "OPTIONS (decoder='beam') AS")),
        (
            PREDICT.replace("AS", "OPTIONS (decoder='beam', beam_width=2) AS"),
            PREDICT.replace("AS", "OPTIONS (decoder='beam', beam_width=2, hotwords=['seven']) AS"),
        ),
        (
            PREDICT.replace("PREDICT", "EVALUATE").replace("AS", "OPTIONS (decoder='beam', beam_width=2) AS"),
            PREDICT.replace("PREDICT", "EVALUATE").replace("AS", "OPTIONS (decoder='beam', beam_width=20) AS"),
        ),
        (BUILD.format("timed"), BUILD.format("other").replace("max_epochs=1", "max_epochs=1, augment=False")),
        (
            BUILD.format("timed"),
            BUILD.format("other").replace("max_epochs=1", "max_epochs=1, freeze_feature_encoder=False"),
        ),
    ],
)
def test_a_speed_is_of_statements_that_do_the_same_work(numbers: Session, known: str, another: str) -> None:
    numbers.execute(known)
    assert "as such statements took here" in time_of(numbers, known.replace("timed", "again"))
    assert "measured just now" in time_of(numbers, another)


def test_an_estimate_of_long_recordings_says_that_their_silence_takes_less(numbers: Session) -> None:
    sf.write(numbers.settings.workspace / "long.wav", np.zeros(40 * 16_000, np.float32), 16_000)
    query = "AS SELECT 'long.wav' AS audio_path, 'one' AS text"
    for statement in ("PREDICT", "EVALUATE", "ALIGN"):
        assert "long silence takes less" in time_of(numbers, f"{statement} USING Wav2Vec2Tiny {query}")
    # A training hears all of it, and utterances have next to none.
    assert "silence" not in time_of(numbers, f"BUILD MODEL m USING Wav2Vec2Tiny {query}")
    assert "silence" not in time_of(numbers, PREDICT)


def test_what_a_cache_gave_is_no_speed(numbers: Session) -> None:
    def stop(step: object) -> None:
        if getattr(step, "what", "") == "transcribing" and getattr(step, "done", 0) > 8:
            raise KeyboardInterrupt

    slow = PREDICT.replace("AS SELECT", "OPTIONS (batch_size=2, save_seconds=1) AS SELECT")
    with pytest.raises(KeyboardInterrupt):
        numbers.run(slow, progress=stop)
    assert "resumed from the cache" in numbers.run(slow).note
    assert not (numbers.settings.home / speeds.FILE).exists()
