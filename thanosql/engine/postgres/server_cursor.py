"""A query that gives many rows in; their number, the first of them, and all of them when they are wanted, out.

The server runs the query once and keeps its rows in a cursor of this session (WITH HOLD), on its disk where they are
many, until the value that stands for them is gone. So a notebook shows the first rows of a million, and none of the
others travels.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.connection import Answer, Connection
from thanosql.engine.postgres.frames import as_frame, casts
from thanosql.engine.postgres.naming import fresh
from thanosql.engine.postgres.one_moment import step
from thanosql.engine.postgres.query_errors import first_word
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLDatabaseError

if TYPE_CHECKING:
    import pandas as pd

QUERIES = {"select", "with", "values", "table"}  # what a cursor may be declared for begins with
# A query that writes, or locks rows, or SELECT INTO: it has rows, and no cursor.
NO_CURSOR = {"0A000", "42601", "42P11"}
NO_SUCH_CURSOR = "34000"


class ServerCursor:
    """Rows that a cursor keeps. `names` are their columns, `count` their number."""

    def __init__(self, connection: Connection, cursor: str) -> None:
        self._connection = connection
        self.turn = connection.turn
        self._session = connection.raw
        self._cursor = cursor
        weakref.finalize(self, connection.unwanted.append, cursor)  # no SQL in the collector's time
        self.count = int(connection.execute(f"MOVE FORWARD ALL IN {cursor}").status.split()[-1])
        self.names = [name for name, _ in self._fetch("0").fields or ()]

    def head(self, count: int) -> pd.DataFrame:
        """The first rows."""
        return as_frame(self._connection, self._fetch(str(count)))

    def frame(self) -> pd.DataFrame:
        """All of them. Raises ThanoSQLConnectionError when the session that held them has ended."""
        return as_frame(self._connection, self._fetch("ALL"))

    def _fetch(self, count: str) -> Answer:
        with self.turn:
            if not self._connection.is_still(self._session):
                raise _gone("The connection that held the rows of this result has ended.")
            try:
                self._connection.execute(f"MOVE ABSOLUTE 0 IN {self._cursor}")
                return self._connection.execute(f"FETCH FORWARD {count} FROM {self._cursor}", casts=casts())
            except ThanoSQLDatabaseError as error:
                if error.sqlstate != NO_SUCH_CURSOR:
                    raise
                raise _gone("CLOSE ALL or DISCARD ALL released the rows of this result.") from error


def hold(connection: Connection, *query: str | SQL) -> ServerCursor:
    """Run a query and leave its rows with the server. Raises ThanoSQLDatabaseError."""
    cursor = fresh("rows")
    with connection.transaction():
        _declare(connection, cursor, *query)
    return ServerCursor(connection, cursor)


def open_if_many(connection: Connection, query: SQL, at_once: int) -> ServerCursor | None:
    """The rows of a user's query, if PostgreSQL expects more of them than `at_once`; None where it is to be run as
    written."""
    if first_word(query) not in QUERIES or (connection.in_transaction and not connection.in_one_moment):
        return None
    try:
        with step(connection):
            ((plan,),) = connection.execute("EXPLAIN (FORMAT JSON) ", query).rows
    except ThanoSQLDatabaseError:
        return None  # it will say the same when it is run
    if plan[0]["Plan"]["Plan Rows"] <= at_once:
        return None
    cursor = fresh("rows")
    declared = False
    try:
        with step(connection):
            _declare(connection, cursor, query)
            declared = True
    except ThanoSQLDatabaseError as error:
        if declared or error.sqlstate not in NO_CURSOR:
            raise
        return None
    return ServerCursor(connection, cursor)


def close_unwanted(connection: Connection) -> None:
    """Let go of rows whose values are gone."""
    while connection.unwanted and connection.open and not connection.failed:
        cursor = connection.unwanted.pop()
        # CLOSE ALL, DISCARD ALL or the end of its session may have taken it.
        if connection.values("SELECT FROM pg_cursors WHERE name = %s", cursor):
            connection.attempt(f"CLOSE {cursor}")


def server_cursor_of(value: Any) -> ServerCursor | None:
    """What a DataFrame's rows are still held by; None once they are here, and for any other value."""
    cursor = getattr(value, "__dict__", {}).get("_cursor")
    return cursor if isinstance(cursor, ServerCursor) else None


def _declare(connection: Connection, cursor: str, *query: str | SQL) -> None:
    # All rows are wanted: a plan that is quick with the first ones only would be the wrong one.
    connection.execute("SET LOCAL cursor_tuple_fraction = 1")
    connection.execute(f"DECLARE {cursor} SCROLL CURSOR WITH HOLD FOR ", *query)


def _gone(message: str) -> ThanoSQLConnectionError:
    return ThanoSQLConnectionError(message, hint="Run the statement again; SELECT … LIMIT shows a part of a table.")
