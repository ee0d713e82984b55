"""Why and where a statement was stopped in; what is raised for it, and what is said of it, out."""

from __future__ import annotations

from enum import Enum

from thanosql.errors import ThanoSQLCancelledError, ThanoSQLConnectionError, ThanoSQLError
from thanosql.models.cancellation import Cancellation

CANCELLED = "The statement was cancelled."
CLOSED = "The session was closed while the statement ran."
QUERY_CANCELED = "57014"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a statement: what stays done, and how to go on, in one sentence each."""


class Left(Enum):
    """What a statement leaves behind where it is stopped, and how that is said of one statement and of one among others."""

    UNCHANGED = ("Tables and models are as they were.", "which left tables and models as they were")
    SAVED = ("Its tables and models were saved before.", "whose tables and models were saved before")
    COMMITTED = (
        "What it had committed by then stays.",
        "and what it had committed by then stays",
    )  # CALL, DO, VACUUM …


class StoppedStatement(KeyboardInterrupt):
    """Ctrl-C in a statement, and what it leaves behind."""

    def __init__(self, said: str, left: Left) -> None:
        super().__init__(said)
        self.left = left


def left_by_interrupt(number: int, total: int, left: Left) -> str:
    """What an interrupt of this statement leaves behind, in a sentence."""
    alone, among = left.value
    if total == 1:
        return alone
    before = "" if number == 1 else " The one before it stays done." if number == 2 else " Those before it stay done."
    return f"It was statement {number} of {total}, {among}.{before}"


def stopped(cancellation: Cancellation, said: str | None) -> ThanoSQLError:
    """What is raised where a statement was asked to stop; `said` is what it had to say of that, how to go on for one."""
    kind = ThanoSQLConnectionError if cancellation.reason == CLOSED else ThanoSQLCancelledError
    return kind(cancellation.reason, hint=said if said != cancellation.reason else None)
