"""Days written in figures (31.12.2024, 12/31/2024, 2024. 12. 31.) in; in which order they are, and SQL that reads them, out.

Which of two small numbers is the month, a value does not tell: 01.02.2025 is in January or in February. PostgreSQL goes by its
DateStyle, which is month first, and says nothing. Here a column tells, all of it together, or the user does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from thanosql.errors import ThanoSQLDataError

ORDERS = ("dmy", "mdy", "ymd")
STYLES = {"dmy": "ISO, DMY", "mdy": "ISO, MDY", "ymd": "ISO, YMD"}
DATED = ("date", "timestamp without time zone", "timestamp with time zone")

_DAY, _MONTH, _YEAR = "(0?[1-9]|[12][0-9]|3[01])", "(0?[1-9]|1[0-2])", "([0-9]{4})"
_BETWEEN = " ?[./-] ?"
_CLOCK = "[ T]([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,6}0*)?)?"
# What stands for the year, the month and the day, in this order.
_PATTERNS = {
    "dmy": (f"{_DAY}{_BETWEEN}{_MONTH}{_BETWEEN}{_YEAR}", (3, 2, 1)),
    "mdy": (f"{_MONTH}{_BETWEEN}{_DAY}{_BETWEEN}{_YEAR}", (3, 1, 2)),
    "ymd": (f"{_YEAR}(?:{_BETWEEN}|년 ?){_MONTH}(?:{_BETWEEN}|월 ?){_DAY}[.일]?", (1, 2, 3)),
}
_FIGURES = re.compile(r"\s*(\d{1,2}) ?[./-] ?(\d{1,2}) ?[./-] ?(?:\d{4}|\d\d)(?![\d./-])")


def kinds(orders: Iterable[str]) -> dict[str, str]:
    """`date dmy` and the like → SQL, over {c}, a text that is not NULL, for whether it is such a day, or a day with a time."""
    found = {}
    for order in orders:
        found[f"date {order}"] = _holds(order, "")
        found[f"timestamp without time zone {order}"] = _holds(order, f"({_CLOCK})?")
    return found


def split_kind(kind: str) -> tuple[str, str]:
    """
    >>> split_kind("timestamp without time zone dmy"), split_kind("date")
    (('timestamp without time zone', 'dmy'), ('date', ''))
    """
    type_, _, order = kind.rpartition(" ")
    return (type_, order) if order in ORDERS else (kind, "")


def read(order: str, column: str, type_: str) -> str:
    """SQL for a column of such texts (quoted name) as that type."""
    return f"CAST(replace({_iso(order, column)}, ',', '.') AS {type_})"


def _iso(order: str, column: str) -> str:
    pattern, places = _PATTERNS[order]
    ordered = "-".join(rf"\\{place}" for place in places)
    return f"regexp_replace({column}, '^{pattern}', E'{ordered}')"


def _holds(order: str, tail: str) -> str:
    pattern, _ = _PATTERNS[order]
    parts = [f"split_part(split_part(translate({_iso(order, '{c}')}, 'T', ' '), ' ', 1), '-', {n})" for n in (1, 2, 3)]
    year, month, day = parts
    last = f"extract(day FROM make_date({year}::int, {month}::int, 1) + interval '1 month' - interval '1 day')"
    real = f"CASE WHEN {year} = '0000' THEN false ELSE {day}::int <= {last} END"
    condition = f"CASE WHEN {{c}} ~ '^{pattern}{tail}$' THEN {real} ELSE false END"
    # It is formatted with the column's name.
    return re.sub(r"\{(\d(?:,\d)?)\}", r"{{\1}}", condition)


def order_of(rows: Iterable[Sequence[Any]], dated: dict[int, str], file: str) -> str | None:
    """The order that PostgreSQL is to read the days of these columns (place → name) in; None where it does not matter.

    Raises ThanoSQLDataError where a column does not tell, or two tell otherwise.
    """
    first: dict[int, str] = {}
    orders: dict[int, set[str]] = {place: set() for place in dated}
    for row in rows:
        for place in dated:
            value = row[place]
            if isinstance(value, str) and (found := _FIGURES.match(value)):
                first.setdefault(place, value)
                if int(found[1]) > 12:
                    orders[place].add("dmy")
                if int(found[2]) > 12:
                    orders[place].add("mdy")
    for place, value in first.items():
        if len(orders[place]) != 1:
            told = "no value tells which is the month"
            if orders[place]:
                told = "some are day first and others month first"
            raise ThanoSQLDataError(
                f"{file}: the days in '{dated[place]}' are written as {value}, and {told}.",
                hint="OPTIONS (date_order='dmy') or OPTIONS (date_order='mdy') says it, of a csv or tsv file; in others, and"
                " where both are used, write days as 2024-12-31.",
            )
    together = {order for place in first for order in orders[place]}
    if len(together) > 1:
        raise ThanoSQLDataError(
            f"{file}: of the days in {', '.join(dated[place] for place in first)} some are day first and others month first.",
            hint="Copy some of the columns as text, by types, and read them in a query.",
        )
    return next(iter(together), None)
