"""A query's rows, a table and the key of both in; doubled keys refused, each row beside the table's, and the keys that are in
the table alone, out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from thanosql.engine.postgres.naming import fresh, quoted
from thanosql.engine.postgres.one_moment import step
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection
    from thanosql.engine.postgres.naming import Column
    from thanosql.engine.postgres.snapshot import Snapshot
    from thanosql.engine.postgres.target import Target

FETCHED = 10_000  # rows at a time
LISTED = 1000  # of the rows that an error names
NO_OPERATOR = "42883"
NO_VALUE = "22"  # the class of errors in values: out of range, no number, too long
CAST = "Cast it in the query so that each row keeps a key of its own ({name}::{type} AS {name}), or choose another row_key."


def refuse_doubled(connection: Connection, rows: Snapshot, key: str) -> None:
    """Raise ThanoSQLDataError, with the rows, where a key stands in two rows of a query or is NULL.

    The index that shows it stays, and with the table's own lets the two be read side by side.
    """
    table, number = rows.numbered_table
    name = quoted(key)
    with contextlib.suppress(ThanoSQLDatabaseError):  # doubled, of a type without an order, or too long for an index
        with step(connection):
            connection.execute(f"CREATE UNIQUE INDEX ON {table} ({name})")
        if not connection.execute(f"SELECT FROM {table} WHERE {name} IS NULL LIMIT 1").rows:
            return
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


def refuse_changed(connection: Connection, rows: Snapshot, target: Target, key: Column, stored: str) -> None:
    """Raise ThanoSQLDataError, with the rows, where the table would hold a key as another one: 1.5 in a column of whole
    numbers, a time of day in a date, a text that is too long. Such a row would be new each time. `stored` is the type of the
    key in the table."""
    if key.type == stored:
        return
    table, number = rows.numbered_table
    name = quoted(key.name)
    kept = f"{name}::{stored}"
    try:
        with step(connection):
            found = connection.execute(
                f"SELECT {number}, {name}::text, ({kept})::text FROM {table} WHERE {kept} <> {name} ORDER BY 1"
                f" LIMIT {LISTED}"
            ).rows
    except ThanoSQLDatabaseError as error:
        if not (error.sqlstate or "").startswith(NO_VALUE):
            raise
        raise ThanoSQLDataError(
            f"'{key.name}' (row_key) is {key.type} in the query and {stored} in the table {target}, which does not hold"
            f" all its values: {error.message}.",
            hint=CAST.format(name=key.name, type=stored),
        ) from error
    if found:
        raise ThanoSQLDataError(
            f"'{key.name}' (row_key) is {key.type} in the query and {stored} in the table {target}, which would hold other"
            " values.",
            rows=[{"row": row, key.name: value, "in the table": other} for row, value, other in found],
            hint=CAST.format(name=key.name, type=stored),
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


def beside_table(
    connection: Connection, rows: Snapshot, target: Target, key: str, columns: Sequence[str]
) -> Iterator[list[tuple[Any, ...]]]:
    """The query's rows, each once and in any order, in chunks: (its number, the value of each of `columns`).

    These are SQL over a row `q` of the query and the row `t` of the table with the same key, all NULL where there is none.
    To be read within the transaction that the table is to be seen in. Raises ThanoSQLDataError, at the end, where a key
    stands in two rows of the table.
    """
    table, number = rows.numbered_table
    name = quoted(key)
    cursor = fresh("beside")
    joined = "" if target.oid is None else f" LEFT JOIN {target.quoted} t ON t.{name} = q.{name}"
    with _comparable(rows, key):
        # With PostgreSQL's default for cursors, a plan is chosen that is quick with the first rows: they are worked on while
        # the others come.
        connection.execute(
            f"DECLARE {cursor} NO SCROLL CURSOR FOR SELECT q.{number}, {', '.join(columns)} FROM {table} q{joined}"
        )
    count = 0
    while found := connection.execute(f"FETCH FORWARD {FETCHED} FROM {cursor}").rows:
        count += len(found)
        yield found
    connection.execute(f"CLOSE {cursor}")
    if count != rows.rows:
        refuse_doubled_in_table(connection, target, key)


@contextlib.contextmanager
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
