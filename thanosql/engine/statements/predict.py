"""PREDICT: a model and a query in, the query's columns and the transcripts out.

PREDICT USING my_model OPTIONS (audio_col='audio_path', table_name='heard') AS SELECT * FROM calls

from transformers import pipeline                                   # what it means in Python
calls["predict_result"] = [row["text"] for row in pipeline("automatic-speech-recognition", "my_model")(
    list(calls["audio_path"]))]
calls.to_sql("heard", engine, if_exists="replace")                  # but in one step, with the types kept
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from thanosql.counting import counted
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.planner import Environment, RowsPlan, materialize, plan, refuse_open_transaction, resolve_model
from thanosql.engine.postgres.naming import Column
from thanosql.engine.prediction import transcription
from thanosql.engine.prediction.calibration_notes import calibration_notes
from thanosql.engine.prediction.language_models import check_language_model, language_model, refuse_idle_guidance
from thanosql.engine.prediction.opening import decode_options, open_cache
from thanosql.engine.prediction.precision_notes import precision_notes
from thanosql.engine.prediction.predict_options import PredictOptions
from thanosql.engine.prediction.side_table import SideTable
from thanosql.engine.prediction.side_tables import plan_tables, put_in_place, refuse_tables_inside, writes_tables
from thanosql.engine.prediction.stopwatch import Spent, Stopwatch
from thanosql.engine.prediction.table_upkeep import find_target, refuse_unfit_options, update_tables
from thanosql.engine.prediction.word_table import refuse_taken, replaced_columns, words_json
from thanosql.engine.rows import speeds
from thanosql.engine.rows.audio_probe import ProbedRows, access_of, probe_rows
from thanosql.engine.rows.bound_statement import (
    BoundStatement,
    bind_statement,
    check_where,
    plan_rows,
    settled,
    written,
)
from thanosql.engine.rows.query import open_snapshot
from thanosql.engine.rows.spoken_language import in_language, language_notes
from thanosql.models.options import TranscribeOptions
from thanosql.models.tasks import Failure, Output, TranscribeTask

if TYPE_CHECKING:
    from pathlib import Path

    from thanosql.engine.postgres.database import Snapshot, Target
    from thanosql.engine.prediction.cache import PredictionCache
    from thanosql.engine.prediction.stale_rows import StaleRows
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.ctc.ngram import NGram


@dataclass(frozen=True, slots=True)
class Predict(Statement):
    syntax = StatementSyntax(
        "PREDICT USING model [OPTIONS (…)] AS query",
        nests=True,
        planned=True,
        options=lambda: (PredictOptions, TranscribeOptions),
        view="transcripts",
        gives="The query's columns with their types, in the query's order, and the transcript in `result_col`. Options "
        "add columns after it: `timestamps` adds `…_words` (jsonb), `confidence=True` adds `…_confidence`, "
        "`on_error='null'` adds `…_error`. With `table_name` the same rows are that table; with `mode='update'` they are "
        "those that were recognized, and `…_by` says by what.",
    )

    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True)
class PredictPlan(RowsPlan):
    """`about` is the statement with its names, options and columns checked; `tables` are those beside its result."""

    recognizes = True

    about: BoundStatement
    transcribe: TranscribeOptions
    tables: tuple[SideTable, ...]

    @property
    def options(self) -> PredictOptions:
        return cast("PredictOptions", self.about.options)

    @property
    def columns(self) -> tuple[Column, ...]:
        return replaced_columns(self.about.query.columns, self.options.columns)

    def check_nested(self) -> None:
        refuse_tables_inside("PREDICT", self.about.target, self.tables)


@dataclass(frozen=True)
class _Predicted:
    """The rows of a PREDICT that has run: `snapshot` has the predictions beside the query's columns; with `stale` they are
    those that a table lacked."""

    snapshot: Snapshot
    probed: ProbedRows
    spent: Spent
    cache: PredictionCache[Any] | None
    target: Target | None
    tables: tuple[SideTable, ...]
    stale: StaleRows | None


@bind_statement.register
def bind_predict(statement: Predict, environment: Environment) -> BoundStatement:
    from thanosql.models import registry
    from thanosql.models.base import Capability

    model = resolve_model(statement.model, environment)
    options, transcribe = environment.bind("PREDICT", statement.options, PredictOptions, TranscribeOptions)
    model = in_language(model, transcribe, statement.options, environment)
    if needing := options.needs_ctc:
        registry.require(model, Capability.CTC, needing)
    check_where(options, transcribe, environment)
    if writes_tables(options):
        refuse_open_transaction(environment, "PREDICT with a table")
    refuse_idle_guidance(options)
    refuse_unfit_options(options)
    query, audio = plan_rows(statement.query, options, environment)
    if options.mode == "replace":
        refuse_taken(query.columns, options.columns)
    target = find_target(options, query.columns, environment) if options.table_name is not None else None
    return BoundStatement(
        "PREDICT", model, options, transcribe, query, audio, None, target, written(target, options.mode == "update")
    )


@plan.register
def plan_predict(statement: Predict, environment: Environment) -> PredictPlan:
    about = bind_predict(statement, environment)
    options = about.options
    tables = plan_tables(about, f"{options.result_col}_words", environment, updates=options.mode == "update")
    check_language_model(options, environment)
    assert isinstance(about.how, TranscribeOptions)
    return PredictPlan(about, settled(about.how, about.model), tables)


@run.register
def run_predict(plan: PredictPlan, environment: Environment) -> Result:
    if plan.options.share_rows is not None:
        return _run_shared(plan, environment)
    done = _predict(plan, environment)
    snapshot, stale = done.snapshot, done.stale
    note = transcription.summary(snapshot.rows, done.probed.total_seconds, done.spent)
    if stale is not None:
        note = f"{stale.said}; {note}" if snapshot.rows else stale.said
    with transcription.resumable(done.cache):
        # Read before the replacement: the query may have read the very table that is replaced.
        frame = snapshot.frame(environment.at_once) if environment.fetch or done.target is None else None
        if stale is not None and done.target is not None:
            note += update_tables(stale, plan.options, done.target, done.tables, done.probed, environment)
        else:
            note += put_in_place(snapshot, done.target, done.tables, done.probed, environment)
    if done.cache is not None:
        note += done.cache.note
    note = "; ".join([note, *language_notes(plan.about.model, plan.transcribe)])
    told = calibration_notes(plan.about.model, plan.options.tells_confidence, environment)
    note = "\n".join([note, *done.probed.notes.remarks(), *told, *precision_notes(plan.transcribe, environment)])
    return Result(
        status=f"PREDICT {snapshot.rows}",
        table=frame,
        note=note,
        audio=plan.about.audio,
        display={"result_column": plan.options.result_col},
    )


@materialize.register
def materialize_predict(plan: PredictPlan, environment: Environment) -> str:
    done = _predict(plan, environment)
    with transcription.resumable(done.cache):
        return done.snapshot.into_temporary()


def _predict(plan: PredictPlan, environment: Environment) -> _Predicted:
    """Run the query, read the audio, recognize it, and write what was recognized beside the query's rows."""
    about, options = plan.about, plan.options
    access = access_of(options, environment)
    stale = None
    if options.mode == "update":
        from thanosql.engine.prediction.provenance import provenance_of
        from thanosql.engine.prediction.stale_rows import find_stale_rows

        language = language_model(options, about.model, environment)
        stale = find_stale_rows(about, provenance_of(about, language), access, environment)
        snapshot, target, tables = stale.rows, about.target, plan.tables
    else:
        snapshot = environment.resources.enter_context(open_snapshot(about.query, environment))
        # Looked at again at the query's own moment: it may have read the very table that is replaced.
        target = snapshot.check_target(options.table_name) if options.table_name is not None else None
        tables = tuple(table.seen_by(snapshot) for table in plan.tables)
        language = language_model(options, about.model, environment)
    return _recognize(plan, _Opened(snapshot, target, tables, stale, access, language), environment)


def _run_shared(plan: PredictPlan, environment: Environment) -> Result:
    """The same beside other processes: a share is recognized and written, then the next one that is free."""
    from thanosql.engine.prediction.provenance import provenance_of
    from thanosql.engine.prediction.shares import shares
    from thanosql.engine.prediction.stale_rows import find_stale_rows

    about, options = plan.about, plan.options
    assert about.target is not None
    access, language = access_of(options, environment), language_model(options, about.model, environment)
    stale = find_stale_rows(about, provenance_of(about, language), access, environment)
    rows = 0
    for part in shares(stale, options, about.target, environment):
        if not part.rows.rows:
            continue
        with ExitStack() as resources:
            inside = replace(environment, resources=resources)
            done = _recognize(plan, _Opened(part.rows, about.target, plan.tables, part, access, language), inside)
            with transcription.resumable(done.cache):
                update_tables(part, options, about.target, done.tables, done.probed, inside)
        rows += part.rows.rows
    note = f"{stale.said}; {counted(rows, 'row')} recognized by this process; table {about.target} is current"
    note = "; ".join([note, *language_notes(about.model, plan.transcribe)])
    return Result(
        status=f"PREDICT {rows}",
        note="\n".join([note, *calibration_notes(about.model, options.tells_confidence, environment)]),
    )


@dataclass(frozen=True)
class _Opened:
    """Rows to recognize, the tables that they go to, and how their audio is read and decoded."""

    snapshot: Snapshot
    target: Target | None
    tables: tuple[SideTable, ...]
    stale: StaleRows | None
    access: AudioAccess
    language: Path | NGram | None


def _recognize(plan: PredictPlan, opened: _Opened, environment: Environment) -> _Predicted:
    about, options = plan.about, plan.options
    snapshot, stale, access = opened.snapshot, opened.stale, opened.access
    with stale.numbered() if stale is not None else nullcontext():
        probed = probe_rows(snapshot, about.audio, environment, access, list_failures=options.on_error == "raise")
        if options.on_error == "raise":
            probed.refuse(about.audio.name)
        task = TranscribeTask(
            output=Output.TRANSCRIPT if options.plain else Output.TIMED_TRANSCRIPT,
            audio=access,
            model=about.model,
            options=plan.transcribe,
            decode=decode_options(options),
            language_model=opened.language,
            level=options.level,
            home=environment.settings.home,
        )
        cache = open_cache(task, about, options.save_seconds, environment)
        watch = Stopwatch(environment)
        with transcription.resumable(cache):
            snapshot.write(options.columns, _predictions(plan, task, snapshot, probed, cache, environment))
            if cache is not None:
                cache.save()
    spent = watch.read()
    if cache is None or not cache.before:
        speeds.keep(about, plan.transcribe.precision, probed.total_seconds, spent.seconds, environment)
    return _Predicted(snapshot, probed, spent, cache, opened.target, opened.tables, stale)


def _predictions(
    plan: PredictPlan,
    task: TranscribeTask,
    snapshot: Snapshot,
    probed: ProbedRows,
    cache: PredictionCache[Any] | None,
    environment: Environment,
) -> Iterator[tuple[Any, ...]]:
    options, audio = plan.options, plan.about.audio
    rows = transcription.audio_of(snapshot, audio)
    executor = environment.executor(options.executor)
    for outcome in transcription.transcribe(task, rows, probed, environment, executor, cache=cache):
        value = outcome.value
        if not isinstance(value, Failure):
            found: list[Any] = [value.text]
            if options.level != "none":
                found.append(words_json(value.words))
            if options.confidence:
                found.append(value.confidence)
            yield (outcome.row, *found) if options.on_error == "raise" else (outcome.row, *found, None)
        elif options.on_error == "null":
            probed.notes.lost(outcome.row, value)
            yield outcome.row, *[None] * (len(options.columns) - 1), value.reason
        else:
            raise transcription.unreadable(outcome.row, audio.name, value)
