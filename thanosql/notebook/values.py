"""A value in, its text as one reads it out; and what a column's values are: numbers, paths."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

_PATH = re.compile(r"[^\n]*[/\\][^\n/\\]*\.\w{1,5}|(?:https?|s3|gs|az)://\S+")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")


def plain(value: Any) -> str:
    """A value as one reads it.

    >>> plain(0.123456), plain(None), plain(True), plain(b"RIFF"), plain(2.0), plain([{"word": "one"}, None])
    ('0.1235', 'NULL', 'true', '4 bytes', '2.0', '[{"word": "one"}, null]')
    """
    if is_null(value):
        return "NULL"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value):,} bytes"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=plain)
    if isinstance(value, datetime.datetime | datetime.time):
        return moment(value)
    if isinstance(value, Decimal | str | datetime.date):
        return str(value)
    if isinstance(value, datetime.timedelta):
        return str(datetime.timedelta(days=value.days, seconds=value.seconds))  # pandas' says `0 days` too
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):  # numpy calls its own either
        return str(bool(value)).lower()
    if isinstance(value, float):
        return f"{value:.4g}" if value and (abs(value) < 1e-3 or abs(value) >= 1e15) else _rounded(float(value))
    return str(value)


def moment(value: datetime.datetime | datetime.time) -> str:
    """A moment or a time of day as people write it: seconds where there are any, no parts of them.

    >>> zone = datetime.timezone(datetime.timedelta(hours=9))
    >>> moment(datetime.datetime(2026, 11, 22, 9, 30)), moment(datetime.datetime(2026, 11, 22, 9, 30, 5, tzinfo=zone))
    ('2026-11-22 09:30', '2026-11-22 09:30:05 +09:00')
    >>> moment(datetime.datetime(2026, 11, 22, 0, 0, 0, 250, datetime.UTC)), moment(datetime.time(7, 5))
    ('2026-11-22 00:00 UTC', '07:05')
    """
    day = f"{value.year:04}-{value.month:02}-{value.day:02} " if isinstance(value, datetime.datetime) else ""
    clock = f"{value.hour:02}:{value.minute:02}" + (f":{value.second:02}" if value.second else "")
    offset = value.strftime("%z")
    if not offset:
        return day + clock
    return f"{day}{clock} {'UTC' if offset == '+0000' else f'{offset[:3]}:{offset[3:5]}'}"


def _rounded(value: float) -> str:
    short = f"{value:.4f}".rstrip("0")
    return short + "0" if short.endswith(".") else short


def duration(seconds: float) -> str:
    """A time in the unit that fits it.

    >>> duration(4.2), duration(90), duration(7200)
    ('4.2 s', '1.5 min', '2.00 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.2f} h"


def is_null(value: Any) -> bool:
    """Whether a value is SQL's NULL, in any of the forms that pandas has for it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return type(value).__name__ in ("NAType", "NaTType")


def are_paths(values: Iterable[Any]) -> bool:
    """Whether values are paths of files, or addresses, NULLs aside.

    >>> are_paths(["calls/1.wav", None]), are_paths(["yes/no", "one.two"]), are_paths([])
    (True, False, False)
    """
    there = [value for value in values if not is_null(value)]
    return bool(there) and all(isinstance(value, str) and _PATH.fullmatch(value) for value in there)


def language(text: str) -> str | None:
    """The language that a text is certainly in, for what breaks its lines: 'ko', or None.

    >>> language("오늘 전화"), language("today")
    ('ko', None)
    """
    return "ko" if _HANGUL.search(text) else None
