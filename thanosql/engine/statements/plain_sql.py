"""Any other SQL: goes to PostgreSQL as written; a DataFrame or the status out.

SELECT speaker, count(*) FROM (PREDICT USING m AS SELECT * FROM calls) p GROUP BY speaker
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.syntax import Query, Statement
from thanosql.engine.language.terminals import lexeme
from thanosql.engine.planner import Environment, Plan, QueryPlan, plan, plan_sql, render, render_empty
from thanosql.engine.postgres.server_cursor import server_cursor_of
from thanosql.engine.statements.explain import explain_nested
from thanosql.errors import ThanoSQLSyntaxError


@dataclass(frozen=True, slots=True)
class PlainSQL(Statement):
    """SELECT …, CREATE TABLE … AS (PREDICT …), and whatever else PostgreSQL knows"""

    query: Query


@dataclass(frozen=True)
class SQLPlan(Plan):
    """`explains` says that it is PostgreSQL's EXPLAIN: the statements in it are explained as well, and none is run."""

    query: QueryPlan
    explains: bool


@plan.register
def plan_plain_sql(statement: PlainSQL, environment: Environment) -> SQLPlan:
    query = plan_sql(statement.query, environment)
    explains = bool(query.nested) and _explains(statement.query, environment)
    return SQLPlan(query, explains)


@run.register
def run_plain_sql(plan: SQLPlan, environment: Environment) -> Result:
    sql = render_empty(plan.query, environment) if plan.explains else render(plan.query, environment)
    answer = environment.database.run(sql, environment.at_once)
    if isinstance(answer, str):
        return Result(status=answer)
    if plan.explains:
        return explain_nested(answer, plan.query, environment)
    held = server_cursor_of(answer)
    return Result(status=f"SELECT {len(answer) if held is None else held.count}", rows=answer)


def _explains(query: Query, environment: Environment) -> bool:
    """Whether it is an EXPLAIN. Raises ThanoSQLSyntaxError for one that would run the statements in it."""
    text, at = environment.source, query.start
    word = lexeme(text, at)
    if word.upper != "EXPLAIN":
        return False
    piece = lexeme(text, word.end)
    listed = piece.kind == "("
    while piece.upper in ("ANALYZE", "ANALYSE", "VERBOSE") or (listed and piece.kind not in (")", "")):
        following = lexeme(text, piece.end)
        if piece.upper in ("ANALYZE", "ANALYSE") and following.upper not in ("FALSE", "OFF", "0"):
            raise ThanoSQLSyntaxError(
                f"EXPLAIN {piece.upper} would run the statement inside the query.",
                position=environment.position(piece.start, len(piece.text)),
                hint=f"Leave {piece.upper} out, or write the statement's result into a table and explain a query of that.",
            )
        piece = following
    return True
