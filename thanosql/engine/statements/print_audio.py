"""PRINT AUDIO: a query in, its rows with an audio player each out; the players are the notebook's.

PRINT AUDIO OPTIONS (audio_col='audio_path') AS SELECT * FROM calls LIMIT 3

for path in calls["audio_path"]: display(IPython.display.Audio(path))            # what it means in Python
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Option, Query, Statement
from thanosql.engine.planner import Environment, Plan, QueryPlan, plan
from thanosql.engine.postgres.audio_columns import AudioColumnOptions, AudioColumns
from thanosql.engine.rows.bound_statement import plan_rows
from thanosql.engine.rows.query import open_snapshot


@dataclass(frozen=True, slots=True)
class PrintAudio(Statement):
    syntax = StatementSyntax(
        "PRINT AUDIO [OPTIONS (…)] AS query",
        options=lambda: (PrintOptions,),
        view="players",
        gives="The query's rows; a notebook shows a player beside each.",
    )

    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class PrintOptions(AudioColumnOptions):
    """Which sound each row plays."""


@dataclass(frozen=True)
class PrintPlan(Plan):
    query: QueryPlan
    audio: AudioColumns


@plan.register
def plan_print(statement: PrintAudio, environment: Environment) -> PrintPlan:
    (options,) = environment.bind("PRINT AUDIO", statement.options, PrintOptions)
    return PrintPlan(*plan_rows(statement.query, options, environment))


@run.register
def run_print(plan: PrintPlan, environment: Environment) -> Result:
    with open_snapshot(plan.query, environment) as snapshot:
        return Result(
            status=f"PRINT AUDIO {snapshot.rows}",
            table=snapshot.frame(environment.at_once),
            audio=plan.audio,
            display={"players": True},
        )
