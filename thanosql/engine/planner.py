"""Statement → Plan: names, options, columns and files are checked here, before anything is loaded.

`plan` is a generic function; each statement's file registers its own. What statements share stands below: the
environment they are planned in, and how a query becomes SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.options import bind
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
)
from thanosql.errors import Position, ThanoSQLError, ThanoSQLModelError, ThanoSQLSyntaxError
from thanosql.models.cancellation import Cancellation

if TYPE_CHECKING:
    from thanosql.config import Settings
    from thanosql.engine.postgres.database import Database
    from thanosql.models.model_cache import ModelCache
    from thanosql.models.registry import Model
    from thanosql.models.store import Store


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a statement is: `done` of `total` in `unit`, and what else is worth a glance (RTFx, loss)."""

    what: str
    done: float
    total: float
    unit: str
    detail: str = ""


@dataclass
class Environment:
    """What a statement is planned and run in: `statement` is its own text, `source` the whole that positions point into.

    `resources` closes when the statement is over, however it ends.
    """

    settings: Settings
    open_database: Callable[[], Database]
    store: Store
    loaded: ModelCache
    statement: str = ""
    source: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    progress: Callable[[Progress], None] = lambda _: None
    cancellation: Cancellation = field(default_factory=Cancellation)
    fetch: bool = True
    at_once: int | None = None  # rows that a result brings before it is used; None: all
    resources: ExitStack = field(default_factory=ExitStack)
    nested: dict[int, str] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """The session's database, connected when first asked for: LIST MODEL needs none."""
        return self.open_database()

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
    """A statement checked and ready to run; each is a dataclass in its statement's file."""


@singledispatch
def plan(statement: Statement, environment: Environment) -> Plan:
    """The plan of a statement. Raises a ThanoSQLError before any work is done."""
    raise NotImplementedError(f"no plan is registered for {type(statement).__name__}")


@singledispatch
def materialize(statement: Statement, environment: Environment) -> str:
    """Run a nested statement and leave its rows in a temporary table until the outermost one is over; its quoted name."""
    raise NotImplementedError(f"{type(statement).__name__} cannot stand in a query")


def render(query: Query, environment: Environment) -> SQL:
    """A query as SQL for the database: parameters as values, nested statements as the temporary tables they filled."""
    return SQL(tuple(_pieces(query, environment)), environment.source)


def _pieces(query: Query, environment: Environment) -> Iterator[Text | Bound]:
    for part in query.parts:
        if isinstance(part, Text):
            yield part
        elif isinstance(part, Parameter):
            yield Bound(environment.parameter(part), part.start)
        else:
            # A WITH list may stand in several scopes; its nested statement is run once.
            if part.start not in environment.nested:
                environment.nested[part.start] = _nested(part, environment)
            yield Text(f"(SELECT * FROM {environment.nested[part.start]})", part.start)


def _nested(part: Nested, environment: Environment) -> str:
    statement: Any = part.statement
    if part.scope and hasattr(statement, "query"):
        inside = (*part.scope.parts, Text("\nSELECT * FROM (\n"), *statement.query.parts, Text("\n) query"))
        statement = replace(statement, query=Query(inside))
    return materialize(statement, environment)


def resolve_model(reference: ModelReference, environment: Environment) -> Model:
    """The model or base that a USING names; ThanoSQLModelError with its place when there is none."""
    from thanosql.models import registry

    with located(environment, reference.start, len(reference.text)):
        return registry.resolve(reference.text, reference.literal, environment.store, environment.settings)


@contextmanager
def located(environment: Environment, offset: int, width: int) -> Iterator[None]:
    """Give an error that knows no place the one in the user's text."""
    try:
        yield
    except ThanoSQLError as error:
        if error.position is None and isinstance(error, ThanoSQLModelError):
            error.position = environment.position(offset, width)
        raise
