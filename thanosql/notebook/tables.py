"""A DataFrame in, a table for a notebook out, which says how many rows there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted as rows_in_words
from thanosql.engine.postgres.small_table import TYPES, SmallTable
from thanosql.notebook.markup import Html, breakable, element
from thanosql.notebook.values import are_paths, is_null, language, plain

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 4000  # characters of one value in a notebook
CLAMPED = 240  # characters of a value that shows its first lines until it is clicked
LINES = 4  # of a value that has line ends
PATH = "thanosql-path"  # the class of a column of paths
SHORT_FOLDER = 16  # characters of a path's folders that are shown without a click
A_TEXT = 30  # characters of a value that make a column one of texts, which has room
LONGEST_NAME = 63  # characters of a column's name that goes over two lines; PostgreSQL's have no more
NARROW = 3  # a table of so few columns stays one on a phone

_JOINTS = re.compile(r"[_ ]+(?=[^_ ])")
ROWS_IN_ALL = "rows in all"

Cell = Callable[[int, Any], Html]


def as_html(
    frame: pd.DataFrame,
    limit: int,
    *,
    cells: Mapping[str, Cell] | None = None,
    first: Mapping[str, Cell] | None = None,
) -> Html:
    """The first `limit` rows. `cells` draw the columns of their names from (row number from 0, value); `first` are
    columns of our own that stand before the frame's."""
    drawn, before = cells or {}, first or {}
    names = [str(name) for name in frame.columns]
    numeric = [is_numeric(frame, position) and name not in drawn for position, name in enumerate(names)]
    classes = [
        "thanosql-number" if number else _class(frame.iloc[: limit or 50, position])
        for position, number in enumerate(numeric)
    ]
    head = element(
        "tr",
        [element("th", name, scope="col") for name in before],
        [
            element("th", *_heading(name), scope="col", class_="thanosql-number" if number else None)
            for name, number in zip(names, numeric)
        ],
    )
    body = []
    for row, values in enumerate(rows(frame, limit)):
        own = [element("td", cell(row, None), data_column=name) for name, cell in before.items()]
        theirs = [
            element(
                "td",
                drawn[name](row, value) if name in drawn else _path(value) if kind == PATH else _value(value),
                class_=kind,
                data_column=name,
                dir="auto",
            )
            for name, kind, value in zip(names, classes, values)
        ]
        body.append(element("tr", own, theirs))
    return element(
        "table",
        element("caption", counted(length(frame), limit)),
        element("thead", head),
        element("tbody", body),
        class_="thanosql-table" + (" thanosql-narrow" if len(names) <= NARROW and not before else ""),
    )


def column_names(frame: pd.DataFrame | SmallTable) -> list[str]:
    """The names of the columns."""
    columns = [column.name for column in frame.columns] if isinstance(frame, SmallTable) else frame.columns
    return [str(name) for name in columns]


def rows(frame: pd.DataFrame | SmallTable, limit: int) -> Iterator[tuple[Any, ...]]:
    """The values of the first `limit` rows (all of them for 0)."""
    if isinstance(frame, SmallTable):
        return islice(frame.values(), limit or None)
    shown = frame.iloc[:limit] if limit else frame
    return zip(*(shown.iloc[:, position] for position in range(len(frame.columns)))) if len(frame.columns) else iter(())


def length(frame: pd.DataFrame | SmallTable) -> int:
    """How many rows there are, where a frame is but the first of them."""
    if isinstance(frame, SmallTable):
        return len(frame)
    return int(frame.attrs.get(ROWS_IN_ALL, len(frame)))


def counted(count: int, limit: int) -> str:
    """What a table says of its length.

    >>> counted(1200, 10), counted(1, 10), counted(0, 10)
    ('1,200 rows, the first 10 shown', '1 row', 'no rows')
    """
    said = rows_in_words(count, "row") if count else "no rows"
    return f"{said}, the first {limit} shown" if limit and count > limit else said


def _heading(name: str) -> list[Html]:
    """A column's name in two pieces at most, neither of which goes over lines, parted near its middle.

    >>> _heading("words_in_reference")
    ['<span>words_in_</span>', '<span>reference</span>']
    """
    places = [found.end() for found in _JOINTS.finditer(name)]
    if not places or len(name) > LONGEST_NAME:
        return [breakable(name, "_")]
    middle = min(places, key=lambda place: abs(2 * place - len(name)))
    first, second = name[:middle], name[middle:]
    blank = [Html(" ")] if first.endswith(" ") else []
    return [element("span", first.rstrip(" ")), *blank, element("span", second)]


def _path(value: Any) -> Html:
    """A path by its file's name, and with its folders when it is clicked."""
    folders, slash, name = ("" if is_null(value) else str(value)).rpartition("/")
    if len(folders) <= SHORT_FOLDER:
        return _value(value)
    shown = element("span", breakable(f"{folders}{slash}"), class_="thanosql-folder"), element("span", name)
    return element("details", element("summary", *shown, title=value), class_="thanosql-clamped")


def _value(value: Any) -> Html:
    if is_null(value):
        return element("span", "NULL", class_="thanosql-null")
    shown = plain(value)
    if _short(shown):
        return element("span", shown, lang=language(shown))
    return clamped(breakable(shown if len(shown) <= LONGEST else shown[:LONGEST] + " …"), shown)


def clamped(drawn: Html, text: str) -> Html:
    """What is drawn of a text; of a long one the first lines, and all of it when it is clicked."""
    content = element("span", drawn, lang=language(text))
    if len(text) <= CLAMPED and text.count("\n") < LINES:
        return content
    return element("details", element("summary", content, title="click for all of it"), class_="thanosql-clamped")


def is_numeric(frame: pd.DataFrame | SmallTable, position: int) -> bool:
    """Whether a column holds numbers."""
    if isinstance(frame, SmallTable):
        return TYPES.get(frame.columns[position].type) in ("Int64", "Float64")
    kind = frame.dtypes.iloc[position]
    if kind.kind in "iuf":
        return True
    if kind.kind != "O" or not len(frame):
        return False
    values = (value for value in frame.iloc[:50, position] if not is_null(value))
    value = next(values, None)
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _class(values: Iterable[Any]) -> str | None:
    """What a column is drawn as: paths take little room, long texts have it, short values stay on their line."""
    values = list(values)
    if are_paths(values):
        return PATH
    return "thanosql-short" if all(_short(plain(value)) for value in values) else "thanosql-text"


def _short(value: str) -> bool:
    return len(value) <= A_TEXT and "\n" not in value
