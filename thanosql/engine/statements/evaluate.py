"""EVALUATE: a model and a query with references in, WER and CER out.

    EVALUATE USING my_model OPTIONS (audio_col='audio_path', text_col='text') AS SELECT * FROM test

    jiwer.process_words(test["text"], hypotheses).wer                   # what it means in Python
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.engine import transcription
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.options import bind
from thanosql.engine.planner import Environment, Plan, materialize, plan, render, resolve_model
from thanosql.engine.preflight import AudioRows, inspect
from thanosql.engine.statements.rows import materialize_rows
from thanosql.engine.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.texts import references
from thanosql.models.base import TranscribeOptions, option

if TYPE_CHECKING:
    from thanosql.engine.database import Column, Snapshot
    from thanosql.models.registry import Model


@dataclass(frozen=True, slots=True)
class Evaluate(Statement):
    """EVALUATE USING model [OPTIONS (…)] AS query"""

    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    audio_col: str = option("audio_path", "the column with the audio: a path, or the file's bytes", kind="column")
    text_col: str = option("text", "the column with the reference transcript", kind="column")


@dataclass(frozen=True)
class EvaluatePlan(Plan):
    model: Model
    options: EvaluateOptions
    transcribe: TranscribeOptions
    snapshot: Snapshot
    audio: Column
    text: Column
    rows: AudioRows
    references: list[str]


@plan.register
def plan_evaluate(statement: Evaluate, environment: Environment) -> EvaluatePlan:
    model = resolve_model(statement.model, environment)
    options, transcribe = bind(
        statement.options,
        EvaluateOptions,
        TranscribeOptions,
        source=environment.source,
        statement="EVALUATE",
        params=environment.params,
    )
    query = render(statement.query, environment)
    snapshot = environment.resources.enter_context(environment.database.snapshot(query))
    audio = snapshot.column(options.audio_col, option="audio_col")
    text = snapshot.column(options.text_col, option="text_col")
    rows = inspect(snapshot, audio, environment)
    rows.refuse(audio.name)
    return EvaluatePlan(model, options, transcribe, snapshot, audio, text, rows, references(snapshot, text))


@run.register
def run_evaluate(plan: EvaluatePlan, environment: Environment) -> Result:
    import pandas as pd

    from thanosql.models import registry
    from thanosql.models.metrics import score

    started = time.perf_counter()
    hypotheses = [""] * plan.snapshot.rows
    for row, outcome in transcription.transcribe(
        plan.snapshot, plan.audio, plan.rows, plan.model, plan.transcribe, environment
    ):
        if isinstance(outcome, Exception):
            raise transcription.unreadable(row, plan.audio.name, outcome) from outcome
        hypotheses[row - 1] = outcome.text
    seconds = time.perf_counter() - started
    # Both sides in the model's own letters: a reference in another case is not an error of the model.
    normalize = registry.normalizer(plan.model, environment.settings).normalize
    scores = score([normalize(text) for text in plan.references], [normalize(text) for text in hypotheses])
    frame = pd.DataFrame(
        [
            {
                "utterances": scores.utterances,
                "hours": plan.rows.total_seconds / 3600,
                "words": scores.words,
                "wer": scores.wer,
                "cer": scores.cer,
                "substitutions": scores.substitutions,
                "deletions": scores.deletions,
                "insertions": scores.insertions,
            }
        ]
    )
    return Result(
        status=f"EVALUATE {plan.snapshot.rows}",
        rows=frame,
        note=transcription.summary(plan.snapshot.rows, plan.rows.total_seconds, seconds),
    )


materialize.register(Evaluate, materialize_rows)
