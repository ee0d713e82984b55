"""Any other SQL: goes to PostgreSQL as written; a DataFrame or the status out.

SELECT speaker, count(*) FROM (PREDICT USING m AS SELECT * FROM calls) p GROUP BY speaker
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.syntax import SQL, Query, Statement
from thanosql.engine.planner import Environment, Plan, plan, render
from thanosql.engine.postgres.held import held_by


@dataclass(frozen=True, slots=True)
class PlainSQL(Statement):
    """SELECT …, CREATE TABLE … AS (PREDICT …), and whatever else PostgreSQL knows"""

    query: Query


@dataclass(frozen=True)
class SQLPlan(Plan):
    sql: SQL


@plan.register
def plan_sql(statement: PlainSQL, environment: Environment) -> SQLPlan:
    return SQLPlan(render(statement.query, environment))


@run.register
def run_sql(plan: SQLPlan, environment: Environment) -> Result:
    answer = environment.database.run(plan.sql, environment.at_once)
    if isinstance(answer, str):
        return Result(status=answer)
    held = held_by(answer)
    return Result(status=f"SELECT {len(answer) if held is None else held.count}", rows=answer)
