"""A json file → typed columns and rows; and the types of columns whose values are Python's."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.files import beside, corpora
from thanosql.engine.files.json_items import items
from thanosql.engine.files.tabular import Records, checked_names
from thanosql.engine.postgres.json_values import json_text
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

BIGINT = 2**63


def open_json(path: Path, settings: Settings) -> Records:
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

    def rows() -> Iterator[tuple[int, Sequence[Any]]]:
        for number, item in enumerate(objects(), start=1):
            yield number, tuple(item.get(key) for key in keys)

    def wrapped() -> str:
        some = list(islice(rows(), 2))
        lists = [
            (name, len(value))
            for name, value in zip(names, some[0][1])
            if isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
        ]
        if len(some) > 1 or not lists:
            return ""
        name, count = lists[0]
        return (
            f"the file is one object, whose {name} are {count:,}: to make them the rows, write their list into a file"
        )

    source = replace(infer(path, names, rows, "row", settings, wrapped), items=lambda: (row for _, row in rows()))
    return corpora.manifest(path, names, source, settings) if set(names) >= corpora.MANIFEST else source


@dataclass
class _Seen:
    """The kinds of a column's values: how many of each, and the first of each with its number."""

    count: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def add(self, number: int, value: Any) -> None:
        kind = _kind(value)
        self.count[kind] += 1
        if kind not in self.first:
            self.first[kind] = number, value

    def remark(self, name: str, type_: str, unit: str) -> str:
        """What makes a column text that would be something else but for a few of its values; "" for others."""
        if type_ == "jsonb" and self.count["text"]:
            number, value = self.first["jsonb"]
            return (
                f"{name} is jsonb because of {json.dumps(value, ensure_ascii=False, default=str)[:40]} in {unit} {number};"
                f" {self.count['text']:,} of its values are texts, which {name} #>> '{{}}' reads"
            )
        if type_ != "text" or len(self.count) < 2:
            return ""
        rarest = min(self.count, key=lambda kind: self.count[kind])
        number, value = self.first[rarest]
        shown = _text(value)[:40]
        return f"{name} is text because of {shown!r} in {unit} {number}" + (
            f" and {self.count[rarest] - 1:,} more" if self.count[rarest] > 1 else ""
        )


def infer(
    path: Path,
    names: Sequence[str],
    rows: Callable[[], Iterator[tuple[int, Sequence[Any]]]],
    unit: str,
    settings: Settings,
    said: Callable[[], str] = lambda: "",
) -> Records:
    """Types from one pass over all the rows, each with its number in the file, counted in `unit`s."""
    seen = [_Seen() for _ in names]
    sample: list[Sequence[Any]] = []
    for number, row in rows():
        if len(sample) < beside.SAMPLE * 5:
            sample.append(row)
        for one, value in zip(seen, row):
            if value is not None:
                one.add(number, value)
    types = [_column_type(set(one.count)) for one in seen]
    fitted = [_FITTED.get(kind) for kind in types]
    folders = beside.folders_of(sample, path, settings)

    def fitted_rows() -> Iterator[Sequence[Any]]:
        for _, row in rows():
            fit_row = [value if fit is None or value is None else fit(value) for fit, value in zip(fitted, row)]
            yield beside.moved(fit_row, folders) if folders else fit_row

    remarks = [one.remark(name, type_, unit) for one, name, type_ in zip(seen, names, types)]
    note = "; ".join(filter(None, [*remarks, beside.said(names, folders)]))
    return Records(
        path, tuple(zip(names, types, strict=True)), fitted_rows, lambda: "; ".join(filter(None, [said(), note]))
    )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "bigint" if -BIGINT <= value < BIGINT else "numeric"
    if isinstance(value, float):
        return "double precision"
    if isinstance(value, Decimal):
        return "numeric"
    if isinstance(value, datetime.datetime):
        return "timestamp without time zone" if isinstance(_day(value), datetime.datetime) else "date"
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
    if isinstance(value, datetime.datetime):
        return str(_day(value))
    return value if isinstance(value, str) else str(value)


def _day(value: datetime.datetime) -> datetime.datetime | datetime.date:
    # A workbook has no dates, only midnights.
    return value if value.time() != datetime.time() else value.date()


def _date(value: Any) -> Any:
    return value.date() if isinstance(value, datetime.datetime) else value


_FITTED: dict[str, Callable[[Any], Any]] = {"jsonb": json_text, "text": _text, "date": _date}
