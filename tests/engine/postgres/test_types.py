"""Every type of PostgreSQL's goes through a replacement unchanged, and reaches a DataFrame as `frames` says."""

from __future__ import annotations

import datetime as dt
import sys
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from tests.engine.databases import Peer, said
from thanosql.engine.postgres.database import Column, Database
from thanosql.errors import ThanoSQLDatabaseError

PREDICTION = Column("predict_result", "text")

MAKE = """
CREATE SCHEMA kinds;
CREATE TYPE kinds.mood AS ENUM ('sad', 'so so', 'happy');
CREATE DOMAIN kinds."Even" AS int CHECK (VALUE % 2 = 0);
CREATE DOMAIN kinds.named AS varchar(10) COLLATE "C" NOT NULL;
CREATE TYPE kinds.pair AS (a int, "b c" text[]);
CREATE TYPE kinds.floats AS RANGE (subtype = float8);
CREATE TYPE kinds.nested AS (p kinds.pair, m kinds.mood, r int4range);
CREATE DOMAIN kinds.list AS int[] CHECK (cardinality(VALUE) < 5);
"""

TYPES = [
    ("smallint", ["-32768", "32767"]),
    ("integer", ["-2147483648", "0"]),
    ("bigint", ["9223372036854775807", "-9223372036854775808"]),
    ("numeric", ["'NaN'", "1e-300", "12345678901234567890.123456789"]),
    ("numeric(30,10)", ["12345678901234567890.0123456789", "-0.0000000001", "'NaN'"]),
    ("numeric(5,0)", ["12345"]),
    ("real", ["'NaN'", "'Infinity'", "'-Infinity'", "1.17549435e-38", "0.1"]),
    ("double precision", ["'NaN'", "'-Infinity'", "0.1", "1.7976931348623157e308", "'-0'"]),
    ("money", ["'-12.34'", "'1000'"]),
    ("boolean", ["true", "false"]),
    ("text", ["''", "E'tab\\tline\\nback\\\\slash'", "'\\N'", "'가나다 🙂'", "' spaces '"]),
    ("character varying(7)", ["'1234567'"]),
    ("character(5)", ["'ab'"]),
    ('"char"', ["'x'"]),
    ("name", ["repeat('n', 63)"]),
    ("bytea", ["'\\x00ff5c'", "''"]),
    ("date", ["'0044-03-15 BC'", "'infinity'", "'-infinity'", "'5874897-12-31'"]),
    ("time without time zone", ["'24:00:00'", "'00:00:00.000001'"]),
    ("time(3) without time zone", ["'12:34:56.789'"]),
    ("time with time zone", ["'12:00:00+15:59:59'", "'24:00:00-08'"]),
    ("timestamp without time zone", ["'0044-03-15 12:00:00 BC'", "'infinity'", "'294276-12-31 23:59:59.999999'"]),
    ("timestamp(0) with time zone", ["'2026-11-22 10:00:00+09'"]),
    ("timestamp with time zone", ["'0044-03-15 12:00:00+00 BC'", "'-infinity'", "'2026-11-22 10:00:00.123456+09'"]),
    ("interval", ["'1 year 2 mons -3 days 04:05:06.789'", "'-178000000 years'"]),
    ("interval year to month", ["'3 years 4 mons'"]),
    ("uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("json", ['\'{"b" : 1,  "a": [null, 1e400], "b": 2}\'', "'null'"]),
    ("jsonb", ['\'{"b": 12345678901234567890.5, "a": "\\u00e9"}\'', "'null'", "'[]'"]),
    ("integer[]", ["'{1,NULL,3}'", "'{}'", "'[2:3]={7,8}'", "'{{1,2},{3,4}}'"]),
    ("text[]", ["ARRAY['a,b', 'q\"\\', NULL, 'NULL', '']"]),
    ("numeric(10,2)[]", ["'{1.10,NaN}'"]),
    ("timestamp with time zone[]", ["'{infinity,\"0044-03-15 00:00:00+00 BC\"}'"]),
    ("jsonb[]", ["ARRAY['{\"a\": 1}'::jsonb, NULL]"]),
    ("int4range", ["'[1,5)'", "'empty'", "'(,)'"]),
    ("numrange", ["'[1.5,NaN]'"]),
    ("daterange", ["'[0044-03-15 BC,infinity)'"]),
    ("int4multirange", ["'{[1,3),[5,7)}'", "'{}'"]),
    ("tstzrange", ["'[2026-01-01 00:00:00+00,infinity)'"]),
    ("kinds.floats", ["'[0.1,0.2)'"]),
    ("kinds.mood", ["'so so'", "'sad'"]),
    ("kinds.mood[]", ["'{happy,\"so so\"}'"]),
    ('kinds."Even"', ["4"]),
    ("kinds.pair", ["ROW(1, ARRAY['x y', NULL])::kinds.pair"]),
    ("kinds.pair[]", ["ARRAY[ROW(1, '{}')::kinds.pair]"]),
    ("kinds.nested", ["ROW(ROW(1, '{x}'), 'so so', '[1,2)')::kinds.nested"]),
    ("kinds.list", ["ARRAY[1, NULL, 3]"]),
    ("inet", ["'192.168.0.1/24'", "'::1'"]),
    ("cidr", ["'10.0.0.0/8'"]),
    ("macaddr", ["'08:00:2b:01:02:03'"]),
    ("macaddr8", ["'08:00:2b:01:02:03:04:05'"]),
    ("bit(5)", ["B'10101'"]),
    ("bit varying(9)", ["B'101'", "B''"]),
    ("xml", ["'<a b=\"c\">d</a>'"]),
    ("tsvector", ["'fat:2A cat:3'"]),
    ("tsquery", ["'fat & !cat'"]),
    ("point", ["'(1.5,-2)'"]),
    ("box", ["'(1,1),(0,0)'"]),
    ("lseg", ["'[(0,0),(1,1)]'"]),
    ("path", ["'[(0,0),(1,1)]'"]),
    ("line", ["'{1,2,3}'"]),
    ("circle", ["'<(0,0),1.5>'"]),
    ("polygon", ["'((0,0),(1,1),(2,0))'"]),
    ("oid", ["4294967295"]),
    ("regclass", ["'pg_class'"]),
    ("jsonpath", ["'$.a[*] ? (@ > 1)'"]),
    ("pg_lsn", ["'16/B374D848'"]),
    ("xid", ["'7'"]),
]


@pytest.fixture(scope="module", autouse=True)
def kinds(database_url: str) -> Iterator[None]:
    peer = Peer(database_url)
    peer(MAKE)
    yield
    peer.raw.close()


@pytest.mark.parametrize(("type_name", "literals"), TYPES, ids=[name for name, _ in TYPES])
def test_a_type_survives_a_replacement(database: Database, peer: Peer, type_name: str, literals: list[str]) -> None:
    if type_name == "xml" and not supports_xml(peer):
        pytest.skip("this PostgreSQL was built without libxml")
    if type_name == "int4multirange" and peer.raw.server_version < 140_000:
        pytest.skip("PostgreSQL has multiranges from version 14 on")
    peer("DROP TABLE IF EXISTS kinds.t")
    peer(f"CREATE TABLE kinds.t (n int, v {type_name})")
    for number, text in enumerate([*literals, "NULL"]):
        peer(f"INSERT INTO kinds.t VALUES ({number}, CAST({text} AS {type_name}))")
    before = peer("SELECT n, v::text FROM kinds.t ORDER BY n DESC")
    with database.snapshot(said("SELECT * FROM kinds.t ORDER BY n DESC")) as snapshot:
        target = snapshot.check_target("kinds.t")
        snapshot.write([PREDICTION], [(1, "heard")])
        assert snapshot.frame().shape == (len(literals) + 1, 3)
        snapshot.replace(target)
    assert peer(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'kinds.t'::regclass AND "
        "attname = 'v'"
    ) == [(type_name,)]
    assert peer("SELECT n, v::text FROM kinds.t") == before
    assert before[0][1] is None


def supports_xml(peer: Peer) -> bool:
    import psycopg2

    try:
        return bool(peer("SELECT '<a/>'::xml"))
    except psycopg2.errors.FeatureNotSupported:
        return False


def test_collations_domains_and_odd_names_survive(database: Database, peer: Peer) -> None:
    long = "l" * 60 + "é"
    with database.snapshot(
        said(
            'SELECT \'a\'::kinds.named AS "sp ace", \'b\' COLLATE "POSIX" AS "quo""te", 1 AS "SELECT",'
            f' 2 AS "{long}", 3 AS "?column?", 4 AS "%s", 5 AS "가"'
        )
    ) as snapshot:
        snapshot.write([PREDICTION], [(1, "x")])
        snapshot.replace(snapshot.check_target("kinds.odd"))
    found = peer(
        "SELECT attname::text, format_type(atttypid, atttypmod), attcollation::regcollation::text FROM pg_attribute"
        " WHERE attrelid = 'kinds.odd'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert found == [
        ("sp ace", "kinds.named", '"C"'),
        ('quo"te', "text", '"POSIX"'),
        ("SELECT", "integer", "-"),
        (long, "integer", "-"),
        ("?column?", "integer", "-"),
        ("%s", "integer", "-"),
        ("가", "integer", "-"),
        ("predict_result", "text", '"default"'),
    ]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("VALUES (1), (2)", [(1,), (2,)]),
        ("TABLE kinds.parted ORDER BY 1 DESC", [(15,), (5,)]),
        ("SELECT * FROM kinds.seen", [(5,), (15,)]),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i * 2 FROM r WHERE i < 8) SELECT * FROM r",
            [(1,), (2,), (4,), (8,)],
        ),
        ("WITH a AS MATERIALIZED (SELECT 3 AS i) SELECT * FROM a", [(3,)]),
        ("SELECT generate_series(3, 1, -1)", [(3,), (2,), (1,)]),
        ("SELECT * FROM unnest(ARRAY[2, 1]) WITH ORDINALITY AS u (a, b)", [(2, 1), (1, 2)]),
        ("(SELECT 2 AS a) UNION ALL (SELECT 1) ORDER BY 1", [(1,), (2,)]),
        ("SELECT DISTINCT ON (a) a FROM (VALUES (1), (1)) v (a) -- said", [(1,)]),
        ("SELECT count(*) FROM kinds.parted GROUP BY GROUPING SETS ((), ())", [(2,), (2,)]),
        ("SELECT k.g FROM kinds.counted k", [(2,)]),
        ("SELECT oid FROM kinds.far WHERE oid = 16", [(16,)]),
    ],
)
def test_whatever_gives_rows_may_be_read(
    database: Database, peer: Peer, query: str, rows: list[tuple[Any, ...]]
) -> None:
    peer(
        "DROP TABLE IF EXISTS kinds.parted CASCADE;"
        "CREATE TABLE kinds.parted (a int) PARTITION BY RANGE (a);"
        "CREATE TABLE kinds.low PARTITION OF kinds.parted FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE kinds.high PARTITION OF kinds.parted FOR VALUES FROM (10) TO (20);"
        "INSERT INTO kinds.parted VALUES (15), (5); CREATE VIEW kinds.seen AS SELECT a FROM kinds.parted ORDER BY a;"
        "DROP TABLE IF EXISTS kinds.counted;"
        "CREATE TABLE kinds.counted (a int GENERATED ALWAYS AS IDENTITY, g int GENERATED ALWAYS AS (1 + 1) STORED);"
        "INSERT INTO kinds.counted DEFAULT VALUES"
    )
    if "kinds.far" in query and not make_foreign_table(peer):
        pytest.skip("this PostgreSQL has no postgres_fdw")
    with database.snapshot(said(query)) as snapshot:
        assert [row[1:] for row in snapshot.stream(*snapshot.columns)] == rows


def make_foreign_table(peer: Peer) -> bool:
    """A table of this very server seen through postgres_fdw."""
    if not peer("SELECT 1 FROM pg_available_extensions WHERE name = 'postgres_fdw'"):
        return False
    ((folder, port, name),) = peer(
        "SELECT split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), "
        "current_database()"
    )
    peer("CREATE EXTENSION IF NOT EXISTS postgres_fdw")
    peer(
        f"CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{folder}', port '{port}', dbname "
        f"'{name}');"
        "CREATE USER MAPPING FOR PUBLIC SERVER far;"
        "CREATE FOREIGN TABLE kinds.far (oid oid) SERVER far OPTIONS (schema_name 'pg_catalog', table_name 'pg_type')"
    )
    return True


UTC = dt.UTC
FRAMES: list[tuple[str, list[str], str, list[Any]]] = [
    ("smallint", ["7"], "Int64", [7]),
    ("bigint", ["9223372036854775807"], "Int64", [9223372036854775807]),
    ("oid", ["4294967295"], "Int64", [4294967295]),
    ("boolean", ["true", "false"], "boolean", [True, False]),
    ("double precision", ["0.5", "'infinity'"], "Float64", [0.5, float("inf")]),
    ("numeric", ["1.10", "'NaN'"], "object", [Decimal("1.10"), Decimal("NaN")]),
    ("numeric(30,10)", ["12345678901234567890.0123456789"], "object", [Decimal("12345678901234567890.0123456789")]),
    ("text", ["''", "'가'"], "string", ["", "가"]),
    ("character(3)", ["'a'"], "string", ["a  "]),
    ("bytea", ["'\\x00ff'"], "object", [b"\x00\xff"]),
    ("date", ["'2026-11-22'"], "object", [dt.date(2026, 11, 22)]),
    ("date", ["'2026-11-22'", "'0044-03-15 BC'"], "string", ["2026-11-22", "0044-03-15 BC"]),
    ("date", ["'infinity'"], "string", ["infinity"]),
    ("time", ["'12:00'"], "object", [dt.time(12)]),
    ("time", ["'24:00'"], "string", ["24:00:00"]),
    ("timestamp", ["'0001-01-01 00:00:00.000001'"], "datetime64[us]", [dt.datetime(1, 1, 1, microsecond=1)]),
    ("timestamp", ["'10000-01-01'"], "string", ["10000-01-01 00:00:00"]),
    ("timestamptz", ["'2026-11-22 01:00+09'"], "datetime64[us, UTC]", [dt.datetime(2026, 11, 21, 16, tzinfo=UTC)]),
    ("timestamptz", ["'-infinity'"], "string", ["-infinity"]),
    ("interval", ["'1 mon 2 days'"], "string", ["1 mon 2 days"]),
    ("uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"], "string", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("jsonb", ["'{\"a\": [1, null]}'", "'\"x\"'"], "object", [{"a": [1, None]}, "x"]),
    ("jsonb", ["'\"x\"'"], "object", ["x"]),
    ("json", ["'\"x\"'", "'\"null\"'"], "object", ["x", "null"]),
    ("int2vector", ["'1 2'"], "string", ["1 2"]),
    ("oidvector", ["'1 2'", "''"], "string", ["1 2", ""]),
    ("int2vector[]", ["ARRAY['1 2'::int2vector]"], "object", [["1 2"]]),
    ("integer[]", ["'[2:3]={7,8}'"], "object", [[7, 8]]),
    ("text[]", ["'[0:1]={a,NULL}'", "'[-1:0][2:2]={{a},{b}}'"], "object", [["a", None], [["a"], ["b"]]]),
    ("regtype[]", ["'[0:1]={integer,text}'"], "object", [["integer", "text"]]),
    ("date[]", ["'[5:5]={2026-11-22}'"], "object", [[dt.date(2026, 11, 22)]]),
    ("box[]", ["'{(1,1),(0,0);(3,3),(2,2)}'", "'{NULL}'"], "object", [["(1,1),(0,0)", "(3,3),(2,2)"], [None]]),
    ("box[]", ["'[0:0]={(1,1),(0,0)}'"], "object", [["(1,1),(0,0)"]]),
    ("point[]", ["ARRAY[point '(1,2)', NULL]"], "object", [["(1,2)", None]]),
    ("timestamptz", ["'9999-12-31 23:30-09'"], "string", ["10000-01-01 08:30:00+00"]),
    ("timestamptz", ["'0044-03-15 BC'"], "string", ["0044-03-15 00:00:00+00 BC"]),
    ("timestamp", ["'2026-11-22'", "'infinity'"], "string", ["2026-11-22 00:00:00", "infinity"]),
    ("integer[]", ["'{1,NULL}'", "'{{1},{2}}'"], "object", [[1, None], [[1], [2]]]),
    ("date[]", ["'{2026-11-22,NULL}'"], "object", [[dt.date(2026, 11, 22), None]]),
    ("date[]", ["'{infinity}'"], "object", [["infinity"]]),
    ("kinds.mood[]", ["'{happy,\"so so\",NULL}'"], "object", [["happy", "so so", None]]),
    ("uuid[]", ["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"], "object", [["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]]),
    ("bytea[]", ["ARRAY['\\x00'::bytea]"], "object", [[b"\x00"]]),
    ('kinds."Even"', ["4"], "Int64", [4]),
    ("kinds.mood", ["'sad'"], "string", ["sad"]),
    ("kinds.pair", ["ROW(1, '{x}')"], "string", ["(1,{x})"]),
    ("int4range", ["'[1,5)'"], "string", ["[1,5)"]),
    ("money", ["1.5"], "string", ["$1.50"]),
    ("inet", ["'::1'"], "string", ["::1"]),
    ("bit(3)", ["B'101'"], "string", ["101"]),
]


@pytest.mark.parametrize(("type_name", "literals", "dtype", "values"), FRAMES)
def test_a_type_has_one_form_in_a_frame(
    database: Database, type_name: str, literals: list[str], dtype: str, values: list[Any]
) -> None:
    database.run(said("SET lc_monetary = 'C'"))
    query = " UNION ALL ".join(f"SELECT CAST({text} AS {type_name}) AS v" for text in [*literals, "NULL"])
    with database.snapshot(said(query)) as snapshot:
        for found in (database.run(said(query))["v"], snapshot.frame()["v"]):
            assert str(found.dtype) == dtype
            assert pd.isna(found.iloc[-1])
            shown = [
                value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for value in found.tolist()[:-1]
            ]
            assert [repr(value) for value in shown] == [repr(value) for value in values]


def test_a_frame_is_the_same_by_pandas_own_constructor(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """pandas 2 has no other way; with pandas 3 the columns are put together as they are."""
    columns = [f"{literal}::{kind} AS c{number}" for number, (kind, (literal, *_), _, _) in enumerate(FRAMES)]
    for sql in (
        f"SELECT {', '.join(columns)} FROM generate_series(1, 3)",
        f"SELECT {', '.join(columns)} WHERE false",
        "SELECT 1 AS a, 'x' AS a, NULL::timestamptz AS \"b c\"",
        "SELECT FROM generate_series(1, 3)",
        "SELECT WHERE false",
    ):
        quickly = database.run(said(sql))
        with monkeypatch.context() as pandas_2:
            pandas_2.setitem(sys.modules, "pandas.api.internals", None)
            slowly = database.run(said(sql))
        assert isinstance(quickly, pd.DataFrame)
        assert isinstance(slowly, pd.DataFrame)
        pd.testing.assert_frame_equal(quickly, slowly, check_exact=True)
        assert quickly.columns.dtype == slowly.columns.dtype == object


def test_frames_of_one_query_share_nothing_that_a_user_may_change(database: Database) -> None:
    sql = said("SELECT 1 AS a, ARRAY[1] AS b, 'x' AS c")
    first = database.run(sql)
    assert isinstance(first, pd.DataFrame)
    first.columns.name, first.index.name = "axis", "index"
    first.loc[0, "a"] = 2
    first["b"][0].append(2)
    first["d"] = 1
    first = first.rename(columns={"c": "e"})
    second = database.run(sql)
    assert isinstance(second, pd.DataFrame)
    assert (second.columns.name, second.index.name) == (None, None)
    assert second.to_dict("list") == {"a": [1], "b": [[1]], "c": ["x"]}
    pd.testing.assert_frame_equal(pd.concat([second, second]).reset_index(drop=True).iloc[[0]], second)


def test_nan_and_null_stay_apart(database: Database) -> None:
    found = database.run(said("VALUES ('NaN'::float8), (NULL)"))["column1"]
    assert str(found.dtype) == "Float64"
    assert found.array._mask.tolist() == [False, True]


def test_a_type_does_not_change_with_the_rows_number(database: Database) -> None:
    query = "SELECT 1 AS a, 'x'::text AS b, now() AS c, true AS d, 1.5::float8 AS e"
    full = database.run(said(query))
    empty = database.run(said(query + " WHERE false"))
    assert full.dtypes.tolist() == empty.dtypes.tolist()


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York", "America/St_Johns", "UTC", "Asia/Kathmandu"])
def test_moments_are_the_same_whatever_the_sessions_zone(database: Database, zone: str) -> None:
    """Offsets of summer and winter, of half an hour, and of the years before zones, which have seconds."""
    database.run(said(f"SET TimeZone = '{zone}'"))
    text = ["1890-01-01 00:00:00.5", "1950-07-01 12:00:00", "2026-01-01 00:00:00", "2026-07-01 23:59:59.999999", None]
    rows = ", ".join("(NULL)" if moment is None else f"('{moment}+00'::timestamptz)" for moment in text)
    found = database.run(said(f"SELECT v FROM (VALUES {rows}) t(v)"))["v"]
    wanted = [None if moment is None else dt.datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in text]
    assert str(found.dtype) == "datetime64[us, UTC]"
    assert [None if pd.isna(moment) else moment.to_pydatetime() for moment in found] == wanted


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date"])
def test_years_before_christ_are_text_without_a_warning(database: Database, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = database.run(said(f"VALUES ('2026-01-01'::{kind}), ('0044-03-15 BC'), (NULL)"))
    assert isinstance(found, pd.DataFrame)
    assert found["column1"].dtype == "string"
    assert found["column1"][1].startswith("0044-03-15")
    assert found["column1"][1].endswith("BC")


def test_dates_in_another_style_are_text(database: Database) -> None:
    database.run(said("SET DateStyle = 'German'"))
    found = database.run(said("SELECT date '2026-11-22' AS a, timestamptz '2026-11-22 00:00+00' AS b"))
    assert found["a"].tolist() == ["22.11.2026"]
    assert str(found["b"].dtype) == "string"


def test_columns_of_one_name_are_shown_where_a_plain_query_has_them(database: Database) -> None:
    found = database.run(said("SELECT 1 AS a, 'x' AS a"))
    assert found.columns.tolist() == ["a", "a"]
    assert found.iloc[0].tolist() == [1, "x"]


def test_a_column_of_a_systems_name_is_refused_in_postgresqls_words(database: Database) -> None:
    with pytest.raises(ThanoSQLDatabaseError, match="ctid"):
        database.snapshot(said("SELECT ctid FROM pg_class"))
