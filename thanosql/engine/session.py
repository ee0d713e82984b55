"""A session: the text of statements in, the last one's result out. It holds the database, the store and the loaded models.

Threads: one statement runs at a time. All other calls wait until it ends, also those that fetch the rows of an earlier
result; only `cancel` and `close` stop it. After a fork the child may use the session too: it opens a connection of its own.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from thanosql import config
from thanosql.engine.lifecycle import interruption
from thanosql.engine.lifecycle.interruption import Left, StoppedStatement
from thanosql.engine.lifecycle.readable_folders import confined
from thanosql.engine.lifecycle.reporter import Reporter
from thanosql.engine.lifecycle.statement_log import record
from thanosql.engine.postgres.turn import Turn
from thanosql.errors import ThanoSQLError, ThanoSQLInternalError
from thanosql.models.cancellation import Cancellation
from thanosql.unexpected import Translated, as_error

if TYPE_CHECKING:
    from thanosql.engine.dispatcher import Result
    from thanosql.engine.executors.base import Executor
    from thanosql.engine.language.syntax import Statement
    from thanosql.engine.planner import Environment, Progress
    from thanosql.engine.postgres.database import Database
    from thanosql.models.model_cache import ModelCache
    from thanosql.models.store import Store


class Session:
    """A connection to one database and one store of models. Each is opened when a statement first needs it.

    One statement runs at a time; a second thread waits. Call `close` at the end, or use the session in a `with` block.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        home: str | os.PathLike[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        executor: str | None = None,
    ) -> None:
        settings = config.load(database_url=database_url, home=home, store=store)
        self.settings = replace(settings, executor=executor) if executor else settings
        self._turn = Turn()
        self._running: Cancellation | None = None
        _living.add(self)
        self._executors: dict[str, Executor] = {}

    def execute(self, sql: str, params: Mapping[str, Any] | None = None, *, fetch: bool = True) -> Any:
        """Run one or more statements, divided by `;`, and return the result of the last one.

        The result is a `pandas.DataFrame` if the statement gives rows, a report for BUILD and FIT, otherwise a short status
        (`str`). With `fetch=False` a PREDICT with a `table_name` gives its status instead of its rows. Raises a
        ThanoSQLError.
        """
        return self.run(sql, params, fetch=fetch).value

    def run(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        fetch: bool = True,
        at_once: int | None = None,
        interactive: bool = False,
        progress: Callable[[Progress], None] | None = None,
        each: Callable[[Result], None] | None = None,
    ) -> Result:
        """Run statements as `execute` does, and return the whole Result: status, rows, report, note and value.

        `progress` is called while a statement runs, `each` with the Result of each statement as soon as it is done; what
        `progress` raises ends the statement. If a result has more rows than `at_once`, they stay in the database
        until its DataFrame is used. With `interactive=True` an unfinished training of the same statement is resumed;
        otherwise it is an error.
        """
        with Translated():  # the first statement of a process may find no memory and no handle for the parser
            from thanosql.engine.dispatcher import Result
            from thanosql.engine.parser import parse_with_texts

        result = Result(status="")
        with self._turn, self._cancellable():
            database = self.__dict__.get("database")
            if database is not None and database.connection.escapes_backslashes:
                from thanosql.engine.language.backslashes import with_escapes_marked

                sql = with_escapes_marked(sql)
            with Translated():
                statements = parse_with_texts(sql)
            for number, (statement, text) in enumerate(statements, start=1):
                try:
                    result = self._run_one(statement, text, sql, params or {}, fetch, at_once, interactive, progress)
                except ThanoSQLError as error:
                    if len(statements) > 1:
                        error.message = f"Statement {number} of {len(statements)}: {error.message}"
                    raise
                except KeyboardInterrupt as stop:
                    left = stop.left if isinstance(stop, StoppedStatement) else Left.UNCHANGED
                    said = interruption.left_by_interrupt(number, len(statements), left)
                    raise interruption.Interrupted(f"{said} {stop}".strip()) from stop
                if each is not None:
                    each(result)
        return result

    @contextmanager
    def _cancellable(self) -> Iterator[None]:
        before = self._running
        self._running = before or Cancellation()  # what a statement's own callbacks run is stopped with it
        try:
            yield
        finally:
            self._running = before

    def _check(self) -> None:
        if self._running is not None:
            self._running.check()

    def _run_one(
        self,
        statement: Statement,
        text: str,
        source: str,
        params: Mapping[str, Any],
        fetch: bool,
        at_once: int | None,
        interactive: bool,
        progress: Callable[[Progress], None] | None,
    ) -> Result:
        from thanosql.engine import dispatcher, planner

        cancellation = self._running or Cancellation()

        report = Reporter(progress, cancellation)
        begun = time.monotonic()
        environment: Environment | None = None
        try:
            cancellation.check()
            with ExitStack() as resources:
                resources.enter_context(confined(self.settings))
                environment = planner.Environment(
                    settings=self.settings,
                    open_database=self._open_database,
                    open_executor=self._open_executor,
                    store=self.store,
                    statement=text,
                    source=source,
                    params=params,
                    progress=report,
                    cancellation=cancellation,
                    fetch=fetch,
                    loading_seconds=self._loading_seconds,
                    interactive=interactive,
                    at_once=at_once,
                    resources=resources,
                )
                result = dispatcher.run(planner.plan(statement, environment), environment)
            record(statement, begun, "done")
            if environment.note:
                result = replace(result, note="\n".join(part for part in (result.note, environment.note) if part))
            return result if statement.syntax is None else replace(result, view=statement.syntax.view)
        except ThanoSQLError as error:
            if cancellation.requested:
                if getattr(error, "sqlstate", interruption.QUERY_CANCELED) != interruption.QUERY_CANCELED:
                    raise  # it had failed before
                record(statement, begun, "stopped")
                raise interruption.stopped(cancellation, None) from error
            opened = self.__dict__.get("database")
            connection = opened.connection if opened is not None else None
            with suppress(MemoryError, OSError):  # no room for what would suggest a cure
                from thanosql.engine.postgres import suggestions

                suggestions.suggest(error, statement, text, source, connection, self._models)
            record(statement, begun, type(error).__name__)
            raise
        except KeyboardInterrupt as stop:
            record(statement, begun, "stopped")
            if cancellation.requested:
                raise interruption.stopped(cancellation, str(stop)) from stop
            if environment is not None:
                raise StoppedStatement(str(stop), environment.left) from stop
            raise
        except Exception as error:
            raised = as_error(error)
            record(statement, begun, type(raised).__name__)
            if isinstance(raised, ThanoSQLInternalError) and error is report.error:
                raise  # the caller's defect, not ours
            raise raised from error

    def _models(self) -> set[str]:
        """The names of models and bases."""
        from thanosql.models.bases import BASES

        return {*BASES, *self.settings.base_models, *self.store.names()}

    def _open_database(self) -> Database:
        return self.database

    def _loading_seconds(self) -> float:
        return self.loaded.loading_seconds

    def _open_executor(self, name: str) -> Executor:
        """The executor of that name, opened when first asked for."""
        from thanosql.engine.executors.base import open_executor

        if name not in self._executors:
            self._executors[name] = open_executor(name, self.loaded)
        return self._executors[name]

    @cached_property
    def database(self) -> Database:
        from thanosql.engine.postgres.database import Database

        url: str | Callable[[], str] | None = self.settings.database_url
        if not url:
            from thanosql.engine.postgres import embedded

            # Asked for each connection: a server that has died is started again.
            url = partial(embedded.start, self.settings.postgres_folder)
        database = Database(url, turn=self._turn)
        database.connection.check = self._check
        return database

    @cached_property
    def store(self) -> Store:
        from thanosql.models.opened_store import open_store

        store = open_store(self.settings, self._check)
        store.sweep()
        return store

    @cached_property
    def loaded(self) -> ModelCache:
        from thanosql.models.model_cache import ModelCache

        return ModelCache()

    def cancel(self) -> None:
        """Stop the running statement, if there is one. Any thread may call this; it returns at once.

        The call that runs the statement raises ThanoSQLCancelledError. The statement changes nothing that it has not saved yet.
        """
        self._stop(interruption.CANCELLED)

    def _stop(self, reason: str) -> None:
        if (running := self._running) is not None:
            running.cancel(reason)
            if (database := self.__dict__.get("database")) is not None:
                database.cancel()

    def close(self) -> None:
        """Close the connection and free the loaded models. A statement that another thread runs is stopped first.

        The call that ran it raises ThanoSQLConnectionError.
        """
        self._stop(interruption.CLOSED)
        while not self._turn.take(0.1):
            self._stop(interruption.CLOSED)  # the first word may have come before what it was to stop
        try:
            if "database" in self.__dict__:
                self.__dict__.pop("database").close()
            while self._executors:
                self._executors.popitem()[1].close()
            self.__dict__.pop("loaded", None)
        finally:
            self._turn.give()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_living: weakref.WeakSet[Session] = weakref.WeakSet()


def _in_a_child() -> None:
    """After a fork: no statement runs here, and torch's threads are the parent's."""
    for session in list(_living):
        session._running = None
        session.__dict__.pop("loaded", None)
        session._executors = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
