"""A DataFrame in, csv, json or captions out, for programs: whole values, dates as ISO has them, NULL as nothing or null."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from thanosql.notebook.tables import column_names, rows
from thanosql.notebook.values import is_null

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.small_table import SmallTable


def as_csv(frame: pd.DataFrame | SmallTable, limit: int = 0) -> str:
    """The first `limit` rows (0: all) under a header; what has parts as JSON, bytes as PostgreSQL writes them."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(column_names(frame))
    writer.writerows([_field(value) for value in values] for values in rows(frame, limit))
    return written.getvalue().rstrip("\n")


def as_json(frame: pd.DataFrame | SmallTable, limit: int = 0) -> str:
    """The first `limit` rows (0: all) as a list of objects."""
    names = column_names(frame)
    found = [dict(zip(names, map(_json, values), strict=True)) for values in rows(frame, limit)]
    return json.dumps(found, ensure_ascii=False)


def as_captions(frame: pd.DataFrame | SmallTable, form: str, limit: int = 0, *, audio_col: str = "audio_path") -> str:
    """The first `limit` rows (0: all) as a caption file in `form`: srt, vtt or ctm."""
    from thanosql.engine.files.captions_out import captions

    values = ([_part(value) for value in row] for row in rows(frame, limit))
    return captions(column_names(frame), values, form, audio_col).rstrip("\n")


def _part(value: Any) -> Any:
    return None if is_null(value) else list(value) if hasattr(value, "tolist") and hasattr(value, "__len__") else value


def _json(value: Any) -> Any:
    """A value as JSON has it: what it has no number or word for is a string.

    >>> _json(datetime.date(2026, 11, 22)), _json(Decimal("1.50")), _json(b"RI"), _json(float("nan"))
    ('2026-11-22', 1.5, '\\\\x5249', None)
    """
    if isinstance(value, Mapping):
        return {str(name): _json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    if is_null(value):
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return f"\\x{bytes(value).hex()}"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        short = float(value)
        return short if math.isfinite(short) and Decimal(repr(short)) == value else str(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str) else str(value)


def _field(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)  # with the digits it has
    value = _json(value)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
