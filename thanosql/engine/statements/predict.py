"""PREDICT: a model and a query in, the query's columns and the transcripts out.

PREDICT USING my_model OPTIONS (audio_col='audio_path', table_name='heard') AS SELECT * FROM calls

from transformers import pipeline                                   # what it means in Python
calls["predict_result"] = [row["text"] for row in pipeline("automatic-speech-recognition", "my_model")(
    list(calls["audio_path"]))]
calls.to_sql("heard", engine, if_exists="replace")                  # but in one step, with the types kept
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine import transcription
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.options import bind
from thanosql.engine.planner import Environment, Plan, materialize, plan, resolve_model
from thanosql.engine.preflight import AudioRows, inspect
from thanosql.engine.subject import Subject, open_rows, subject, written
from thanosql.engine.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.transactions import refuse_open_transaction
from thanosql.errors import ThanoSQLDataError
from thanosql.models.base import TranscribeOptions, option

if TYPE_CHECKING:
    from thanosql.engine.database import Column, Snapshot, Target
    from thanosql.models.registry import Model


@dataclass(frozen=True, slots=True)
class Predict(Statement):
    """PREDICT USING model [OPTIONS (…)] AS query"""

    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    audio_col: str = option("audio_path", "the column with the audio: a path, or the file's bytes", kind="column")
    result_col: str = option(
        "predict_result",
        "the column that takes the transcript; one of that name in the query is replaced, in its place",
        kind="column",
    )
    table_name: str | None = option(None, "the table that the result replaces, in one step", kind="table")
    on_error: str = option(
        "raise",
        "a row whose audio cannot be read: 'raise' stops before any work; 'null' gives NULL, and the reason in a "
        "column named as result_col with _error behind it",
        choices=("raise", "null"),
    )


@dataclass(frozen=True)
class PredictPlan(Plan):
    model: Model
    options: PredictOptions
    transcribe: TranscribeOptions
    snapshot: Snapshot
    audio: Column
    rows: AudioRows
    target: Target | None


@subject.register
def subject_of_predict(statement: Predict, environment: Environment) -> Subject:
    model = resolve_model(statement.model, environment)
    options, transcribe = bind(
        statement.options,
        PredictOptions,
        TranscribeOptions,
        source=environment.source,
        statement="PREDICT",
        params=environment.params,
    )
    if options.table_name is not None:
        refuse_open_transaction(environment, "PREDICT with a table_name")
    snapshot, audio = open_rows(statement.query, options.audio_col, environment)
    target = snapshot.check_target(options.table_name) if options.table_name is not None else None
    return Subject("PREDICT", model, options, transcribe, snapshot, audio, None, target, written(target))


@plan.register
def plan_predict(statement: Predict, environment: Environment) -> PredictPlan:
    about = subject_of_predict(statement, environment)
    rows = inspect(about.snapshot, about.audio, environment)
    if about.options.on_error == "raise":
        rows.refuse(about.audio.name)
    assert isinstance(about.how, TranscribeOptions)
    return PredictPlan(about.model, about.options, about.how, about.snapshot, about.audio, rows, about.target)


@run.register
def run_predict(plan: PredictPlan, environment: Environment) -> Result:
    started = time.perf_counter()
    _write(plan, environment)
    seconds = time.perf_counter() - started
    status = f"PREDICT {plan.snapshot.rows}"
    note = transcription.summary(plan.snapshot.rows, plan.rows.total_seconds, seconds)
    # Read before the replacement: the query may have read the very table that is replaced.
    frame = plan.snapshot.frame() if environment.fetch or plan.target is None else None
    if plan.target is not None:
        plan.snapshot.replace(plan.target)
        note += f"; in table {plan.options.table_name}"
    return Result(status=status, rows=frame, note=note, audio_column=plan.audio.name)


@materialize.register
def materialize_predict(statement: Predict, environment: Environment) -> str:
    plan = plan_predict(statement, environment)
    if plan.target is not None:
        raise ThanoSQLDataError(
            "A PREDICT inside a query cannot have a table_name.", hint="Run it as a statement of its own first."
        )
    _write(plan, environment)
    name = plan.snapshot.into_temporary()
    environment.resources.callback(environment.database.drop_temporary, name)
    return name


def _write(plan: PredictPlan, environment: Environment) -> None:
    from thanosql.engine.database import Column

    columns = [Column(plan.options.result_col, "text")]
    if plan.options.on_error == "null":
        columns.append(Column(f"{plan.options.result_col}_error", "text"))
    plan.snapshot.write(columns, _predictions(plan, environment))


def _predictions(plan: PredictPlan, environment: Environment) -> Iterator[tuple[Any, ...]]:
    for row, outcome in transcription.transcribe(
        plan.snapshot, plan.audio, plan.rows, plan.model, plan.transcribe, environment
    ):
        if not isinstance(outcome, Exception):
            yield (row, outcome.text) if plan.options.on_error == "raise" else (row, outcome.text, None)
        elif plan.options.on_error == "null":
            yield row, None, str(outcome)
        else:
            raise transcription.unreadable(row, plan.audio.name, outcome) from outcome
