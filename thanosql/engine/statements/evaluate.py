"""EVALUATE: a model and a query with references in, WER and CER and how sure they are out.

EVALUATE USING my_model OPTIONS (group_by='speaker', table_name='heard') AS SELECT * FROM test

jiwer.process_words(test["text"], hypotheses).wer                   # what it means in Python
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.evaluation import tables
from thanosql.engine.evaluation.corrections import Correction, correction
from thanosql.engine.evaluation.evaluate_options import EvaluateOptions
from thanosql.engine.evaluation.figures import COMPARISON, FIGURES, SMALL, Evaluation, EvaluationRows, refuse_groups
from thanosql.engine.evaluation.model_card import outcome_of, record_on_card
from thanosql.engine.evaluation.recognized import RecognizedRow, comparison_normalizer, spoken_in
from thanosql.engine.evaluation.rows import RowsToEvaluate, probe_audio, worst_rows
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.planner import Environment, RowsPlan, materialize, plan, refuse_open_transaction, resolve_model
from thanosql.engine.postgres.columns import find_column
from thanosql.engine.postgres.naming import Column
from thanosql.engine.postgres.small_table import typed
from thanosql.engine.prediction import transcription
from thanosql.engine.prediction.calibration_notes import calibration_notes
from thanosql.engine.prediction.language_models import check_language_model, language_model, refuse_idle_guidance
from thanosql.engine.prediction.opening import decode_options, open_cache
from thanosql.engine.prediction.precision_notes import precision_notes
from thanosql.engine.prediction.side_tables import refuse_same_table, refuse_tables_inside
from thanosql.engine.prediction.stopwatch import Stopwatch
from thanosql.engine.rows import speeds
from thanosql.engine.rows.audio_probe import access_of, refuse_empty
from thanosql.engine.rows.bound_statement import BoundStatement, bind_statement, check_where, plan_rows, written
from thanosql.engine.rows.query import open_snapshot
from thanosql.engine.rows.references import references, tag_remarks
from thanosql.engine.rows.spoken_language import in_languages, language_notes
from thanosql.engine.statements.rows import temporary_rows
from thanosql.errors import ThanoSQLDataError
from thanosql.models import precision
from thanosql.models.devices import expected_device
from thanosql.models.options import TranscribeOptions
from thanosql.models.precision import PrecisionComparison
from thanosql.models.tasks import Failure, Output, TranscribeTask
from thanosql.models.trained_rows import TrainedRows, trained_rows

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Target
    from thanosql.engine.prediction.cache import PredictionCache
    from thanosql.models.model import Model


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
class EvaluatePlan(RowsPlan):
    """`about` is the statement with its names, options and columns checked; `group_by` and `cluster` are columns of the
    query, `key` is that of row_key; `confusions` is the table that takes the confusions, `correction` where the labels are."""

    recognizes = True

    about: BoundStatement
    against: Model | None
    cluster: Column | None
    group_by: tuple[Column, ...]
    key: Column | None
    confusions: Target | None
    correction: Correction | None

    @property
    def options(self) -> EvaluateOptions:
        return cast("EvaluateOptions", self.about.options)

    @property
    def columns(self) -> tuple[Column, ...]:
        if self.against is not None:
            return COMPARISON
        return (*self.group_by, *FIGURES, SMALL) if self.group_by else FIGURES

    def check_nested(self) -> None:
        refuse_tables_inside("EVALUATE", self.about.target or self.confusions)


@bind_statement.register
def bind_evaluate(statement: Evaluate, environment: Environment) -> BoundStatement:
    from thanosql.models import registry
    from thanosql.models.base import Capability

    options, transcribe = environment.bind("EVALUATE", statement.options, EvaluateOptions, TranscribeOptions)
    model, *against = in_languages(_models(statement, options, environment), transcribe, statement.options, environment)
    registry.require(model, Capability.CTC, "EVALUATE")
    check_where(options, transcribe, environment)
    if options.table_name is not None or options.confusions_table is not None:
        refuse_open_transaction(environment, "EVALUATE with a table")
    refuse_idle_guidance(options)
    query, audio = plan_rows(statement.query, options, environment)
    text = find_column(query.columns, options.text_col, "text_col")
    target = environment.database.target(options.table_name) if options.table_name is not None else None
    return BoundStatement("EVALUATE", model, options, transcribe, query, audio, text, target, written(target), *against)


def _models(statement: Evaluate, options: EvaluateOptions, environment: Environment) -> list[Model]:
    """The model, and the one that it is compared with where there is one."""
    start = next((one.value_start for one in statement.options if one.name.lower() == "against"), 0)
    references = [
        statement.model,
        *([ModelReference(options.against, start=start)] if options.against is not None else []),
    ]
    return [resolve_model(reference, environment) for reference in references]


@plan.register
def plan_evaluate(statement: Evaluate, environment: Environment) -> EvaluatePlan:
    about = bind_evaluate(statement, environment)
    options, columns = about.options, about.query.columns
    cluster = find_column(columns, options.cluster_by, "cluster_by") if options.cluster_by is not None else None
    groups = tuple(dict.fromkeys(find_column(columns, name, "group_by") for name in options.group_by))
    refuse_groups(groups, compared=about.against is not None)
    confusions = None
    if options.confusions_table is not None:
        confusions = environment.database.target(options.confusions_table)
        refuse_same_table(about.target, confusions, "table_name", "confusions_table")
    check_language_model(options, environment)
    key = find_column(columns, options.row_key, "row_key") if options.row_key is not None else None
    assert about.text is not None
    named = key.name if key is not None else about.audio.name
    told_apart = key is not None or not (about.audio.raw or about.audio.parted)
    labels = correction(statement.query, about.text.name, named) if told_apart else None
    return EvaluatePlan(about, about.against, cluster, groups, key, confusions, labels)


@run.register
def run_evaluate(plan: EvaluatePlan, environment: Environment) -> Result:
    about, options = plan.about, plan.options
    rows = _read(plan, environment)
    watch = Stopwatch(environment)
    recognized, cache = _recognize(plan, rows, about.model, environment)
    spent = watch.read()
    check = _check(plan, rows, recognized, environment) if _how(plan).precision == "auto" else None
    other = _recognize(plan, rows, plan.against, environment)[0] if plan.against is not None else None
    trained = rows.figures.trained
    counted = [index for index in range(rows.count) if not (options.exclude_trained and trained[index])]
    if not counted:
        raise ThanoSQLDataError(
            f"The model {about.model.name} was trained on every row of the query.",
            hint="Evaluate on rows that it has not seen, or leave exclude_trained out.",
        )
    evaluation = Evaluation(
        about.model.name,
        rows.figures,
        recognized,
        counted,
        spent.seconds,
        options.seed,
        plan.against.name if plan.against is not None else None,
        other,
    )
    # Before a replacement: the query may have read the table that is replaced.
    worst = worst_rows(evaluation, rows, plan.correction)
    frame = typed(evaluation.comparison() if other is not None else evaluation.figures(), plan.columns)
    with transcription.resumable(cache):
        named = options.table_name, options.confusions_table
        environment.left = tables.write(rows.snapshot, *named, evaluation, environment.database)
    notes = [transcription.summary(len(counted), evaluation.audio_seconds, spent)]
    if cache is None or not cache.before:
        kept = _how(plan).precision if check is None else "float32"
        speeds.keep(about, kept, evaluation.audio_seconds, spent.seconds, environment)
    notes += dict.fromkeys(note for one in _compared(plan) for note in language_notes(one, _how(plan)))
    notes += tag_remarks(rows.labels, options.tags)
    notes += evaluation.remarks(trained_left_out=options.exclude_trained)
    for model in _compared(plan):
        notes += calibration_notes(model, options.table_name is not None, environment)
    notes += outcome_of(check, about.model)
    notes += [*rows.audio.probed.notes.remarks(), *precision_notes(_how(plan), environment)]
    notes += record_on_card(about.model, evaluation, map(rows.fingerprints.__getitem__, counted), check, environment)
    return Result(
        status=f"EVALUATE {len(counted)}",
        table=frame,
        note="\n".join(notes),
        audio=about.audio,
        display={"utterances": worst},
    )


@materialize.register
def materialize_evaluate(plan: EvaluatePlan, environment: Environment) -> str:
    frame = run_evaluate(plan, environment).rows
    assert frame is not None
    return temporary_rows(plan.columns, frame, environment)


def _compared(plan: EvaluatePlan) -> list[Model]:
    return [plan.about.model, *([plan.against] if plan.against is not None else [])]


def _how(plan: EvaluatePlan) -> TranscribeOptions:
    assert isinstance(plan.about.how, TranscribeOptions)
    return plan.about.how


def _read(plan: EvaluatePlan, environment: Environment) -> RowsToEvaluate:
    """Run the query and read all that is asked of its rows but the audio. Where no table is to be written and the rows hold
    references to audio, the snapshot is closed: what comes needs no connection."""
    about, options = plan.about, plan.options
    assert about.text is not None
    snapshot = environment.resources.enter_context(open_snapshot(about.query, environment))
    refuse_empty(snapshot)
    for table in (options.table_name, options.confusions_table):
        if table is not None:
            # Looked at again at the query's own moment: it may have read the very table that is replaced.
            snapshot.check_target(table)
    access = access_of(options, environment)
    texts = references(snapshot, about.text, options.tags)
    labels = [str(label) for _, label in snapshot.stream(about.text)] if options.tags == "drop" else texts
    audio = probe_audio(snapshot, about.audio, texts, TrainedRows(trained_rows(about.model), access), environment)
    figures = EvaluationRows(
        audio.probed.seconds,
        [trained for _, trained in audio.known],
        [value for _, value in snapshot.stream(plan.cluster)] if plan.cluster is not None else None,
        [tuple(values) for _, *values in snapshot.stream(*plan.group_by)] if plan.group_by else None,
        tuple(column.name for column in plan.group_by),
    )
    keys = [value for _, value in snapshot.stream(plan.key)] if plan.key is not None else None
    if done := not about.audio.raw and options.table_name is None:
        snapshot.close()
    return RowsToEvaluate(None if done else snapshot, audio, access, texts, labels, figures, keys)


def _recognize(
    plan: EvaluatePlan, rows: RowsToEvaluate, model: Model, environment: Environment, auto: str = "float32"
) -> tuple[list[RecognizedRow], PredictionCache[Any] | None]:
    """What a model hears in every row, and the cache of it. By default both sides are in the model's letters: a case is no
    error of its own. `auto` is what precision='auto' is.
    """
    from thanosql.models import registry

    options, how = plan.options, _how(plan)
    normalizer = registry.normalizer(model)
    fitted = spoken_in(normalizer, options.normalizer).normalize  # the model is asked how well it spells what is said
    compared = comparison_normalizer(options.normalizer, normalizer)
    task = TranscribeTask(
        output=Output.ASSESSMENT,
        audio=rows.access,
        model=model,
        options=replace(how, precision=auto if how.precision == "auto" else how.precision, language=model.language),
        decode=decode_options(options),
        language_model=language_model(options, model, environment),
        home=environment.settings.home,
    )
    cache = open_cache(task, plan.about, options.save_seconds, environment)
    found: dict[int, RecognizedRow] = {}
    texts = [fitted(text) for text in rows.references]
    executor = environment.executor(options.executor)
    with transcription.resumable(cache):
        for outcome in transcription.transcribe(
            task, rows.audio.all, rows.audio.probed, environment, executor, texts=texts, cache=cache
        ):
            value = outcome.value
            if isinstance(value, Failure):
                raise transcription.unreadable(outcome.row, plan.about.audio.name, value)
            pair = compared(rows.references[outcome.row - 1], value.transcript.text)
            found[outcome.row] = RecognizedRow(*pair, value)
        if cache is not None:
            cache.save()
    return [found[row] for row in range(1, rows.count + 1)], cache


def _check(
    plan: EvaluatePlan, rows: RowsToEvaluate, recognized: list[RecognizedRow], environment: Environment
) -> PrecisionComparison:
    """How many of the words that were heard differ in bfloat16; a row that stands there twice counts once."""
    rounded, _ = _recognize(plan, rows, plan.about.model, environment, "bfloat16")
    once = {fingerprint: index for index, fingerprint in enumerate(rows.fingerprints)}.values()
    exact, changed = ([found[index].assessment.transcript.text for index in once] for found in (recognized, rounded))
    return precision.compared(exact, changed, expected_device(_how(plan).device).partition(":")[0])
