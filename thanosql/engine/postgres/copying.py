"""Rows of Python values in, the bytes of COPY's text format out.

Text, not binary: `benchmarks/copy_formats.py` finds neither the binary format nor another driver faster from query to
table, and text is read by every type's own input function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from thanosql.engine.postgres.json_values import json_text
from thanosql.engine.postgres.rendering import value

CHUNK_ROWS = 10_000
CHUNK_BYTES = 4 << 20  # about as many; a row may be larger
FIRST_ROWS = 100  # before anything is known of their size
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL = "\\\t\n\r"
NULL = "\\N"
_NONE = type(None)


def chunks(rows: Iterable[Sequence[Any]], types: Sequence[str]) -> Iterator[bytes]:
    """COPY data in pieces of at most 10,000 rows and about 4 MB. `types` are the columns', as `format_type` writes
    them.

    >>> list(chunks([(1, "a\\tb"), (2, None)], ["bigint", "text"]))
    [b'1\\ta\\\\tb\\n2\\t\\\\N\\n']
    """
    writers = [_writer(name) for name in types]
    width = len(writers)
    line = "\t".join(["%s"] * width) + "\n"
    size = FIRST_ROWS
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        # A column at a time, and all lines in one go: what is done for 10,000 values at once costs a tenth of what is
        # done for each.
        values = list(chain.from_iterable(batch))
        for place, write in enumerate(writers):
            values[place::width] = write(values[place::width])
        data = (line * len(batch) % tuple(values)).encode("utf-8")
        yield data
        size = max(1, min(CHUNK_ROWS, CHUNK_BYTES * len(batch) // len(data), size * 10))


def _writer(type_name: str) -> Callable[[Sequence[Any]], Iterable[Any]]:
    """What makes of a column's values what `%s` writes as COPY reads it."""
    if type_name.endswith("[]"):
        return lambda values: map(_array, values)
    if type_name in ("json", "jsonb"):
        return lambda values: _scalars(values, _json)
    return _scalars


def _scalars(values: Sequence[Any], write: Callable[[Any], str] | None = None) -> Iterable[Any]:
    kinds = set(map(type, values))
    if kinds == {_NONE}:
        return [NULL] * len(values)
    if kinds <= {str, _NONE}:
        together = "".join(values if _NONE not in kinds else filter(None, values))
        if not any(character in together for character in _SPECIAL):
            return values if _NONE not in kinds else [NULL if text is None else text for text in values]
    elif write is None and kinds <= {int, float}:
        return values
    return map(write or _scalar, values)


def _scalar(given: Any) -> str:
    kind = type(given)
    if kind is str:
        # Most texts need nothing: looking costs less than translating.
        if "\\" in given or "\n" in given or "\t" in given or "\r" in given:
            return str(given.translate(_ESCAPES))
        return str(given)
    if kind is int or kind is float:
        return repr(given)
    if given is None:
        return NULL
    written = _plain(value(given))
    return NULL if written is None else written.translate(_ESCAPES)


def _plain(given: Any) -> str | None:
    """A value as PostgreSQL's input functions read it; None for NULL."""
    if given is None:
        return None
    if isinstance(given, bool):
        return "t" if given else "f"
    if isinstance(given, str):
        return given
    if isinstance(given, bytes | bytearray | memoryview):
        return "\\x" + bytes(given).hex()
    if isinstance(given, int | float | Decimal):
        return str(given)
    if isinstance(given, datetime | date | time):
        return given.isoformat()
    if isinstance(given, timedelta):
        return f"{given.days} days {given.seconds} seconds {given.microseconds} microseconds"
    if isinstance(given, dict):
        return json_text(given)
    if isinstance(given, list | tuple):
        return array_text(given)
    return str(given)


def _array(given: Any) -> str:
    given = value(given)
    return (
        NULL
        if given is None
        else array_text(given).translate(_ESCAPES)
        if not isinstance(given, str)
        else _scalar(given)
    )


def array_text(items: Any) -> str:
    """A list, or lists in it, as PostgreSQL reads an array from text."""
    written = []
    for item in items:
        if isinstance(item, list | tuple):
            written.append(array_text(item))
            continue
        plain = _plain(value(item))
        quoted = "" if plain is None else plain.replace("\\", "\\\\").replace('"', '\\"')
        written.append("NULL" if plain is None else f'"{quoted}"')
    return "{" + ",".join(written) + "}"


def _json(given: Any) -> str:
    if given is None:
        return NULL
    said = given if isinstance(given, str) else json_text(given) or NULL
    return said.translate(_ESCAPES)


def batched(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of at most `size`, in order; `itertools.batched` is Python 3.12's."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch
