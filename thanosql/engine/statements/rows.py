"""A nested statement whose result is a small table → that table as a temporary one."""

from __future__ import annotations

from thanosql.engine.dispatcher import run
from thanosql.engine.language.syntax import Statement
from thanosql.engine.planner import Environment, plan


def materialize_rows(statement: Statement, environment: Environment) -> str:
    """Run the statement and put its rows into a temporary table, dropped when the whole is over; its quoted name."""
    from thanosql.engine.postgres.frame_tables import temporary_frame

    frame = run(plan(statement, environment), environment).rows
    assert frame is not None
    name = temporary_frame(environment.database, frame)
    environment.resources.callback(environment.database.drop_temporary, name)
    return name
