"""A query's rows, a table and the key of both in; doubled keys refused, what the table says of each row, and the keys that
are in the table alone, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from thanosql.engine.postgres.naming import fresh, quoted
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection
    from thanosql.engine.postgres.snapshot import Snapshot
    from thanosql.engine.postgres.target import Target

FETCHED = 10_000  # rows at a time
LISTED = 1000  # of the rows that an error names
NO_OPERATOR = "42883"


def refuse_doubled(connection: Connection, rows: Snapshot, key: str) -> None:
    """Raise ThanoSQLDataError, with the rows, where a key stands in two rows of a query or is NULL."""
    table, number = rows.numbered_table
    name = quoted(key)
    with _comparable(rows, key):
        found = connection.execute(
            f"SELECT d.{number}, d.{name}::text FROM {table} d JOIN (SELECT {name} FROM {table} GROUP BY 1"
            f" HAVING count(*) > 1 OR {name} IS NULL) k ON k.{name} = d.{name} OR (k.{name} IS NULL AND d.{name} IS NULL)"
            f" ORDER BY 2, 1 LIMIT {LISTED}"
        ).rows
    if found:
        raise ThanoSQLDataError(
            f"Rows of the query cannot be told apart by '{key}' (row_key): each needs one of its own.",
            rows=[{"row": row, key: "NULL" if value is None else value} for row, value in found],
            hint="Choose another row_key, or make the query give one row for each: SELECT DISTINCT ON.",
        )


def refuse_doubled_in_table(connection: Connection, target: Target, key: str) -> None:
    """The same of the rows that are in the table, NULL apart: such a row is no one's."""
    name = quoted(key)
    found = connection.execute(
        f"SELECT {name}::text, count(*) FROM {target.quoted} WHERE {name} IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
        f" ORDER BY 1 LIMIT {LISTED}"
    ).rows
    if found:
        raise ThanoSQLDataError(
            f"Rows of the table {target} cannot be told apart by '{key}' (row_key): each needs one of its own.",
            rows=[{key: value, "rows": count} for value, count in found],
            hint="Delete the ones that are too many; a unique index on the column keeps others out.",
        )


def keys_gone(connection: Connection, rows: Snapshot, target: Target, key: str) -> tuple[str, int]:
    """A temporary table with the keys that are in the table and not in the query (column `key`), quoted; their number."""
    table, _ = rows.numbered_table
    name = quoted(key)
    gone = quoted("pg_temp", fresh("gone"))
    answer = connection.execute(
        f"CREATE TEMP TABLE {gone} AS SELECT t.{name} AS key FROM {target.quoted} t"
        f" WHERE t.{name} IS NOT NULL AND NOT EXISTS (SELECT FROM {table} q WHERE q.{name} = t.{name})"
    )
    return gone, answer.count


class SaidOfRows:
    """What the table says of each row of the query, in the rows' order: None for a row that is not in it.

    Made within a transaction, which it sees the table in; read after it. Closed by `close`.
    """

    def __init__(
        self, connection: Connection, rows: Snapshot, target: Target, key: str, stored: Mapping[str, object], said: str
    ) -> None:
        """`said` is the SQL, over a row `t` of the table, of a text that is not NULL."""
        self._connection = connection
        self._target, self._key, self._rows = target, key, rows
        self._cursor = fresh("said") if stored else None
        table, number = rows.numbered_table
        name = quoted(key)
        if self._cursor is not None:
            with _comparable(rows, key):
                connection.execute(
                    f"DECLARE {self._cursor} NO SCROLL CURSOR WITH HOLD FOR"
                    f" SELECT q.{number}, CASE WHEN t.{name} IS NOT NULL THEN {said} END"
                    f" FROM {table} q LEFT JOIN {target.quoted} t ON t.{name} = q.{name} ORDER BY 1"
                )

    def __iter__(self) -> Iterator[str | None]:
        """Raises ThanoSQLDataError where a key stands in two rows of the table."""
        if self._cursor is None:
            for _ in range(self._rows.rows):
                yield None
            return
        last = 0
        while found := self._connection.execute(f"FETCH FORWARD {FETCHED} FROM {self._cursor}").rows:
            for number, said in found:
                if number == last:
                    refuse_doubled_in_table(self._connection, self._target, self._key)
                last = number
                yield said

    def close(self) -> None:
        """Let go of the rows. Raises nothing."""
        if self._cursor is not None:
            self._connection.attempt(f"CLOSE {self._cursor}")


@contextmanager
def _comparable(rows: Snapshot, key: str) -> Iterator[None]:
    try:
        yield
    except ThanoSQLDatabaseError as error:
        if error.sqlstate != NO_OPERATOR:
            raise
        kind = next(column.type for column in rows.columns if column.name == key)
        raise ThanoSQLDataError(
            f"'{key}' ({kind}) cannot be a row_key: {error.message}.",
            hint="Cast it in the query to the type that the table has: id::bigint AS id.",
        ) from error
