"""Any other SQL: goes to PostgreSQL as written; a DataFrame or the status out.

SELECT speaker, count(*) FROM (PREDICT USING m AS SELECT * FROM calls) p GROUP BY speaker
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.lookaround import made_by
from thanosql.engine.language.syntax import Parameter, Query, Statement, nested_statements
from thanosql.engine.language.terminals import lexeme, words
from thanosql.engine.lifecycle.interruption import Left
from thanosql.engine.planner import Environment, Plan, QueryPlan, plan
from thanosql.engine.postgres.one_moment import all_or_nothing, one_moment, only_reads
from thanosql.engine.postgres.server_cursor import server_cursor_of
from thanosql.engine.rows.changing_with import refuse_seen_changes
from thanosql.engine.rows.query import note_moments, plan_sql, render, render_empty
from thanosql.engine.statements.explain import explain_nested
from thanosql.errors import ThanoSQLOptionError, ThanoSQLSyntaxError

if TYPE_CHECKING:
    import pandas as pd

PLANNED = words("SELECT WITH VALUES TABLE INSERT UPDATE DELETE MERGE")
COMMIT_THEMSELVES = words("CALL CLUSTER DO REINDEX VACUUM")


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
    nests = any(nested_statements(statement.query))
    explains = nests and _explains(statement.query, environment)
    planned = nests and not explains and _is_planned(statement.query, environment)
    may_change = explains or (planned and not _makes_no_rows(environment))
    query = plan_sql(statement.query, environment, may_change=may_change)
    _refuse_views_of_tables_given(statement.query, environment)
    if planned:
        # A slip in it is found before hours of audio are worked on for it.
        environment.database.check(render_empty(query, environment, standing={}))
        refuse_seen_changes(query, environment)
    return SQLPlan(query, explains)


@run.register
def run_plain_sql(plan: SQLPlan, environment: Environment) -> Result:
    database = environment.database
    if plan.explains:
        explained = database.run(render_empty(plan.query, environment, standing={}), environment.at_once)
        assert not isinstance(explained, str)
        return explain_nested(explained, plan.query, environment)
    if _commits(environment):
        environment.left = Left.COMMITTED
    answer = _run(plan.query, environment) if plan.query.nested else _answer(plan.query, environment)
    if isinstance(answer, str):
        return Result(status=answer)
    cursor = server_cursor_of(answer)
    return Result(status=f"SELECT {len(answer) if cursor is None else cursor.count}", table=answer)


def _refuse_views_of_tables_given(query: Query, environment: Environment) -> None:
    """Raise ThanoSQLOptionError for a view over a table that is given, which is gone when the statement ends."""
    parameters = [part for part in query.parts if isinstance(part, Parameter)]
    if not parameters or made_by(environment.source, query.start) not in ("VIEW", "FUNCTION", "PROCEDURE"):
        return
    for part in parameters:
        if environment.table(part) is not None:
            raise ThanoSQLOptionError(
                f"A view cannot read the table :{part.name}, which is there for this statement only.",
                position=environment.place(part),
                hint=f"Make a table of it first: COPY {part.name} FROM :{part.name}.",
            )


def _run(query: QueryPlan, environment: Environment) -> pd.DataFrame | str:
    """The answer of SQL with statements in it, at the moment at which they read the database where that can be: what
    changes rows is run after them, as it must see rows that were changed meanwhile."""
    connection = environment.database.connection
    if any(shared.changes for shared in query.shared):
        with all_or_nothing(connection):
            return _answer(query, environment)
    reads = only_reads(render_empty(query, environment))
    if reads:
        note_moments(environment)
    with one_moment(connection):
        render(query, environment)  # runs the statements in it
        if reads:
            return _answer(query, environment)
    return _answer(query, environment)


def _answer(query: QueryPlan, environment: Environment) -> pd.DataFrame | str:
    return environment.database.run(render(query, environment), environment.at_once)


def _commits(environment: Environment) -> bool:
    """Whether it may commit before it has ended: a procedure with COMMIT in it, an index made CONCURRENTLY."""
    word = lexeme(environment.statement, 0)
    if word.upper in COMMIT_THEMSELVES:
        return True
    if word.upper not in ("ALTER", "CREATE", "DROP"):
        return False
    while word.upper:
        if word.upper == "CONCURRENTLY":
            return True
        word = lexeme(environment.statement, word.end)
    return False


def _is_planned(query: Query, environment: Environment) -> bool:
    """Whether PostgreSQL plans it before it runs it, and says so with EXPLAIN."""
    text = environment.source
    word = lexeme(text, query.start)
    if word.upper != "CREATE":
        return word.kind == "(" or word.upper in PLANNED
    depth = 0
    while word.kind and not (depth == 0 and word.upper == "AS"):
        depth += {"(": 1, ")": -1}.get(word.kind, 0)
        word = lexeme(text, word.end)
    return bool(word.kind) and made_by(text, query.start) == "TABLE"


def _makes_no_rows(environment: Environment) -> bool:
    """Whether it is a CREATE TABLE … AS … WITH NO DATA, which runs nothing of its query."""
    text = environment.statement
    word = before = lexeme(text, 0)
    while word.kind:
        if (before.upper, word.upper) == ("NO", "DATA"):
            return True
        before, word = word, lexeme(text, word.end)
    return False


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
