"""A DataFrame in, a table out: HTML for a notebook, text for a terminal. Both say how many rows there are."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from thanosql.notebook.markup import Html, breakable, element, visible

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 2000  # characters of one value in a notebook
LONGEST_LINE = 60  # columns of one value in a terminal
NARROW = 3  # a table of so few columns stays one on a phone

ROWS_IN_ALL = "rows in all"

Cell = Callable[[int, Any], Html]


def as_html(
    frame: pd.DataFrame,
    limit: int,
    *,
    caption: str = "",
    cells: Mapping[str, Cell] | None = None,
    first: Mapping[str, Cell] | None = None,
) -> Html:
    """The first `limit` rows. `cells` draw the columns of their names from (row number from 0, value); `first` are
    columns of our own that stand before the frame's."""
    drawn, before = cells or {}, first or {}
    names = [str(name) for name in frame.columns]
    numeric = [_is_numeric(frame, position) and name not in drawn for position, name in enumerate(names)]
    head = element(
        "tr",
        [element("th", name, scope="col") for name in before],
        [
            element("th", breakable(name, "_"), scope="col", class_=_class(number))
            for name, number in zip(names, numeric)
        ],
    )
    body = []
    for row, values in enumerate(rows(frame, limit)):
        own = [element("td", cell(row, None), data_column=name) for name, cell in before.items()]
        theirs = [
            element(
                "td",
                drawn[name](row, value) if name in drawn else _value(value),
                class_=_class(number),
                data_column=name,
                dir="auto",
            )
            for name, number, value in zip(names, numeric, values)
        ]
        body.append(element("tr", own, theirs))
    return element(
        "table",
        element("caption", caption or counted(length(frame), limit)),
        element("thead", head),
        element("tbody", body),
        class_="thanosql-table" + (" thanosql-narrow" if len(names) <= NARROW and not before else ""),
    )


def rows(frame: pd.DataFrame, limit: int) -> Iterator[tuple[Any, ...]]:
    """The values of the first `limit` rows (all of them for 0)."""
    shown = frame.iloc[:limit] if limit else frame
    return zip(*(shown.iloc[:, position] for position in range(len(frame.columns)))) if len(frame.columns) else iter(())


def length(frame: pd.DataFrame) -> int:
    """How many rows there are, where a frame is but the first of them."""
    return int(frame.attrs.get(ROWS_IN_ALL, len(frame)))


def counted(count: int, limit: int) -> str:
    """What a table says of its length.

    >>> counted(1200, 10), counted(1, 10), counted(0, 10)
    ('1,200 rows, the first 10 shown', '1 row', 'no rows')
    """
    said = "no rows" if not count else "1 row" if count == 1 else f"{count:,} rows"
    return f"{said}, the first {limit} shown" if limit and count > limit else said


def as_text(frame: pd.DataFrame, limit: int = 0, width: int = LONGEST_LINE) -> str:
    """The table in aligned lines; wide letters (Hangul, kana) count as the two columns they take."""
    from wcwidth import wcswidth

    names = [_line(str(name), width) for name in frame.columns]
    lines = [[_line(plain(value), width) for value in values] for values in rows(frame, limit)]
    if not names:
        return "(no columns)"
    right = [_is_numeric(frame, position) for position in range(len(names))]
    widths = [max(_width(line[column], wcswidth) for line in [names, *lines]) for column in range(len(names))]

    def drawn(line: Sequence[str]) -> str:
        cells = []
        for value, size, is_right in zip(line, widths, right):
            space = " " * (size - _width(value, wcswidth))
            cells.append(space + value if is_right else value + space)
        return "  ".join(cells).rstrip()

    found = [drawn(names), "  ".join("─" * size for size in widths), *map(drawn, lines)]
    if not len(frame) or (limit and length(frame) > limit):
        found.append(f"({counted(length(frame), limit)})")
    return "\n".join(found)


def plain(value: Any) -> str:
    """A value as one reads it.

    >>> plain(0.123456), plain(None), plain(True), plain(b"RIFF"), plain(2.0), plain([{"word": "one"}, None])
    ('0.1235', 'NULL', 'true', '4 bytes', '2.0', '[{"word": "one"}, null]')
    """
    if _is_null(value):
        return "NULL"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value):,} bytes"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, Decimal | str | datetime.date):
        return str(value)
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return str(bool(value)).lower()
    if isinstance(value, float):
        return f"{value:.4g}" if value and (abs(value) < 1e-3 or abs(value) >= 1e15) else _rounded(float(value))
    return str(value)


def _rounded(value: float) -> str:
    short = f"{value:.4f}".rstrip("0")
    return short + "0" if short.endswith(".") else short


def _value(value: Any) -> Html:
    if _is_null(value):
        return element("span", "NULL", class_="thanosql-null")
    shown = plain(value)
    return element("span", breakable(shown if len(shown) <= LONGEST else shown[:LONGEST] + " …"))


def _is_null(value: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return type(value).__name__ in ("NAType", "NaTType")


def _is_numeric(frame: pd.DataFrame, position: int) -> bool:
    kind = frame.dtypes.iloc[position]
    if kind.kind in "iuf":
        return True
    if kind.kind != "O" or not len(frame):
        return False
    values = (value for value in frame.iloc[:50, position] if not _is_null(value))
    value = next(values, None)
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _class(number: bool) -> str | None:
    return "thanosql-number" if number else None


def _line(value: str, width: int) -> str:
    value = visible(" ".join(value.split("\n")).replace("\t", " "))
    return value if len(value) <= width else value[: width - 1] + "…"


def _width(value: str, measure: Callable[[str], int]) -> int:
    size = measure(value)
    return size if size >= 0 else len(value)
