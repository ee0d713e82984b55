"""EVALUATE: a model and a query with references in, WER and CER and how sure they are out.

EVALUATE USING my_model OPTIONS (group_by='speaker', table_name='heard') AS SELECT * FROM test

jiwer.process_words(test["text"], hypotheses).wer                   # what it means in Python
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from thanosql.engine import estimates, evaluation, transcription
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.evaluation import EvaluateOptions, Heard
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.language_models import language_model, refuse_idle_guidance
from thanosql.engine.lineage import evaluation_record, row_fingerprints, trained_rows
from thanosql.engine.planner import Environment, Plan, materialize, plan, resolve_model
from thanosql.engine.preflight import AudioRows, access_of, chunk_size, inspect
from thanosql.engine.statements.rows import materialize_rows
from thanosql.engine.subject import Subject, open_rows, subject, written
from thanosql.engine.texts import references
from thanosql.engine.transactions import refuse_open_transaction
from thanosql.models import precision
from thanosql.models.options import TranscribeOptions
from thanosql.models.precision import Check

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot, Target
    from thanosql.models.ctc.arpa import LanguageModel
    from thanosql.models.registry import Model


WORST_ROWS = 50  # that a notebook can show


@dataclass(frozen=True, slots=True)
class Evaluate(Statement):
    syntax = StatementSyntax(
        "EVALUATE USING model [OPTIONS (…)] AS query",
        nests=True,
        planned=True,
        options=lambda: (EvaluateOptions, TranscribeOptions),
        columns=lambda: (
            *("utterances", "hours", "words", "characters", "wer", "wer_low", "wer_high", "cer", "substitutions"),
            *("deletions", "insertions", "hits", "empty_hypotheses", "seconds", "rtfx"),
        ),
        view="evaluation",
        gives="One row with these columns; with `group_by` a row for each group, the total last, and a column `small` that "
        "marks groups of fewer than 100 words. With `against` one row that compares two models: `model`, `against`, "
        "`utterances`, `words`, `wer`, `wer_against`, `difference`, `difference_low`, `difference_high`, `p_value`, `won`, "
        "`lost`, `tied`. The table of `table_name` has a row an utterance. See [Evaluation](../guides/evaluation.md).",
    )

    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True)
class EvaluatePlan(Plan):
    """`languages` are the language models for `model` and `against`. Of each row: `fingerprints`, `trained` (whether the
    model learned from it), its values of `clusters` and `groups`."""

    model: Model
    against: Model | None
    languages: tuple[LanguageModel | None, LanguageModel | None]
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
    options, transcribe = environment.bind("EVALUATE", statement.options, EvaluateOptions, TranscribeOptions)
    if options.table_name is not None or options.confusions_table is not None:
        refuse_open_transaction(environment, "EVALUATE with a table")
    refuse_idle_guidance(options)
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
    languages = (
        language_model(options, about.model, environment),
        language_model(options, against, environment) if against is not None else None,
    )
    rows = inspect(snapshot, audio, environment, access_of(options, environment))
    rows.refuse(audio.name)
    texts = references(snapshot, text)
    fingerprints = row_fingerprints(zip((audio for _, audio in snapshot.stream(audio)), texts))
    learned = trained_rows(about.model)
    return EvaluatePlan(
        about.model,
        against,
        languages,
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
    check = _check(plan, heard, environment) if plan.transcribe.precision == "auto" else None
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
        checked = precision.kept(check) if check is not None else {}
        environment.store.record_evaluation(plan.model.name, plan.model.version, record | checked)
    summary = transcription.summary(len(kept), tally.audio_seconds, seconds)
    return Result(
        status=f"EVALUATE {len(kept)}",
        rows=frame,
        note="\n".join([summary, *tally.remarks(), *_said(check, plan.model)]),
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


def _check(plan: EvaluatePlan, heard: list[Heard], environment: Environment) -> Check:
    """How many of the words that were heard differ in bfloat16; a row that stands there twice counts once."""
    rounded = _hear(plan, plan.model, environment, "bfloat16")
    once = {fingerprint: index for index, fingerprint in enumerate(plan.fingerprints)}.values()
    exact, changed = ([found[index].assessment.transcript.text for index in once] for found in (heard, rounded))
    return precision.compared(exact, changed, estimates.device(plan.transcribe.device).partition(":")[0])


def _said(check: Check | None, model: Model) -> Iterator[str]:
    if check is None:
        return
    yield f"{check}; these figures are those of float32."
    if model.version is None:
        yield f"{model.name} is not a model of the store: the check is not kept, and precision='auto' stays float32."
    elif check.words < precision.ENOUGH_WORDS:
        yield f"precision='auto' stays float32: {precision.ENOUGH_WORDS:,} words are needed."
    elif not check.passes:
        yield f"precision='auto' stays float32: at most {precision.MOST_DIFFERING:.1%} may differ."
    else:
        yield "precision='auto' is bfloat16 from now on where the hardware has matrix units for it."


def _hear(plan: EvaluatePlan, model: Model, environment: Environment, auto: str = "float32") -> list[Heard]:
    """What a model hears in every row. By default both sides are in the model's letters: a case is no error of its own.

    `auto` is what precision='auto' is.
    """
    from thanosql.models import registry

    fitted = registry.normalizer(model, environment.settings).normalize
    compared = evaluation.normalizer(plan.options.normalizer, fitted)
    texts = [fitted(text) for text in plan.references]
    how = replace(plan.transcribe, precision=auto) if plan.transcribe.precision == "auto" else plan.transcribe
    language = plan.languages[model is not plan.model]
    found: list[Heard | None] = [None] * plan.snapshot.rows
    given = (plan.snapshot, plan.audio, plan.rows, texts, model, how, environment)
    for row, outcome in transcription.assess(*given, plan.options, language):
        if isinstance(outcome, Exception):
            raise transcription.unreadable(row, plan.audio.name, outcome) from outcome
        found[row - 1] = Heard(compared(plan.references[row - 1]), compared(outcome.transcript.text), outcome)
    return [heard for heard in found if heard is not None]


materialize.register(Evaluate, materialize_rows)
