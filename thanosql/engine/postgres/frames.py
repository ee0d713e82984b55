"""Rows as PostgreSQL sent them in, a pandas DataFrame out: one type a column, whatever the rows hold.

| PostgreSQL | DataFrame |
| --- | --- |
| smallint, integer, bigint, oid | Int64 (NULL is NA) |
| real, double precision | Float64 (NULL is NA; NaN and infinity stay what they are) |
| numeric | object of `decimal.Decimal` (NaN and Infinity too), NULL is None |
| boolean | boolean |
| timestamp with time zone | datetime64[us, UTC] |
| timestamp | datetime64[us] |
| date, time, time with time zone | object of `datetime.date`, `datetime.time` |
| bytea | object of `bytes` |
| json, jsonb | object of dict, list, str, int, float, bool |
| arrays of these | object of lists, elements as above (their timestamps as `datetime.datetime`) |
| all else: text, uuid, enums, interval, money, ranges, composites, inet, bit, xml … | string, as PostgreSQL writes it |

A column of dates or times that holds one which Python cannot (BC, infinity, years past 9999, 24:00:00) is string as a
whole, as
PostgreSQL writes it; so is every one while the session's DateStyle is not ISO.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.connection import Answer, Connection

BOOLEAN, BYTES, JSON, JSONB, NUMERIC = 16, 17, 114, 3802, 1700
INTEGERS = {20, 21, 23, 26}
FLOATS = {700, 701}
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, TIMETZ = 1082, 1083, 1114, 1184, 1186, 1266
ARRAY_OF = {  # array's oid: element's
    1000: 16, 1001: 17, 199: 114, 3807: 3802, 1231: 1700, 1016: 20, 1005: 21, 1007: 23, 1028: 26, 1021: 700, 1022: 701,
    1182: 1082, 1183: 1083, 1115: 1114, 1185: 1184, 1187: 1186, 1270: 1266,
}  # fmt: skip
TEXT_ARRAY = 1009
# The driver, SQLAlchemy and other users of the driver in this process may have readers of their own for these.
AS_WRITTEN = {  # type's oid: its array's
    DATE: 1182, TIME: 1183, TIMESTAMP: 1115, TIMESTAMPTZ: 1185, INTERVAL: 1187, TIMETZ: 1270,
    2950: 2951, 869: 1041, 650: 651,  # uuid, inet, cidr
    3904: 3905, 3906: 3907, 3908: 3909, 3910: 3911, 3912: 3913, 3926: 3927,  # ranges
}  # fmt: skip

TEMPORAL: dict[int, Callable[[str], Any]] = {
    DATE: date.fromisoformat,
    TIME: lambda said: _clock(said),
    TIMETZ: lambda said: _clock(said),
    TIMESTAMP: datetime.fromisoformat,
    TIMESTAMPTZ: datetime.fromisoformat,
}


@lru_cache(maxsize=1)
def casts() -> tuple[Any, ...]:
    """The psycopg2 type casters of these frames: dates and times come as text, so that none is refused on the way."""
    from psycopg2 import BINARY
    from psycopg2.extensions import UNICODE, new_array_type, new_type

    text = new_type(tuple(AS_WRITTEN), "THANOSQL_TEXT", UNICODE)
    texts = new_array_type(tuple(AS_WRITTEN.values()), "THANOSQL_TEXTS", text)
    content = new_type((JSON, JSONB), "THANOSQL_JSON", lambda said, _: None if said is None else json.loads(said))
    contents = new_array_type((199, 3807), "THANOSQL_JSONS", content)
    raw = new_type(
        (BYTES,), "THANOSQL_BYTES", lambda said, cursor: None if said is None else bytes(BINARY(said, cursor))
    )
    raws = new_array_type((1001,), "THANOSQL_BYTESES", raw)
    return text, texts, content, contents, raw, raws


def frame(
    fields: Sequence[tuple[str, int]],
    rows: Sequence[tuple[Any, ...]],
    *,
    arrays: Sequence[int] = (),
    iso: bool = True,
) -> pd.DataFrame:
    """The DataFrame of rows that were read with `casts()`.

    `fields` are (name, oid of the type), in order, names may repeat; `arrays` are the oids among them that are arrays
    of types unknown to the driver; `iso` says whether dates are written in ISO style.
    """
    import pandas as pd

    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(fields)
    made = {
        number: pd.Series(_column(oid, values, arrays, iso), index=range(len(rows)), copy=False)
        for number, ((_, oid), values) in enumerate(zip(fields, columns, strict=True))
    }
    result = pd.DataFrame(made, index=pd.RangeIndex(len(rows)), copy=False)
    result.columns = pd.Index([name for name, _ in fields], dtype=object)
    return result


def as_frame(connection: Connection, answer: Answer) -> pd.DataFrame:
    """An answer that was asked for with `casts()` as a DataFrame."""
    assert answer.fields is not None
    arrays = connection.arrays_among([oid for _, oid in answer.fields])
    return frame(answer.fields, answer.rows, arrays=arrays, iso=connection.writes_iso_dates)


def _column(oid: int, values: Sequence[Any], arrays: Sequence[int], iso: bool) -> Any:
    import pandas as pd

    if oid in INTEGERS:
        return _integers(values)
    if oid in FLOATS:
        return _floats(values)
    if oid == BOOLEAN:
        return pd.array(list(values), dtype="boolean")
    if oid in TEMPORAL:
        return _temporal(oid, values, iso)
    if oid in ARRAY_OF:
        element = TEMPORAL.get(ARRAY_OF[oid])
        return _objects(_nested(values, element) if element and iso else values)
    if oid in arrays:
        return _objects([_elements(said) for said in values])
    if oid in (NUMERIC, BYTES, JSON, JSONB):
        return _objects(values)
    return pd.array([said if said is None or isinstance(said, str) else str(said) for said in values], dtype="string")


def _integers(values: Sequence[int | None]) -> Any:
    import numpy as np
    import pandas as pd

    missing = np.fromiter((said is None for said in values), dtype=bool, count=len(values))
    filled = np.fromiter((0 if said is None else said for said in values), dtype=np.int64, count=len(values))
    return pd.arrays.IntegerArray(filled, missing)


def _floats(values: Sequence[float | None]) -> Any:
    import numpy as np
    import pandas as pd

    # Made from its parts: pandas' own constructors would take NaN for NULL.
    missing = np.fromiter((said is None for said in values), dtype=bool, count=len(values))
    filled = np.fromiter((0.0 if said is None else said for said in values), dtype=np.float64, count=len(values))
    return pd.arrays.FloatingArray(filled, missing)


def _temporal(oid: int, values: Sequence[str | None], iso: bool) -> Any:
    import numpy as np
    import pandas as pd

    read = TEMPORAL[oid]
    try:
        if not iso:
            raise ValueError
        known = [None if said is None else read(said) for said in values]
        if oid == TIMESTAMPTZ:
            known = [None if said is None else said.astimezone(UTC).replace(tzinfo=None) for said in known]
    except (ValueError, OverflowError):
        return pd.array(list(values), dtype="string")
    if oid in (TIMESTAMP, TIMESTAMPTZ):
        moments = pd.DatetimeIndex(np.array(known, dtype="datetime64[us]"))
        return moments.tz_localize("UTC") if oid == TIMESTAMPTZ else moments
    return _objects(known)


def _nested(values: Any, read: Callable[[str], Any]) -> Any:
    """Lists of dates or times read at every depth; as text where one cannot be."""

    def inner(said: Any) -> Any:
        if isinstance(said, list):
            return [inner(item) for item in said]
        return None if said is None else read(said)

    try:
        return [inner(said) for said in values]
    except (ValueError, OverflowError):
        return values


def _elements(said: Any) -> Any:
    """An array whose type the driver does not know ('{a,NULL,"b c"}'), its elements as text."""
    from psycopg2.extensions import UNICODE, new_array_type

    if not isinstance(said, str):
        return said
    if not said.startswith("{"):  # bounds of its own, '[2:3]={a,b}', are PostgreSQL's to write
        return said
    return new_array_type((TEXT_ARRAY,), "THANOSQL_ELEMENTS", UNICODE)(said, None)


def _clock(said: str) -> time:
    if said.startswith("24"):
        raise ValueError("24:00:00 has no form in Python")
    return time.fromisoformat(said)


def _objects(values: Sequence[Any]) -> Any:
    import numpy as np

    held = np.empty(len(values), dtype=object)
    for number, said in enumerate(values):  # one by one: NumPy would make a table of lists of equal length
        held[number] = said
    return held
