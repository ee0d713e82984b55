"""Columns of text in the database → the narrowest types that hold all their values as they are written, and what is odd.

The types are tried by PostgreSQL itself, over all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from thanosql.engine.postgres.naming import quoted

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection

SAMPLE = 1000  # rows that rule out most types before all rows are looked at
MISSING = ("NA", "N/A", "n/a", "null", "NULL", "None", "nan", "NaN", "-", "?")  # as others write that nothing is there

# Narrowest first. Each is an SQL expression over {c}, a text that is not NULL: whether the type holds it without loss.
_NUMBER = r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{{1,2}})?"
_DAY = r"[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,6}}0*)?)?"
_ZONE = r" ?(Z|z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_REAL_DAY = (
    "left({c}, 4) <> '0000' AND substr({c}, 9, 2)::int <= extract(day FROM make_date(left({c}, 4)::int, "
    "substr({c}, 6, 2)::int, 1) + interval '1 month' - interval '1 day')"
)


def _when(pattern: str, then: str = "true") -> str:
    return f"CASE WHEN {{c}} ~ '^({pattern})$' THEN {then} ELSE false END"


CANDIDATES: dict[str, str] = {
    "boolean": "lower({c}) IN ('true', 'false')",
    # A number with a leading zero or plus is a name for something (0123, +82), and stays as it is written.
    "bigint": _when(
        "0|-?[1-9][0-9]{{0,18}}",
        "CASE WHEN length({c}) < 19 THEN true"
        " ELSE {c}::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 END",
    ),
    "double precision": _when(
        _NUMBER,
        "CASE WHEN length({c}) <= 15 THEN true WHEN length({c}) > 40 THEN false"
        " ELSE {c}::double precision::text::numeric = {c}::numeric END",
    ),
    "numeric": _when(_NUMBER, "length({c}) <= 1000"),
    "date": _when(_DAY, _REAL_DAY),
    "timestamp without time zone": _when(f"{_DAY}([ T]{_CLOCK})?", _REAL_DAY),
    "timestamp with time zone": _when(f"{_DAY}[ T]{_CLOCK}{_ZONE}", _REAL_DAY),
}


def holds(kind: str, column: str) -> str:
    """SQL for whether every value of a text column (quoted name) fits a type; NULL when the column is empty."""
    return _all(CANDIDATES[kind], column)


def _all(condition: str, column: str) -> str:
    return f"bool_and(CASE WHEN {column} IS NOT NULL THEN {condition.format(c=column)} END)"


def find_types(connection: Connection, table: str, names: tuple[str, ...]) -> tuple[dict[str, str], Mapping[str, str]]:
    """The type of each column of text, and a remark on those that are text for the sake of a few of their values."""
    connection.execute("SET LOCAL extra_float_digits = 1")
    connection.execute("SET LOCAL synchronize_seqscans = off")  # the rows keep the order of the file
    fitting: dict[str, list[str]] = {}
    tests = [(name, kind) for name in names for kind in CANDIDATES]
    sample = f"(SELECT * FROM {table} LIMIT {SAMPLE}) sample"
    for (name, kind), fits in zip(
        tests, _tested(connection, [holds(kind, quoted(name)) for name, kind in tests], sample)
    ):
        if fits is not False:
            fitting.setdefault(name, []).append(kind)
    found: dict[str, str] = {}
    while fitting:
        tests = [(name, kinds[0]) for name, kinds in fitting.items()]
        asked = [holds(kind, quoted(name)) for name, kind in tests]
        for (name, kind), fits in zip(tests, _tested(connection, asked, table)):
            if fits is False:
                fitting[name].pop(0)
            else:
                found[name] = "text" if fits is None else kind
            if name in found or not fitting[name]:
                del fitting[name]
    types = {name: found.get(name, "text") for name in names}
    texts = [name for name, kind in types.items() if kind == "text"]
    return types, _remarks(connection, table, texts)


_WORDS_FOR_NOTHING = ", ".join(f"'{word}'" for word in MISSING)
_NUMBER_BUT_FOR_WORDS = f"{{c}} IN ({_WORDS_FOR_NOTHING}) OR {CANDIDATES['double precision']}"
_NUMBER_WITH_COMMA = (
    f"{{c}} IN ({_WORDS_FOR_NOTHING}) OR {{c}} ~ '^-?([0-9]{{{{1,3}}}}([.][0-9]{{{{3}}}})+|[0-9]+)(,[0-9]+)?$'"
)


def _remarks(connection: Connection, table: str, texts: list[str]) -> dict[str, str]:
    """Of columns of text: that they would be numbers but for words for nothing, or for commas in place of points."""
    remarks: dict[str, str] = {}
    for pattern, odd in (
        (_NUMBER_BUT_FOR_WORDS, f"{{c}} IN ({_WORDS_FOR_NOTHING})"),
        (_NUMBER_WITH_COMMA, "{c} LIKE '%,%'"),
    ):
        asked = texts
        for rows in (f"(SELECT * FROM {table} LIMIT {SAMPLE}) sample", table):
            tests = [_all(pattern, quoted(name)) for name in asked]
            asked = [name for name, fits in zip(asked, _tested(connection, tests, rows)) if fits]
        for name in asked:
            condition = odd.format(c=quoted(name))
            value, count, others = connection.execute(
                f"SELECT min({quoted(name)}) FILTER (WHERE {condition}), count(*) FILTER (WHERE {condition}),"
                f" count(*) FILTER (WHERE NOT ({condition})) FROM {table}"
            ).rows[0]
            if count and pattern == _NUMBER_WITH_COMMA:
                remarks[name] = f"{name} is text: its numbers have decimal commas ({value})"
            elif count and others:
                remarks[name] = f"{name} is text because of {count:,} '{value}': null='{value}' reads them as NULL"
    return remarks


def _tested(connection: Connection, asked: list[str], rows: str) -> tuple[bool | None, ...]:
    answers: list[bool | None] = []
    for begin in range(0, len(asked), 500):
        answers.extend(connection.execute(f"SELECT {', '.join(asked[begin : begin + 500])} FROM {rows}").rows[0])
    return tuple(answers)
