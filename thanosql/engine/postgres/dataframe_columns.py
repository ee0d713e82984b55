"""A pandas DataFrame in; PostgreSQL's types of its columns, and its rows as values for `COPY`, out."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.naming import Column

# A column of objects is what its values are; bool stands before int, datetime before date.
OBJECTS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double precision"),
    (decimal.Decimal, "numeric"),
    (datetime.datetime, "timestamp without time zone"),
    (datetime.date, "date"),
    (datetime.time, "time without time zone"),
    (datetime.timedelta, "interval"),
    (bytes, "bytea"),
    (dict, "jsonb"),
    (list, "jsonb"),
)
# Two kinds side by side, where one type holds both unchanged; any others are text.
TOGETHER = {
    frozenset(("bigint", "double precision")): "double precision",
    frozenset(("bigint", "numeric")): "numeric",
    frozenset(("date", "timestamp without time zone")): "timestamp without time zone",
}


def values_of(frame: pd.DataFrame, columns: Sequence[Column]) -> Iterator[tuple[Any, ...]]:
    """A DataFrame's rows as values for columns of these types, in their order. What pandas counts as missing is None."""
    values = [_values(frame.iloc[:, number], column.type) for number, column in enumerate(columns)]
    return zip(*values, strict=True)


def column_type(series: pd.Series[Any]) -> str:
    """PostgreSQL's type for a column of a DataFrame.

    >>> import pandas as pd
    >>> column_type(pd.Series([1, 2])), column_type(pd.Series([0.5])), column_type(pd.Series(["a", None]))
    ('bigint', 'double precision', 'text')
    """
    from pandas.api import types

    kind = series.dtype
    if types.is_bool_dtype(kind):
        return "boolean"
    if types.is_unsigned_integer_dtype(kind):
        return "numeric"
    if types.is_integer_dtype(kind):
        return "bigint"
    if types.is_float_dtype(kind):
        return "double precision"
    if types.is_datetime64_any_dtype(kind):
        return "timestamp with time zone" if getattr(kind, "tz", None) else "timestamp without time zone"
    if types.is_timedelta64_dtype(kind):
        return "interval"
    values = series[series.notna()].tolist()
    found = frozenset(map(_kind, values))
    if found == {"bigint"} and not -(2**63) <= min(values) <= max(values) < 2**63:
        return "numeric"
    return TOGETHER.get(found) or (next(iter(found)) if len(found) == 1 else "text")


def _kind(value: Any) -> str:
    """PostgreSQL's type for one object."""
    import numpy

    plain = value.item() if isinstance(value, numpy.generic) else value
    if isinstance(plain, datetime.datetime) and plain.tzinfo is not None:
        return "timestamp with time zone"
    return next((name for known, name in OBJECTS if isinstance(plain, known)), "text")


def _values(series: pd.Series[Any], kind: str) -> list[Any]:
    there = series.notna().tolist()
    values = [value if known else None for value, known in zip(series.tolist(), there, strict=True)]
    if kind == "text":
        return [value if value is None or isinstance(value, str) else str(value) for value in values]
    return values
