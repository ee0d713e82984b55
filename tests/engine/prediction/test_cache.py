"""A PREDICT that is run again does only what is missing, whatever stopped it; and what is kept goes when it is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thanosql
from tests.engine.databases import Peer
from tests.models.recordings import wav
from thanosql import ThanoSQLConnectionError, ThanoSQLDatabaseError, ThanoSQLError, ThanoSQLModelError
from thanosql.engine.language.options import describe
from thanosql.engine.prediction import cache_file, cache_key
from thanosql.engine.prediction.predict_options import PredictOptions
from thanosql.engine.session import Session
from thanosql.models.ctc.decoder import TimedTranscript
from thanosql.models.ctc.timestamps import Timed
from thanosql.models.model import Model
from thanosql.models.options import TranscribeOptions
from thanosql.models.results import Transcript

SECONDS = 2.0
MODEL = Model("m", "/m", "wav2vec2", "m", key="1")


class Counting:
    """A recognizer that says how loud an utterance is, and writes down each that it was given."""

    def __init__(self, log: Path, calls: int | None = None) -> None:
        self.log, self.calls = log, calls

    def transcribe(self, waveforms: list[np.ndarray], options: TranscribeOptions, *rest: Any) -> list[Transcript]:
        said = [f"{float(np.median(waveform)):.3f}" for waveform in waveforms]
        with self.log.open("a") as file:
            file.writelines(f"{text}\n" for text in said)
            file.flush()
        if self.calls is not None:
            self.calls -= 1
            if self.calls == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.calls == -1000:
                raise KeyboardInterrupt
        return [Transcript(text, 1.0) for text in said]


class Loaded:
    loading_seconds = 0.0

    def __init__(self, recognizer: Any) -> None:
        self._recognizer = recognizer

    def recognizer(self, *_: object) -> Any:
        return self._recognizer


PROGRAM = """
import json, sys
from pathlib import Path
import thanosql
from tests.engine.prediction.test_cache import Counting, Loaded
url, home, log, calls, sql = json.loads(sys.argv[1])
with thanosql.connect(url, home=home) as session:
    session.__dict__["loaded"] = Loaded(Counting(Path(log), calls))
    print(session.execute(sql, fetch=False))
"""


def run_apart(url: str, home: Path, log: Path, sql: str, calls: int | None = None) -> subprocess.CompletedProcess[str]:
    """The statement in a process of its own, killed in the middle of the recognizer's call number `calls`."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([url, str(home), str(log), calls, sql])],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "heard.txt"


@pytest.fixture
def calls(session: Session, log: Path) -> Session:
    """60 recordings of two seconds, each of its own loudness, in the table `calls`; a recognizer that is counted."""
    folder = session.settings.workspace
    folder.mkdir(parents=True)
    for number in range(1, 61):
        samples = np.full((int(SECONDS * 8000), 1), number / 100)
        (folder / f"{number}.wav").write_bytes(wav(samples, 8000, 16))
    session.execute(
        "DROP TABLE IF EXISTS calls, heard; CREATE TABLE calls AS SELECT i AS id, i || '.wav' AS audio_path"
        " FROM generate_series(1, 60) i"
    )
    session.__dict__["loaded"] = Loaded(Counting(log))
    return session


def times_heard(log: Path) -> Counter[str]:
    return Counter(log.read_text().split()) if log.exists() else Counter()


WRITE = "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size=4, table_name='heard') AS SELECT * FROM calls"


@pytest.mark.parametrize(("save_seconds", "at"), [(30.0, 9), (8.0, 7), (30.0, 1)])
def test_after_a_kill_only_unsaved_utterances_are_recognized_again(
    calls: Session, database_url: str, log: Path, save_seconds: float, at: int
) -> None:
    sql = WRITE.replace("batch_size=4", f"batch_size=4, save_seconds={save_seconds}")
    home = calls.settings.home
    killed = run_apart(database_url, home, log, sql, calls=at)
    assert killed.returncode == -signal.SIGKILL
    assert sum(times_heard(log).values()) == 4 * at
    (before,) = cache_file.saved_predictions(home) or [None]
    saved = 0 if before is None else before.utterances
    assert (4 * at - saved) * SECONDS <= save_seconds
    assert calls.execute("SELECT to_regclass('heard') IS NULL AS none").none[0]

    done = run_apart(database_url, home, log, sql)
    assert done.stdout.strip() == "PREDICT 60", done.stderr
    counted = times_heard(log)
    assert len(counted) == 60
    assert max(counted.values()) <= 2
    assert sum(times == 2 for times in counted.values()) == 4 * at - saved
    heard = calls.execute("SELECT id, predict_result FROM heard ORDER BY id")
    assert list(heard.predict_result.astype(float).round(2)) == [number / 100 for number in range(1, 61)]
    assert cache_file.saved_predictions(home) == []


def test_one_reference_in_many_rows_is_recognized_once_in_the_whole_statement(calls: Session, log: Path) -> None:
    sql = "PREDICT USING Wav2Vec2Tiny AS SELECT i % 3 + 1 || '.wav' AS audio_path FROM generate_series(1, 5000) i"
    heard = calls.execute(sql)
    assert len(heard) == 5000
    assert heard.groupby("audio_path").predict_result.nunique().max() == 1
    assert sorted(times_heard(log).values()) == [1, 1, 1]


def test_a_target_that_others_wrote_to_is_refused_and_the_predictions_stay(
    calls: Session, database_url: str, log: Path
) -> None:
    calls.execute("CREATE TABLE heard AS SELECT * FROM calls")
    sql = WRITE.replace("FROM calls", "FROM heard")
    with thanosql.connect(database_url, home=calls.settings.home) as other:

        class Meanwhile(Counting):
            def transcribe(
                self, waveforms: list[np.ndarray], options: TranscribeOptions, *rest: Any
            ) -> list[Transcript]:
                other.execute("INSERT INTO heard VALUES (61, '1.wav')")
                return super().transcribe(waveforms, options, *rest)

        calls.__dict__["loaded"] = Loaded(Meanwhile(log))
        with pytest.raises(ThanoSQLDatabaseError, match="Another session wrote to the table"):
            calls.execute(sql)
    listed = calls.execute("LIST PREDICTIONS")
    assert list(listed[["model", "utterances", "seconds"]].itertuples(index=False, name=None)) == [
        ("Wav2Vec2Tiny", 60, 120.0)
    ]
    assert listed.statement[0] == sql
    assert calls.execute("SELECT count(*) AS n FROM heard").n[0] > 60  # what the other wrote is there
    result = calls.run(sql, fetch=False)
    assert "60 predictions resumed from the cache" in result.note
    assert set(times_heard(log).values()) == {1}
    assert calls.execute("LIST PREDICTIONS").empty


def test_an_interruption_loses_nothing_that_was_recognized(calls: Session, log: Path) -> None:
    calls.__dict__["loaded"] = Loaded(Counting(log, calls=-995))
    with pytest.raises(KeyboardInterrupt):
        calls.execute(WRITE)
    assert sum(times_heard(log).values()) == 20
    calls.__dict__["loaded"] = Loaded(Counting(log))
    calls.execute(WRITE)
    assert sum(times == 2 for times in times_heard(log).values()) == 4  # those of the batch that was interrupted


def test_a_lost_connection_loses_nothing_that_was_recognized(
    calls: Session, database_url: str, log: Path, peer: Peer
) -> None:
    class Losing(Counting):
        def transcribe(self, waveforms: list[np.ndarray], options: TranscribeOptions, *rest: Any) -> list[Transcript]:
            if sum(times_heard(self.log).values()) == 20:
                peer(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'thanosql' AND datname = current_database()"
                )
            return super().transcribe(waveforms, options, *rest)

    calls.__dict__["loaded"] = Loaded(Losing(log))
    with pytest.raises(ThanoSQLConnectionError):
        calls.execute(WRITE)
    heard = sum(times_heard(log).values())
    assert heard >= 24
    assert calls.execute("SELECT to_regclass('heard') IS NULL AS none").none[0]
    calls.__dict__["loaded"] = Loaded(Counting(log))
    assert calls.execute(WRITE, fetch=False) == "PREDICT 60"
    assert set(times_heard(log).values()) == {1}


def test_a_nested_predict_is_kept_until_the_whole_statement_is_done(calls: Session, log: Path) -> None:
    nested = "SELECT 1 / (count(*) - :n) AS x FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls) p"
    with pytest.raises(ThanoSQLDatabaseError, match="division by zero"):
        calls.execute(nested, {"n": 60})
    assert calls.execute("SELECT utterances FROM (LIST PREDICTIONS) p").utterances[0] == 60
    calls.execute(nested, {"n": 59})
    assert set(times_heard(log).values()) == {1}
    assert cache_file.saved_predictions(calls.settings.home) == []


def fail(session: Session, options: str = "", query: str = "SELECT * FROM calls") -> None:
    """A PREDICT that is refused after everything was recognized."""
    session.execute("CREATE TABLE IF NOT EXISTS strict (id int CHECK (id < 0))")
    sql = f"PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='strict'{options}) AS {query}"
    with pytest.raises(ThanoSQLDatabaseError, match="constraint"):
        session.execute(sql)


def test_what_matters_is_in_the_key_and_nothing_else(calls: Session, log: Path) -> None:
    fail(calls)
    assert sum(times_heard(log).values()) == 60
    fail(calls, ", batch_size=2, save_seconds=7, result_col='other'", "SELECT id, audio_path AS audio_path FROM calls")
    assert sum(times_heard(log).values()) == 60
    fail(calls, ", window_seconds=20")
    assert sum(times_heard(log).values()) == 120


def test_a_file_that_changed_is_recognized_again(calls: Session, log: Path) -> None:
    fail(calls)
    (calls.settings.workspace / "7.wav").write_bytes(wav(np.full((8000, 1), 0.9), 8000, 16))
    fail(calls)
    assert sum(times_heard(log).values()) == 61


def test_bytes_are_found_again_by_what_they_are(calls: Session, log: Path) -> None:
    calls.execute("DROP TABLE IF EXISTS held; CREATE TABLE held (id int, audio_path bytea)")
    for number in (1, 2, 3):
        content = (calls.settings.workspace / f"{number}.wav").read_bytes()
        calls.execute("INSERT INTO held VALUES (:n, :content)", {"n": number, "content": content})
    twice = "SELECT h.id, h.audio_path FROM held h, generate_series(1, 2) ORDER BY id"
    fail(calls, query=twice)
    fail(calls, query=f"SELECT * FROM ({twice}) q ORDER BY id DESC")
    assert sum(times_heard(log).values()) == 3


def test_predictions_are_dropped_by_a_statement(calls: Session, log: Path) -> None:
    fail(calls)
    with pytest.raises(ThanoSQLModelError, match=r"There are no saved predictions of Wav2Vec2Tny[\s\S]*Wav2Vec2Tiny"):
        calls.execute("DROP PREDICTIONS Wav2Vec2Tny")
    assert calls.execute("DROP PREDICTIONS Wav2Vec2Tiny") == "DROP PREDICTIONS 60"
    assert calls.execute("DROP PREDICTIONS") == "DROP PREDICTIONS 0"
    fail(calls)
    assert set(times_heard(log).values()) == {2}


def test_a_statement_takes_only_its_own_with_it(calls: Session, log: Path) -> None:
    fail(calls)
    calls.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls WHERE id = 1")
    assert sum(times_heard(log).values()) == 60  # the other's prediction did for it
    assert [one.utterances for one in cache_file.saved_predictions(calls.settings.home)] == [60]


def test_nothing_is_kept_where_nothing_is_to_be(calls: Session) -> None:
    fail(calls, ", save_seconds=NULL")
    assert cache_file.saved_predictions(calls.settings.home) == []


def test_a_damaged_file_stops_no_statement_and_is_said(calls: Session) -> None:
    (calls.settings.home / cache_file.FILE).write_bytes(b"no database" * 1000)
    result = calls.run("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls LIMIT 3")
    assert len(result.value) == 3
    assert "the prediction cache cannot be used" in result.note
    with pytest.raises(ThanoSQLError, match=r"cannot be read[\s\S]*DROP PREDICTIONS removes them"):
        calls.execute("LIST PREDICTIONS")
    calls.execute("DROP PREDICTIONS")
    assert calls.execute("LIST PREDICTIONS").empty


OTHERS = {int: 7, float: 7.5, bool: True, str: "other", list: ["other"]}


@pytest.mark.parametrize("kind", [PredictOptions, TranscribeOptions])
def test_every_option_counts_unless_it_is_declared_not_to(kind: type) -> None:
    harmless = {
        # The part is the audio's own, which the key of a prediction has as well.
        *("start_col", "end_col", "channel", "channel_col", "track"),
        *("audio_col", "result_col", "table_name", "words_table", "row_key", "on_error", "allow_remote", "executor"),
        *("save_seconds", "confidence", "batch_size", "device", "mode", "prune", "share_rows"),
        *("segments_table", "min_pause", "segment_seconds"),
    }
    standard = cache_key.cache_key(MODEL, kind())
    in_a_table = cache_key.result_fingerprint("wav2vec2", "content", kind())
    for one in describe(kind):
        value = OTHERS[one.base] if one.default != OTHERS[one.base] else not one.default
        changed = cache_key.cache_key(MODEL, kind(**{one.name: value})) != standard
        assert changed == (one.name not in harmless), one.name
        other = cache_key.result_fingerprint("wav2vec2", "content", kind(**{one.name: value})) != in_a_table
        assert other == changed, one.name


def test_a_hearing_comes_back_as_it_was() -> None:
    heard = TimedTranscript("one two", 0.5, (Timed("one", 0.0, 0.5, 0.75), Timed("two", 0.5, 1.0, 1.0)))
    assert cache_key.unpacked(TimedTranscript, json.loads(json.dumps(cache_key.packed(heard)))) == heard
