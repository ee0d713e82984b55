"""Columns of a table that became text, or numbers of a doubtful kind, in; what is odd with them, and the cure, out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from thanosql.engine.files import written_dates
from thanosql.engine.postgres.naming import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from thanosql.engine.postgres.connection import Connection

MISSING = ("NA", "N/A", "n/a", "null", "NULL", "None", "nan", "NaN", "-", "?")  # as others write that nothing is there
SAMPLE = 1000  # rows that rule out most kinds before all rows are looked at
_NOTHING = f"{{c}} IN ({', '.join(map(literal, MISSING))})"
_NUMBER = "[+-]?[0-9]+([.][0-9]+)?"
_FIGURES = "(?:0(?![0-9])|[1-9])[0-9., ''’\u00a0\u202f]*"
_SIGNS = "%‰$€£¥₩"
_UNITS = f"(?: ?(?:[{_SIGNS}]|원|EUR|USD|KRW|GBP|CHF|ms|s|sec|min|h|kg|g|km|m|dB|k?Hz))"


def _matches(pattern: str) -> str:
    return "{c} ~ '^(" + pattern.replace("{", "{{").replace("}", "}}") + ")$'"


def _like(*patterns: str) -> str:
    return " OR ".join(map(_matches, patterns))


_GROUPS = "[+-]?[0-9]{1,3}(,[0-9]{3})+"
# What all values of a column of text are, but for words for nothing; what some of them must be; and what is said of them. The
# first that fits is said. {n} is the column, {q} the same in SQL, {v} one of its values.
_TEXTS: tuple[tuple[str, str, str], ...] = (
    (
        _like("[+-]?[0-9]{1,3}(,[0-9]{3})+", "[+-]?[0-9]{1,3}"),
        _matches(_GROUPS),
        "its numbers have commas ({v}), which divide thousands or begin decimals: replace({q}, ',', '')::numeric or"
        " replace({q}, ',', '.')::numeric reads them in a query",
    ),
    (
        _like("[+-]?([0-9]{1,3}([.][0-9]{3})+|[0-9]+)(,[0-9]+)?([eE][+-]?[0-9]+)?"),
        "{c} LIKE '%,%'",
        "its numbers have decimal commas ({v}): replace(replace({q}, '.', ''), ',', '.')::numeric reads them in a query",
    ),
    (
        _like(_GROUPS + "([.][0-9]+)?", _NUMBER),
        _matches(_GROUPS + "([.][0-9]+)?"),
        "its numbers have commas between thousands ({v}): replace({q}, ',', '')::numeric reads them in a query",
    ),
    (
        _like("[0-9]{1,3}:[0-5][0-9](:[0-5][0-9])?([.,][0-9]+)?( ?[AaPp]\\.?[Mm]\\.?)?"),
        "true",
        "its values are times or durations ({v}): types=['{n} interval'] or types=['{n} time'] reads them, those with a comma"
        " replace({q}, ',', '.')::interval in a query",
    ),
    (
        _like(f"[(][{_SIGNS}]?{_FIGURES}[)]", "[0-9][0-9.,]*-", "−[0-9][0-9.,]*", "-?[0-9][0-9.,]*"),
        "{c} ~ '[(−]|-$'",
        "its numbers have a minus of their own kind ({v})",
    ),
    (
        _like(f"[+-]?[{_SIGNS}]? ?[+-]?{_FIGURES}{_UNITS}?"),
        "{c} !~ '^[0-9.]+$' AND {c} !~ '^[+]'",
        "its values are numbers with signs, units or spaces ({v}): regexp_replace({q}, '[^0-9,.-]', '', 'g') leaves figures",
    ),
    (
        _like("[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2}"),
        "true",
        "its days have years of two figures ({v}): to_date({q}, 'DD.MM.YY') or another pattern reads them in a query",
    ),
)
_WHOLE_THOUSANDS = (_like("-?[1-9][0-9]{0,2}[.][0-9]{3}", "-?[0-9]{1,3}"), _matches("-?[1-9][0-9]{0,2}[.][0-9]{3}"))


def remarks(
    connection: Connection, table: str, types: Mapping[str, str], number: str, *, thousands: bool
) -> dict[str, str]:
    """A remark by column. `number` is SQL for whether a text {c} is a number; `thousands` whether the file is one of those in
    which a point may divide them."""
    found: dict[str, str] = {}
    texts = [name for name, type_ in types.items() if type_ == "text"]

    def all_of(names: Sequence[str], condition: str) -> list[str]:
        asked = [name for name in names if name not in found]
        whole = f"{_NOTHING} OR {condition}"
        for rows in (f"(SELECT * FROM {table} LIMIT {SAMPLE}) sample", table):
            tests = [f"bool_and({whole.format(c=quoted(name))})" for name in asked]
            asked = [name for name, fits in zip(asked, _row(connection, tests, rows), strict=True) if fits]
        return asked

    def say(names: Sequence[str], some: str, said: Callable[[str, str, int], str], one: str = "min") -> None:
        for name in names:
            condition = f"NOT ({_NOTHING}) AND ({some})".format(c=quoted(name))
            value, count = connection.execute(
                f"SELECT {one}({quoted(name)}) FILTER (WHERE {condition}), count(*) FILTER (WHERE {condition}) FROM {table}"
            ).rows[0]
            if count:
                found[name] = said(name, str(value), int(count))

    for name in all_of(texts, number):
        condition = _NOTHING.format(c=quoted(name))
        value, count, others = connection.execute(
            f"SELECT min({quoted(name)}) FILTER (WHERE {condition}), count(*) FILTER (WHERE {condition}),"
            f" count(*) FILTER (WHERE NOT ({condition})) FROM {table}"
        ).rows[0]
        if count and others:
            found[name] = f"{name} is text because of {count:,} '{value}': null='{value}' reads them as NULL"
    for orders, said in (
        (("dmy", "mdy"), "are written with the day or the month first, and none tells which"),
        (("dmy",), "are written day first"),
        (("mdy",), "are written month first"),
        (("ymd",), "are written year first"),
    ):
        fitting = texts
        for order in orders:
            fitting = all_of(fitting, written_dates.kinds([order])[f"timestamp without time zone {order}"])
        cure = " or ".join(f"date_order='{order}'" for order in orders)
        say(
            fitting,
            "true",
            lambda name, value, count, said=said, cure=cure: (  # type: ignore[misc]
                f"{name} is text: its {count:,} days {said} ({value}): {cure} reads them"
            ),
            "max",
        )
    either = " OR ".join(
        written_dates.kinds([order])[f"timestamp without time zone {order}"] for order in ("dmy", "mdy")
    )
    say(
        all_of(texts, f"({either})"),
        "true",
        lambda name, value, count: (
            f"{name} is text: of its {count:,} days ({value}) some are day first and others month first"
        ),
        "max",
    )
    for whole, some, said in _TEXTS:
        say(
            all_of(texts, f"({whole})"),
            some,
            lambda name, value, _, said=said: f"{name} is text: {said.format(n=name, q=_in_sql(name), v=value)}",  # type: ignore[misc]
        )
    if thousands:
        whole, some = _WHOLE_THOUSANDS
        say(
            all_of([name for name, type_ in types.items() if type_ == "double precision"], f"({whole})"),
            some,
            lambda name, value, _: (
                f"{name} is double precision, and three digits follow each point ({value}): where the points divide thousands,"
                f" types=['{name} text'] keeps them"
            ),
        )
    return found


def _in_sql(name: str) -> str:
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else quoted(name)


def _row(connection: Connection, asked: Sequence[str], rows: str) -> list[bool | None]:
    answers: list[bool | None] = []
    for begin in range(0, len(asked), 500):
        answers.extend(connection.execute(f"SELECT {', '.join(asked[begin : begin + 500])} FROM {rows}").rows[0])
    return answers
