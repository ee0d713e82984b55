"""A nested value in, the text of json that a jsonb column takes, out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from thanosql.errors import ThanoSQLDataError


def json_text(value: Any) -> str | None:
    """A nested value as the text of json: dates in ISO's form, decimals as numbers. Raises ThanoSQLDataError for bytes."""
    return None if value is None else json.dumps(value, ensure_ascii=False, default=_json_value)


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        # json has one kind of number; what a float cannot hold stays a text.
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise ThanoSQLDataError("Bytes within other values, which jsonb cannot hold.")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
