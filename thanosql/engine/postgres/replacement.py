"""Targets and rows of the server in; the targets replaced by tables of them, all in one transaction, out.

Each new table is made and filled beside the old one (`successor`); then, under locks, the old ones go and the new ones
take their names. Other sessions see the old tables or the new ones, and after a kill at any moment the old ones are as
they were. A REPEATABLE READ transaction that began before sees them empty, as after TRUNCATE.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.definition import Definition, Piece, definition_of, pieces
from thanosql.engine.postgres.naming import fresh
from thanosql.engine.postgres.successor import Source, Successor
from thanosql.engine.postgres.target import Target, altered_meanwhile, refuse_if_hindered, state_of
from thanosql.errors import ThanoSQLDatabaseError

__all__ = ["Piece", "Replacement", "Source", "inside_transaction", "pieces", "replace"]

LOCK_NOT_AVAILABLE = "55P03"
TABLE_EXISTS = "42P07"
SERIALIZATION = "40001"


@dataclass(frozen=True, slots=True)
class Replacement:
    """What goes where."""

    target: Target
    source: Source


def replace(connection: Connection, *replacements: Replacement) -> list[int]:
    """Do all of them or none; the rows of each. Raises ThanoSQLDatabaseError and leaves everything as it was."""
    if connection.in_transaction:
        raise inside_transaction(", ".join(str(one.target) for one in replacements))
    with connection.transaction("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"):
        connection.execute(f"SET LOCAL lock_timeout = '{round(connection.lock_timeout * 1000)}ms'")
        counts = []
        ready: list[tuple[Target, Definition, Successor]] = []
        for one in replacements:
            with _explained(connection, one.target):
                if one.target.oid is None:
                    counts.append(Successor(connection, one.target.schema, one.target.name, one.source).fill())
                    continue
                refuse_if_hindered(connection, one.target)
                old = definition_of(connection, one.target.oid)
                new = Successor(connection, one.target.schema, fresh("staging"), one.source, old)
                counts.append(new.fill())
                new.constrain()
                ready.append((one.target, old, new))
        # In one order everywhere, so that two statements never wait for each other.
        ready.sort(key=lambda one: one[0].quoted)
        for target, old, _ in ready:
            with _explained(connection, target):
                connection.execute(f"LOCK TABLE {target.quoted} IN ACCESS EXCLUSIVE MODE")
                _refuse_if_changed(connection, target, old)
        for target, _, new in ready:
            with _explained(connection, target):
                new.take_place_of(target)
        return counts


def inside_transaction(table: str) -> ThanoSQLDatabaseError:
    """The refusal of a replacement while a BEGIN of the user's is open."""
    return ThanoSQLDatabaseError(
        f"The table {table} cannot be replaced inside an open transaction.",
        sqlstate="25001",
        hint="COMMIT or ROLLBACK first: the table is replaced in a transaction of its own.",
    )


def _refuse_if_changed(connection: Connection, target: Target, old: Definition) -> None:
    """Under the lock: is it still the same table, defined as it was, and (if the query read it) with the rows it
    had?"""
    ((oid,),) = connection.values("SELECT to_regclass(%s)::oid::bigint", target.quoted)
    if oid != target.oid or definition_of(connection, oid) != old:
        raise altered_meanwhile(target)
    refuse_if_hindered(connection, target)
    if target.state is not None and state_of(connection, target) != target.state:
        raise ThanoSQLDatabaseError(
            f"Another session wrote to the table {target} after the query had read it: it is not replaced, no row "
            f"is lost.",
            sqlstate=SERIALIZATION,
            hint="Run the statement again.",
        )


@contextlib.contextmanager
def _explained(connection: Connection, target: Target) -> Iterator[None]:
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
