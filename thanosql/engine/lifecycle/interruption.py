"""Why and where a statement was stopped in; what is raised for it, and what is said of it, out."""

from __future__ import annotations

from thanosql.errors import ThanoSQLCancelledError, ThanoSQLConnectionError, ThanoSQLError
from thanosql.models.cancellation import Cancellation

CANCELLED = "The statement was cancelled."
CLOSED = "The session was closed while the statement ran."
QUERY_CANCELED = "57014"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a statement: what stays done, and how to go on, in one sentence each."""


class StoppedWhenSaved(KeyboardInterrupt):
    """Ctrl-C in a statement whose tables and models were complete and in their places."""


def left_by_interrupt(number: int, total: int, *, saved: bool) -> str:
    """What an interrupt of this statement leaves behind; `saved` says that its tables and models were complete by then."""
    if total == 1:
        return "Its tables and models were saved before." if saved else "Tables and models are as they were."
    before = "" if number == 1 else " The one before it stays done." if number == 2 else " Those before it stay done."
    left = "whose tables and models were saved before" if saved else "which left tables and models as they were"
    return f"It was statement {number} of {total}, {left}.{before}"


def stopped(cancellation: Cancellation, said: str | None) -> ThanoSQLError:
    """What is raised where a statement was asked to stop; `said` is what it had to say of that, how to go on for one."""
    kind = ThanoSQLConnectionError if cancellation.reason == CLOSED else ThanoSQLCancelledError
    return kind(cancellation.reason, hint=said if said != cancellation.reason else None)
