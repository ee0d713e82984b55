"""A statement's few rows look the same as they come and as a DataFrame, in every form that they are shown in."""

from __future__ import annotations

import pytest

from thanosql.engine.postgres.naming import Column
from thanosql.engine.postgres.small_table import SmallTable
from thanosql.notebook import formats, terminal

COLUMNS = (
    Column("name", "text"),
    Column("version", "bigint"),
    Column("hours", "double precision"),
    Column("current", "boolean"),
    Column("created", "timestamp with time zone"),
    Column("path", "text"),
)
MOMENT = "2026-11-22T09:30:05+09:00"
TABLES = {
    "no rows": (),
    "one": (("digits", 3, 0.5, True, MOMENT, "calls/one.wav"),),
    "missing": ((None, None, None, None, None, None), ("digits", 3, 1, False, "2026-11-22T09:30:05.25Z", None)),
    "odd": (
        ("a\tb\nc", -(2**62), float("nan"), True, "2026-11-22", "x" * 90 + "/two.flac"),
        ("한국어", 0, float("inf"), False, "no moment", "two/three.flac"),
    ),
    "many": tuple((f"m{number}", number, number / 3, bool(number % 2), MOMENT, "a/b.wav") for number in range(60)),
}
AS = {
    "table": lambda table, limit: terminal.as_text(table, limit, width=0),
    "narrow": lambda table, limit: terminal.as_text(table, limit, width=50),
    "expanded": lambda table, limit: terminal.as_text(table, limit, expanded=True),
    "csv": formats.as_csv,
    "json": formats.as_json,
}


@pytest.mark.parametrize("limit", [0, 1, 20])
@pytest.mark.parametrize("form", AS)
@pytest.mark.parametrize("rows", TABLES)
def test_it_looks_as_its_dataframe_does(rows: str, form: str, limit: int) -> None:
    table = SmallTable.of(COLUMNS, TABLES[rows])
    assert AS[form](table, limit) == AS[form](table.frame(), limit)
