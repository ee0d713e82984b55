"""One PostgreSQL connection: SQL in pieces in, rows and status out, every driver error turned into one of ours.

SQLAlchemy opens it; statements go to psycopg2 as written, since their `%` and `:` belong to the user. What blocks
runs in
a thread of the connection's own, so that Ctrl-C reaches us at once and is passed on to the server.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.refusals import lost, translated, unreachable
from thanosql.engine.postgres.rendering import rendered
from thanosql.errors import ThanoSQLConnectionError

OLDEST = 130_000  # PostgreSQL 13
CONNECT_TIMEOUT = 10  # seconds
TEMP_BUFFERS = "64MB"  # at least, of the server's memory; taken when temporary tables need it

T = TypeVar("T")
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
    """A session in PostgreSQL, opened when first needed and kept; autocommit, so that BEGIN is the user's own word."""

    def __init__(self, url: str, *, lock_timeout: float = 5.0) -> None:
        self._url = url
        self.lock_timeout = lock_timeout  # seconds that a replacement waits for other sessions
        self._raw: Any = None
        self._worker: ThreadPoolExecutor | None = None
        self._copying: Future[None] | None = None
        self._turn = threading.RLock()
        self._moment: object | None = None
        self._same_moment = False
        self._arrays: dict[int, bool] = {}
        self.unwanted: list[str] = []  # cursors that nobody will ask any more
        self.read_by: dict[
            int, frozenset[int]
        ] = {}  # a temporary result's oid: those of the tables that it was read from

    @property
    def open(self) -> bool:
        return self._raw is not None and not self._raw.closed

    @property
    def raw(self) -> Any:
        """The psycopg2 connection. Raises ThanoSQLConnectionError when the server cannot be reached."""
        if self._raw is not None and self._raw.closed:
            self._raw = None
        if self._raw is None:
            self._raw = self._interruptible(lambda: _open(self._url), cancel=False)
        return self._raw

    @property
    def server_version(self) -> int:
        """As PostgreSQL counts: 180004 is 18.4."""
        return int(self.raw.server_version)

    @property
    def in_transaction(self) -> bool:
        """Whether a BEGIN is open, failed ones included."""
        from psycopg2.extensions import TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_INTRANS

        if not self.open or self._moment is not None:
            return False
        self._wait_for_copy()
        return self._raw.info.transaction_status in (TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_INERROR)

    @property
    def failed(self) -> bool:
        """Whether the open transaction has failed, so that nothing but ROLLBACK is heard."""
        from psycopg2.extensions import TRANSACTION_STATUS_INERROR

        self._wait_for_copy()
        return self.open and bool(self._raw.info.transaction_status == TRANSACTION_STATUS_INERROR)

    def leave_open(self, whose: object) -> None:
        """Let the transaction that is open last until the next thing is asked for, `same_moment` apart."""
        self._moment = whose

    def is_at_the_moment_of(self, whose: object) -> bool:
        """Whether the transaction that this one left open still is."""
        return self.open and self._moment is whose

    @contextlib.contextmanager
    def same_moment(self) -> Iterator[None]:
        """What is asked for within still sees the database as the transaction that was left open sees it."""
        self._same_moment = True
        try:
            yield
        finally:
            self._same_moment = False

    def is_still(self, raw: Any) -> bool:
        """Whether this is the connection that `raw` was."""
        return self.open and self._raw is raw

    def settle(self) -> None:
        """End the copy that is going on and the transaction that was left open; nothing happens if there is neither."""
        self.finish_copy()
        if self._moment is not None and not self._same_moment:
            self._moment = None
            if self.open:
                self.execute("ROLLBACK" if self.failed else "COMMIT")

    def execute(self, *pieces: str | SQL, casts: Sequence[Any] = ()) -> Answer:
        """Run one statement. `casts` are psycopg2 type casters for its rows, over the driver's own.

        Raises ThanoSQLDatabaseError (with the position in the user's text) or ThanoSQLConnectionError.
        """
        self.settle()
        sql = SQL.of(*pieces)
        with self._turn, self.raw.cursor() as cursor:
            from psycopg2.extensions import register_type

            for cast in casts:
                register_type(cast, cursor)
            text, places = rendered(sql, cursor)
            with self._translating(sql, places):
                return self._interruptible(lambda: _answer(cursor, text))

    def values(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query of ours, its `%s` filled in by the driver."""
        self.settle()
        with self._turn, self.raw.cursor() as cursor, self._translating(SQL(()), ()):
            return self._interruptible(lambda: (cursor.execute(text, values), cursor.fetchall())[1])

    def copy_in(self, table: str, data: bytes) -> int:
        """Put rows into a table (its name quoted), in COPY's text format; rows taken."""
        self.settle()
        text = f"COPY {table} FROM STDIN (ENCODING 'UTF8')"
        with self._turn, self.raw.cursor() as cursor, self._translating(SQL(()), ()):
            self._interruptible(lambda: cursor.copy_expert(text, io.BytesIO(data), 1 << 20))
            return int(cursor.rowcount)

    def copy_ahead(self, table: str, data: bytes) -> None:
        """As `copy_in`, but come back at once: what is asked for next waits until the rows are in.

        What stops them is raised there, by `finish_copy` at the latest.
        """
        self.settle()
        text = f"COPY {table} FROM STDIN (ENCODING 'UTF8')"

        def copy(raw: Any) -> None:
            with raw.cursor() as cursor:
                cursor.copy_expert(text, io.BytesIO(data), 1 << 20)

        self._copying = self._apart.submit(copy, self.raw)

    def finish_copy(self) -> None:
        """Wait for what `copy_ahead` began. Raises what stopped it."""
        copying, self._copying = self._copying, None
        if copying is not None:
            with self._turn, self._translating(SQL(()), ()):
                self._awaited(copying)

    def _wait_for_copy(self) -> None:
        if self._copying is not None:
            wait([self._copying])

    def copy_stream(self, text: str, data: BinaryIO) -> int:
        """Run a `COPY … FROM STDIN` of ours with what `data` gives as it is read; rows taken."""
        self.settle()
        with self._turn, self.raw.cursor() as cursor, self._translating(SQL(()), ()):
            self._interruptible(lambda: cursor.copy_expert(text, data, 1 << 20))
            return int(cursor.rowcount)

    @contextlib.contextmanager
    def transaction(self, begin: str = "BEGIN") -> Iterator[None]:
        """All or nothing: COMMIT at the end, ROLLBACK when anything is raised."""
        self.execute(begin)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self.roll_back()
            raise

    def roll_back(self, to: str | None = None) -> None:
        """ROLLBACK, if there is anyone left to hear it."""
        if self.open and self.in_transaction:
            with contextlib.suppress(ThanoSQLConnectionError):
                self.execute(f"ROLLBACK TO SAVEPOINT {to}" if to else "ROLLBACK")

    def cancel(self) -> None:
        """Stop what the server is doing for this connection; callable from any thread."""
        if self.open:
            with contextlib.suppress(Exception):  # gone already: then there is nothing to stop
                self._raw.cancel()

    def close(self) -> None:
        if self._raw is not None:
            with contextlib.suppress(Exception):
                self._raw.close()
            self._raw = None
        self._copying = None
        if self._worker is not None:
            self._worker.shutdown(wait=False)
            self._worker = None

    @property
    def writes_iso_dates(self) -> bool:
        return str(self.raw.info.parameter_status("DateStyle")).startswith("ISO")

    def arrays_among(self, oids: Sequence[int]) -> tuple[int, ...]:
        """Those of these types that are arrays; asked once for each."""
        unknown = sorted(set(oids) - self._arrays.keys())
        if unknown:
            # A failed transaction answers nothing: then its arrays stay text.
            found = (
                ()
                if self.failed
                else self.values("SELECT oid::bigint FROM pg_type WHERE oid = ANY(%s) AND typcategory = 'A'", unknown)
            )
            arrays = {oid for (oid,) in found}
            self._arrays.update((oid, oid in arrays) for oid in unknown)
        return tuple(oid for oid in oids if self._arrays[oid])

    def notices(self) -> list[str]:
        """What the server remarked on since the last call."""
        said = [notice.strip() for notice in self._raw.notices] if self.open else []
        if said:
            del self._raw.notices[:]
        return said

    @contextlib.contextmanager
    def _translating(self, sql: SQL, places: Sequence[tuple[int, int, int | None]]) -> Iterator[None]:
        import psycopg2

        raw = self._raw
        try:
            yield
        except psycopg2.Error as error:
            if raw.closed:
                self._raw = None
                raise lost(error) from error
            raise translated(error, sql, places) from error
        finally:
            for notice in self.notices():
                log.info(notice)

    def _interruptible(self, work: Callable[[], T], *, cancel: bool = True) -> T:
        """Do it where a signal cannot wait for it: libpq holds on to the thread that called it until the server
        answers."""
        if threading.current_thread() is not threading.main_thread():
            return work()
        return self._awaited(self._apart.submit(work), cancel=cancel)

    @property
    def _apart(self) -> ThreadPoolExecutor:
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="thanosql-postgres")
        return self._worker

    def _awaited(self, future: Future[T], *, cancel: bool = True) -> T:
        try:
            return future.result()
        except KeyboardInterrupt:
            if cancel:
                self.cancel()
                with contextlib.suppress(Exception):
                    future.result()
            raise


def _answer(cursor: Any, text: str) -> Answer:
    cursor.execute(text)
    if cursor.description is None:
        return Answer(None, [], cursor.statusmessage or "", cursor.rowcount)
    fields = tuple((column.name, column.type_code) for column in cursor.description)
    return Answer(fields, cursor.fetchall(), cursor.statusmessage or "", cursor.rowcount)


def _open(url: str) -> Any:
    import psycopg2
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.pool import NullPool

    if url.startswith("postgres://"):
        url = "postgresql://" + url.removeprefix("postgres://")
    try:
        where = sqlalchemy.make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ThanoSQLConnectionError(
            "The database URL cannot be read.", hint="It looks like postgresql://user:password@host:5432/database."
        ) from error
    if where.get_backend_name() != "postgresql":
        raise ThanoSQLConnectionError(
            f"ThanoSQL works on PostgreSQL; the database URL names {where.get_backend_name()}.",
            hint="It looks like postgresql://user:password@host:5432/database.",
        )
    where = where.set(drivername="postgresql+psycopg2")
    if "connect_timeout" not in where.query:
        where = where.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT)})
    if "application_name" not in where.query:
        where = where.update_query_dict({"application_name": "thanosql"})
    try:
        engine = sqlalchemy.create_engine(
            where, poolclass=NullPool, isolation_level="AUTOCOMMIT", use_native_hstore=False
        )
        raw = _driver_connection(engine)
    except (sqlalchemy.exc.SQLAlchemyError, psycopg2.Error) as error:
        raise unreachable(error, where) from error
    if raw.server_version < OLDEST:
        version = raw.server_version // 10_000
        raw.close()
        raise ThanoSQLConnectionError(f"ThanoSQL needs PostgreSQL 13 or newer; this server is version {version}.")
    return raw


def _driver_connection(engine: Any) -> Any:
    held = engine.raw_connection()
    raw = held.driver_connection
    held.detach()  # ours to close: a statement's temporary tables live as long as it does
    raw.autocommit = True
    raw.set_client_encoding("UTF8")
    with raw.cursor() as cursor:
        # Joins of a statement's temporary tables take a tenth less than with the 8 MB that PostgreSQL has by itself.
        cursor.execute(
            f"SELECT set_config('temp_buffers', '{TEMP_BUFFERS}', false)"
            f" WHERE pg_size_bytes(current_setting('temp_buffers')) < pg_size_bytes('{TEMP_BUFFERS}')"
        )
    return raw
