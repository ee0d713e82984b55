"""An xlsx or json file → typed columns and rows. Nothing is unpickled, and no formula is computed."""

from __future__ import annotations

import datetime
import json
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from thanosql.engine.files.json_items import items
from thanosql.engine.files.tabular import Records, checked_names, json_text, refuse_missing
from thanosql.errors import ThanoSQLDataError

BIGINT = 2**63


def open_xlsx(path: Path, sheet: str | None = None) -> Records:
    """One sheet of a workbook, the first unless named; values as they were last computed."""
    try:
        import openpyxl
    except ImportError as error:
        refuse_missing("openpyxl", path, error)

    def lines() -> Generator[tuple[Any, ...]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that hold no values
            try:
                book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            except Exception as error:  # a damaged workbook fails in the words of zip, XML or openpyxl
                raise ThanoSQLDataError(f"{path} cannot be read as xlsx: {error or type(error).__name__}") from error
            try:
                names = book.sheetnames
                if sheet is not None and sheet not in names:
                    raise ThanoSQLDataError(f"{path} has no sheet '{sheet}'.", hint=f"It has: {', '.join(names)}.")
                page = book[sheet or names[0]]
                if hasattr(page, "reset_dimensions"):
                    page.reset_dimensions()  # some writers state fewer rows than there are
                empty = 0
                for line in page.iter_rows(values_only=True):
                    if all(value is None for value in line):
                        empty += 1  # kept back: they count only when something follows
                        continue
                    for _ in range(empty):
                        yield ()
                    empty = 0
                    yield tuple(line)
            finally:
                book.close()

    source = lines()
    head = next(source, ())
    source.close()
    while head and head[-1] is None:
        head = head[:-1]
    if not head:
        raise ThanoSQLDataError(f"{path} is empty.", hint="Its first line must name the columns.")
    names = checked_names(["" if name is None else str(name) for name in head], path.name)

    def rows() -> Iterator[Sequence[Any]]:
        inside = lines()
        next(inside)
        for number, line in enumerate(inside, start=2):
            if any(value is not None for value in line[len(names) :]):
                raise ThanoSQLDataError(f"{path.name}, line {number}: more values than the header has names.")
            yield tuple(line[: len(names)]) + (None,) * (len(names) - len(line))

    return _inferred(path, names, rows)


def open_json(path: Path) -> Records:
    """A list of objects, or one object a line; a key that an object lacks is NULL."""

    def objects() -> Iterator[dict[str, Any]]:
        for number, item in enumerate(items(path), start=1):
            if not isinstance(item, dict):
                raise ThanoSQLDataError(
                    f"{path.name}, row {number}: not an object but {json.dumps(item)[:80]}.",
                    hint="A table is a list of objects, or one object a line.",
                )
            yield item

    found: dict[str, None] = {}
    for item in objects():
        found.update(dict.fromkeys(item))
    if not found:
        raise ThanoSQLDataError(f"{path} holds no rows.", hint="A table is a list of objects, or one object a line.")
    keys = tuple(found)
    names = checked_names(keys, path.name)
    return _inferred(path, names, lambda: (tuple(item.get(key) for key in keys) for item in objects()))


def _inferred(path: Path, names: Sequence[str], rows: Callable[[], Iterator[Sequence[Any]]]) -> Records:
    """Types from one pass over all the rows."""
    kinds: list[set[str]] = [set() for _ in names]
    for row in rows():
        for seen, value in zip(kinds, row):
            if value is not None:
                seen.add(_kind(value))
    types = [_column_type(seen) for seen in kinds]
    fitted = [_FITTED.get(kind) for kind in types]

    def fitted_rows() -> Iterator[Sequence[Any]]:
        for row in rows():
            yield [value if fit is None or value is None else fit(value) for fit, value in zip(fitted, row)]

    return Records(path, tuple(zip(names, types, strict=True)), fitted_rows)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "bigint" if -BIGINT <= value < BIGINT else "numeric"
    if isinstance(value, float):
        return "double precision"
    if isinstance(value, datetime.datetime):
        # A workbook has no dates, only midnights.
        return "date" if value.time() == datetime.time() else "timestamp without time zone"
    if isinstance(value, datetime.time):
        return "time without time zone"
    if isinstance(value, datetime.timedelta):
        return "interval"
    return "jsonb" if isinstance(value, dict | list) else "text"


def _column_type(kinds: set[str]) -> str:
    """One type for values of these kinds; text where there is no nearer one."""
    if len(kinds) == 1:
        return next(iter(kinds))
    if "jsonb" in kinds:
        return "jsonb"
    if kinds and kinds <= {"bigint", "double precision"}:
        return "double precision"
    if kinds and kinds <= {"bigint", "double precision", "numeric"}:
        return "numeric"
    if kinds and kinds <= {"date", "timestamp without time zone"}:
        return "timestamp without time zone"
    return "text"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _date(value: Any) -> Any:
    return value.date() if isinstance(value, datetime.datetime) else value


_FITTED: dict[str, Callable[[Any], Any]] = {"jsonb": json_text, "text": _text, "date": _date}
