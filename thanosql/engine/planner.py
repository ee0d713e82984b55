"""Statement → Plan: names, options, columns and rights are checked here; no row, no audio and no prediction is read.

`plan` is a generic function; each statement's file registers its own. What statements share stands below: the
environment they are planned and run in, how a query is planned, and how it becomes SQL when it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any, cast

from thanosql.engine.executors.base import Progress
from thanosql.engine.language.options import bind
from thanosql.engine.language.scopes import with_replacements
from thanosql.engine.language.syntax import (
    SQL,
    Bound,
    ModelReference,
    Nested,
    Option,
    Parameter,
    Query,
    Statement,
    Text,
    query_of,
    with_part,
)
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.errors import (
    Position,
    ThanoSQLDatabaseError,
    ThanoSQLError,
    ThanoSQLModelError,
    ThanoSQLSyntaxError,
)
from thanosql.models.cancellation import Cancellation

if TYPE_CHECKING:
    from thanosql.config import Settings
    from thanosql.engine.executors.base import Executor
    from thanosql.engine.postgres.database import Database, Snapshot
    from thanosql.models.model import Model
    from thanosql.models.store import Store

__all__ = ["Environment", "Plan", "Progress", "QueryPlan", "RowsPlan", "plan", "plan_query", "render", "resolve_model"]


@dataclass
class Environment:
    """What a statement is planned and run in: `statement` is its own text, `source` the whole that positions point into.

    `resources` closes when the statement is over, however it ends. `nested` has the temporary tables of the statements in
    its query that have run, by where they stand; `shared` what stands for WITH queries that have, from where to where.
    """

    settings: Settings
    open_database: Callable[[], Database]
    open_executor: Callable[[str], Executor]
    store: Store
    statement: str = ""
    source: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    progress: Callable[[Progress], None] = lambda _: None
    cancellation: Cancellation = field(default_factory=Cancellation)
    fetch: bool = True
    interactive: bool = False  # a person waits: at the prompt, in a notebook's cell
    at_once: int | None = None  # rows that a result brings before it is used; None: all
    saved: bool = False  # tables or a model of the statement are in their places
    resources: ExitStack = field(default_factory=ExitStack)
    nested: dict[int, str] = field(default_factory=dict)
    shared: dict[int, tuple[int, str]] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """The session's database, connected when first asked for: LIST MODEL needs none."""
        return self.open_database()

    def executor(self, named: str | None = None) -> Executor:
        """Where the audio is worked on: what a statement's option names, or the setting."""
        return self.open_executor(named or self.settings.executor)

    def position(self, offset: int, width: int = 1) -> Position:
        return Position.at(self.source, offset, width)

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
            given = ", ".join(f":{name}" for name in sorted(self.params)) or "none"
            raise ThanoSQLSyntaxError(
                f"There is no value for the parameter :{parameter.name}.",
                position=self.position(parameter.start, len(parameter.name) + 1),
                hint=f"Given were: {given}." if len(self.params) <= 20 else "Give it in params, or as a variable.",
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
    """A WITH query that several read: run once, into a temporary table that stands in its place from `start` to `end`."""

    name: str
    start: int
    end: int
    rows: QueryPlan

    def text(self, table: str) -> str:
        """What stands in its place."""
        names = ", ".join(quoted(column.name) for column in self.rows.columns)
        return f"{quoted(self.name)}({names}) AS (SELECT * FROM {table})"


@dataclass(frozen=True)
class QueryPlan:
    """A query, or any other SQL, checked and not run.

    `columns` are those that it will give, `nested` the plans of the statements in it by where they stand; `shared` are the
    WITH queries that those read, each behind the ones that it reads itself.
    """

    query: Query
    columns: tuple[Column, ...] = ()
    nested: tuple[tuple[int, RowsPlan], ...] = ()
    shared: tuple[SharedWith, ...] = ()

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


def plan_query(query: Query, environment: Environment, *, doubled_names: bool = False) -> QueryPlan:
    """The plan of a query: the statements in it planned, its columns asked of the server. Nothing of it is run."""
    planned = plan_sql(query, environment)
    columns = environment.database.describe(render_empty(planned, environment), doubled_names=doubled_names)
    return replace(planned, columns=columns)


def plan_sql(query: Query, environment: Environment) -> QueryPlan:
    """The same of SQL that may be no query: its columns are not asked for."""
    nested: dict[int, RowsPlan] = {}
    shared: dict[int, SharedWith] = {}
    for part in query.parts:
        # A WITH list may stand in several scopes; its nested statement is planned, and run, once.
        if isinstance(part, Nested) and part.start not in nested:
            for entry in part.reads:
                if entry.start not in shared:
                    rows = plan_query(entry.query, environment, doubled_names=True)
                    shared[entry.start] = SharedWith(entry.name, entry.start, entry.end, rows)
            inner = nested[part.start] = cast("RowsPlan", plan(in_scope(part), environment))
            inner.check_nested()
    return QueryPlan(query, nested=tuple(nested.items()), shared=tuple(shared.values()))


def in_scope(part: Nested) -> Statement:
    """A nested statement with the WITH list that its query sees put before its query."""
    query = query_of(part.statement)
    if not part.scope or not query:
        return part.statement
    inside = (*part.scope.parts, Text("\nSELECT * FROM (\n"), *query.parts, Text("\n) query"))
    return with_part(part.statement, query, Query(inside))


def render(planned: QueryPlan, environment: Environment) -> SQL:
    """A query as SQL for the database: parameters as values; nested statements run, as the temporary tables they filled; the
    WITH queries that those read run once, as tables that all read."""
    for shared in planned.shared:
        if shared.start not in environment.shared:
            environment.shared[shared.start] = shared.end, shared.text(_filled(shared, environment))

    def table(start: int, nested: RowsPlan) -> str:
        if start not in environment.nested:
            name = environment.nested[start] = materialize(nested, environment)
            environment.resources.callback(environment.database.drop_temporary, name)
        return f"(SELECT * FROM {environment.nested[start]})"

    return _rendered(planned, environment, table)


def _filled(shared: SharedWith, environment: Environment) -> str:
    """A temporary table of a WITH query's rows; its quoted name."""
    names = ", ".join(f"c{number}" for number in range(len(shared.rows.columns)))
    rows = SQL.of("SELECT * FROM (", render(shared.rows, environment), f"\n) q({names})")
    with environment.database.snapshot(rows) as snapshot:
        name = snapshot.into_temporary()
    environment.resources.callback(environment.database.drop_temporary, name)
    return name


def render_empty(planned: QueryPlan, environment: Environment) -> SQL:
    """The same with nested statements as tables without rows: for what is to be planned and not run."""
    return _rendered(planned, environment, lambda _, nested: empty_table(nested.columns))


def empty_table(columns: Sequence[Column]) -> str:
    """A sub-select of these columns without rows.

    >>> empty_table([Column("a b", "text")])
    '(SELECT NULL::text AS "a b" WHERE false)'
    """
    return f"(SELECT {', '.join(f'NULL::{column.type} AS {quoted(column.name)}' for column in columns)} WHERE false)"


def _rendered(planned: QueryPlan, environment: Environment, table: Callable[[int, RowsPlan], str]) -> SQL:
    nested = dict(planned.nested)

    def pieces() -> Iterator[Text | Bound]:
        for part in with_replacements(planned.query.parts, environment.shared):
            if isinstance(part, Text):
                yield part
            elif isinstance(part, Parameter):
                yield Bound(environment.parameter(part), part.start)
            else:
                yield Text(table(part.start, nested[part.start]), part.start)

    return SQL(tuple(pieces()), environment.source)


def open_snapshot(planned: QueryPlan, environment: Environment) -> Snapshot:
    """The query's rows, kept on the server until the snapshot is closed; the statements in the query are run first, and
    see the database as the query sees it."""
    if not planned.nested:
        return environment.database.snapshot(render(planned, environment))
    return environment.database.snapshot_at_one_moment(lambda: render(planned, environment))


def resolve_model(reference: ModelReference, environment: Environment) -> Model:
    """The model or base that a USING names; ThanoSQLModelError with its place when there is none."""
    from thanosql.models import registry

    with located(environment, reference.start, len(reference.text)):
        return registry.resolve(reference.text, reference.literal, environment.store, environment.settings)


def refuse_open_transaction(environment: Environment, what: str) -> None:
    """Raise a ThanoSQLDatabaseError when the session has a transaction open: `what` would commit others' work."""
    if environment.database.in_transaction:
        raise ThanoSQLDatabaseError(
            f"{what} cannot run inside an open transaction.", hint="Say COMMIT or ROLLBACK first.", sqlstate="25001"
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
