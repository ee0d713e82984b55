"""Parameters that are tables and lists: `FROM :calls`, `COPY t FROM :calls`, `IN :ids`."""

from __future__ import annotations

import datetime as dt
import decimal
import shutil
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.engine.databases import Peer
from thanosql.engine.parameters.tables import identity
from thanosql.engine.session import Session
from thanosql.errors import (
    ThanoSQLDatabaseError,
    ThanoSQLDataError,
    ThanoSQLError,
    ThanoSQLOptionError,
    ThanoSQLSyntaxError,
)
from thanosql.models.bases import ASSETS

CALLS = pd.DataFrame({"id": [1, 2, 3], "name": ["a", None, "Käse\t%s"]})


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id FROM :calls", [1, 2, 3]),
        ("SELECT calls.id FROM :calls WHERE calls.id > 1", [2, 3]),
        ("SELECT c.id FROM :calls c WHERE c.id > 1", [2, 3]),
        ("SELECT c.id FROM :calls AS c ORDER BY 1 DESC LIMIT 1", [3]),
        ('SELECT "c c".id FROM :calls "c c" LIMIT 1', [1]),
        ("SELECT id FROM :calls\nJOIN (VALUES (2)) v (id) USING (id)", [2]),
        ("SELECT id FROM (VALUES (2)) v (id) JOIN :calls USING (id)", [2]),
        ("SELECT count(*) FROM :calls a, :calls b", [9]),
        ("SELECT count(*) FROM (:calls CROSS JOIN generate_series(1, 2))", [6]),
        ("SELECT count(*) FROM :calls TABLESAMPLE SYSTEM (100)", [3]),
        ("SELECT id FROM :calls UNION SELECT id FROM :calls ORDER BY 1", [1, 2, 3]),
        ("WITH w AS (SELECT * FROM :calls) SELECT w.id FROM w WHERE id IN :ids", [1, 3]),
        ("SELECT (SELECT max(id) FROM :calls) + 1", [4]),
        ("SELECT id FROM :Calls", [9]),
    ],
)
def test_a_data_frame_is_a_table(session: Session, sql: str, expected: list[int]) -> None:
    params = {"calls": CALLS, "ids": [1, 3], "Calls": pd.DataFrame({"id": [9]})}
    assert session.execute(sql, params).iloc[:, 0].tolist() == expected
    assert session.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'").iloc[0, 0] == 0


def test_the_types_are_the_reverse_of_what_comes_out(session: Session) -> None:
    columns: dict[str, tuple[list[Any], str]] = {
        "a": ([1, None], "bigint"),
        "b": ([1.5, None], "double precision"),
        "c": ([True, None], "boolean"),
        "d": ([decimal.Decimal("1.10"), None], "numeric"),
        "e": ([dt.date(2026, 1, 2), None], "date"),
        "f": ([b"\0x", None], "bytea"),
        "g": ([{"k": [1, None]}, None], "jsonb"),
        "h": ([[1, None, 3], None], "bigint[]"),
        "i": ([["a", 'b"{,}\\', None], None], "text[]"),
        "j": ([np.array([0.25, 2.0]), None], "double precision[]"),
        "k": ([[{"word": "one"}], None], "jsonb"),
        "l": ([[], ["x"]], "text[]"),
        "m": ([pd.Timestamp("2026-01-02 03:04:05.678901", tz="UTC"), pd.NaT], "timestamp with time zone"),
        "n": (["NULL", "\\N"], "text"),
        "o": ([uuid.UUID(int=7), None], "text"),
        "p": ([None, None], "text"),
    }
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, (values, _) in columns.items()})
    frame["a"], frame["b"], frame["c"] = (
        frame["a"].astype("Int64"),
        frame["b"].astype(float),
        frame["c"].astype("boolean"),
    )
    frame["m"] = pd.to_datetime(frame["m"])
    asked = ", ".join(f"pg_typeof({name})::text" for name in columns)
    (found,) = session.execute(f"SELECT {asked} FROM :frame LIMIT 1", {"frame": frame}).values.tolist()
    assert found == [type_ for _, type_ in columns.values()]
    back = session.execute("SELECT * FROM :frame", {"frame": frame})
    assert back["h"].tolist() == [[1, None, 3], None]
    assert back["i"].tolist() == [["a", 'b"{,}\\', None], None]
    assert back["j"].tolist() == [[0.25, 2.0], None]
    assert back["g"].tolist() == [{"k": [1, None]}, None]
    assert back["n"].tolist() == ["NULL", "\\N"]
    assert back["f"].tolist() == [b"\0x", None]
    again = session.execute("SELECT * FROM :back", {"back": back})
    pd.testing.assert_frame_equal(again, back)


def test_an_arrow_table_is_one_too(session: Session) -> None:
    day = dt.date(2026, 1, 2)
    table = pa.table({"id": [7, None], "name": ["x", "y"], "days": [[day], None], "deep": [{"k": [day]}, None]})
    assert session.execute("SELECT name FROM :t WHERE id IS NULL", {"t": table}).iloc[0, 0] == "y"
    (row, empty) = (
        session.execute("SELECT id, days, deep FROM :t ORDER BY id", {"t": table}).astype(object).values.tolist()
    )
    assert row == [7, [day], {"k": ["2026-01-02"]}]
    assert empty[1:] == [None, None]
    assert session.execute("SELECT 7 IN :ids", {"ids": table["id"]}).iloc[0, 0]
    with pytest.raises(ThanoSQLOptionError, match=r"bytes within other values(.|\n)*column of their own"):
        session.execute("SELECT * FROM :t", {"t": pa.table({"a": [{"b": b"x"}]})})


def test_an_empty_frame_has_its_columns(session: Session) -> None:
    assert list(session.execute("SELECT * FROM :calls", {"calls": CALLS.iloc[:0]}).columns) == ["id", "name"]


LONG = decimal.Decimal("12345678901234567890.123456789")
PRICES = [decimal.Decimal("1.10"), LONG, decimal.Decimal("1e30")]
AS_JSON = f"[1.10, {LONG}, 1{'0' * 30}]"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pd.DataFrame({"v": [{"n": [*PRICES, 0.1]}]}), f'{{"n": {AS_JSON[:-1]}, 0.1]}}'),
        (pd.DataFrame({"v": [{"n": np.array([1.5, 0.1]), "i": np.int64(7)}]}), '{"i": 7, "n": [1.5, 0.1]}'),
        (pd.DataFrame({"v": [[{"n": LONG}], {"n": 1}]}), f'[{{"n": {LONG}}}]'),
        (pa.table({"v": [{"n": [LONG]}]}), f'{{"n": [{LONG}]}}'),
    ],
)
def test_numbers_within_json_stay_numbers_on_the_way_in_and_out(session: Session, given: Any, said: str) -> None:
    found = session.execute("SELECT v, v::text AS said FROM :given LIMIT 1", {"given": given})
    assert found["said"].tolist() == [said]
    again = session.execute("SELECT :v::jsonb::text AS said", {"v": {"it": found["v"][0]}})
    assert again["said"].tolist() == [f'{{"it": {said}}}'.replace("1.10", "1.1")]


def test_statements_of_ours_read_it(session: Session) -> None:
    session.settings.workspace.mkdir(parents=True)
    shutil.copy(ASSETS / "spoken_numbers" / "test" / "0001.flac", session.settings.workspace / "one.flac")
    calls = pd.DataFrame({"id": [1, 2], "audio_path": ["one.flac", "one.flac"], "text": ["one", "two"]})
    heard = session.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM :calls", {"calls": calls})
    assert heard["id"].tolist() == [1, 2]
    assert heard["predict_result"].nunique() == 1
    joined = session.execute(
        "SELECT count(*) FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM :calls WHERE id IN :ids) p JOIN :calls USING (id)",
        {"calls": calls, "ids": {2}},
    )
    assert joined.iloc[0, 0] == 1
    items = session.execute("EXPLAIN EVALUATE USING Wav2Vec2Tiny AS SELECT * FROM :calls", {"calls": calls})
    assert items.set_index("item")["value"]["rows"] == "2"


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"audio_path": []}),  # float64
        pd.DataFrame({"audio_path": pd.array([], dtype="object")}),
        pd.DataFrame(columns=["audio_path"]),
        pd.DataFrame({"audio_path": [np.nan]}).iloc[:0],
        pd.DataFrame({"audio_path": ["one.flac"]}).iloc[:0],
        pa.table({"audio_path": pa.nulls(0)}),
        pa.table({"audio_path": pa.array([], pa.string())}),
    ],
)
def test_an_empty_column_of_a_frame_takes_the_type_that_is_asked_of_it(
    session: Session, frame: Any, peer: Peer
) -> None:
    for form in ("PREDICT USING Wav2Vec2Tiny", "PRINT AUDIO"):
        heard = session.execute(f"{form} AS SELECT * FROM :calls", {"calls": frame})
        assert len(heard) == 0
        assert heard.columns[0] == "audio_path"
    assert len(session.execute("CHECK PREDICT USING Wav2Vec2Tiny AS SELECT * FROM :calls", {"calls": frame})) == 0
    session.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='quiet_day') AS SELECT * FROM :calls", {"calls": frame}
    )
    assert peer("SELECT pg_typeof(audio_path)::text FROM (VALUES (0)) v LEFT JOIN quiet_day ON true") == [("text",)]
    peer("DROP TABLE quiet_day")


def test_where_a_part_begins_takes_a_number_in_an_empty_frame(session: Session) -> None:
    frame = pd.DataFrame(columns=["audio_path", "start", "end", "channel", "text"])
    options = "start_col='start', end_col='end', channel_col='channel'"
    for name in ("PREDICT", "ALIGN"):
        sql = f"{name} USING Wav2Vec2Tiny OPTIONS ({options}) AS SELECT * FROM :calls"
        assert len(session.execute(sql, {"calls": frame})) == 0
    with pytest.raises(ThanoSQLError, match="no rows"):
        session.execute(
            f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS ({options}) AS SELECT * FROM :calls",
            {"calls": pd.DataFrame({name: [] for name in frame.columns})},
        )


def test_a_column_without_values_has_no_type_of_its_own(session: Session) -> None:
    missing = pd.DataFrame({"id": [1, 2], "audio_path": [np.nan, np.nan]})
    with pytest.raises(ThanoSQLError, match=r"2 of 2 rows(.|\n)*no audio \(NULL\)"):
        session.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM :calls", {"calls": missing})
    typed = pd.DataFrame({"audio_path": ["a"], "score": [0.5]}).iloc[:0]
    # What nothing is asked of keeps the type that pandas gives it.
    assert len(session.execute("SELECT * FROM :calls WHERE score > 0.5", {"calls": typed})) == 0
    number = pd.DataFrame({"audio_path": [1]})
    with pytest.raises(ThanoSQLError, match=r"type bigint; audio is a path(.|\n)*audio_path::text"):
        session.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM :calls", {"calls": number})


def test_a_frame_of_polars_is_a_table_and_a_lazy_one_is_not(session: Session) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"id": [1, 2], "name": ["a", None], "when": [dt.datetime(2026, 1, 2), None]})
    found = session.execute('SELECT name, pg_typeof("when")::text FROM :calls ORDER BY id', {"calls": frame})
    assert found.astype(object).where(found.notna(), None).values.tolist() == [
        ["a", "timestamp without time zone"],
        [None, "timestamp without time zone"],
    ]
    assert session.execute("SELECT 2 IN :ids", {"ids": frame["id"]}).iloc[0, 0]
    empty = polars.DataFrame({"audio_path": []})
    assert len(session.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM :calls", {"calls": empty})) == 0
    for sql in ("SELECT * FROM :calls", "COPY lazy FROM :calls", "PREDICT USING Wav2Vec2Tiny AS SELECT * FROM :calls"):
        with pytest.raises(ThanoSQLOptionError, match=r"LazyFrame of polars has no rows yet(.|\n)*collect\(\)"):
            session.execute(sql, {"calls": frame.lazy()})


def test_copy_makes_a_table_of_it(session: Session, peer: Peer) -> None:
    assert session.execute("COPY given FROM :calls", {"calls": CALLS}) == "COPY 3"
    assert session.execute("COPY given OPTIONS (if_exists='append') FROM :calls", {"calls": CALLS}) == "COPY 3"
    assert peer('SELECT count(*), count(name), min(name COLLATE "C") FROM given') == [(6, 4, "Käse\t%s")]
    more = pd.DataFrame({"id": [5], "name": [7]})
    assert session.execute("COPY given OPTIONS (if_exists='replace') FROM :more", {"more": more}) == "COPY 1"
    assert peer("SELECT name FROM given") == [(7,)]
    with pytest.raises(ThanoSQLError, match=r":odd has a column 'odd', and the table given has none"):
        session.execute("COPY given OPTIONS (if_exists='append') FROM :odd", {"odd": pd.DataFrame({"odd": [1]})})
    with pytest.raises(ThanoSQLOptionError, match="delimiter is for files, and not for a table that is given"):
        session.execute("COPY other OPTIONS (delimiter=';') FROM :calls", {"calls": CALLS})
    peer("DROP TABLE given")


@pytest.mark.parametrize(
    "given",
    [
        pa.table({"t": pa.array([1_700_000_000_123_456_789, 1_000, None], pa.timestamp("ns"))}),
        pa.table({"t": pa.array([123_456_789, 1_000], pa.time64("ns"))}),
        pa.table({"t": pa.array([123_456_789, 1_000], pa.duration("ns"))}),
        pa.table({"t": pa.array([[1_001], None, []], pa.list_(pa.timestamp("ns")))}),
        pd.DataFrame({"t": pd.to_datetime([1_700_000_000_123_456_789, 1_000, None])}),
        pd.DataFrame({"t": pd.to_timedelta([1_001, 1_000, None])}),
    ],
)
def test_copy_counts_nanoseconds_that_are_not_kept(session: Session, given: Any) -> None:
    result = session.run("COPY given OPTIONS (if_exists='replace') FROM :given", {"given": given})
    assert "1 value of t has nanoseconds; PostgreSQL keeps microseconds" in result.note
    whole = pa.table({"t": pa.array([1_000, None], pa.timestamp("ns"))})
    assert "nano" not in session.run("COPY given OPTIONS (if_exists='replace') FROM :g", {"g": whole}).note
    session.execute("DROP TABLE given")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT :calls", r"is a table, which cannot be used here(.|\n)*\^\^\^\^\^\^(.|\n)*FROM :calls"),
        ("SELECT * FROM t WHERE id = :calls", "cannot be used here"),
        ("CREATE VIEW v AS SELECT * FROM :calls", r"cannot read the table :calls(.|\n)*COPY calls FROM :calls"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT * FROM :calls", "cannot read the table"),
        ("SELECT * FROM :doubled", r"two columns of the name 'a'(.|\n)*\^\^\^\^\^\^\^\^"),
        ("COPY t FROM :doubled", "two columns of the name 'a'"),
        ("SELECT * FROM :bare", "no columns"),
        ("SELECT * FROM :long", "longer than PostgreSQL's 63 bytes"),
        ("SELECT * FROM :call", r"no value for the parameter :call\.(.|\n)*Did you mean :calls\?"),
    ],
)
def test_what_cannot_be_a_table_is_refused_at_its_place(session: Session, sql: str, said: str) -> None:
    params = {
        "calls": CALLS,
        "doubled": pd.DataFrame([[1, 2]], columns=["a", "a"]),
        "bare": pd.DataFrame(index=[1, 2]),
        "long": pd.DataFrame({"가" * 22: [1]}),
    }
    with pytest.raises((ThanoSQLOptionError, ThanoSQLSyntaxError), match=said):
        session.execute(sql, params)


@pytest.mark.parametrize(
    "ids", [[1, 3], (1, 3), {1, 3}, {1: "a", 3: "b"}.keys(), range(1, 4, 2), np.array([1, 3]), pd.Series([1, 3])]
)
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("id IN :ids", [1, 3]),
        ("id in (:ids)", [1, 3]),
        ("id NOT IN :ids", [2]),
        ("NOT id IN :ids", [2]),
        ("id not  in ( :ids ) AND true", [2]),
        ("id = ANY(:ids)", [1, 3]),
        ("id IN :ids AND id IN (:one, :two)", [1]),
    ],
)
def test_a_list_stands_behind_in(session: Session, ids: Any, condition: str, expected: list[int]) -> None:
    params = {"ids": ids, "one": 1, "two": 2}
    sql = f"SELECT id FROM generate_series(1, 3) id WHERE {condition}"
    assert session.execute(sql, params).iloc[:, 0].tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [("a\0", "holds a NUL character"), (["\0"], "holds a NUL character"), ("\ud800", r"surrogate pair: '\\ud800")],
)
def test_a_character_of_a_table_that_postgresql_does_not_take_is_named(
    session: Session, text: object, message: str
) -> None:
    frame = pd.DataFrame({"a": pd.Series([text], dtype=object)})
    with pytest.raises(ThanoSQLDataError, match=message):
        session.execute("SELECT * FROM :frame", {"frame": frame})


@pytest.mark.parametrize(
    ("sql", "value", "cure"),
    [
        ("SELECT 1 WHERE 'a' IN :v", "a", "no list, as IN takes one: write = :v"),
        ("SELECT 1 WHERE 1 NOT IN :v", None, "no list"),
        ("SELECT * FROM :v", [1, 2], r"unnest\(:v\) makes rows"),
        ("SELECT * FROM pg_class JOIN :v AS t ON true", "x", "no table"),
    ],
)
def test_a_value_of_another_shape_than_its_place_takes_is_said(
    session: Session, sql: str, value: object, cure: str
) -> None:
    with pytest.raises(ThanoSQLDatabaseError, match=cure):
        session.execute(sql, {"v": value})


@pytest.mark.parametrize("empty", [[], (), set(), np.array([]), pd.Series([], dtype=object)])
def test_an_empty_list_holds_nothing(session: Session, empty: Any) -> None:
    sql = (
        "SELECT count(*) FILTER (WHERE id IN :e), count(*) FILTER (WHERE id NOT IN (:e)) FROM generate_series(1, 3) id"
    )
    assert session.execute(sql, {"e": empty}).values.tolist() == [[0, 3]]


@pytest.mark.parametrize(
    ("condition", "items"),
    [
        ("'00000000-0000-0000-0000-000000000007'::uuid IN :x", [uuid.UUID(int=7)]),
        ("date '2026-01-02' IN :x", [dt.date(2026, 1, 2)]),
        ("date '2026-01-02' IN :x", np.array(["2026-01-02"], dtype="datetime64[ns]")),
        ("'a' IN :x", pd.Series(["a", "b", "a"], dtype="string").unique()),
        ("1 IN :x", pd.array([1, None], dtype="Int64")),
        ("'it''s {\"so\"},\\'::varchar(20) IN :x", ['it\'s {"so"},\\']),
        ("1.10::numeric IN :x", [decimal.Decimal("1.1"), None]),
        ("true IN :x", [True]),
        ("'\\x00'::bytea IN :x", [b"\0"]),
        ("(1, 'a') IN :x", [(1, "a"), (2, "b")]),
        ("(1, 'c') NOT IN :x", ((1, "a"), (2, "b"))),
        ("(1 IN :x) IS NULL", [None, 2]),
        ("(1 NOT IN :x) IS NULL", pd.Series([2, None], dtype="Int64")),
    ],
)
def test_items_take_the_type_of_what_they_are_compared_with(session: Session, condition: str, items: Any) -> None:
    assert session.execute(f"SELECT {condition}", {"x": items}).iloc[0, 0]


def test_all_of_a_table_tells_it_from_another() -> None:
    many = pd.DataFrame({"a": np.arange(10_000)})
    other = many.copy()
    other.loc[5_000, "a"] = -1
    assert repr(many) == repr(other)
    assert identity(many) != identity(other)
    assert identity(many) == identity(many.copy())
    assert identity(7) == 7


def test_a_view_without_a_parameter_is_postgresqls(session: Session, peer: Peer) -> None:
    session.execute("CREATE VIEW v AS SELECT :n::int AS n", {"n": 3})
    assert peer("SELECT n FROM v") == [(3,)]
    peer("DROP VIEW v")


UTC = dt.UTC


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        ([{"a": 1}, [1, "x"], None], "jsonb", ['{"a": 1}', '[1, "x"]', None]),
        ([{"a": 1}, {}], "jsonb", ['{"a": 1}', "{}"]),
        (
            [dt.date(2026, 1, 1), dt.datetime(2026, 1, 2, 10, 30)],
            "timestamp without time zone",
            ["2026-01-01 00:00:00", "2026-01-02 10:30:00"],
        ),
        ([dt.datetime(2026, 1, 2, 10, 30), None], "timestamp without time zone", ["2026-01-02 10:30:00", None]),
        (
            [dt.datetime(2026, 1, 2, 10, 30, tzinfo=UTC), None],
            "timestamp with time zone",
            ["2026-01-02 10:30:00+00", None],
        ),
        (
            [dt.datetime(2026, 1, 2, tzinfo=UTC), dt.datetime(2026, 1, 2)],
            "text",
            ["2026-01-02 00:00:00+00:00", "2026-01-02 00:00:00"],
        ),
        ([1, 2.5, None], "double precision", ["1", "2.5", None]),
        ([1, decimal.Decimal("2.50")], "numeric", ["1", "2.50"]),
        ([True, 2], "text", ["True", "2"]),
        ([True, None, False], "boolean", ["true", None, "false"]),
        ([np.int64(3), 4], "bigint", ["3", "4"]),
        ([2**63, -1, None], "numeric", ["9223372036854775808", "-1", None]),
        ([2**63 - 1, -(2**63)], "bigint", ["9223372036854775807", "-9223372036854775808"]),
        ([np.float32(0.5), np.int8(1)], "double precision", ["0.5", "1"]),
        ([1, "a"], "text", ["1", "a"]),
        ([b"a", "a"], "text", ["b'a'", "a"]),
    ],
)
def test_objects_of_several_kinds_keep_their_values(
    session: Session, values: list[Any], kind: str, said: list[str | None]
) -> None:
    session.execute("SET TimeZone = 'UTC'")
    frame = pd.DataFrame({"n": range(len(values)), "v": pd.Series(values, dtype=object)})
    rows = session.execute("SELECT v::text AS v, pg_typeof(v)::text AS kind FROM :frame ORDER BY n", {"frame": frame})
    assert set(rows.kind) == {kind}
    assert [None if pd.isna(value) else value for value in rows.v] == said
