"""A query in, the columns that it would give out; any SQL in, what the server refuses it for out. Nothing of it is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.columns import columns_of
from thanosql.engine.postgres.naming import Column, fresh, quoted, type_of
from thanosql.engine.postgres.plan_relations import Touched, touched
from thanosql.engine.postgres.query_errors import PSEUDO_TYPE, explained, refuse_doubled_names
from thanosql.errors import ThanoSQLDatabaseError

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection

SAVEPOINT = "thanosql_description"


def describe(connection: Connection, query: SQL, *, doubled_names: bool = False) -> tuple[Column, ...]:
    """The query's columns, their types without length or precision. Raises what PostgreSQL refuses the query for:
    unknown names, rights that are missing, columns that cannot stand in a table (two of one name, unless `doubled_names`).

    A cursor is declared and none of its rows is fetched: no function of the query is called.
    """
    cursor = fresh("description")
    with _nothing_done(connection), explained(connection, query):
        connection.execute(f"DECLARE {cursor} NO SCROLL CURSOR FOR SELECT * FROM (", query, "\n) q")
        fields = connection.execute(f"FETCH FORWARD 0 FROM {cursor}").fields or ()
        if not doubled_names:
            refuse_doubled_names([name for name, _ in fields])
        return _columns(connection, fields)


def check(connection: Connection, sql: SQL) -> None:
    """Raise what PostgreSQL refuses SQL for before it runs it: SELECT, INSERT, UPDATE, DELETE, MERGE, CREATE TABLE … AS."""
    with _nothing_done(connection):
        connection.execute("EXPLAIN ", sql)


def describe_change(connection: Connection, query: SQL) -> tuple[Column, ...]:
    """The columns of a query with a WITH list that changes or locks rows, which stands in no sub-select."""
    table = quoted("pg_temp", fresh("description"))
    with _nothing_done(connection, reads_only=False), explained(connection, query):
        connection.execute(f"CREATE TEMP TABLE {table} AS ", query, "\nWITH NO DATA")
        return columns_of(connection, table)


def plan_of(connection: Connection, sql: SQL) -> Touched:
    """The tables that SQL would change and read."""
    with _nothing_done(connection):
        return touched(connection, connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) ", sql).value)


@contextmanager
def _nothing_done(connection: Connection, *, reads_only: bool = True) -> Iterator[None]:
    """A transaction, or a part of the user's, that is rolled back."""
    inside = connection.in_transaction
    begin = f"BEGIN ISOLATION LEVEL REPEATABLE READ{' READ ONLY' if reads_only else ''}"
    connection.execute(f"SAVEPOINT {SAVEPOINT}" if inside else begin)
    try:
        yield
    finally:
        # Nothing was changed: whatever happened, the transaction is as it was before.
        connection.roll_back(SAVEPOINT if inside else None)
        if inside and connection.open:
            connection.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")


def _columns(connection: Connection, fields: tuple[tuple[str, int], ...]) -> tuple[Column, ...]:
    oids = sorted({oid for _, oid in fields})
    found = connection.values(
        f"SELECT oid::bigint, {type_of('oid', 'NULL')}, typtype = 'p' FROM pg_type WHERE oid = ANY(%s::bigint[]::oid[])",
        oids,
    )
    named = {oid: (name, is_pseudo) for oid, name, is_pseudo in found}
    for name, oid in fields:
        if named[oid][1]:
            raise ThanoSQLDatabaseError(f'column "{name}" has pseudo-type {named[oid][0]}', sqlstate=PSEUDO_TYPE)
    return tuple(Column(name, named[oid][0]) for name, oid in fields)
