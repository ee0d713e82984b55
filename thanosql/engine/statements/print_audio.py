"""PRINT AUDIO: a query in, its rows with an audio player each out; the players are the notebook's.

PRINT AUDIO OPTIONS (audio_col='audio_path') AS SELECT * FROM calls LIMIT 3

for path in calls["audio_path"]: display(IPython.display.Audio(path))            # what it means in Python
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Option, Query, Statement
from thanosql.engine.planner import Environment, Plan, plan, render
from thanosql.engine.preflight import refuse_unfit
from thanosql.models.options import option

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot


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
class PrintOptions:
    audio_col: str = option("audio_path", "the column with the audio: a path, or the file's bytes", kind="column")


@dataclass(frozen=True)
class PrintPlan(Plan):
    snapshot: Snapshot
    audio: Column


@plan.register
def plan_print(statement: PrintAudio, environment: Environment) -> PrintPlan:
    (options,) = environment.bind("PRINT AUDIO", statement.options, PrintOptions)
    snapshot = environment.resources.enter_context(environment.database.snapshot(render(statement.query, environment)))
    audio = snapshot.column(options.audio_col, option="audio_col")
    refuse_unfit(audio)
    return PrintPlan(snapshot, audio)


@run.register
def run_print(plan: PrintPlan, environment: Environment) -> Result:
    return Result(
        status=f"PRINT AUDIO {plan.snapshot.rows}",
        rows=plan.snapshot.frame(environment.at_once),
        audio_column=plan.audio.name,
        display={"players": True},
    )
