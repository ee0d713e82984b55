"""Columns of text in the database → the narrowest types that hold all their values as they are written, and what is odd.

The types are tried by PostgreSQL itself, over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.engine.files import written_dates
from thanosql.engine.files.column_remarks import SAMPLE, remarks
from thanosql.engine.postgres.naming import quoted

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection


# Narrowest first. Each is an SQL expression over {c}, a text that is not NULL: whether the type holds it without loss.
# An exponent has a sign, or a point before it, as whatever computes writes it: 12E4 is a name for something.
_NUMBER = r"-?(((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{{1,2}})?|(0|[1-9][0-9]*)([eE][+-][0-9]{{1,2}})?)"
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


def _all(condition: str, column: str) -> str:
    """SQL for whether every value of a text column (quoted name) fits; NULL when the column is empty."""
    return f"bool_and(CASE WHEN {column} IS NOT NULL THEN {condition.format(c=column)} END)"


@dataclass(frozen=True)
class FoundTypes:
    """`types` by column, SQL that reads those whose text PostgreSQL does not read as it is meant, and remarks on some."""

    types: dict[str, str]
    readings: dict[str, str]
    remarks: dict[str, str]


def find_types(
    connection: Connection, table: str, names: tuple[str, ...], *, order: str | None, thousands: bool
) -> FoundTypes:
    """The type of each column of text. `order` is how days in figures are read, None to leave them text; `thousands` says
    that a point may divide thousands in such a file."""
    candidates = CANDIDATES | written_dates.kinds([order] if order else [])
    connection.execute("SET LOCAL extra_float_digits = 1")
    connection.execute("SET LOCAL synchronize_seqscans = off")  # the rows keep the order of the file
    fitting: dict[str, list[str]] = {}
    tests = [(name, kind) for name in names for kind in candidates]
    sample = f"(SELECT * FROM {table} LIMIT {SAMPLE}) sample"
    for (name, kind), fits in zip(
        tests, _tested(connection, [_all(candidates[kind], quoted(name)) for name, kind in tests], sample)
    ):
        if fits is not False:
            fitting.setdefault(name, []).append(kind)
    found: dict[str, str] = {}
    while fitting:
        tests = [(name, kinds[0]) for name, kinds in fitting.items()]
        asked = [_all(candidates[kind], quoted(name)) for name, kind in tests]
        for (name, kind), fits in zip(tests, _tested(connection, asked, table)):
            if fits is False:
                fitting[name].pop(0)
            else:
                found[name] = "text" if fits is None else kind
            if name in found or not fitting[name]:
                del fitting[name]
    kinds = {name: written_dates.split_kind(found.get(name, "text")) for name in names}
    types = {name: type_ for name, (type_, _) in kinds.items()}
    readings = {name: written_dates.read(said, quoted(name), type_) for name, (type_, said) in kinds.items() if said}
    number = CANDIDATES["double precision"]
    return FoundTypes(types, readings, remarks(connection, table, types, number, thousands=thousands))


def _tested(connection: Connection, asked: list[str], rows: str) -> tuple[bool | None, ...]:
    answers: list[bool | None] = []
    for begin in range(0, len(asked), 500):
        answers.extend(connection.execute(f"SELECT {', '.join(asked[begin : begin + 500])} FROM {rows}").rows[0])
    return tuple(answers)
