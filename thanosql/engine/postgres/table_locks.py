"""Tables in, all of them locked against everybody out: never so that who reads several of them is in a deadlock.

Somebody who has read one table and asks for the other waits for whoever has locked that one; if this in turn waited for the
first, PostgreSQL would end one of the two. So a table is waited for while no other is locked; where the next is in use,
all are let go, and that one is waited for first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.target import Target
from thanosql.errors import ThanoSQLDatabaseError

LOCK_NOT_AVAILABLE = "55P03"
PATIENCE = 0.2  # seconds; PostgreSQL looks for deadlocks after deadlock_timeout, 1 s unless it is set otherwise
SAVEPOINT = "thanosql_locks"


class InUse(Exception):
    """A table was not to be had in time; the ThanoSQLDatabaseError is its cause."""

    def __init__(self, target: Target) -> None:
        super().__init__(str(target))
        self.target = target


def lock_all(connection: Connection, targets: Sequence[Target]) -> None:
    """Lock tables in ACCESS EXCLUSIVE mode until the open transaction ends. Raises InUse where one of them is in use for the
    connection's `lock_timeout`, ThanoSQLDatabaseError otherwise."""
    order = list(targets)
    deadline = time.monotonic() + connection.lock_timeout
    while order:
        connection.execute(f"SAVEPOINT {SAVEPOINT}")
        busy = _lock(connection, order, deadline)
        if busy is None:
            break
        target, error = busy
        if time.monotonic() >= deadline:
            raise InUse(target) from error
        connection.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        order.insert(0, order.pop(order.index(target)))


def _lock(
    connection: Connection, order: Sequence[Target], deadline: float
) -> tuple[Target, ThanoSQLDatabaseError] | None:
    """The first that is in use, and what PostgreSQL says of it; None when all are locked."""
    for number, target in enumerate(order):
        left = max(0.001, deadline - time.monotonic())
        seconds = left if number == 0 else min(PATIENCE, left)
        try:
            connection.execute(f"SET LOCAL lock_timeout = '{max(1, round(seconds * 1000))}ms'")
            connection.execute(f"LOCK TABLE {target.quoted} IN ACCESS EXCLUSIVE MODE")
        except ThanoSQLDatabaseError as error:
            if error.sqlstate != LOCK_NOT_AVAILABLE:
                raise
            return target, error
    connection.execute(f"SET LOCAL lock_timeout = '{round(connection.lock_timeout * 1000)}ms'")
    return None
