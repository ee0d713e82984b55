"""A DataFrame in, a table for a notebook out, which says how many rows there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from thanosql.notebook.markup import Html, breakable, element
from thanosql.notebook.values import is_null, plain

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 2000  # characters of one value in a notebook
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
    numeric = [is_numeric(frame, position) and name not in drawn for position, name in enumerate(names)]
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


def _value(value: Any) -> Html:
    if is_null(value):
        return element("span", "NULL", class_="thanosql-null")
    shown = plain(value)
    return element("span", breakable(shown if len(shown) <= LONGEST else shown[:LONGEST] + " …"))


def is_numeric(frame: pd.DataFrame, position: int) -> bool:
    """Whether a column holds numbers."""
    kind = frame.dtypes.iloc[position]
    if kind.kind in "iuf":
        return True
    if kind.kind != "O" or not len(frame):
        return False
    values = (value for value in frame.iloc[:50, position] if not is_null(value))
    value = next(values, None)
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _class(number: bool) -> str | None:
    return "thanosql-number" if number else None
