"""COPY (query) TO a file: its rows and types on this side of the connection, whole or not at all."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import thanosql
from thanosql import ThanoSQLDatabaseError, ThanoSQLDataError
from thanosql.engine.language.syntax import Literal, Nested, Parameter, Query, Text
from thanosql.engine.parser import parse
from thanosql.engine.session import Session
from thanosql.engine.statements import CopyOut, PlainSQL, Predict

EVERYTHING = """
SELECT * FROM (VALUES
  (1::smallint, 9223372036854775807::bigint, 0.1::real, 'NaN'::float8, 1.50::numeric(5,2), 12345678901234567890.5::numeric,
   true, 'a, "b"' || chr(10) || 'c', '2024-02-29'::date, '2024-01-01 10:00:00.123456'::timestamp,
   '2024-01-01 10:00+09'::timestamptz,
   '10:00:01'::time, '\\x00ff'::bytea, ARRAY[1, NULL, 3], ARRAY['x', 'y"'], '{"k": [1]}'::jsonb, gen_random_uuid()),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) v(small, big, single, "Double", price, exact, flag, text, day, moment, zoned, clock, raw, numbers, words, nested, id)
"""


@pytest.fixture
def here(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session without the tables of these tests, its working folder a new one."""
    monkeypatch.chdir(tmp_path)
    session.execute(f"DROP TABLE IF EXISTS back, given; CREATE TABLE given AS {EVERYTHING}")
    session.execute("ALTER TABLE given ALTER price TYPE numeric(5, 2)")
    return session


def test_the_statement_is_ours_where_a_suffix_says_so_and_else_of_postgresql() -> None:
    query = Query((Text("SELECT ')' FROM (TABLE t) q"),))
    assert parse("COPY (SELECT ')' FROM (TABLE t) q) TO 'x.parquet'") == CopyOut(query, Literal("x.parquet"))
    assert parse("copy ( SELECT ')' FROM (TABLE t) q ) to :place") == CopyOut(query, Parameter("place"))
    inner = parse("COPY (PREDICT USING m AS TABLE t) TO 'x.csv'")
    assert isinstance(inner, CopyOut)
    (nested,) = inner.query.parts
    assert isinstance(nested, Nested)
    assert isinstance(nested.statement, Predict)
    for theirs in (
        "COPY (SELECT 1) TO '/tmp/x.bin'",
        "COPY (SELECT 1) TO STDOUT",
        "COPY (SELECT 1) TO '/tmp/x.csv' WITH (FORMAT csv)",
        "COPY t TO '/tmp/x.csv'",
        "COPY (SELECT 1 TO 'x.csv'",
        "COPY (SELECT 'x) TO 'x.csv'",
    ):
        try:
            assert isinstance(parse(theirs), PlainSQL)
        except thanosql.ThanoSQLSyntaxError:
            assert theirs.count("'") % 2 or theirs.count("(") != theirs.count(")")


def test_parquet_keeps_types_and_values(here: Session) -> None:
    pytest.importorskip("pyarrow")
    result = here.run("COPY (TABLE given) TO 'x.parquet'")
    assert result.status == "COPY 2"
    here.execute("COPY back FROM 'x.parquet'")
    types = (
        "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = 'back'::regclass AND attnum > 0 ORDER BY attnum"
    )
    found = dict(here.execute(types).values.tolist())
    assert found == {
        "small": "smallint",
        "big": "bigint",
        "single": "real",
        "Double": "double precision",
        "price": "numeric(5,2)",
        "exact": "text",
        "flag": "boolean",
        "text": "text",
        "day": "date",
        "moment": "timestamp without time zone",
        "zoned": "timestamp with time zone",
        "clock": "time without time zone",
        "raw": "bytea",
        "numbers": "integer[]",
        "words": "text[]",
        "nested": "text",
        "id": "text",
    }
    casts = ", ".join(f'"{name}"::{kind}' for name, kind in (("exact", "numeric"), ("nested", "jsonb"), ("id", "uuid")))
    same = 'small, big, single, "Double", price, flag, text, day, moment, zoned, clock, raw, numbers, words'
    for first, second in (("given", "back"), ("back", "given")):
        assert here.execute(f"SELECT {same}, {casts} FROM {first} EXCEPT SELECT {same}, {casts} FROM {second}").empty


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_delimited_files_come_back_as_they_went(here: Session, suffix: str) -> None:
    here.execute(f"SET DateStyle = 'German'; COPY (TABLE given) TO 'x.{suffix}'; RESET DateStyle")
    here.execute("CREATE TABLE back (LIKE given)")
    here.execute(f"COPY back OPTIONS (if_exists='append') FROM 'x.{suffix}'")
    for first, second in (("given", "back"), ("back", "given")):
        assert here.execute(f"TABLE {first} EXCEPT TABLE {second}").empty


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_other_readers_find_the_same_rows_and_types(here: Session, suffix: str) -> None:
    """DuckDB and pandas, told nothing but the separator."""
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    here.execute(
        "COPY (SELECT i AS id, i * 1.25 AS half, i % 2 = 0 AS even, "
        "CASE WHEN i % 3 > 0 THEN E'가 \"나\", \\n;\\t\\\\ ' || i END AS said,"
        " date '2026-01-01' + i AS day, timestamptz '2026-01-01 00:00:00.123456+09' + i * interval '1 s' AS moment FROM"
        f" generate_series(1, 3000) i) TO 'x.{suffix}'"
    )
    rows = duckdb.sql("SELECT id, half::double, even, said, day, epoch_us(moment) FROM 'x." + suffix + "'").fetchall()
    assert rows == [
        (
            i,
            i * 1.25,
            i % 2 == 0,
            f'가 "나", \n;\t\\ {i}' if i % 3 else None,
            date(2026, 1, 1) + timedelta(days=i),
            1_767_193_200_123_456 + i * 1_000_000,
        )
        for i in range(1, 3001)
    ]
    types = {"id": "BIGINT" if suffix != "parquet" else "INTEGER", "even": "BOOLEAN", "day": "DATE"}
    found = {name: kind for name, kind, *_ in duckdb.sql("DESCRIBE SELECT * FROM 'x." + suffix + "'").fetchall()}
    assert {name: found[name] for name in types} == types
    assert found["moment"] == "TIMESTAMP WITH TIME ZONE"
    frame = {
        "csv": pd.read_csv,
        "tsv": partial(pd.read_csv, sep="\t"),
        "jsonl": partial(pd.read_json, lines=True, dtype=False),
        "parquet": pd.read_parquet,
    }[suffix](f"x.{suffix}")
    assert [None if value != value else value for value in frame.said] == [row[3] for row in rows]
    assert list(frame.half.astype(float)) == [row[1] for row in rows]
    assert list(pd.to_datetime(frame["moment"]).astype("datetime64[us, UTC]").astype("int64")) == [
        row[5] for row in rows
    ]


def test_json_lines_hold_what_postgresql_makes_of_each_value(here: Session) -> None:
    here.execute(
        "COPY (SELECT big, exact, text, day, raw, numbers, E'{\"a\":\\n1}'::json AS spaced FROM given) TO 'x.jsonl'"
    )
    first, second = map(json.loads, Path("x.jsonl").read_text().splitlines())
    assert first == {
        "big": 9223372036854775807,
        "exact": 12345678901234567890.5,
        "text": 'a, "b"\nc',
        "day": "2024-02-29",
        "raw": "\\x00ff",
        "numbers": [1, None, 3],
        "spaced": {"a": 1},
    }
    assert second["text"] == ""
    assert second["big"] is None


def test_what_a_model_hears_goes_into_a_file(here: Session) -> None:
    here.execute("GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)")
    here.execute("COPY back FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'")
    here.execute("COPY (PREDICT USING Wav2Vec2Tiny AS SELECT audio_path, text FROM back LIMIT 3) TO 'heard.csv'")
    lines = Path("heard.csv").read_text().splitlines()
    assert lines[0] == "audio_path,text,predict_result"
    assert len(lines) == 4
    here.execute("COPY (SELECT text FROM back WHERE text LIKE :what) TO :place", {"what": "%one%", "place": "one.tsv"})
    assert all("one" in line for line in Path("one.tsv").read_text().splitlines()[1:])


def test_a_failure_leaves_the_file_that_was_there_and_nothing_beside(here: Session) -> None:
    Path("x.parquet").write_text("old")
    with pytest.raises(ThanoSQLDatabaseError, match="division by zero"):
        here.execute("COPY (SELECT 1 / (n - 3) FROM generate_series(1, 5) n) TO 'x.parquet'")
    with pytest.raises(ThanoSQLDataError, match="column day"):
        here.execute("COPY (SELECT 'infinity'::date AS day) TO 'x.parquet'")
    assert os.listdir() == ["x.parquet"]
    assert Path("x.parquet").read_text() == "old"
    here.execute("COPY (SELECT 1 AS n) TO 'x.parquet'")
    assert Path("x.parquet").read_bytes()[:4] == b"PAR1"
    assert os.listdir() == ["x.parquet"]


def test_where_a_file_may_be_written(
    here: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    Path("d.csv").mkdir()
    os.mkfifo("pipe.csv")
    for place, said in (("d.csv", "is a folder"), ("no/x.csv", "its folder is not there"), ("pipe.csv", "a pipe")):
        with pytest.raises(ThanoSQLDataError, match=said):
            here.execute(f"COPY (SELECT 1) TO '{place}'")
    with pytest.raises(ThanoSQLDataError, match="does not write"):
        here.execute("COPY (SELECT 1) TO :place", {"place": "x.exe"})
    (tmp_path / "inside").mkdir()
    monkeypatch.setenv("THANOSQL_AUDIO_ROOTS", str(tmp_path / "inside"))
    with thanosql.connect(database_url, home=tmp_path / "home") as confined:
        with pytest.raises(ThanoSQLDataError, match="outside of the folders"):
            confined.execute("COPY (SELECT 1) TO 'x.csv'")
        confined.execute("COPY (SELECT 1 AS n) TO 'inside/x.csv'")
    assert Path("inside/x.csv").read_text() == "n\n1\n"


def test_an_empty_query_gives_a_file_with_its_columns(here: Session) -> None:
    for suffix in ("csv", "jsonl"):
        assert here.run(f"COPY (SELECT 1 AS n WHERE false) TO 'x.{suffix}'").status == "COPY 0"
    assert (Path("x.csv").read_text(), Path("x.jsonl").read_text()) == ("n\n", "")


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_null_in_a_file_of_one_column_is_refused_as_its_row_would_be_lost(here: Session, suffix: str) -> None:
    with pytest.raises(ThanoSQLDataError, match="an empty line"):
        here.execute(f"COPY (SELECT text FROM given UNION ALL SELECT NULL) TO 'x.{suffix}'")
    assert os.listdir() == []
    here.execute(f"COPY (SELECT text FROM given) TO 'x.{suffix}'")


def test_texts_in_json_lines_stay_texts_in_a_column_of_json(here: Session) -> None:
    Path("x.jsonl").write_text(
        '{"n": 1, "v": "1"}\n{"n": 2, "v": 1}\n{"n": 3, "v": "a"}\n{"n": 4, "v": true}\n{"n": 5}\n'
    )
    here.execute("CREATE TABLE back (n int, v jsonb); COPY back OPTIONS (if_exists='append') FROM 'x.jsonl'")
    assert list(here.execute("SELECT v::text AS v FROM back ORDER BY n").v.fillna("NULL")) == [
        '"1"',
        "1",
        '"a"',
        "true",
        "NULL",
    ]


def test_a_tsv_has_marks_where_a_column_needs_them_alone(here: Session) -> None:
    here.execute(
        "COPY (SELECT 1 AS id, 'a, b' AS plain, E'c d' AS odd UNION ALL SELECT 2, '6 \" tall', '\"e') TO 'x.tsv'"
    )
    assert Path("x.tsv").read_text() == 'id\tplain\todd\n1\t"a, b"\t"c d"\n2\t"6 "" tall"\t"""e"\n'
    here.execute("COPY (SELECT 1 AS id, 'a, b' AS plain) TO 'x.tsv'")
    assert Path("x.tsv").read_text() == "id\tplain\n1\ta, b\n"


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM kept RETURNING *) SELECT * FROM gone",
        "SELECT * FROM (WITH gone AS (UPDATE kept SET a = 2 RETURNING *) SELECT * FROM gone) q",
        "WITH one AS (SELECT 1) INSERT INTO kept VALUES (2) RETURNING a",
        "SELECT * FROM kept FOR UPDATE",
    ],
)
@pytest.mark.parametrize("statement", ["COPY ({}) TO 'out.csv'", "EXPORT DATASET out FROM {}"])
def test_what_changes_data_is_told_what_to_do_where_no_select_is_around(
    here: Session, query: str, statement: str
) -> None:
    here.execute("DROP TABLE IF EXISTS kept, moved; CREATE TABLE kept AS SELECT 1 AS a, 'a.wav' AS audio_path")
    with pytest.raises(ThanoSQLDatabaseError) as refused:
        here.execute(statement.format(query))
    hint = refused.value.hint or ""
    assert "after AS" not in hint
    assert "only reads. Run what changes data first" in hint
    assert here.execute("SELECT a FROM kept").a.to_list() == [1]
    # What the hint says can be done.
    here.execute(
        "CREATE TABLE moved (LIKE kept); WITH gone AS (DELETE FROM kept RETURNING *) INSERT INTO moved SELECT * FROM gone"
    )
    assert here.execute("SELECT a FROM moved").a.to_list() == [1]


def test_into_has_no_place_in_a_copy(here: Session) -> None:
    with pytest.raises(ThanoSQLDatabaseError) as refused:
        here.execute("COPY (SELECT 1 AS a INTO other) TO 'out.csv'")
    assert "leave INTO out" in (refused.value.hint or "")


def test_an_address_is_no_place_and_its_password_is_not_repeated(here: Session) -> None:
    for statement in (
        "COPY (SELECT 1 AS a) TO 'https://me:planted@example.org/out.csv'",
        "COPY t FROM 'https://me:planted@example.org/in.csv?key=planted'",
    ):
        with pytest.raises(ThanoSQLDataError, match="is an address") as refused:
            here.execute(statement)
        # The line that is marked below is the statement's own.
        assert "planted" not in refused.value.message
