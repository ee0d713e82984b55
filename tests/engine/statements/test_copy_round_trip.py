"""COPY (query) TO each kind of file, and COPY … FROM it into a table of the same types: every value comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thanosql.engine.session import Session

SUFFIXES = ("parquet", "csv", "tsv", "jsonl")
Values = st.SearchStrategy[Any]
TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12) | st.sampled_from(
    ["", " ", "NULL", "null", "\\N", "\\.", "NA", "nan", "007", "+82", "1e5", "true", "t", '"', '""', 'a"b', "a,b", "a\tb",
     "a\nb", "a\r\nb", "\ufeff", "\\", "\\x00", "{}", "[1]", "#", "'", "가나", "e\u0301", "😀", "\u2028", "\x1a", "\x85",
     "2024-02-29"]
)  # fmt: skip
REAL = st.floats(width=32).map(repr)
DOUBLE = st.floats().map(repr)
NUMERIC = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=9).map(str)
DATES = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(str)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(str)
TIMES = st.times().map(str)
BYTES = st.binary(max_size=12).map(lambda value: "\\x" + value.hex())
JSON: Values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | TEXTS.map(lambda text: text.replace("\x00", "")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def json_text(value: Any) -> str:
    import json

    return json.dumps(value)


def array_of(values: Values) -> Values:
    def text(items: list[str | None]) -> str:
        escaped = (
            "NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items
        )
        return "{" + ",".join(escaped) + "}"

    return st.lists(st.none() | values, max_size=4).map(text)


# Every row of docs/reference/types.md. A value is drawn as the text that PostgreSQL reads.
TYPES: dict[str, Values] = {
    "smallint": st.integers(-(2**15), 2**15 - 1).map(str),
    "integer": st.integers(-(2**31), 2**31 - 1).map(str),
    "bigint": st.integers(-(2**63), 2**63 - 1).map(str),
    "oid": st.integers(0, 2**32 - 1).map(str),
    "real": REAL,
    "double precision": DOUBLE,
    "numeric": NUMERIC | st.sampled_from(["NaN", "0.10", "1e30", "-1e-20", "12345678901234567890123456789012345.678"]),
    "numeric(12,3)": st.decimals(min_value=-999999999, max_value=999999999, places=3).map(str),
    "boolean": st.booleans().map(str),
    "timestamp with time zone": MOMENTS.map(lambda text: text + "+09"),
    "timestamp without time zone": MOMENTS,
    "date": DATES,
    "time without time zone": TIMES,
    "time with time zone": TIMES.map(lambda text: text + "+09:30"),
    "bytea": BYTES,
    "json": JSON.map(json_text),
    "jsonb": JSON.map(json_text),
    "text": TEXTS,
    "character varying(40)": TEXTS,
    "uuid": st.uuids().map(str),
    "interval": st.timedeltas(timedelta(-(10**5)), timedelta(10**5)).map(
        lambda span: f"{span.days} days {span.seconds} s"
    ),
    "money": st.integers(-(10**9), 10**9).map(str),
    "int4range": st.tuples(st.integers(-99, 0), st.integers(0, 99)).map(lambda ends: f"[{ends[0]},{ends[1]}]"),
    "inet": st.ip_addresses().map(str),
    "bit varying": st.text("01", max_size=9),
    "point": st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(str),
    "smallint[]": array_of(st.integers(-(2**15), 2**15 - 1).map(str)),
    "bigint[]": array_of(st.integers(-(2**63), 2**63 - 1).map(str)),
    "double precision[]": array_of(DOUBLE),
    "numeric[]": array_of(NUMERIC),
    "boolean[]": array_of(st.booleans().map(str)),
    "text[]": array_of(TEXTS),
    "bytea[]": array_of(BYTES),
    "date[]": array_of(DATES),
    "timestamp with time zone[]": array_of(MOMENTS.map(lambda text: text + "+00")),
    "uuid[]": array_of(st.uuids().map(str)),
}
# A name in marks is one only where the values below it show that marks enclose.
NAMES = TEXTS.filter(
    lambda text: (
        0 < len(text.encode()) <= 40 and text == text.strip() and not set(text) & set("\t\r\n\ufeff") and text[0] != '"'
    )
)
EXAMPLES = int(os.environ.get("THANOSQL_EXAMPLES", "25"))


@st.composite
def tables(draw: Callable[..., Any]) -> tuple[list[tuple[str, str]], list[list[str | None]]]:
    """Columns (name, type) and rows of texts. The first counts the rows: a line with nothing in it is no row."""
    types = ["integer", *draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=6))]
    names = draw(st.lists(NAMES, min_size=len(types), max_size=len(types), unique=True))
    rows = draw(st.lists(st.tuples(*(st.none() | TYPES[kind] for kind in types[1:])), min_size=1, max_size=5))
    return list(zip(names, types)), [[str(number), *row] for number, row in enumerate(rows)]


@pytest.fixture
def here(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.chdir(tmp_path)
    return session


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def comparable(column: str, kind: str, suffix: str) -> str:
    """SQL of what must be equal: the value, and where the type has no equality its text. A file of json lines has one null,
    and no white space outside of texts."""
    if kind.startswith("json") and suffix == "jsonl":
        return f"nullif({column}::jsonb, 'null')"
    return f"{column}::text" if kind in ("json", "point") else column


@pytest.mark.parametrize("style", ["ISO", "German"])
@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
@given(table=tables())
def test_every_value_comes_back(here: Session, suffix: str, style: str, table: Any) -> None:
    columns, rows = table
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    run = here.database.connection.execute
    defined = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns)
    run(f"DROP TABLE IF EXISTS given, back; CREATE TABLE given ({defined}); CREATE TABLE back (LIKE given)")
    marks = ", ".join(f"%s::text::{kind}" for _, kind in columns)
    for row in rows:
        here.database.connection.values(f"INSERT INTO given VALUES ({marks}) RETURNING 1", *row)
    run(f"SET DateStyle = {style}")
    try:
        assert here.run(f"COPY (TABLE given) TO 'x.{suffix}'").status == f"COPY {len(rows)}"
    finally:
        run("RESET DateStyle")
    header = ", header=True" if suffix in ("csv", "tsv") else ""  # a name may look like a value
    copied = here.run(f"COPY back OPTIONS (if_exists='append'{header}) FROM 'x.{suffix}'")
    assert copied.status == f"COPY {len(rows)}"
    names = [f"c{place}" for place in range(len(columns))]
    differ = " OR ".join(
        f"{comparable(f'g.{name}', kind, suffix)} IS DISTINCT FROM {comparable(f'b.{name}', kind, suffix)}"
        for name, (_, kind) in zip(names, columns)
    )
    listed = ", ".join(names)
    wrong = run(f"SELECT g.*, b.* FROM given g({listed}) FULL JOIN back b({listed}) ON g.c0 = b.c0 WHERE {differ}").rows
    assert not wrong
