"""What the tests of the database say and hear: SQL as a user wrote it, values in it, and another session."""

from __future__ import annotations

from typing import Any

import psycopg2

from thanosql.engine.language.syntax import SQL, Bound, Text


def said(sql: str) -> SQL:
    """SQL as a user wrote it."""
    return SQL((Text(sql, 0),), sql)


def with_values(*parts: Any) -> SQL:
    """SQL with values in it: text and values by turns."""
    pieces = [Text(part) if number % 2 == 0 else Bound(part) for number, part in enumerate(parts)]
    return SQL(tuple(pieces))


class Peer:
    """Another session, by the bare driver: what our own says is checked by a foreigner."""

    def __init__(self, url: str) -> None:
        self.raw = psycopg2.connect(url)
        self.raw.autocommit = True

    def __call__(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.raw.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []
