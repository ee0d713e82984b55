"""EVALUATE: a model and a query with references in, WER and CER and how sure they are out.

EVALUATE USING my_model OPTIONS (group_by='speaker', table_name='heard') AS SELECT * FROM test

jiwer.process_words(test["text"], hypotheses).wer                   # what it means in Python
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine import evaluation, transcription
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.evaluation import EvaluateOptions, Heard
from thanosql.engine.lineage import evaluation_record, row_fingerprints, trained_rows
from thanosql.engine.options import bind
from thanosql.engine.planner import Environment, Plan, materialize, plan, resolve_model
from thanosql.engine.preflight import AudioRows, access_of, chunk_size, inspect
from thanosql.engine.statements.rows import materialize_rows
from thanosql.engine.subject import Subject, open_rows, subject, written
from thanosql.engine.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.texts import references
from thanosql.engine.transactions import refuse_open_transaction
from thanosql.models.base import TranscribeOptions

if TYPE_CHECKING:
    from thanosql.engine.database import Column, Snapshot, Target
    from thanosql.models.registry import Model


WORST_ROWS = 50  # that a notebook can show


@dataclass(frozen=True, slots=True)
class Evaluate(Statement):
    """EVALUATE USING model [OPTIONS (…)] AS query"""

    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True)
class EvaluatePlan(Plan):
    """Of each row: `fingerprints`, `trained` (whether the model learned from it), its values of `clusters` and `groups`."""

    model: Model
    against: Model | None
    options: EvaluateOptions
    transcribe: TranscribeOptions
    snapshot: Snapshot
    audio: Column
    text: Column
    rows: AudioRows
    references: list[str]
    fingerprints: list[str]
    trained: list[bool]
    clusters: list[object] | None
    groups: list[tuple[object, ...]] | None
    target: Target | None


@subject.register
def subject_of_evaluate(statement: Evaluate, environment: Environment) -> Subject:
    model = resolve_model(statement.model, environment)
    options, transcribe = bind(
        statement.options,
        EvaluateOptions,
        TranscribeOptions,
        source=environment.source,
        statement="EVALUATE",
        params=environment.params,
    )
    if options.table_name is not None or options.confusions_table is not None:
        refuse_open_transaction(environment, "EVALUATE with a table")
    snapshot, audio = open_rows(statement.query, options.audio_col, environment)
    text = snapshot.column(options.text_col, option="text_col")
    target = snapshot.check_target(options.table_name) if options.table_name is not None else None
    return Subject("EVALUATE", model, options, transcribe, snapshot, audio, text, target, written(target))


@plan.register
def plan_evaluate(statement: Evaluate, environment: Environment) -> EvaluatePlan:
    about = subject_of_evaluate(statement, environment)
    options, snapshot, audio, text = about.options, about.snapshot, about.audio, about.text
    assert isinstance(about.how, TranscribeOptions)
    assert text is not None
    against = resolve_model(ModelReference(options.against), environment) if options.against is not None else None
    cluster = snapshot.column(options.cluster_by, option="cluster_by") if options.cluster_by is not None else None
    groups = [snapshot.column(name, option="group_by") for name in options.group_by]
    if options.confusions_table is not None:
        evaluation.check_confusions_table(environment, options.confusions_table)
    rows = inspect(snapshot, audio, environment, access_of(options, environment))
    rows.refuse(audio.name)
    texts = references(snapshot, text)
    fingerprints = row_fingerprints(zip((audio for _, audio in snapshot.stream(audio)), texts))
    learned = trained_rows(about.model)
    return EvaluatePlan(
        about.model,
        against,
        options,
        about.how,
        snapshot,
        audio,
        text,
        rows,
        texts,
        fingerprints,
        [row in learned for row in fingerprints],
        [value for _, value in snapshot.stream(cluster)] if cluster is not None else None,
        [tuple(values) for _, *values in snapshot.stream(*groups)] if groups else None,
        about.target,
    )


@run.register
def run_evaluate(plan: EvaluatePlan, environment: Environment) -> Result:
    started = time.perf_counter()
    heard = _hear(plan, plan.model, environment)
    seconds = time.perf_counter() - started
    other = _hear(plan, plan.against, environment) if plan.against is not None else None
    kept = [index for index in range(plan.snapshot.rows) if not (plan.options.exclude_trained and plan.trained[index])]
    if not kept:
        raise evaluation.all_trained(plan.model.name)
    tally = evaluation.Tally(plan, heard, other, kept, seconds)
    worst = _worst(plan, tally)  # before a replacement: the query may have read the table that is replaced
    frame = tally.comparison() if other is not None else tally.figures()
    if plan.target is not None:
        plan.snapshot.write(evaluation.COLUMNS if other is None else evaluation.COMPARED_COLUMNS, tally.rows())
        plan.snapshot.replace(plan.target)
    if plan.options.confusions_table is not None:
        evaluation.write_confusions(environment, plan.options.confusions_table, tally)
    if plan.model.version is not None:
        record = evaluation_record(environment.statement, tally.total_row(), (plan.fingerprints[i] for i in kept))
        environment.store.record_evaluation(plan.model.name, plan.model.version, record)
    return Result(
        status=f"EVALUATE {len(kept)}",
        rows=frame,
        note="\n".join([transcription.summary(len(kept), tally.audio_seconds, seconds), *tally.remarks()]),
        audio_column=plan.audio.name,
        display={"utterances": worst},
    )


def _worst(plan: EvaluatePlan, tally: evaluation.Tally) -> list[dict[str, Any]]:
    """The utterances with the most errors, for a notebook to show; ones without errors where there are no others."""
    errors = {tally.kept[place] + 1: score.errors for place, score in enumerate(tally.scores)}
    chosen = set(sorted(errors, key=lambda row: (-errors[row], row))[:WORST_ROWS])
    stream = plan.snapshot.stream(plan.audio, chunk=chunk_size(plan.audio))
    audio = {row: value for row, value in stream if row in chosen}
    return [
        {
            "row": row,
            "audio": audio[row],
            "reference": tally.heard[row - 1].reference,
            "hypothesis": tally.heard[row - 1].hypothesis,
            "errors": errors[row],
        }
        for row in sorted(chosen)
    ]


def _hear(plan: EvaluatePlan, model: Model, environment: Environment) -> list[Heard]:
    """What a model hears in every row. By default both sides are in the model's letters: a case is no error of its own."""
    from thanosql.models import registry

    fitted = registry.normalizer(model, environment.settings).normalize
    compared = evaluation.normalizer(plan.options.normalizer, fitted)
    texts = [fitted(text) for text in plan.references]
    found: list[Heard | None] = [None] * plan.snapshot.rows
    for row, outcome in transcription.assess(
        plan.snapshot, plan.audio, plan.rows, texts, model, plan.transcribe, environment
    ):
        if isinstance(outcome, Exception):
            raise transcription.unreadable(row, plan.audio.name, outcome) from outcome
        found[row - 1] = Heard(compared(plan.references[row - 1]), compared(outcome.transcript.text), outcome)
    return [heard for heard in found if heard is not None]


materialize.register(Evaluate, materialize_rows)
