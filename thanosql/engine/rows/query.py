"""A query in; its plan, and once it is run its SQL and its rows, out: the statements in it run before it, each once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from thanosql.engine.language.scopes import with_list, with_replacements
from thanosql.engine.language.syntax import SQL, Nested, Parameter, Query, Statement, Text, query_of, with_part
from thanosql.engine.parameters.substitution import substituted
from thanosql.engine.parameters.tables import Table, temporary_table
from thanosql.engine.planner import Environment, QueryPlan, RowsPlan, SharedWith, materialize, plan
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.engine.postgres.one_moment import repeats_reads

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot

IN_TRANSACTION = (
    "The statements in the query, and the query itself, have each read the database at a moment of their own, as this "
    "transaction is READ COMMITTED; BEGIN ISOLATION LEVEL REPEATABLE READ gives them one."
)


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
    inside = [Text("\nSELECT * FROM (\n"), *query.parts, Text("\n) query")]
    return with_part(part.statement, query, with_list(part.scope, inside))


def render(planned: QueryPlan, environment: Environment) -> SQL:
    """A query as SQL for the database: parameters as values; nested statements run, as the temporary tables they filled; the
    WITH queries that those read run once, as tables that all read."""
    temporary = environment.temporary
    for shared in planned.shared:
        if shared.start not in temporary.shared:
            temporary.shared[shared.start] = shared.end, shared.text(_filled(shared, environment))

    def table(start: int, nested: RowsPlan) -> str:
        if start not in temporary.nested:
            name = temporary.nested[start] = materialize(nested, environment)
            environment.resources.callback(environment.database.drop_temporary, name)
        return f"(SELECT * FROM {temporary.nested[start]})"

    def rows(parameter: Parameter, given: Table) -> str:
        if parameter.name not in temporary.parameters:
            name = temporary.parameters[parameter.name] = temporary_table(environment.database, given)
            environment.resources.callback(environment.database.drop_temporary, name)
        return temporary.parameters[parameter.name]

    return _rendered(planned, environment, table, rows)


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
    return _rendered(
        planned,
        environment,
        lambda _, nested: empty_table(nested.columns),
        lambda _, given: empty_table(given.columns),
    )


def empty_table(columns: Sequence[Column]) -> str:
    """A sub-select of these columns without rows. With LIMIT PostgreSQL does not put the NULLs into the query around it,
    where it would reckon with them while it plans: `coalesce(predict_result, '')::date` fails for no row at all.

    >>> empty_table([Column("a b", "text")])
    '(SELECT NULL::text AS "a b" LIMIT 0)'
    """
    return f"(SELECT {', '.join(f'NULL::{column.type} AS {quoted(column.name)}' for column in columns)} LIMIT 0)"


def _rendered(
    planned: QueryPlan,
    environment: Environment,
    table: Callable[[int, RowsPlan], str],
    rows: Callable[[Parameter, Table], str],
) -> SQL:
    nested = dict(planned.nested)
    parts = with_replacements(planned.query.parts, environment.temporary.shared)
    pieces = (
        Text(table(part.start, nested[part.start]), part.start) if isinstance(part, Nested) else part
        for part in substituted(parts, environment, rows)
    )
    return SQL(tuple(pieces), environment.source)


def note_moments(environment: Environment) -> None:
    """Note it where a query and the statements in it cannot read the database at one moment."""
    connection = environment.database.connection
    if connection.in_transaction and not connection.in_one_moment and not repeats_reads(connection):
        environment.note = IN_TRANSACTION


def open_snapshot(planned: QueryPlan, environment: Environment) -> Snapshot:
    """The query's rows, kept on the server until the snapshot is closed; the statements in the query are run first, and
    see the database as the query sees it."""
    if not planned.nested:
        return environment.database.snapshot(render(planned, environment))
    note_moments(environment)
    return environment.database.snapshot_at_one_moment(lambda: render(planned, environment))
