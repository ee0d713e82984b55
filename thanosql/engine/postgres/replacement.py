"""Targets and rows of the server in; the targets replaced by tables of them, all in one transaction, out.

Each new table is made and filled beside the old one (`table_rebuild`); then, under locks, the old ones go and the new ones
take their names. Other sessions see the old tables or the new ones, and after a kill at any moment the old ones are as
they were. A REPEATABLE READ transaction that began before sees them empty, as after TRUNCATE.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.definition import Definition, Piece, definition_of, pieces
from thanosql.engine.postgres.naming import fresh
from thanosql.engine.postgres.table_locks import LOCK_NOT_AVAILABLE, InUse, lock_all
from thanosql.engine.postgres.table_rebuild import Source, TableRebuild
from thanosql.engine.postgres.target import AlteredMeanwhile, Target, refuse_if_hindered, state_of, written_meanwhile
from thanosql.errors import ThanoSQLDatabaseError

__all__ = ["Piece", "Replacement", "Source", "explained", "inside_transaction", "pieces", "replace"]

TABLE_EXISTS = "42P07"
DEADLOCK, INTERNAL = "40P01", "XX000"
NO_TABLE, NO_SCHEMA = "42P01", "3F000"
ATTEMPTS = 5
# What PostgreSQL says where another session changed the same rows of the catalog, or waits for us as we for it.
COLLIDED = ("tuple concurrently", "deadlock detected", "could not open relation", "cache lookup failed")


@dataclass(frozen=True, slots=True)
class Replacement:
    """What goes where."""

    target: Target
    source: Source


def replace(connection: Connection, *replacements: Replacement) -> list[int]:
    """Do all of them or none; the rows of each. Raises ThanoSQLDatabaseError and leaves everything as it was.

    What another session did meanwhile to a table that the query did not read (replaced it, gave a right, made an index)
    is taken over: then it is done again.
    """
    if connection.in_transaction:
        raise inside_transaction(", ".join(str(one.target) for one in replacements))
    for _ in range(ATTEMPTS - 1):
        try:
            return _replace(connection, replacements)
        except _Changed:
            continue
        except ThanoSQLDatabaseError as error:
            if error.sqlstate not in (DEADLOCK, INTERNAL) or not any(said in error.message for said in COLLIDED):
                raise
    try:
        return _replace(connection, replacements)
    except _Changed as changed:
        raise AlteredMeanwhile(changed.target) from None


class _Changed(Exception):
    """The target is not defined as it was when the new table was made after it."""

    def __init__(self, target: Target) -> None:
        super().__init__(str(target))
        self.target = target


def _replace(connection: Connection, replacements: Sequence[Replacement]) -> list[int]:
    with connection.transaction("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"):
        connection.execute(f"SET LOCAL lock_timeout = '{round(connection.lock_timeout * 1000)}ms'")
        counts = []
        ready: list[tuple[Target, Definition, TableRebuild]] = []
        # In one order everywhere, so that two statements never wait for each other.
        found = {
            target: _reserved(connection, target)
            for target in sorted((one.target for one in replacements if one.target.oid is not None), key=_by_name)
        }
        for one in replacements:
            target = found.get(one.target, one.target)
            with explained(connection, target):
                if target.oid is None:
                    counts.append(TableRebuild(connection, target.schema, target.name, one.source).fill())
                    continue
                refuse_if_hindered(connection, target)
                old = definition_of(connection, target.oid)
                new = TableRebuild(connection, target.schema, fresh("staging"), one.source, old)
                counts.append(new.fill())
                new.constrain()
                ready.append((target, old, new))
        ready.sort(key=lambda one: _by_name(one[0]))
        try:
            lock_all(connection, [target for target, _, _ in ready])
        except InUse as busy:
            with explained(connection, busy.target):
                raise cast("ThanoSQLDatabaseError", busy.__cause__) from busy
        for target, old, _ in ready:
            with explained(connection, target):
                _refuse_if_changed(connection, target, old)
        for target, _, new in ready:
            with explained(connection, target):
                new.take_place_of(target)
        return counts


def _by_name(target: Target) -> str:
    return target.quoted


def _reserved(connection: Connection, target: Target) -> Target:
    """The table that stands there now, kept from every other change of its definition until the transaction is over.

    Others may read it and write to it meanwhile; who replaces it too waits for the lock.
    """
    with explained(connection, target):
        try:
            connection.execute(f"LOCK TABLE {target.quoted} IN SHARE UPDATE EXCLUSIVE MODE")
        except ThanoSQLDatabaseError as error:
            if error.sqlstate in (NO_TABLE, NO_SCHEMA):
                raise AlteredMeanwhile(target) from error
            raise
    ((oid,),) = connection.values("SELECT to_regclass(%s)::oid::bigint", target.quoted)
    return dataclasses.replace(target, oid=oid)


def inside_transaction(table: str) -> ThanoSQLDatabaseError:
    """The refusal of a replacement while a BEGIN of the user's is open."""
    return ThanoSQLDatabaseError(
        f"The table {table} cannot be replaced inside an open transaction.",
        sqlstate="25001",
        hint="COMMIT or ROLLBACK first: the table is replaced in a transaction of its own.",
    )


def _refuse_if_changed(connection: Connection, target: Target, old: Definition) -> None:
    """Under the lock: is it defined as it was, and has it (if the query read it) the rows it had?"""
    assert target.oid is not None
    if definition_of(connection, target.oid) != old:
        raise _Changed(target)
    refuse_if_hindered(connection, target)
    if target.state is not None and state_of(connection, target) != target.state:
        raise written_meanwhile(target)


@contextlib.contextmanager
def explained(connection: Connection, target: Target) -> Iterator[None]:
    """What PostgreSQL refuses while a table is written is said of that table."""
    try:
        yield
    except ThanoSQLDatabaseError as error:
        message, hint = error.message, error.hint
        if error.sqlstate == LOCK_NOT_AVAILABLE:
            message = f"The table {target} is in use: no lock on it was to be had within {connection.lock_timeout:g} s."
            hint = (
                "It is left as it was. pg_stat_activity shows who uses it; run the statement again when they are done."
            )
        elif error.sqlstate == TABLE_EXISTS and target.oid is None:
            message = f"The table {target} was made by another session meanwhile, and is left as it is."
            hint = "Run the statement again to replace it."
        elif error.sqlstate and error.sqlstate.startswith("23"):
            hint = f"A constraint of the table {target} refuses the new rows; it is left as it was."
        else:
            raise
        raise ThanoSQLDatabaseError(message, sqlstate=error.sqlstate, hint=hint, position=error.position) from error
