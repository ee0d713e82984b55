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
| json, jsonb | object of dict, list, str, int, float, bool; Decimal where a float would be another number |
| arrays of these | object of lists, elements as above (their timestamps as `datetime.datetime`) |
| all else: text, uuid, enums, interval, money, ranges, composites, inet, bit, xml … | string, as PostgreSQL writes it |

A column of dates or times that holds one which Python cannot (BC, infinity, years past 9999, 24:00:00) is string as a
whole, as
PostgreSQL writes it; so is every one while the session's DateStyle is not ISO.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from thanosql.engine.postgres.assembled import assembled
from thanosql.engine.postgres.json_values import json_value

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
TEXT_ARRAYS = (1002, 1003, 1009, 1014, 1015)  # of "char", name, text, character and character varying
BOXES, BOX = 1020, ";"  # the type and its delimiter, the only one that is not a comma
_UNQUOTED = re.compile(r"[^{};]+")
# The driver, SQLAlchemy and other users of the driver in this process may have readers of their own for these.
AS_WRITTEN = {  # type's oid: its array's
    DATE: 1182, TIME: 1183, TIMESTAMP: 1115, TIMESTAMPTZ: 1185, INTERVAL: 1187, TIMETZ: 1270,
    22: 1006, 30: 1013,  # int2vector, oidvector
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
    from psycopg2.extensions import UNICODE, new_array_type, new_type, string_types

    text = new_type(tuple(AS_WRITTEN), "THANOSQL_TEXT", UNICODE)
    texts = new_array_type(tuple(AS_WRITTEN.values()), "THANOSQL_TEXTS", text)
    content = new_type((JSON, JSONB), "THANOSQL_JSON", lambda said, _: None if said is None else json_value(said))
    contents = new_array_type((199, 3807), "THANOSQL_JSONS", content)
    raw = new_type(
        (BYTES,), "THANOSQL_BYTES", lambda said, cursor: None if said is None else bytes(BINARY(said, cursor))
    )
    raws = new_array_type((1001,), "THANOSQL_BYTESES", raw)
    written = {oid: kind for kind in (texts, contents, raws) for oid in kind.values}
    arrays: dict[int, tuple[Any, list[int]]] = {}  # by the caster's identity: it has no hash
    for oid in {*ARRAY_OF, *TEXT_ARRAYS, *AS_WRITTEN.values()}:
        if (kind := written.get(oid) or string_types.get(oid)) is not None:
            arrays.setdefault(id(kind), (kind, []))[1].append(oid)
    lists = [new_type(tuple(oids), "THANOSQL_LIST", _list_by(kind)) for kind, oids in arrays.values()]
    return text, content, raw, *lists


def _list_by(kind: Any) -> Callable[[str | None, Any], Any]:
    """A caster of the driver's for arrays that takes those with bounds of their own, '[2:3]={a,b}': a list has none."""

    def read(said: str | None, cursor: Any) -> Any:
        return kind(said.partition("=")[2] if said is not None and said[:1] == "[" else said, cursor)

    return read


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
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(fields)
    made = [_column(oid, values, arrays, iso) for (_, oid), values in zip(fields, columns, strict=True)]
    return assembled(tuple(name for name, _ in fields), made, len(rows))


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
        return _objects([_elements(said, BOX if oid == BOXES else ",") for said in values])
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
    import pandas as pd

    read = TEMPORAL[oid]
    try:
        if not iso:
            raise ValueError
        if oid == TIMESTAMP:
            return pd.DatetimeIndex(_moments(values)).array
        if oid == TIMESTAMPTZ:
            return pd.DatetimeIndex(_moments_in_utc(values)).tz_localize("UTC").array
        return _objects([None if said is None else read(said) for said in values])
    except (ValueError, OverflowError):
        return pd.array(list(values), dtype="string")


def _moments(values: Sequence[str | None]) -> Any:
    """Timestamps without a zone, read all at once. Raises ValueError for one that Python's datetime cannot hold."""
    import numpy as np

    texts = ["NaT" if said is None else said for said in values]
    if any(text.endswith("BC") for text in texts):  # NumPy would warn of a zone before it refuses it
        raise ValueError("Python's datetime holds no year before Christ")
    return _within_python(np.array(texts, dtype="datetime64[us]"))


def _moments_in_utc(values: Sequence[str | None]) -> Any:
    """The same of those with a zone: PostgreSQL writes them with the session's offset at each, '+09' or '-03:30'."""
    import numpy as np

    known = next((said for said in values if said is not None), "+00")
    offset = known[_sign(known) :]
    if all(said is None or said.endswith(offset) for said in values):  # no summer time between them
        local = _moments([None if said is None else said[: -len(offset)] for said in values])
        return _within_python(local - np.timedelta64(_microseconds(offset), "us"))
    cuts = [0 if said is None else _sign(said) for said in values]
    local = _moments([None if said is None else said[:cut] for said, cut in zip(values, cuts, strict=True)])
    offsets = [0 if said is None else _microseconds(said[cut:]) for said, cut in zip(values, cuts, strict=True)]
    return _within_python(local - np.array(offsets, dtype="timedelta64[us]"))


def _sign(said: str) -> int:
    """Where the offset of a timestamp begins."""
    return max(said.rfind("+"), said.rfind("-"))


@lru_cache(maxsize=1000)
def _microseconds(offset: str) -> int:
    """
    >>> _microseconds("-03:30") == -3.5 * 3600 * 1_000_000
    True
    """
    if not offset or offset[0] not in "+-":
        raise ValueError(f"{offset!r} is no offset")
    seconds = sum(int(part) * unit for part, unit in zip(offset[1:].split(":"), (3600, 60, 1), strict=False))
    return (-1 if offset[0] == "-" else 1) * seconds * 1_000_000


def _within_python(moments: Any) -> Any:
    import numpy as np

    first, last = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31T23:59:59.999999", "us")
    if ((moments < first) | (moments > last)).any():
        raise ValueError("Python's datetime holds the years 1 to 9999")
    return moments


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


def _elements(said: Any, delimiter: str) -> Any:
    """An array whose type the driver does not know ('{a,NULL,"b c"}', '[2:3]={a,b}'), its elements as text."""
    from psycopg2.extensions import UNICODE, new_array_type

    if not isinstance(said, str):
        return said
    if said.startswith("["):  # bounds of its own: a list has none
        said = said.partition("=")[2]
    if delimiter != ",":  # of a box, which has commas in it and is written without quotes
        said = _UNQUOTED.sub(lambda found: found[0] if found[0] == "NULL" else f'"{found[0]}"', said).replace(
            delimiter, ","
        )
    return new_array_type((TEXT_ARRAY,), "THANOSQL_ELEMENTS", UNICODE)(said, None)


def _clock(said: str) -> time:
    if said.startswith("24"):
        raise ValueError("24:00:00 has no form in Python")
    return time.fromisoformat(said)


def _objects(values: Sequence[Any]) -> Any:
    import numpy as np

    objects = np.empty(len(values), dtype=object)
    for number, said in enumerate(values):  # one by one: NumPy would make a table of lists of equal length
        objects[number] = said
    return objects
