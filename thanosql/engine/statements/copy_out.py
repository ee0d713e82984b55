"""COPY (query) TO: a query in, a file on this side of the connection out.

COPY (SELECT * FROM calls) TO 'calls.parquet'
COPY (PREDICT USING my_model AS SELECT * FROM calls) TO 'heard.csv'

pandas.read_sql(query, engine).to_parquet("calls.parquet")               # what it means in Python, but streamed
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanosql.counting import counted
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.files.paths import find_place
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Literal, Nested, Parameter, Query, Statement, Text
from thanosql.engine.language.terminals import lexeme, words
from thanosql.engine.planner import Environment, Plan, QueryPlan, plan
from thanosql.engine.postgres.query_errors import only_reading
from thanosql.engine.rows.query import open_snapshot, plan_query
from thanosql.errors import ThanoSQLDataError, ThanoSQLSyntaxError

NAME = "COPY (query) TO a file of this machine"
_NO_QUERY = words("INSERT UPDATE DELETE MERGE TRUNCATE CREATE ALTER DROP GRANT REVOKE COPY DO CALL")


@dataclass(frozen=True, slots=True)
class CopyOut(Statement):
    syntax = StatementSyntax(
        "COPY (query) TO 'path'",
        gives="A status. The file is parquet, csv, tsv or jsonl by its suffix, on this side of the connection, with the "
        "query's types kept, or srt, vtt or ctm, captions of rows with their times; "
        "it is written beside and renamed. The query may be a PREDICT, EVALUATE, ALIGN, LIST or "
        "DESCRIBE. Any other `COPY … TO` is PostgreSQL's.",
    )

    query: Query
    path: Literal | Parameter

    @classmethod
    def of(cls, *parts: Any) -> Statement:
        query, path = parts
        return cls(Query((query,)) if isinstance(query, Nested) else query, path)


@dataclass(frozen=True)
class CopyOutPlan(Plan):
    query: QueryPlan
    path: Path


@plan.register
def plan_copy_out(statement: CopyOut, environment: Environment) -> CopyOutPlan:
    _refuse_change(statement.query, environment)
    path = find_place(statement.path, environment)
    if path.suffix.lower() not in _suffixes():
        raise ThanoSQLDataError(
            f"COPY does not write '{path.suffix or path.name}' files.",
            hint=f"It writes {', '.join(suffix[1:] for suffix in _suffixes())}.",
        )
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        what = "is a folder" if path.is_dir() else "cannot be written: its folder is not there, or not to be written in"
        raise ThanoSQLDataError(f"{path} {what}.")
    with only_reading(NAME):
        return CopyOutPlan(plan_query(statement.query, environment), path)


@run.register
def run_copy_out(plan: CopyOutPlan, environment: Environment) -> Result:
    from thanosql.engine.files import writing

    with only_reading(NAME), open_snapshot(plan.query, environment) as snapshot:
        rows = writing.write(snapshot, plan.path)
    return Result(status=f"COPY {rows}", note=f"{counted(rows, 'row')} in {plan.path}")


def _refuse_change(query: Query, environment: Environment) -> None:
    """Raise ThanoSQLSyntaxError for what changes data: they are read by a cursor, which cannot."""
    part = query.parts[0]
    if not isinstance(part, Text) or part.start is None:
        return
    first = lexeme(part.sql, 0)
    if first.upper not in _NO_QUERY:
        return
    raise ThanoSQLSyntaxError(
        f"{NAME} writes the rows of a SELECT, not of {first.upper}.",
        position=environment.position(part.start + first.start, len(first.text)),
        hint=f"Run the {first.upper} first, as a statement of its own. Then copy what a SELECT finds.",
    )


def _suffixes() -> tuple[str, ...]:
    from thanosql.engine.files.writing import SUFFIXES

    return SUFFIXES
