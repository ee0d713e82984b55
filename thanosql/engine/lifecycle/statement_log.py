"""A statement that ended in, one record of the log out."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thanosql.engine.language.syntax import Statement

log = logging.getLogger("thanosql.engine.session")  # of the session, whose statements these are


def record(statement: Statement, begun: float, outcome: str) -> None:
    """Of a statement that began at `begun`, in seconds of time.monotonic: its kind, how long it took and how it ended."""
    # Neither the text nor the values: they may hold what a log is not to hold.
    if not log.isEnabledFor(logging.INFO):
        return
    kind, seconds = type(statement).__name__, round(time.monotonic() - begun, 3)
    about = {"statement_kind": kind, "seconds": seconds, "outcome": outcome}
    log.info("%s: %s after %.3f s", kind, outcome, seconds, extra=about)
