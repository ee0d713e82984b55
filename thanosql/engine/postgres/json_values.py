"""A nested value in, the text of json that a jsonb column takes, out, and back: every number stays the number it is."""

from __future__ import annotations

import json
import re
import secrets
from decimal import Decimal
from typing import Any

from thanosql.errors import ThanoSQLDataError

# json's writer knows no exact numbers: they are written as marked texts first. No text of a user's can hold the mark.
_MARK = secrets.token_hex(12)
_MARKED = re.compile(f'"{_MARK}([^"]*)"')
_MAY_BE_EXACT = re.compile(r"[0-9][0-9.]{16}|[0-9][eE]")  # more digits, or larger, than every float holds
_LARGEST, _SMALLEST = 131_071, -16_383  # powers of ten that PostgreSQL's numbers reach


def json_text(value: Any) -> str | None:
    """A nested value as the text of json: dates in ISO's form, decimals as the numbers they are. Raises ThanoSQLDataError
    for bytes.

    >>> json_text({"price": [Decimal("1.10"), Decimal("12345678901234567890.5"), 0.1]})
    '{"price": [1.10, 12345678901234567890.5, 0.1]}'
    """
    if value is None:
        return None
    said = json.dumps(value, ensure_ascii=False, default=_json_value)
    return _MARKED.sub(r"\1", said) if _MARK in said else said


def json_value(said: str) -> Any:
    """A text of json as Python's values.

    >>> json_value('[0.1, 12345678901234567890.5]')
    [0.1, Decimal('12345678901234567890.5')]
    """
    # Most texts have no such number, and are read in a third of the time.
    return json.loads(said, parse_float=exact_number) if _MAY_BE_EXACT.search(said) else json.loads(said)


def exact_number(said: str) -> float | Decimal:
    """A fraction of json as a float where that is the number that is written, else as a Decimal."""
    number = float(said)
    if (len(said) <= 15 and "e" not in said.lower()) or Decimal(repr(number)) == Decimal(said):
        return number
    return Decimal(said)


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        # json has neither infinity nor "not a number"; what PostgreSQL's numbers do not reach stays a text too.
        power = value.as_tuple().exponent
        fits = isinstance(power, int) and power >= _SMALLEST and value.adjusted() <= _LARGEST
        return f"{_MARK}{value}" if fits else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise ThanoSQLDataError("Bytes within other values, which jsonb cannot hold.")
    if hasattr(value, "tolist"):
        return value.tolist()  # NumPy's numbers and arrays
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
