"""One user's connection: the text of statements in, the last one's result out. It holds database, store and loaded models."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from thanosql import config
from thanosql.errors import ThanoSQLError, ThanoSQLInternalError

if TYPE_CHECKING:
    from thanosql.engine.dispatcher import Result
    from thanosql.engine.language.syntax import Statement
    from thanosql.engine.planner import Environment, Progress
    from thanosql.engine.postgres.database import Database
    from thanosql.models.model_cache import ModelCache
    from thanosql.models.store import Store

log = logging.getLogger(__name__)


class Session:
    """A connection to one database and one store. Nothing is opened before a statement needs it; `close` when done.

    One statement runs at a time; a second thread waits.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        home: str | os.PathLike[str] | None = None,
        executor: str | None = None,
    ) -> None:
        settings = config.load(database_url=database_url, home=home)
        self.settings = replace(settings, executor=executor) if executor else settings
        self._one_at_a_time = threading.RLock()

    def execute(self, sql: str, params: Mapping[str, Any] | None = None, *, fetch: bool = True) -> Any:
        """Run one or more statements, divided by `;`, and return the last one's result.

        A `pandas.DataFrame` for whatever has rows, a report for BUILD and FIT, a short status (`str`) for the rest.
        With `fetch=False` a PREDICT with a table_name gives its status instead of the rows. Raises a ThanoSQLError.
        """
        return self.run(sql, params, fetch=fetch).value

    def run(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        fetch: bool = True,
        at_once: int | None = None,
        progress: Callable[[Progress], None] | None = None,
        each: Callable[[Result], None] | None = None,
    ) -> Result:
        """As `execute`, with the whole Result; `each` is called with every statement's own as it comes.

        More rows than `at_once` stay in the database until the DataFrame that stands for them is used.
        """
        from thanosql.engine.dispatcher import Result
        from thanosql.engine.language.parser import parse_with_texts

        statements = parse_with_texts(sql)
        result = Result(status="")
        with self._one_at_a_time:
            for number, (statement, text) in enumerate(statements, start=1):
                try:
                    result = self._run_one(statement, text, sql, params or {}, fetch, at_once, progress)
                except ThanoSQLError as error:
                    if len(statements) > 1:
                        error.message = f"Statement {number} of {len(statements)}: {error.message}"
                    raise
                if each is not None:
                    each(result)
        return result

    def _run_one(
        self,
        statement: Statement,
        text: str,
        source: str,
        params: Mapping[str, Any],
        fetch: bool,
        at_once: int | None,
        progress: Callable[[Progress], None] | None,
    ) -> Result:
        from thanosql.engine import dispatcher, planner
        from thanosql.engine.postgres import suggestions

        begun = time.monotonic()
        try:
            with ExitStack() as resources:
                environment = self._environment(text, source, params, fetch, resources)
                environment.at_once = at_once
                if progress is not None:
                    environment.progress = progress
                result = dispatcher.run(planner.plan(statement, environment), environment)
            _log(statement, begun, "done")
            return replace(result, view=statement.syntax.view if statement.syntax is not None else "")
        except ThanoSQLError as error:
            opened = self.__dict__.get("database")
            suggestions.suggest(error, statement, source, opened.connection if opened is not None else None)
            _log(statement, begun, type(error).__name__)
            raise
        except Exception as error:
            _log(statement, begun, type(error).__name__)
            raise ThanoSQLInternalError(
                f"This is a defect of ThanoSQL: {type(error).__name__}: {error}",
                hint="Please report it with the statement; the cause is in the error's __cause__.",
            ) from error

    def _environment(
        self, text: str, source: str, params: Mapping[str, Any], fetch: bool, resources: ExitStack
    ) -> Environment:
        from thanosql.engine.planner import Environment

        return Environment(
            settings=self.settings,
            open_database=lambda: self.database,
            store=self.store,
            loaded=self.loaded,
            statement=text,
            source=source,
            params=params,
            fetch=fetch,
            resources=resources,
        )

    @cached_property
    def database(self) -> Database:
        from thanosql.engine.postgres.database import Database

        if self.settings.database_url:
            return Database(self.settings.database_url)
        from thanosql.engine.postgres import embedded

        # Asked for each connection: a server that has died is started again.
        return Database(lambda: embedded.start(self.settings.postgres_folder))

    @cached_property
    def store(self) -> Store:
        from thanosql.models.store import Store

        return Store(self.settings.store_folder)

    @cached_property
    def loaded(self) -> ModelCache:
        from thanosql.models.model_cache import ModelCache

        return ModelCache()

    def close(self) -> None:
        """Close the connection and let go of the loaded models."""
        if "database" in self.__dict__:
            self.__dict__.pop("database").close()
        self.__dict__.pop("loaded", None)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _log(statement: Statement, begun: float, outcome: str) -> None:
    # Neither the text nor the values: they may hold what a log is not to hold.
    kind, seconds = type(statement).__name__, round(time.monotonic() - begun, 3)
    about = {"statement_kind": kind, "seconds": seconds, "outcome": outcome}
    log.info("%s: %s after %.3f s", kind, outcome, seconds, extra=about)


_default: Session | None = None
_default_lock = threading.Lock()


def default_session() -> Session:
    """The session that `thanosql.execute` and the magics use, made when first asked for."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Session()
        return _default


def use(session: Session) -> None:
    """Make `session` the default one and close the one before it."""
    global _default
    with _default_lock:
        if _default is not None and _default is not session:
            _default.close()
        _default = session
