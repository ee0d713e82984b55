"""A planned query in; ThanoSQLDatabaseError out where a WITH query in it changes what another part of it reads.

A WITH query that a nested statement reads runs before the query around it. To PostgreSQL all parts of a query see the data
as they were before any of them changed it: where no other part looks at what is changed, that is the same.
"""

from __future__ import annotations

from thanosql.engine.language.syntax import SQL, Parameter, Text
from thanosql.engine.planner import Environment, QueryPlan, SharedWith
from thanosql.engine.postgres.naming import quoted
from thanosql.engine.postgres.query_errors import NOT_SUPPORTED
from thanosql.engine.rows.query import render_empty
from thanosql.errors import ThanoSQLDatabaseError


def refuse_seen_changes(planned: QueryPlan, environment: Environment) -> None:
    """Raise ThanoSQLDatabaseError, with the place, where the parts of a query in turn might not be what they are at once."""
    for number, shared in enumerate(planned.shared):
        if not shared.changes:
            continue
        database = environment.database
        change = database.touched(_alone(shared, environment))
        if change.hidden:
            _refuse(shared, f"what it does depends on {change.hidden}, which may read or change more", environment)
        if not change.changes:
            continue  # it locks rows, or takes numbers
        later = [_alone(one, environment) for one in planned.shared[number + 1 :]]
        for part in (render_empty(planned, environment), *later, *environment.temporary.beside):
            seen = database.touched(part)
            if not seen.runs:
                _refuse(shared, "PostgreSQL would not run the query as it stands", environment)
            if seen.hidden:
                _refuse(shared, f"another part of the query depends on {seen.hidden}, which may read it", environment)
            if change.changes & seen.reads:
                _refuse(shared, "another part of the query reads or writes the same table", environment)


def _alone(shared: SharedWith, environment: Environment) -> SQL:
    """A WITH query as it is run, with the others that change data, and those that it reads, in their places."""
    others = {start: standing for start, standing in environment.temporary.standing.items() if start != shared.start}
    return render_empty(shared.rows, environment, others)


def _refuse(shared: SharedWith, reason: str, environment: Environment) -> None:
    raise ThanoSQLDatabaseError(
        f"A statement in the query cannot read '{shared.name}', a WITH query that changes data: {reason}.",
        sqlstate=NOT_SUPPORTED,
        position=environment.position(shared.start, len(shared.name)),
        hint=f"'{shared.name}' would run before the others, which would see its change. Where they may, run it first:\n"
        f"{_cure(shared)}\nthen the query without '{shared.name}' in its WITH list, and COMMIT.",
    )


def _cure(shared: SharedWith) -> str:
    """The statements to write before the rest of the query."""
    name = quoted(shared.name)
    written = [
        part.sql if isinstance(part, Text) else f":{part.name}" if isinstance(part, Parameter) else "(…)"
        for part in shared.rows.query.parts
    ]
    return f"BEGIN;\nCREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {''.join(written)};"
