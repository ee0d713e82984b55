"""Rows that stay in the database until they are used: the first of them, their number, and that nothing is lost."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable

import pandas as pd
import pytest

from tests.engine.databases import Peer, said
from thanosql.engine.dispatcher import Result
from thanosql.engine.postgres.database import Column, Database
from thanosql.engine.postgres.server_cursor import ServerCursor, server_cursor_of
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLDatabaseError

MANY = "SELECT i, 'row ' || i AS said, CASE WHEN i % 2 = 0 THEN i / 4.0 END AS n FROM generate_series(1, 3000) i"


def frame(database: Database, sql: str, at_once: int = 1000) -> pd.DataFrame:
    found = database.run(said(sql), at_once)
    assert isinstance(found, pd.DataFrame)
    return found


def held(value: pd.DataFrame) -> ServerCursor:
    found = server_cursor_of(value)
    assert found is not None
    return found


def cursors(database: Database) -> int:
    return int(frame(database, "SELECT count(*) AS n FROM pg_cursors WHERE name LIKE 'thanosql%'").n[0])


def test_many_rows_stay_until_they_are_used_and_few_come_at_once(database: Database) -> None:
    many = frame(database, MANY)
    assert held(many).count == 3000
    assert held(many).names == ["i", "said", "n"]
    head = held(many).head(3)
    assert head.said.tolist() == ["row 1", "row 2", "row 3"]
    assert server_cursor_of(many) is not None
    assert len(many) == 3000
    assert server_cursor_of(many) is None
    assert server_cursor_of(frame(database, MANY + " LIMIT 1000")) is None


USES: list[Callable[[pd.DataFrame], object]] = [
    lambda one: one.shape,
    lambda one: one.columns.tolist(),
    lambda one: one["i"].sum(),
    lambda one: one.i.sum(),
    lambda one: list(one.itertuples(index=False))[-1],
    lambda one: pd.concat([one, one]).shape,
    lambda one: one.merge(one, on="i").shape,
    lambda one: pd.DataFrame(one).shape,
    lambda one: one.copy().describe().to_dict(),
    lambda one: one.assign(more=1).dtypes.tolist(),
    lambda one: one[one.i > 2990].to_csv(),
    lambda one: repr(one),
    lambda one: pickle.loads(pickle.dumps(one)).tail(1).said.tolist(),
    lambda one: (one.__setitem__("more", 1), one.more.sum())[1],
    lambda one: (setattr(one, "said", "same"), one.said.nunique())[1],
]


@pytest.mark.parametrize("use", USES)
def test_a_held_frame_is_a_frame_in_every_way(database: Database, use: Callable[[pd.DataFrame], object]) -> None:
    many = frame(database, MANY)
    assert isinstance(many, pd.DataFrame)
    held(many)
    assert repr(use(many)) == repr(use(database.run(said(MANY))))  # type: ignore[arg-type]


def test_what_is_made_of_a_held_frame_is_a_plain_one(database: Database) -> None:
    assert type(frame(database, MANY).head()) is pd.DataFrame
    assert type(pickle.loads(pickle.dumps(frame(database, MANY)))) is pd.DataFrame


def test_the_query_runs_once_and_its_result_does_not_change(database: Database, peer: Peer) -> None:
    peer("DROP TABLE IF EXISTS counted; DROP SEQUENCE IF EXISTS turns")
    peer("CREATE TABLE counted AS SELECT generate_series(1, 3000) i; ANALYZE counted; CREATE SEQUENCE turns")
    many = frame(database, "SELECT nextval('turns') AS turn, i FROM counted ORDER BY i DESC")
    held(many).head(10)
    peer("DELETE FROM counted")
    assert peer("SELECT last_value FROM turns") == [(3000,)]
    assert many.turn.tolist() == list(range(1, 3001))
    assert many.i.tolist() == list(range(3000, 0, -1))
    assert peer("SELECT last_value FROM turns") == [(3000,)]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("INSERT INTO noted SELECT generate_series(1, 3000) RETURNING i", 3000),
        ("WITH new AS (INSERT INTO noted SELECT generate_series(1, 3000) RETURNING i) SELECT * FROM new", 3000),
        ("SELECT * FROM many FOR UPDATE", 3000),
        ("SELECT 1 AS a, 2 AS a FROM many", 3000),
        ("/* said */ WITH one AS (SELECT * FROM many) SELECT * FROM one -- done", 3000),
        ("(SELECT * FROM many) UNION ALL TABLE many", 6000),
        ("TABLE many", 3000),
    ],
)
def test_whatever_has_rows_still_runs_and_once(database: Database, peer: Peer, sql: str, rows: int) -> None:
    peer("DROP TABLE IF EXISTS many, noted; CREATE TABLE many AS SELECT generate_series(1, 3000) i; ANALYZE many")
    peer("CREATE TABLE noted (i int)")
    assert len(frame(database, sql)) == rows
    assert peer("SELECT count(*) FROM noted") == [(3000 if "noted" in sql else 0,)]


def test_select_into_makes_its_table(database: Database, peer: Peer) -> None:
    peer("DROP TABLE IF EXISTS many, made; CREATE TABLE many AS SELECT generate_series(1, 3000) i; ANALYZE many")
    assert database.run(said("SELECT * INTO made FROM many"), 1000) == "SELECT 3000"
    assert peer("SELECT count(*) FROM made") == [(3000,)]


def test_errors_are_those_of_the_query_as_written(database: Database) -> None:
    for sql, words in (
        ("SELECT 1 / (i - 3000) FROM generate_series(1, 3000) i", "division by zero"),
        ("SELECT nothing FROM generate_series(1, 3000) i", "nothing"),
        ("SELECT FROM WHERE", "syntax error"),
    ):
        with pytest.raises(ThanoSQLDatabaseError, match=words) as plain:
            database.run(said(sql))
        with pytest.raises(ThanoSQLDatabaseError, match=words) as lazy:
            database.run(said(sql), 1000)
        assert (lazy.value.sqlstate, lazy.value.position) == (plain.value.sqlstate, plain.value.position)
        assert not database.in_transaction
    assert cursors(database) == 0


def test_inside_a_transaction_rows_come_at_once(database: Database) -> None:
    database.run(said("BEGIN"))
    assert server_cursor_of(frame(database, MANY)) is None
    database.run(said("ROLLBACK"))


def test_the_server_lets_go_of_rows_whose_value_is_gone_or_here(database: Database) -> None:
    one, two = frame(database, MANY), frame(database, MANY)
    assert cursors(database) == 2
    del one
    gc.collect()
    assert cursors(database) == 1
    assert len(two) == 3000
    assert cursors(database) == 0


@pytest.mark.parametrize("way", ["DISCARD ALL", "CLOSE ALL", "lost"])
def test_rows_that_are_gone_are_said_to_be(database: Database, peer: Peer, way: str) -> None:
    many = frame(database, MANY)
    if way == "lost":
        pid = int(frame(database, "SELECT pg_backend_pid() AS pid").pid[0])
        peer("SELECT pg_terminate_backend(%s)", pid)
        with pytest.raises(ThanoSQLConnectionError):
            database.run(said("SELECT 1"))
        assert frame(database, "SELECT 1 AS a").a[0] == 1
    else:
        database.run(said(way))
    with pytest.raises(ThanoSQLConnectionError, match=r"rows of this result[\s\S]*Run the statement again"):
        len(many)
    del many
    gc.collect()
    assert cursors(database) == 0


def test_a_snapshot_with_its_predictions_stays_too(database: Database) -> None:
    with database.snapshot(said(MANY)) as snapshot:
        snapshot.write([Column("predict_result", "text")], ((row, f"heard {row}") for row in range(3000, 0, -1)))
        many, whole = snapshot.frame(1000), snapshot.frame()
    assert held(many).head(2).predict_result.tolist() == ["heard 1", "heard 2"]
    pd.testing.assert_frame_equal(pd.DataFrame(many), whole)


def test_nested_statements_parameters_and_several_statements_stay_too(session: Session) -> None:
    nested = session.run("SELECT i, d.* FROM (LIST THANOSQL DATASET) d, generate_series(1, 3000) i", at_once=100)
    assert nested.rows is not None
    assert held(nested.rows).count == len(nested.rows) >= 3000
    each: list[Result] = []
    sql = "SELECT generate_series(1, 3000); SELECT :n + i AS m FROM generate_series(1, 3000) i"
    session.run(sql, {"n": 5}, at_once=100, each=each.append)
    rows = [one.rows for one in each if one.rows is not None]
    assert [held(one).count for one in rows] == [3000, 3000]
    assert rows[1].m.tolist()[:2] == [6, 7]
