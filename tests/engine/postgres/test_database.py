"""A session: SQL as written, snapshots of queries, temporary tables, errors in PostgreSQL's words with the user's
place."""

from __future__ import annotations

import os
import threading
import time
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.engine.databases import Peer, said, until_it_sleeps, with_values
from tests.waiting import interrupted
from thanosql.engine.postgres.database import Column, Database
from thanosql.errors import (
    ThanoSQLConnectionError,
    ThanoSQLDatabaseError,
    ThanoSQLDataError,
    ThanoSQLOptionError,
)

PREDICTION = Column("predict_result", "text")


def test_a_query_gives_a_frame_and_anything_else_its_status(database: Database) -> None:
    assert database.run(said("CREATE TABLE plain (a int)")) == "CREATE TABLE"
    assert database.run(said("INSERT INTO plain VALUES (1), (2), (3)")) == "INSERT 0 3"
    assert database.run(said("TABLE plain ORDER BY a DESC"))["a"].tolist() == [3, 2, 1]
    assert database.run(said("DELETE FROM plain RETURNING a"))["a"].tolist() == [1, 2, 3]


def test_percent_signs_colons_and_question_marks_are_the_users_own(database: Database) -> None:
    frame = database.run(
        said("SELECT 'a%sb%%' AS a, ' :x' AS b, '1 ? 2' AS c, 7 % 4 AS d, '{\"k\": 1}'::jsonb ? 'k' AS e")
    )
    assert frame.iloc[0].tolist() == ["a%sb%%", " :x", "1 ? 2", 3, True]


def test_values_reach_the_server_as_values(database: Database) -> None:
    hostile = "'; DROP TABLE x; -- \\ %s"
    frame = database.run(with_values("SELECT ", hostile, "::text AS a, ", 3, " - ", -2, " AS b"))
    assert frame.iloc[0].tolist() == [hostile, 5]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.int64(7), "7"),
        (np.float32(0.5), "0.5"),
        (np.bool_(True), "true"),
        (np.str_("가"), "가"),
        (np.datetime64("2026-11-22T01:02:03"), "2026-11-22 01:02:03"),
        (np.datetime64("NaT"), None),
        (pd.Timestamp("2026-11-22 01:02:03.5"), "2026-11-22 01:02:03.5"),
        (pd.NaT, None),
        (pd.NA, None),
        (None, None),
        ([1, 2], "{1,2}"),
        (np.array([1, 2]), "{1,2}"),
        (Decimal("1.50"), "1.50"),
        (float("nan"), "NaN"),
        (Decimal("NaN"), "NaN"),
        (Decimal("Infinity"), "Infinity"),
        ([Decimal("-Infinity"), Decimal(1)], "{-Infinity,1}"),
        (np.array(3), "3"),
        (np.array(["2026-11-22"], dtype="datetime64[ns]"), '{"2026-11-22 00:00:00"}'),
        (np.array([1, "NaT"], dtype="timedelta64[ns]"), "{00:00:00,NULL}"),
        (pd.array([1, None], dtype="Int64"), "{1,NULL}"),
        (pd.Series(["a", None, "a"], dtype="string").unique(), "{a,NULL}"),
        (pd.Categorical(["b", "a"]), "{b,a}"),
        (pd.to_datetime(["2026-11-22", None]).array, '{"2026-11-22 00:00:00",NULL}'),
        (pd.Series(["a", np.nan], dtype=object), "{a,NULL}"),
        ({"a": [1]}, '{"a": [1]}'),
        (Path("a/b"), "a/b"),
        (b"\x00\xff", "\\x00ff"),
    ],
)
def test_scalars_of_numpy_and_pandas_are_taken_as_parameters(
    database: Database, value: object, shown: str | None
) -> None:
    found = database.run(with_values("SELECT (", value, ")::text AS a"))["a"][0]
    assert (None if found is pd.NA else found) == shown


def test_a_negative_parameter_is_cast_as_a_whole(database: Database) -> None:
    frame = database.run(
        with_values(
            "SELECT ", -3, "::text AS a, ", np.int64(-32768), " ::smallint AS b, ", Decimal("-1.5"), "::text AS c"
        )
    )
    assert frame.iloc[0].tolist() == ["-3", -32768, "-1.5"]


def test_a_parameter_that_has_no_form_in_sql_is_named_by_its_type(database: Database) -> None:
    with pytest.raises(ThanoSQLOptionError, match="type object cannot be sent"):
        database.run(with_values("SELECT ", object(), ""))


def test_an_error_points_at_the_users_own_text(database: Database) -> None:
    text = "SELECT 1 AS 가,\n       nope\nFROM pg_class"
    for run in (database.run, database.snapshot):
        with pytest.raises(ThanoSQLDatabaseError) as caught:
            run(said(text))
        assert caught.value.sqlstate == "42703"
        assert caught.value.position is not None
        assert (caught.value.position.line, caught.value.position.column, caught.value.position.width) == (2, 8, 4)


def test_a_snapshot_keeps_order_names_and_types(database: Database) -> None:
    query = (
        "SELECT i AS \"Größe №\", i / 3.0::numeric(30,10) AS n, repeat('x', i)::varchar(9) FROM generate_series(1, 5) i"
    )
    with database.snapshot(said(query + " ORDER BY i DESC -- done")) as snapshot:
        assert snapshot.rows == 5
        assert [column.name for column in snapshot.columns] == ["Größe №", "n", "repeat"]
        assert [column.type for column in snapshot.columns] == ["integer", "numeric", "character varying(9)"]
        assert snapshot.frame()["Größe №"].tolist() == [5, 4, 3, 2, 1]


def test_the_rows_of_a_large_table_come_in_one_order_wherever_another_scan_stopped(database: Database) -> None:
    # Scans of a table larger than a quarter of the server's buffers go on where another one is, or was.
    database.run(said("CREATE TABLE large AS SELECT i, repeat(md5(i::text), 30) AS t FROM generate_series(1, 45000) i"))
    size = "SELECT pg_relation_size('large') > pg_size_bytes(current_setting('shared_buffers')) / 4 AS large"
    assert database.run(said(size)).large[0]
    database.run(said("SELECT count(*) FROM (SELECT * FROM large LIMIT 20000) few"))
    assert database.run(said("SELECT i FROM large LIMIT 1")).i[0] > 1
    with database.snapshot(said("SELECT i FROM large")) as snapshot:
        (column,) = snapshot.columns
        assert [i for _, i in snapshot.stream(column)] == list(range(1, 45_001))


def test_a_stream_gives_every_row_once_in_order_whatever_the_chunk(database: Database) -> None:
    with database.snapshot(said("SELECT i, 'p' || i AS path FROM generate_series(1, 2500) i ORDER BY -i")) as snapshot:
        path = snapshot.column("path", option="audio_col")
        expected = [(row, f"p{2501 - row}") for row in range(1, 2501)]
        for chunk in (7, 999, 1000, 2500, 10_000):
            assert list(snapshot.stream(path, chunk=chunk)) == expected
        assert list(snapshot.stream(path, snapshot.columns[0], chunk=700))[:2] == [
            (1, "p2500", 2500),
            (2, "p2499", 2499),
        ]


def test_bytea_streams_as_bytes_and_a_chunk_is_bounded_by_their_size(database: Database) -> None:
    query = "SELECT decode(repeat('00ff', 4000000), 'hex') AS audio FROM generate_series(1, 5) UNION ALL SELECT NULL"
    with database.snapshot(said(query)) as snapshot:
        sizes = [len(raw) if raw is not None else None for _, raw in snapshot.stream(snapshot.columns[0])]
    assert sizes == [8_000_000] * 5 + [None]


def test_predictions_may_be_written_while_the_stream_goes_on(database: Database) -> None:
    with database.snapshot(said("SELECT 'p' || i AS path FROM generate_series(1, 25000) i")) as snapshot:
        pairs = ((row, f"{path}\t\\\n'") for row, path in snapshot.stream(*snapshot.columns))
        snapshot.write([PREDICTION], pairs)
        frame = snapshot.frame()
    assert frame.columns.tolist() == ["path", "predict_result"]
    assert frame["predict_result"].tolist() == [f"p{i}\t\\\n'" for i in range(1, 25001)]


def test_memory_stays_flat_whatever_the_number_of_rows(database: Database) -> None:
    peaks = []
    for rows in (25_000, 60_000):
        with database.snapshot(said(f"SELECT 'p' || i AS path FROM generate_series(1, {rows}) i")) as snapshot:
            tracemalloc.start()
            snapshot.write([PREDICTION], ((row, path) for row, path in snapshot.stream(*snapshot.columns)))
            snapshot.replace(snapshot.check_target("public.flat"))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


def test_a_written_column_takes_the_place_of_the_querys_own(database: Database) -> None:
    with database.snapshot(said("SELECT 1 AS a, 'old' AS predict_result, 2 AS b")) as snapshot:
        snapshot.write([PREDICTION, Column("confidence", "double precision")], [(1, "new", 0.5)])
        frame = snapshot.frame()
    assert frame.columns.tolist() == ["a", "predict_result", "b", "confidence"]
    assert frame.iloc[0].tolist() == [1, "new", 2, 0.5]


def test_rows_that_were_never_written_are_null(database: Database) -> None:
    with database.snapshot(said("VALUES (1), (2), (3)")) as snapshot:
        snapshot.write([PREDICTION], [(3, "c")])
        snapshot.write([PREDICTION], [(1, "a")])
        assert snapshot.frame()["predict_result"].tolist() == ["a", pd.NA, "c"]


def test_two_predictions_for_one_row_are_never_taken(database: Database) -> None:
    with database.snapshot(said("VALUES (1)")) as snapshot:
        snapshot.write([PREDICTION], [(1, "a"), (1, "b")])
        with pytest.raises(ThanoSQLDatabaseError, match="could not create unique index"):
            snapshot.frame()


def test_an_empty_result_is_a_frame_with_its_columns(database: Database) -> None:
    with database.snapshot(said("SELECT 1 AS a, 'x'::text AS path WHERE false")) as snapshot:
        assert snapshot.rows == 0
        assert list(snapshot.stream(*snapshot.columns)) == []
        snapshot.write([PREDICTION], [])
        assert snapshot.frame().columns.tolist() == ["a", "path", "predict_result"]


def test_a_column_is_found_as_written_then_in_lower_case(database: Database) -> None:
    with database.snapshot(said('SELECT 1 AS audio_path, 2 AS "Text", 3 AS text')) as snapshot:
        assert snapshot.column("AUDIO_PATH", option="audio_col").name == "audio_path"
        assert snapshot.column("Text", option="text_col").name == "Text"
        assert snapshot.column("TEXT", option="text_col").name == "text"
        with pytest.raises(ThanoSQLDataError) as caught:
            snapshot.column("audio_pat", option="audio_col")
    assert "audio_path, Text, text" in str(caught.value)
    assert "Did you mean audio_path?" in str(caught.value)


def test_temporary_results_outlive_their_snapshot_and_nothing_else_does(database: Database) -> None:
    count = said("SELECT count(*)::int AS n FROM pg_class WHERE relname LIKE 'thanosql%' AND relkind = 'r'")
    with database.snapshot(said("SELECT i FROM generate_series(1, 9) i ORDER BY -i")) as snapshot:
        snapshot.write([PREDICTION], [(1, "first")])
        result = snapshot.into_temporary()
    assert database.run(said(f"SELECT i, predict_result FROM {result} LIMIT 1")).iloc[0].tolist() == [9, "first"]
    rows = database.temporary([Column("a", "integer"), Column("b", "text[]")], [(1, ["x", None, 'q"\\']), (2, None)])
    assert database.run(said(f"SELECT b FROM {rows}"))["b"].tolist() == [["x", None, 'q"\\'], None]
    assert database.run(count)["n"][0] == 2
    database.drop_temporary(result)
    database.drop_temporary(rows)
    assert database.run(count)["n"][0] == 0


def test_a_query_that_writes_is_refused_with_its_reason_and_writes_nothing(database: Database, peer: Peer) -> None:
    peer("CREATE TABLE kept AS SELECT 1 AS a")
    peer("CREATE FUNCTION wipe() RETURNS int VOLATILE LANGUAGE sql AS 'DELETE FROM kept RETURNING a'")
    for query in (
        "WITH gone AS (DELETE FROM kept RETURNING a) SELECT * FROM gone",
        "DELETE FROM kept RETURNING a",
        "SELECT wipe()",
    ):
        with pytest.raises(ThanoSQLDatabaseError, match="only read"):
            database.snapshot(said(query))
        assert not database.in_transaction
    assert peer("TABLE kept") == [(1,)]


def test_two_columns_of_one_name_are_refused_with_what_to_write(database: Database) -> None:
    with pytest.raises(ThanoSQLDatabaseError, match=r'"a" specified more than once(.|\n)*AS another_name'):
        database.snapshot(said("SELECT 1 AS a, 2 AS a"))


@pytest.mark.parametrize("query", ["SELECT row(1, 2) AS r", "SELECT array[row(1, 2)] AS r"])
def test_a_pseudo_type_is_refused_with_what_to_write(database: Database, query: str) -> None:
    with pytest.raises(ThanoSQLDatabaseError, match=r"pseudo-type(.|\n)*value::text"):
        database.snapshot(said(query))


def test_settings_temporary_tables_and_transactions_last_from_statement_to_statement(database: Database) -> None:
    database.run(said("SET search_path = pg_catalog, public"))
    database.run(said("CREATE TEMP TABLE mine AS SELECT 1 AS a"))
    with database.snapshot(said("SELECT current_setting('search_path') AS p, a FROM mine")) as snapshot:
        assert snapshot.frame().iloc[0].tolist() == ["pg_catalog, public", 1]
    assert not database.in_transaction
    database.run(said("BEGIN"))
    assert database.in_transaction
    database.run(said("ROLLBACK"))
    assert not database.in_transaction


def test_temporary_tables_have_memory_and_a_larger_setting_of_the_roles_stays(
    database: Database, peer: Peer, role: Callable[[str], str]
) -> None:
    assert database.run(said("SHOW temp_buffers")).iloc[0, 0] == "64MB"
    assert database.run(said("DISCARD ALL")) == "DISCARD ALL"
    url = role("thanosql_rich")
    peer("ALTER ROLE thanosql_rich SET temp_buffers = '100MB'")
    with Database(url) as rich:
        assert rich.run(said("SHOW temp_buffers")).iloc[0, 0] == "100MB"


def test_a_snapshot_inside_a_transaction_sees_it_and_leaves_it_writable(database: Database, peer: Peer) -> None:
    peer(
        "CREATE TABLE inner_rows (a int); CREATE FUNCTION grow() RETURNS int LANGUAGE sql AS 'INSERT INTO "
        "inner_rows VALUES (9) RETURNING a'"
    )
    database.run(said("BEGIN"))
    database.run(said("INSERT INTO inner_rows VALUES (1)"))
    with database.snapshot(said("TABLE inner_rows")) as snapshot:
        snapshot.write([PREDICTION], [(1, "one")])
        assert snapshot.frame().iloc[0].tolist() == [1, "one"]
        with pytest.raises(ThanoSQLDatabaseError, match="inside an open transaction"):
            snapshot.check_target("inner_rows")
    with pytest.raises(ThanoSQLDatabaseError, match="only read"):
        database.snapshot(said("SELECT grow()"))
    assert database.run(said("INSERT INTO inner_rows VALUES (2)")) == "INSERT 0 1"
    assert database.run(said("COMMIT")) == "COMMIT"
    assert peer("TABLE inner_rows") == [(1,), (2,)]


def test_a_failed_transaction_says_how_it_ends(database: Database) -> None:
    database.run(said("BEGIN"))
    with pytest.raises(ThanoSQLDatabaseError, match="division by zero"):
        database.run(said("SELECT 1 / 0"))
    assert database.in_transaction
    with pytest.raises(ThanoSQLDatabaseError, match="ROLLBACK ends it"):
        database.snapshot(said("SELECT 1"))
    database.run(said("ROLLBACK"))
    assert database.run(said("SELECT 1 AS a"))["a"][0] == 1


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_cancels_the_query_in_the_server_and_the_session_goes_on(database: Database, peer: Peer) -> None:
    database.run(said("SET application_name = 'interrupted'"))
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), interrupted(lambda: until_it_sleeps(peer, database)):
        database.run(said("SELECT pg_sleep(60)"))
    assert time.monotonic() - begun < 50
    assert peer("SELECT state FROM pg_stat_activity WHERE application_name = 'interrupted'") == [("idle",)]
    assert database.run(said("SHOW application_name")).iloc[0, 0] == "interrupted"


def test_another_thread_may_cancel(database: Database, peer: Peer) -> None:
    database.run(said("SELECT 1"))
    threading.Thread(target=lambda: (until_it_sleeps(peer, database), database.cancel())).start()
    with pytest.raises(ThanoSQLDatabaseError, match="canceling statement") as caught:
        database.run(said("SELECT pg_sleep(60)"))
    assert caught.value.sqlstate == "57014"


def test_a_lost_connection_is_said_and_the_next_statement_connects_anew(database: Database, peer: Peer) -> None:
    pid = int(database.run(said("SELECT pg_backend_pid() AS pid"))["pid"][0])
    with database.snapshot(said("SELECT 1 AS a")) as snapshot:
        peer("SELECT pg_terminate_backend(%s)", pid)
        with pytest.raises(ThanoSQLConnectionError, match="was lost"):
            snapshot.frame()
    assert database.run(said("SELECT 1 AS a"))["a"][0] == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://nobody:secret@127.0.0.1:1/none", "cannot be reached"),
        ("mysql://localhost/db", "works on PostgreSQL"),
        ("not a url", "cannot be read"),
    ],
)
def test_a_database_that_cannot_be_reached_is_a_connection_error_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ThanoSQLConnectionError, match=words) as caught:
        Database(url).run(said("SELECT 1"))
    assert "secret" not in str(caught.value)


def test_tables_are_listed_with_their_comments(database: Database, peer: Peer) -> None:
    peer("CREATE SCHEMA listed; CREATE TABLE listed.rows (a int); CREATE VIEW listed.seen AS TABLE listed.rows")
    peer("COMMENT ON TABLE listed.rows IS 'said'")
    found = [table for table in database.tables() if table.schema == "listed"]
    assert [(table.table, table.kind, table.comment) for table in found] == [
        ("rows", "table", "said"),
        ("seen", "view", None),
    ]


def test_copy_from_stdin_says_what_to_write_instead(database: Database, peer: Peer) -> None:
    peer("CREATE TABLE fed (a int)")
    with pytest.raises(ThanoSQLDatabaseError, match="COPY table FROM 'path'"):
        database.run(said("COPY fed FROM STDIN"))
    assert database.run(said("SELECT 1 AS a"))["a"][0] == 1


@pytest.mark.parametrize("text", ["SELECT 'a\0b'", "SELECT '\ud800'"])
def test_characters_that_postgresql_cannot_hold_are_refused(database: Database, text: str) -> None:
    with pytest.raises(ThanoSQLDatabaseError) as caught:
        database.run(said(text))
    assert caught.value.sqlstate == "22021"


def test_a_table_that_was_just_made_is_listed_with_its_rows(database: Database) -> None:
    database.run(said('CREATE TABLE "Just%s Made" AS SELECT generate_series(1, 7) AS n'))
    database.run(said("CREATE VIEW just_seen AS SELECT 1 AS n"))
    rows = {table.table: table.rows for table in database.tables()}
    assert rows["Just%s Made"] == 7
    assert rows["just_seen"] is None
    database.run(said('DROP TABLE "Just%s Made"; DROP VIEW just_seen'))
