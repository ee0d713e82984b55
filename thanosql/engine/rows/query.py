"""A query in; its plan, and once it is run its SQL and its rows, out: the statements in it run before it, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from thanosql.engine.language.scopes import with_list, with_replacements
from thanosql.engine.language.syntax import (
    SQL,
    Nested,
    Parameter,
    Query,
    Statement,
    Text,
    WithEntry,
    query_of,
    with_part,
)
from thanosql.engine.parameters.substitution import substituted
from thanosql.engine.parameters.tables import Table, temporary_table
from thanosql.engine.planner import Environment, QueryPlan, RowsPlan, SharedWith, materialize, plan
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.engine.postgres.one_moment import SEQUENCES, only_reads, repeats_reads

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot

IN_TRANSACTION = (
    "The statements in the query, and the query itself, have each read the database at a moment of their own, as this "
    "transaction is READ COMMITTED; BEGIN ISOLATION LEVEL REPEATABLE READ gives them one."
)


def plan_query(query: Query, environment: Environment) -> QueryPlan:
    """The plan of a query: the statements in it planned, its columns asked of the server. Nothing of it is run."""
    planned = plan_sql(query, environment)
    rendered = render_empty(planned, environment)
    environment.temporary.beside.append(rendered)
    return replace(planned, columns=environment.database.describe(rendered), awaits=_awaits(query, environment))


def _awaits(query: Query, environment: Environment) -> bool:
    texts = [(part.start, part.start + len(part.sql)) for part in query.parts if isinstance(part, Text) and part.start]
    return any(start <= one < end for one in environment.temporary.standing for start, end in texts)


def plan_sql(query: Query, environment: Environment, *, may_change: bool = False) -> QueryPlan:
    """The same of SQL that may be no query: its columns are not asked for. With `may_change`, WITH queries that the
    statements in it read may change data."""
    nested: dict[int, RowsPlan] = {}
    shared: dict[int, SharedWith] = {}
    for part in query.parts:
        # A WITH list may stand in several scopes; its nested statement is planned, and run, once.
        if isinstance(part, Nested) and part.start not in nested:
            for entry in part.reads:
                if entry.start not in shared and entry.start not in environment.temporary.standing:
                    shared[entry.start] = plan_with(entry, environment, may_change)
            inner = nested[part.start] = cast("RowsPlan", plan(in_scope(part), environment))
            inner.check_nested()
    return QueryPlan(query, nested=tuple(nested.items()), shared=tuple(shared.values()))


def plan_with(entry: WithEntry, environment: Environment, may_change: bool) -> SharedWith:
    """The plan of a WITH query that statements read."""
    rows = plan_sql(entry.query, environment)
    rendered = render_empty(rows, environment)
    changes = may_change and not only_reads(rendered, also=SEQUENCES)
    database = environment.database
    columns = database.describe_change(rendered) if changes else database.describe(rendered, doubled_names=True)
    shared = SharedWith(entry.name, entry.start, entry.end, replace(rows, columns=columns), changes)
    if changes:
        environment.temporary.standing[entry.start] = entry.end, shared.text(f"{empty_table(columns)} q")
    return shared


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
            filled = _changed if shared.changes else _filled
            temporary.shared[shared.start] = shared.end, shared.text(filled(shared, environment))

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

    return _rendered(planned, environment, table, rows, temporary.shared)


def _filled(shared: SharedWith, environment: Environment) -> str:
    """A temporary table of a WITH query's rows; its quoted name."""
    names = ", ".join(f"c{number}" for number in range(len(shared.rows.columns)))
    rows = SQL.of("SELECT * FROM (", render(shared.rows, environment), f"\n) q({names})")
    with environment.database.snapshot(rows) as snapshot:
        name = snapshot.into_temporary()
    environment.resources.callback(environment.database.drop_temporary, name)
    return name


def _changed(shared: SharedWith, environment: Environment) -> str:
    """The same of one that changes or locks rows, as it may where it stands in no sub-select."""
    name = environment.database.run_into_temporary(render(shared.rows, environment))
    environment.resources.callback(environment.database.drop_temporary, name)
    return name


def render_empty(
    planned: QueryPlan, environment: Environment, standing: Mapping[int, tuple[int, str]] | None = None
) -> SQL:
    """The same with nested statements as tables without rows, and so the WITH queries that they read and that change data,
    or those of `standing` only: for what is to be planned and not run."""
    return _rendered(
        planned,
        environment,
        lambda _, nested: empty_table(nested.columns),
        lambda _, given: empty_table(given.columns),
        environment.temporary.standing if standing is None else standing,
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
    replaced: Mapping[int, tuple[int, str]],
) -> SQL:
    nested = dict(planned.nested)
    parts = with_replacements(planned.query.parts, replaced)
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
