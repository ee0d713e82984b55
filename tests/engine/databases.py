"""What the tests of the database say and hear: SQL as a user wrote it, values in it, and another session."""

from __future__ import annotations

from typing import Any

import psycopg2

from tests.waiting import until
from thanosql.engine.language.syntax import SQL, Bound, Text
from thanosql.engine.postgres.database import Database


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


def close(database: Database, url: str) -> None:
    """Close it, and come back when its backend is gone and its temporary tables with it.

    PostgreSQL drops them after the client has left: the next test would see them among what its statement left behind.
    """
    pid = database.connection._session.info.backend_pid if database.connection._session is not None else None
    database.close()
    if pid is None:
        return
    peer = Peer(url)
    until(lambda: not peer("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid))
    peer.raw.close()


def until_it_sleeps(peer: Peer, database: Database) -> None:
    """Come back when the server is in pg_sleep for the statement that another thread runs in this session."""
    assert database.connection._session is not None, "run something before, so that it is connected"
    pid = database.connection._session.info.backend_pid
    until(lambda: peer("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", pid))


def until_it_waits(peer: Peer, pid: int, kind: str = "Lock") -> None:
    """Come back when a session waits for what another one has locked."""
    until(lambda: peer("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = %s", pid, kind))
