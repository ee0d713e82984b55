"""Rows with a key in; a table in which they stand, its other rows as they were, out: all in one transaction.

The table stays the one it is: grants, indexes, triggers, and views that read it are not touched. Rows whose key is there
are updated, others inserted. A row that another session deleted meanwhile is not put back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.engine.postgres.keyed_rows import CAST
from thanosql.engine.postgres.naming import Column, fresh, quoted, type_of
from thanosql.engine.postgres.replacement import explained
from thanosql.engine.postgres.target import AlteredMeanwhile, Target, find, refuse_if_not_updatable
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection
    from thanosql.engine.postgres.definition import Piece
    from thanosql.engine.postgres.replacement import Source

NO_OPERATOR = "42883"
MADE_MEANWHILE = ("42P07", "23505")  # by another session: CREATE TABLE IF NOT EXISTS is no lock


@dataclass(frozen=True, slots=True)
class Stored:
    """A column of the table: `computed` ones (generated, or an identity that is always counted up) are not set."""

    name: str
    type: str
    generated: bool
    identity: bool


@dataclass(frozen=True)
class TableUpdate:
    """What is to be written. `key` is the column that tells rows apart.

    `gone` is a query for the keys whose rows are deleted; `replaced` one for keys that stand in many rows, which all go
    before the new ones come. `new` is a query for the keys that may be inserted, None for all. `ours` are the columns
    that are set in rows that are there, None for all; `fills` those that all rows get from `query`, a table of keys and
    values, where the table lacked them.
    """

    target: Target
    source: Source
    key: str
    gone: str | None = None
    replaced: str | None = None
    new: str | None = None
    ours: frozenset[str] | None = None
    query: str | None = None
    fills: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """How many rows of a table were inserted, changed and deleted, as the server counts them."""

    inserted: int
    changed: int
    deleted: int


def stored_columns(connection: Connection, target: Target) -> dict[str, Stored]:
    """The columns that a table has now, by name; none where there is no table."""
    found = connection.values(
        f"SELECT attname::text, {type_of('atttypid', 'atttypmod')}, attgenerated <> '', attidentity = 'a'"
        " FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        target.oid,
    )
    return {name: Stored(name, *rest) for name, *rest in found}


@contextmanager
def _compared(key: str, queried: str, stored: str, target: Target) -> Iterator[None]:
    """Raise ThanoSQLDataError where PostgreSQL compares no values of these two types of the key."""
    try:
        yield
    except ThanoSQLDatabaseError as error:
        if error.sqlstate != NO_OPERATOR or queried == stored:
            raise
        raise ThanoSQLDataError(
            f"'{key}' (row_key) is {queried} in the query and {stored} in the table {target}, which PostgreSQL does not"
            " compare.",
            hint=CAST.format(name=key, type=stored),
            option=("row_key", key),
        ) from error


def refuse_unfit(connection: Connection, target: Target, columns: Sequence[Column], key: str, prune: bool) -> None:
    """Ask the server whether rows of these columns could be written by that key, before any work: rights and types.

    Raises ThanoSQLDataError where the table lacks the key, ThanoSQLDatabaseError for what PostgreSQL would refuse.
    """
    if target.oid is None:
        return
    stored = stored_columns(connection, target)
    if key not in stored:
        raise ThanoSQLDataError(
            f"The table {target} has no column '{key}' (row_key). Its columns: {', '.join(stored) or 'none'}.",
            option=("row_key", key),
            hint="Its rows are told apart by that column: add it to the table, or choose another row_key.",
        )
    missing = [column for column in columns if column.name not in stored]
    if missing:
        ((ours, owner),) = connection.values(
            "SELECT pg_has_role(relowner, 'USAGE'), pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = %s",
            target.oid,
        )
        if not ours:
            raise ThanoSQLDatabaseError(
                f"must be owner of table {target.name} ({owner} is) to add its columns: "
                f"{', '.join(column.name for column in missing)}",
                sqlstate="42501",
                hint="Its owner adds them with ALTER TABLE … ADD COLUMN.",
            )
    there = [column for column in columns if column.name in stored]
    values = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in there)
    queried = next(column.type for column in columns if column.name == key)
    with explained(connection, target):
        for text in _statements(target, f"(SELECT {values})", [column.name for column in there], stored, key):
            if text:
                with _compared(key, queried, stored[key].type, target):
                    connection.execute(f"EXPLAIN {text}")
        if prune:
            connection.execute(f"EXPLAIN DELETE FROM {target.quoted}")


def update(connection: Connection, *updates: TableUpdate) -> list[Written]:
    """Do all of them or none; what each has written. Raises ThanoSQLDatabaseError and leaves everything as it was.

    Others may read the tables meanwhile; who writes to one waits, and what they wrote before is kept.
    """
    try:
        return _update(connection, updates)
    except ThanoSQLDatabaseError as error:
        if error.sqlstate not in MADE_MEANWHILE or all(one.target.oid is not None for one in updates):
            raise
        return _update(connection, updates)


def _update(connection: Connection, updates: Sequence[TableUpdate]) -> list[Written]:
    with connection.transaction("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"):
        connection.execute(f"SET LOCAL lock_timeout = '{round(connection.lock_timeout * 1000)}ms'")
        written = {}
        # In one order everywhere, so that two statements never wait for each other.
        for one in sorted(updates, key=lambda one: one.target.quoted):
            with explained(connection, one.target):
                written[one.target] = _write(connection, one)
        return [written[one.target] for one in updates]


def _write(connection: Connection, one: TableUpdate) -> Written:
    target, source = one.target, one.source
    run = connection.execute
    if target.oid is None:
        defined = ", ".join(_defined(piece) for piece in source.columns)
        run(f"CREATE TABLE IF NOT EXISTS {target.quoted} ({defined})")
    stored = _locked(connection, target, source.columns)
    rows = quoted("pg_temp", fresh("rows"))
    picked = ", ".join(f"{source.expressions[piece.name]} AS {quoted(piece.name)}" for piece in source.columns)
    run(f"CREATE TEMP TABLE {rows} ON COMMIT DROP AS SELECT {picked} {source.origin}")
    run(f"ANALYZE {rows}")
    key = quoted(one.key)
    gone = 0
    if one.gone is not None:
        gone = run(f"DELETE FROM {target.quoted} t USING ({one.gone}) g(key) WHERE t.{key} = g.key").count
    names = [piece.name for piece in source.columns]
    insert, change = _statements(target, rows, names, stored, one.key, one.ours)
    if one.replaced is not None:
        run(f"DELETE FROM {target.quoted} t USING ({one.replaced}) k(key) WHERE t.{key} = k.key")
        return Written(run(insert).count, 0, gone)
    changed = run(change).count if change else 0
    insert += f" WHERE NOT EXISTS (SELECT FROM {target.quoted} t WHERE t.{key} = s.{key})"
    inserted = run(insert + (f" AND s.{key} IN ({one.new})" if one.new is not None else "")).count
    added = [name for name in one.fills if name not in stored]
    if one.query is not None and added and target.oid is not None:
        sets = ", ".join(f"{quoted(name)} = q.{quoted(name)}" for name in added)
        run(f"UPDATE {target.quoted} t SET {sets} FROM {one.query} q WHERE t.{key} = q.{key}")
    return Written(inserted, changed, gone)


def _locked(connection: Connection, target: Target, columns: Sequence[Piece]) -> dict[str, Stored]:
    """The columns that the table had, once no other writes to it and it has those that it lacked."""
    now = find(connection, target.quoted, refuse_if_not_updatable)
    if now.oid is None or (target.oid is not None and now.oid != target.oid and target.schema != "pg_temp"):
        raise AlteredMeanwhile(target)
    stored = stored_columns(connection, now)
    missing = [piece for piece in columns if piece.name not in stored]
    mode = "ACCESS EXCLUSIVE" if missing else "SHARE ROW EXCLUSIVE"
    connection.execute(f"LOCK TABLE {target.quoted} IN {mode} MODE")
    locked = stored_columns(connection, now)
    if any(locked.get(name) != column for name, column in stored.items()):
        raise AlteredMeanwhile(target)
    # Who shares the work may have added the same columns while this one waited for the lock, and has filled them.
    stored = locked
    missing = [piece for piece in missing if piece.name not in stored]
    if missing:
        connection.execute(
            f"ALTER TABLE {target.quoted} {', '.join(f'ADD COLUMN {_defined(piece)}' for piece in missing)}"
        )
    return stored


def _statements(
    target: Target,
    rows: str,
    names: Sequence[str],
    stored: dict[str, Stored],
    key: str,
    ours: frozenset[str] | None = None,
) -> tuple[str, str]:
    """INSERT of `rows s`, and UPDATE from them (of the columns `ours`; empty where nothing but the key is left)."""
    writable = [name for name in names if not (name in stored and stored[name].generated)]
    listed = ", ".join(map(quoted, writable))
    insert = (
        f"INSERT INTO {target.quoted} ({listed}) OVERRIDING SYSTEM VALUE"
        f" SELECT {', '.join(f's.{quoted(name)}' for name in writable)} FROM {rows} s"
    )
    changed = [
        name
        for name in writable
        if name != key and (ours is None or name in ours) and not (name in stored and stored[name].identity)
    ]
    sets = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in changed)
    change = f"UPDATE {target.quoted} t SET {sets} FROM {rows} s WHERE t.{quoted(key)} = s.{quoted(key)}"
    return insert, change if changed else ""


def _defined(piece: Piece) -> str:
    return f"{quoted(piece.name)} {piece.type}" + (f" COLLATE {piece.collation}" if piece.collation else "")
