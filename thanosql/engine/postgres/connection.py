"""One PostgreSQL connection: SQL in pieces in, rows and status out. Statements go to the driver as written, since their
`%` and `:` belong to the user.

Threads: one at a time. Whatever is asked of a connection takes its `turn` first, which the thread that has it may take
again. A `Session` keeps it for a whole statement, so that nobody comes between two steps of one: a lazily fetched
result, a completion or `close` in another thread waits until the statement is over. `cancel` alone waits for nobody.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.driver import Driver
from thanosql.engine.postgres.rendering import refuse_unsendable, rendered
from thanosql.engine.postgres.turn import Turn
from thanosql.engine.postgres.worker_thread import Work

SAVEPOINT = "thanosql_attempt"
COPY_BYTES = 1 << 20  # read from a stream and sent at a time

# int2vector and oidvector ('1 2') are arrays to the catalog, and not written as arrays are.
ARRAYS = "SELECT oid::bigint FROM pg_type WHERE oid = ANY(%s) AND typcategory = 'A' AND oid NOT IN (22, 30)"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What PostgreSQL said. `fields` is None for what has no rows: then `status` is all ('INSERT 0 3')."""

    fields: tuple[tuple[str, int], ...] | None  # name, type's oid
    rows: list[tuple[Any, ...]] = field(repr=False)
    status: str = ""
    count: int = -1

    @property
    def value(self) -> Any:
        """The one value of a query for one value."""
        return self.rows[0][0]


class Connection:
    """A session in PostgreSQL, opened when first needed and kept; autocommit, so that BEGIN is the user's own word.

    `lock_timeout` is how many seconds a replacement waits for other sessions. `check` is called before all but
    cleaning up, and raises where the work was asked to stop.
    """

    def __init__(self, url: str | Callable[[], str], *, lock_timeout: float = 5.0, turn: Turn | None = None) -> None:
        self._url = url
        self.lock_timeout = lock_timeout
        self.turn = turn or Turn()
        self.check: Callable[[], None] = lambda: None
        self._driver = Driver(url)
        self._session: Any = None  # the psycopg2 connection that all below belongs to
        self._begin()

    def _begin(self) -> None:
        self._copying: Work[None] | None = None
        self._moment: object | None = None
        self._same_moment = False
        self.in_one_moment = False
        self._arrays: dict[int, bool] = {}
        self.unwanted: list[str] = []  # cursors that nobody will ask any more

    @property
    def open(self) -> bool:
        return self._driver.open

    @property
    def raw(self) -> Any:
        """The psycopg2 connection. Raises ThanoSQLConnectionError when the server cannot be reached."""
        with self.turn:
            raw = self._driver.raw
            if raw is not self._session:
                self._session = raw
                self._begin()
            return raw

    @property
    def server_version(self) -> int:
        """As PostgreSQL counts: 180004 is 18.4."""
        return int(self.raw.server_version)

    @property
    def in_transaction(self) -> bool:
        """Whether a BEGIN is open, failed ones included."""
        from psycopg2.extensions import TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_INTRANS

        with self.turn:
            ours = self.open and self._moment is not None
            return not ours and self._status() in (TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_INERROR)

    @property
    def failed(self) -> bool:
        """Whether the open transaction has failed, so that nothing but ROLLBACK is heard."""
        from psycopg2.extensions import TRANSACTION_STATUS_INERROR

        with self.turn:
            return bool(self._status() == TRANSACTION_STATUS_INERROR)

    def _status(self) -> int | None:
        if self._copying is not None:
            self._copying.wait()
        return self._driver.status

    def leave_open(self, whose: object) -> None:
        """Let the transaction that is open last until the next thing is asked for, `same_moment` apart."""
        self._moment = whose

    def is_at_the_moment_of(self, whose: object) -> bool:
        """Whether the transaction that this one left open still is."""
        return self.open and self._moment is whose

    @contextlib.contextmanager
    def same_moment(self) -> Iterator[None]:
        """What is asked for within still sees the database as the transaction that was left open sees it."""
        with self.turn:
            self._same_moment = True
            try:
                yield
            finally:
                self._same_moment = False

    def is_still(self, raw: Any) -> bool:
        """Whether this is the connection that `raw` was."""
        return self.open and self._session is raw

    def settle(self) -> None:
        """End the copy that is going on and the transaction that was left open; nothing happens if there is neither."""
        with self.turn:
            self.finish_copy()
            if self._moment is not None and not self._same_moment:
                self._moment = None
                if self.open:
                    self._execute(SQL.of("ROLLBACK" if self.failed else "COMMIT"))

    def execute(self, *pieces: str | SQL, casts: Sequence[Any] = ()) -> Answer:
        """Run one statement. `casts` are psycopg2 type casters for its rows, over the driver's own.

        Raises ThanoSQLDatabaseError (with the position in the user's text) or ThanoSQLConnectionError.
        """
        with self.turn:
            self._prepare()
            return self._execute(SQL.of(*pieces), casts)

    def _prepare(self) -> None:
        self.check()
        self.settle()

    def _execute(self, sql: SQL, casts: Sequence[Any] = ()) -> Answer:
        with self.raw.cursor() as cursor:
            if casts:
                from psycopg2.extensions import register_type

                for cast in casts:
                    register_type(cast, cursor)
            text, places = rendered(sql, cursor)
            return self._driver.run(lambda: _answer(cursor, text), sql, places)

    def attempt(self, *statements: str) -> None:
        """Run what only cleans up, as far as there is anyone to hear it. What fails is logged and never raised: it may
        stand over a result, or over the error that matters. An open transaction of the user's does not fail by it."""
        with self.turn:
            try:
                self.settle()
            except Exception as error:
                log.info("The transaction of a snapshot was not ended: %s", error)
            for text in statements:
                if not self.open or self.failed:
                    return
                inside = self.in_transaction
                try:
                    if inside:
                        self._execute(SQL.of(f"SAVEPOINT {SAVEPOINT}"))
                    self._execute(SQL.of(text))
                except Exception as error:
                    log.info("%s was not done: %s", text, error)
                    if inside:
                        self.roll_back(SAVEPOINT)

    def values(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query of ours, its `%s` filled in by the driver.

        With values the text is a constant: a name put into it may hold a `%` (`execute` takes any).
        """
        refuse_unsendable(*(value for value in values if isinstance(value, str)))
        with self.turn:
            self._prepare()
            with self.raw.cursor() as cursor:
                return self._driver.run(lambda: (cursor.execute(text, values or None), cursor.fetchall())[1])

    def copy_in(self, table: str, data: bytes) -> int:
        """Put rows into a table (its name quoted), in COPY's text format; rows taken."""
        return self.copy_stream(_copy_text(table), io.BytesIO(data))

    def copy_stream(self, text: str, data: BinaryIO) -> int:
        """Run a `COPY … FROM STDIN` of ours with what `data` gives as it is read; rows taken."""
        with self.turn:
            self._prepare()
            with self.raw.cursor() as cursor:
                self._driver.run(lambda: cursor.copy_expert(text, data, COPY_BYTES))
                return int(cursor.rowcount)

    def copy_ahead(self, table: str, data: bytes) -> None:
        """As `copy_in`, but come back at once: what is asked for next waits until the rows are in.

        What stops them is raised there, by `finish_copy` at the latest.
        """

        def copy(raw: Any) -> None:
            with raw.cursor() as cursor:
                cursor.copy_expert(_copy_text(table), io.BytesIO(data), COPY_BYTES)

        with self.turn:
            self._prepare()
            self._copying = self._driver.start(copy)

    def finish_copy(self) -> None:
        """Wait for what `copy_ahead` began. Raises what stopped it."""
        with self.turn:
            copying, self._copying = self._copying, None
            if copying is not None:
                self._driver.finish(copying)

    @contextlib.contextmanager
    def transaction(self, begin: str = "BEGIN") -> Iterator[None]:
        """All or nothing: COMMIT at the end, ROLLBACK when anything is raised."""
        with self.turn:
            self.execute(begin)
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                self.roll_back()
                raise

    def roll_back(self, to: str | None = None) -> None:
        """ROLLBACK, if there is anyone left to hear it. Raises nothing: an error is on its way."""
        with self.turn:
            try:
                if self.in_transaction:
                    self._execute(SQL.of(f"ROLLBACK TO SAVEPOINT {to}" if to else "ROLLBACK"))
            except Exception as error:
                log.info("ROLLBACK was not done: %s", error)

    def cancel(self) -> None:
        """Stop what the server is doing for this connection; callable from any thread, and waits for nobody."""
        self._driver.cancel()

    def close(self) -> None:
        """End it. Raises nothing; what is asked next opens it again."""
        with self.turn:
            self._session = None
            self._begin()
            self._driver.close()

    @property
    def writes_iso_dates(self) -> bool:
        return self._driver.parameter("DateStyle").startswith("ISO")

    @property
    def escapes_backslashes(self) -> bool:
        """Whether standard_conforming_strings is off, so that a backslash in a plain string escapes."""
        return self._driver.parameter("standard_conforming_strings") == "off"

    def arrays_among(self, oids: Sequence[int]) -> tuple[int, ...]:
        """Those of these types that are arrays; asked once for each."""
        unknown = sorted(set(oids) - self._arrays.keys())
        if unknown:
            # A failed transaction answers nothing: then its arrays stay text.
            found = () if self.failed else self.values(ARRAYS, unknown)
            arrays = {oid for (oid,) in found}
            self._arrays.update((oid, oid in arrays) for oid in unknown)
        return tuple(oid for oid in oids if self._arrays[oid])

    def notices(self) -> list[str]:
        """What the server remarked on since the last call."""
        return self._driver.notices()


def _copy_text(table: str) -> str:
    return f"COPY {table} FROM STDIN (ENCODING 'UTF8')"


def _answer(cursor: Any, text: str) -> Answer:
    cursor.execute(text)
    if cursor.description is None:
        return Answer(None, [], cursor.statusmessage or "", cursor.rowcount)
    fields = tuple((column.name, column.type_code) for column in cursor.description)
    return Answer(fields, cursor.fetchall(), cursor.statusmessage or "", cursor.rowcount)
