"""Calls of psycopg2 in, what they give out: they can be interrupted, and what they raise is one of our errors.

What blocks runs in a thread of its own, since libpq holds on to the thread that called it until the server answers: so
Ctrl-C reaches us at once and is passed on to the server. A process that forks leaves the connection to the parent; the
child opens one of its own when it first asks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.error_translation import LOST_STATES, holds_nul, lost, translated
from thanosql.engine.postgres.opening import open_session
from thanosql.engine.postgres.rendering import Place
from thanosql.engine.postgres.worker_thread import Work, WorkerThread
from thanosql.errors import ThanoSQLConnectionError

T = TypeVar("T")
OURS = SQL(())  # what the user did not write has no place in the source
log = logging.getLogger(__name__)


class Driver:
    """A psycopg2 connection, opened when first needed and again when it was lost. For one thread at a time."""

    def __init__(self, url: str | Callable[[], str]) -> None:
        self._url = url
        self._raw: Any = None
        self._worker: WorkerThread | None = None
        _living.add(self)

    @property
    def open(self) -> bool:
        return self._raw is not None and not self._raw.closed

    @property
    def raw(self) -> Any:
        """The psycopg2 connection. Raises ThanoSQLConnectionError when the server cannot be reached."""
        if not self.open:
            self._raw = self._interruptible(self._opened, cancel=False)
        return self._raw

    def _opened(self) -> Any:
        if isinstance(self._url, str):
            return open_session(self._url.__str__)
        try:
            return open_session(self._url)
        except ThanoSQLConnectionError as error:
            # An embedded server may die just after it was found alive: asked again it is started anew, or says why it
            # cannot be, which the broken connection does not know.
            log.info("the embedded server is asked for again: %s", error.message)
            return open_session(self._url)

    @property
    def status(self) -> int | None:
        """Where the transaction is, as psycopg2 counts; None without a connection."""
        return self._raw.info.transaction_status if self.open else None

    def parameter(self, name: str) -> str:
        """One of the settings that the server reports of itself; empty without a connection."""
        return str(self._raw.get_parameter_status(name)) if self.open else ""

    def run(self, work: Callable[[], T], sql: SQL = OURS, places: Sequence[Place] = ()) -> T:
        """Do it; an error's place is in the source of `sql`, of which `places` were sent."""
        with self._translating(sql, places):
            return self._interruptible(work)

    def start(self, work: Callable[[Any], None]) -> Work[None]:
        """Begin to do it with the connection, and come back at once; `finish` waits for it."""
        raw = self.raw
        return self._apart.begin(lambda: work(raw))

    def finish(self, work: Work[None]) -> None:
        """Wait for what was started. Raises what stopped it."""
        with self._translating(OURS, ()):
            self._awaited(work)

    def cancel(self) -> None:
        """Stop what the server is doing; callable from any thread, and waits for nobody."""
        raw = self._raw
        if raw is not None:
            with contextlib.suppress(Exception):  # gone already: then there is nothing to stop
                raw.cancel()

    def close(self) -> None:
        """End the connection. Raises nothing."""
        raw, worker = self._raw, self._worker
        self.forget()
        if raw is not None:
            with contextlib.suppress(Exception):
                raw.close()
        if worker is not None:
            worker.end()

    def forget(self) -> None:
        """Let go of the connection without a word to the server."""
        self._raw, self._worker = None, None

    def notices(self) -> list[str]:
        """What the server remarked on since the last call."""
        said = [notice.strip() for notice in self._raw.notices] if self.open else []
        if said:
            del self._raw.notices[:]
        return said

    @contextlib.contextmanager
    def _translating(self, sql: SQL, places: Sequence[Place]) -> Iterator[None]:
        import psycopg2

        raw = self._raw
        try:
            yield
        except psycopg2.Error as error:
            # Without a state it is the client's own library that says it, not always with the connection marked as closed.
            if raw.closed or (error.pgcode in (None, *LOST_STATES) and not _answers(raw)):
                self._raw = None
                raise lost(error) from error
            raise translated(error, sql, places) from error
        except ValueError as error:
            if "NUL" not in str(error):
                raise
            raise holds_nul() from error
        finally:
            for notice in self.notices():
                log.info(notice)

    def _interruptible(self, work: Callable[[], T], *, cancel: bool = True) -> T:
        if threading.current_thread() is not threading.main_thread():
            return work()  # no signal reaches it there
        return self._awaited(self._apart.begin(work), cancel=cancel)

    @property
    def _apart(self) -> WorkerThread:
        if self._worker is None:
            self._worker = WorkerThread("thanosql-postgres")
        return self._worker

    def _awaited(self, work: Work[T], *, cancel: bool = True) -> T:
        try:
            return work.result()
        except KeyboardInterrupt:
            if cancel:
                self.cancel()
                with contextlib.suppress(Exception):
                    work.result()
            raise


def _answers(raw: Any) -> bool:
    """Whether anyone is at the other end: a function of the user's may raise what a closing server says."""
    import psycopg2

    try:
        with raw.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.errors.InFailedSqlTransaction:
        return True
    except psycopg2.Error:
        return False
    return True


_living: weakref.WeakSet[Driver] = weakref.WeakSet()


def _in_a_child() -> None:
    # psycopg2 says nothing to the server for a connection that another process opened and that is merely let go.
    for driver in list(_living):
        driver.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
