"""Statement → Plan: names, options, columns and rights are checked here; no row, no audio and no prediction is read.

`plan` is a generic function; each statement's file registers its own. What statements share stands below: the
environment they are planned and run in, and what a plan is. How a query is planned is in `rows.query`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from thanosql.engine.executors.base import Progress
from thanosql.engine.language.options import bind
from thanosql.engine.language.syntax import (
    SQL,
    ModelReference,
    Option,
    Parameter,
    Query,
    Statement,
)
from thanosql.engine.lifecycle.interruption import Left
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.errors import (
    Position,
    ThanoSQLDatabaseError,
    ThanoSQLError,
    ThanoSQLModelError,
    ThanoSQLOptionError,
    ThanoSQLSyntaxError,
    near,
)
from thanosql.models.cancellation import Cancellation

if TYPE_CHECKING:
    from thanosql.config import Settings
    from thanosql.engine.executors.base import Executor
    from thanosql.engine.parameters.tables import Table
    from thanosql.engine.postgres.database import Database
    from thanosql.models.model import Model
    from thanosql.models.store import Store

__all__ = ["Environment", "Plan", "Progress", "QueryPlan", "RowsPlan", "plan", "resolve_model"]


@dataclass(frozen=True)
class TemporaryTables:
    """The names of the temporary tables that stand for parts of a query, each filled once while the statement runs.

    `nested` by where the statement in the query stands; `shared` by where the WITH query begins, with where it ends and what
    stands for it; `parameters` by the name of the parameter whose value is a table. Before the statement runs, `standing`
    has what stands for each WITH query that changes data where another part of the statement is planned, and `beside` the
    SQL of the statements in the query.
    """

    nested: dict[int, str] = field(default_factory=dict)
    shared: dict[int, tuple[int, str]] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    standing: dict[int, tuple[int, str]] = field(default_factory=dict)
    beside: list[SQL] = field(default_factory=list)


@dataclass
class Environment:
    """What a statement is planned and run in: `statement` is its own text, `source` the whole that positions point into.

    `resources` closes when the statement is over, however it ends. `given` has the tables that values of parameters are.
    `note` is said with the result, after what the statement says itself.
    """

    settings: Settings
    open_database: Callable[[], Database]
    open_executor: Callable[[str], Executor]
    store: Store
    statement: str = ""
    source: str = ""
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)  # they may hold a password
    progress: Callable[[Progress], None] = lambda _: None
    cancellation: Cancellation = field(default_factory=Cancellation)
    fetch: bool = True
    loading_seconds: Callable[[], float] = lambda: 0.0  # that the session has spent on loading models so far
    interactive: bool = False  # a person waits: at the prompt, in a notebook's cell
    at_once: int | None = None  # rows that a result brings before it is used; None: all
    left: Left = Left.UNCHANGED  # behind, where the statement is stopped now
    note: str = ""
    resources: ExitStack = field(default_factory=ExitStack)
    temporary: TemporaryTables = field(default_factory=TemporaryTables)
    given: dict[str, Table | None] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """The session's database, connected when first asked for: LIST MODEL needs none."""
        return self.open_database()

    def executor(self, named: str | None = None) -> Executor:
        """Where the audio is worked on: what a statement's option names, or the setting."""
        return self.open_executor(named or self.settings.executor)

    def position(self, offset: int, width: int = 1) -> Position:
        return Position.at(self.source, offset, width)

    def table(self, parameter: Parameter) -> Table | None:
        """The table that the value of `:name` is, or None; ThanoSQLOptionError with its place for one that cannot be had."""
        from thanosql.engine.parameters.tables import as_table

        value = self.parameter(parameter)
        try:
            if parameter.name not in self.given:
                self.given[parameter.name] = as_table(value)
            return self.given[parameter.name]
        except ThanoSQLOptionError as error:
            error.message = f"The table :{parameter.name} cannot be read. {error.message}"
            error.position = self.place(parameter)
            raise

    def place(self, parameter: Parameter) -> Position:
        return self.position(parameter.start, len(parameter.name) + 1)

    def bind(
        self, statement: str, options: Sequence[Option], *kinds: type, defaults: Mapping[str, Any] | None = None
    ) -> tuple[Any, ...]:
        """The options of a statement of that name as instances of `kinds`; see `engine.language.options.bind`."""
        return bind(options, *kinds, source=self.source, statement=statement, params=self.params, defaults=defaults)

    def parameter(self, parameter: Parameter) -> Any:
        """The value of `:name`; ThanoSQLSyntaxError when none was given."""
        try:
            return self.params[parameter.name]
        except KeyError:
            given = ", ".join(f":{name}" for name in sorted(self.params)[:20]) or "none"
            close = near(parameter.name, self.params)
            suggestion = f"Did you mean :{close}?" if close else None
            raise ThanoSQLSyntaxError(
                f"There is no value for the parameter :{parameter.name}.",
                position=self.place(parameter),
                hint=suggestion or f"Parameters given: {given}.",
            ) from None


class Plan:
    """A statement checked and ready to run; each is a frozen dataclass in its statement's file, data and no handle."""


class RowsPlan(Plan):
    """A plan whose result is rows, so that the statement may stand in a query."""

    recognizes = False  # whether running it takes a model through audio

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows."""
        raise NotImplementedError

    def check_nested(self) -> None:
        """Raise a ThanoSQLError where the statement says what it cannot do inside a query."""


@dataclass(frozen=True)
class SharedWith:
    """A WITH query that several read: run once, into a temporary table that stands in its place from `start` to `end`.

    `changes` says that it changes or locks rows, or a sequence.
    """

    name: str
    start: int
    end: int
    rows: QueryPlan
    changes: bool = False

    def text(self, table: str) -> str:
        """What stands in its place."""
        names = ", ".join(quoted(column.name) for column in self.rows.columns)
        return f"{quoted(self.name)}({names}) AS (SELECT * FROM {table})"


@dataclass(frozen=True)
class QueryPlan:
    """A query, or any other SQL, checked and not run.

    `columns` are those that it will give, `nested` the plans of the statements in it by where they stand; `shared` are the
    WITH queries that those read, each after the ones that it reads itself. `awaits` says that it reads a WITH query that
    changes data, so that its rows are not known before.
    """

    query: Query
    columns: tuple[Column, ...] = ()
    nested: tuple[tuple[int, RowsPlan], ...] = ()
    shared: tuple[SharedWith, ...] = ()
    awaits: bool = False

    @property
    def plans(self) -> tuple[RowsPlan, ...]:
        """The plans of the statements in the query, in their order."""
        return tuple(plan for _, plan in self.nested)

    @property
    def recognizes(self) -> bool:
        """Whether a statement in the query takes a model through audio, so that its rows are not known before."""
        return any(plan.recognizes for plan in self.plans)


@singledispatch
def plan(statement: Statement, environment: Environment) -> Plan:
    """The plan of a statement. Raises a ThanoSQLError before any work is done."""
    raise NotImplementedError(f"no plan is registered for {type(statement).__name__}")


@singledispatch
def materialize(plan: Plan, environment: Environment) -> str:
    """Run a nested statement's plan and leave its rows in a temporary table; its quoted name."""
    raise NotImplementedError(f"{type(plan).__name__} cannot stand in a query")


def resolve_model(reference: ModelReference, environment: Environment) -> Model:
    """The model or base that a USING names; ThanoSQLModelError with its place when there is none."""
    from thanosql.models import registry

    with located(environment, reference.start, len(reference.text)):
        return registry.resolve(reference.text, reference.literal, environment.store, environment.settings)


def refuse_open_transaction(environment: Environment, what: str) -> None:
    """Raise a ThanoSQLDatabaseError when the session has a transaction open: `what` would commit others' work."""
    if environment.database.in_transaction:
        raise ThanoSQLDatabaseError(
            f"{what} cannot run inside an open transaction.", hint="Run COMMIT or ROLLBACK first.", sqlstate="25001"
        )


@contextmanager
def located(environment: Environment, offset: int, width: int) -> Iterator[None]:
    """Give an error that knows no place the one in the user's text."""
    try:
        yield
    except ThanoSQLError as error:
        if error.position is None and isinstance(error, ThanoSQLModelError):
            error.position = environment.position(offset, width)
        raise
