"""A query with statements in it sees the database at one moment, whatever others do to it while a model computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.databases import Peer
from tests.models.recordings import wav
from thanosql.engine.executors.base import EXECUTORS
from thanosql.engine.session import Session
from thanosql.models.cancellation import Cancellation
from thanosql.models.options import TrainOptions, TranscribeOptions
from thanosql.models.results import Transcript
from thanosql.models.tasks import AudioRow, Outcome, TranscribeTask

PREDICT = "PREDICT USING Wav2Vec2Tiny AS SELECT n, audio_path FROM calls"


def meanwhile() -> None:
    """What another session does while the model computes; a test puts its own here."""


class Disturbed:
    """An executor during whose work another session has its way; every row is heard as 'one'."""

    def __init__(self, name: str, models: object) -> None:
        pass

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        for batch in batches:
            meanwhile()
            yield tuple(Outcome(row.row, Transcript("one", 1.0), row.seconds) for row in batch)

    def train(self, *_: Any) -> Any:
        raise NotImplementedError

    def workers(self, how: TrainOptions | TranscribeOptions) -> None:
        return None

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def calls(session: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """Four rows of one recording, in a table that another session can reach."""
    monkeypatch.setitem(EXECUTORS, "disturbed", f"{__name__}:Disturbed")
    folder = session.settings.workspace
    folder.mkdir(parents=True)
    (folder / "one.wav").write_bytes(wav(np.zeros((800, 1)), 8000, 16))
    session.settings = session.settings.__class__(**{**vars(session.settings), "executor": "disturbed"})
    peer("CREATE TABLE calls (n int PRIMARY KEY, audio_path text, heard text)")
    peer("INSERT INTO calls SELECT n, 'one.wav' FROM generate_series(1, 4) n")
    yield session
    session.close()
    peer("DROP TABLE calls")


def others(monkeypatch: pytest.MonkeyPatch, peer: Peer, sql: str) -> None:
    """What another session does while the model computes."""
    monkeypatch.setitem(globals(), "meanwhile", lambda: peer(sql))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"SELECT count(*) FROM calls JOIN ({PREDICT}) p USING (n)", 4),
        (f"SELECT count(*) FROM ({PREDICT}) p JOIN ({PREDICT}) q USING (n)", 4),
        (f"WITH w AS (SELECT * FROM calls) SELECT count(*) FROM w JOIN ({PREDICT}) p USING (n)", 4),
        (f"SELECT count(*) FROM (PREDICT USING Wav2Vec2Tiny AS SELECT calls.* FROM calls, ({PREDICT}) p) q", 16),
        (f"(SELECT count(*) FROM calls, ({PREDICT}) p WHERE 'delete update' <> heard OR heard IS NULL)", 16),
    ],
)
@pytest.mark.parametrize("at_once", [None, 0])
def test_rows_deleted_meanwhile_are_there(
    calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch, sql: str, expected: int, at_once: int | None
) -> None:
    others(monkeypatch, peer, "DELETE FROM calls WHERE n > 1")
    result = calls.run(sql, at_once=at_once)
    assert int(result.rows.iloc[0, 0]) == expected
    assert result.note == ""
    assert not calls.database.in_transaction
    assert peer("SELECT count(*) FROM calls") == [(1,)]


def test_a_table_made_of_such_a_query_has_them(calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    others(monkeypatch, peer, "DELETE FROM calls WHERE n > 1")
    calls.execute(f"CREATE TABLE joined AS SELECT calls.n, predict_result FROM calls JOIN ({PREDICT}) p USING (n)")
    assert peer("SELECT count(*) FROM joined") == [(4,)]
    peer("DROP TABLE joined")


@pytest.mark.parametrize(
    ("sql", "heard"),
    [
        (f"UPDATE calls SET heard = heard || predict_result FROM ({PREDICT}) p WHERE p.n = calls.n", "late one"),
        (f"WITH p AS (SELECT * FROM ({PREDICT}) p), u AS (UPDATE calls SET heard = heard || predict_result FROM p "
         "WHERE p.n = calls.n RETURNING 1) SELECT count(*) FROM u", "late one"),
        (f"INSERT INTO calls SELECT n, audio_path, predict_result FROM ({PREDICT}) p ON CONFLICT (n) DO UPDATE SET "
         "heard = calls.heard || excluded.heard", "late one"),
    ],
)  # fmt: skip
def test_what_changes_rows_sees_what_others_made_of_them(
    calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch, sql: str, heard: str
) -> None:
    others(monkeypatch, peer, "UPDATE calls SET heard = 'late '")
    calls.execute(sql)
    assert peer("SELECT DISTINCT heard FROM calls") == [(heard,)]


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_transaction_of_the_users_is_what_it_is_and_says_so(
    calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    others(monkeypatch, peer, "DELETE FROM calls WHERE n > 1")
    calls.execute(f"BEGIN ISOLATION LEVEL {level}")
    result = calls.run(f"SELECT count(*) FROM calls JOIN ({PREDICT}) p USING (n)")
    committed = level == "READ COMMITTED"
    assert int(result.rows.iloc[0, 0]) == (1 if committed else 4)
    assert ("READ COMMITTED" in result.note) is committed
    assert calls.database.in_transaction
    calls.execute("ROLLBACK")


@pytest.mark.parametrize("failing", ["1 / count(*)", "no_such_column"])
def test_nothing_stays_open_when_it_fails(calls: Session, peer: Peer, failing: str) -> None:
    with pytest.raises(Exception, match=r"division by zero|no_such_column"):
        calls.execute(f"SELECT {failing} FROM ({PREDICT}) p WHERE n > 4")
    assert not calls.database.in_transaction
    open_ones = "state LIKE 'idle in transaction%' AND datname = current_database()"
    assert peer(f"SELECT count(*) FROM pg_stat_activity WHERE {open_ones}") == [(0,)]


def test_a_session_that_the_server_ends_meanwhile_is_said(
    calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = calls.execute("SELECT pg_backend_pid()").iloc[0, 0]
    others(monkeypatch, peer, f"SELECT pg_terminate_backend({mine}, 5000)")
    with pytest.raises(Exception, match="connection"):
        calls.execute(f"SELECT count(*) FROM calls JOIN ({PREDICT}) p USING (n)")
    monkeypatch.setitem(globals(), "meanwhile", lambda: None)
    assert calls.execute(f"SELECT count(*) FROM ({PREDICT}) p").iloc[0, 0] == 4


def test_timeouts_of_the_server_do_not_end_it(calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.execute("SET idle_in_transaction_session_timeout = 500")
    others(monkeypatch, peer, "SELECT pg_sleep(1)")
    assert calls.execute(f"SELECT count(*) FROM calls JOIN ({PREDICT}) p USING (n)").iloc[0, 0] == 4
    assert calls.execute("SHOW idle_in_transaction_session_timeout").iloc[0, 0] == "500ms"


NESTED = f"PREDICT USING Wav2Vec2Tiny AS SELECT calls.* FROM calls, ({PREDICT}) p"


@pytest.mark.parametrize("table", ["", "OPTIONS (table_name='late_table')"])
def test_a_statement_over_a_statement_has_one_moment(
    calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    others(monkeypatch, peer, "DELETE FROM calls WHERE n > 1")
    assert len(calls.execute(NESTED.replace("AS", f"{table} AS", 1))) == 16
    peer("DROP TABLE IF EXISTS late_table")


def test_a_file_written_of_such_a_query_has_one_moment(
    calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others(monkeypatch, peer, "DELETE FROM calls WHERE n > 1")
    calls.execute(f"COPY (SELECT calls.n FROM calls JOIN ({PREDICT}) p USING (n)) TO '{tmp_path}/x.csv'")
    assert (tmp_path / "x.csv").read_text().split() == ["n", "1", "2", "3", "4"]


@pytest.mark.parametrize("level", ["serializable", "repeatable read", "read committed", "read uncommitted"])
def test_the_level_that_the_session_prefers_changes_nothing(
    calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    calls.execute(f"SET default_transaction_isolation = '{level}'")
    others(monkeypatch, peer, "DELETE FROM calls WHERE n > 1")
    result = calls.run(f"SELECT count(*) FROM calls JOIN ({PREDICT}) p USING (n)")
    assert (result.rows.iloc[0, 0], result.note) == (4, "")
    assert calls.execute("SHOW transaction_isolation").iloc[0, 0] == level


@pytest.mark.parametrize("sql", [NESTED, f"SELECT * FROM ({NESTED}) q"])
@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_statement_over_a_statement_in_a_transaction_says_when_it_has_two(
    calls: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch, sql: str, level: str
) -> None:
    others(monkeypatch, peer, "DELETE FROM calls WHERE n > 1")
    calls.execute(f"BEGIN ISOLATION LEVEL {level}")
    result = calls.run(sql)
    committed = level == "READ COMMITTED"
    assert len(result.rows) == (4 if committed else 16)
    assert ("READ COMMITTED" in result.note) is committed
    calls.execute("ROLLBACK")
