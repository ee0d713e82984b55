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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from thanosql.engine import transcription
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.language_models import language_identity, language_model, refuse_idle_guidance
from thanosql.engine.planner import Environment, Plan, materialize, plan, resolve_model
from thanosql.engine.postgres.naming import Column
from thanosql.engine.preflight import AudioRows, RemoteOptions, access_of, inspect
from thanosql.engine.subject import Subject, open_rows, settled, subject, written
from thanosql.engine.transactions import refuse_open_transaction
from thanosql.engine.words import LEVELS, WordsTable, plan_words, put_in_place, refuse_taken, words_json
from thanosql.errors import ThanoSQLDataError
from thanosql.models.options import DecodeOptions, TranscribeOptions, option

if TYPE_CHECKING:
    from thanosql.engine.kept import Keeper
    from thanosql.engine.postgres.database import Snapshot, Target
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.ctc.arpa import LanguageModel
    from thanosql.models.ctc.decoder import TimedTranscript
    from thanosql.models.registry import Model
    from thanosql.models.results import Transcript

TYPES = {"_words": "jsonb", "_confidence": "double precision", "_error": "text"}


@dataclass(frozen=True, slots=True)
class Predict(Statement):
    syntax = StatementSyntax(
        "PREDICT USING model [OPTIONS (…)] AS query",
        nests=True,
        planned=True,
        options=lambda: (PredictOptions, TranscribeOptions),
        view="transcripts",
        gives="The query's columns with their types, in the query's order, and the transcript in `result_col`. Options "
        "add columns behind it: `timestamps` adds `…_words` (jsonb), `confidence=True` adds `…_confidence`, "
        "`on_error='null'` adds `…_error`. With `table_name` the same rows are that table.",
    )

    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class PredictOptions(RemoteOptions, DecodeOptions):
    audio_col: str = option(
        "audio_path", "the column with the audio: a path, or the file's bytes", kind="column", changes_result=False
    )
    result_col: str = option(
        "predict_result",
        "the column that takes the transcript; one of that name in the query is replaced, in its place",
        kind="column",
        changes_result=False,
    )
    table_name: str | None = option(
        None, "the table that the result replaces, in one step", kind="table", changes_result=False
    )
    on_error: str = option(
        "raise",
        "a row whose audio cannot be read: 'raise' stops before any work; 'null' gives NULL, and the reason in a "
        "column named as result_col with _error behind it",
        choices=("raise", "null"),
        changes_result=False,
    )
    save_seconds: float | None = option(
        30.0,
        "audio whose predictions may wait to be kept for a statement that is run again after a kill; NULL keeps none",
        low=0.0,
        high=86_400.0,
        exclusive_low=True,
        changes_result=False,
    )
    timestamps: str = option(
        "none",
        "a jsonb column named as result_col with _words behind it: a list of word, start and end (seconds) and "
        "confidence, for words, characters or segments between pauses",
        choices=("none", *LEVELS),
    )
    confidence: bool = option(
        False,
        "a column named as result_col with _confidence behind it: how sure the transcript is, from 0 to 1",
        changes_result=False,
    )
    words_table: str | None = option(
        None,
        "the table that takes a row for each word; brings timestamps='word' where they are 'none'",
        kind="table",
        changes_result=False,
    )
    row_key: str | None = option(
        None,
        "the column that stands beside each word in words_table; audio_col where it is NULL",
        kind="column",
        changes_result=False,
    )

    @property
    def level(self) -> str:
        """What is timed."""
        return "word" if self.timestamps == "none" and self.words_table is not None else self.timestamps


@dataclass(frozen=True)
class PredictPlan(Plan):
    model: Model
    options: PredictOptions
    transcribe: TranscribeOptions
    snapshot: Snapshot
    audio: Column
    rows: AudioRows
    language: LanguageModel | None
    target: Target | None
    words: WordsTable | None
    keeper: Keeper[Any] | None


@subject.register
def subject_of_predict(statement: Predict, environment: Environment) -> Subject:
    model = resolve_model(statement.model, environment)
    options, transcribe = environment.bind("PREDICT", statement.options, PredictOptions, TranscribeOptions)
    if options.table_name is not None or options.words_table is not None:
        refuse_open_transaction(environment, "PREDICT with a table")
    refuse_idle_guidance(options)
    snapshot, audio = open_rows(statement.query, options.audio_col, environment)
    refuse_taken(snapshot, [column.name for column in _columns(options)[1:]])
    target = snapshot.check_target(options.table_name) if options.table_name is not None else None
    return Subject("PREDICT", model, options, transcribe, snapshot, audio, None, target, written(target))


@plan.register
def plan_predict(statement: Predict, environment: Environment) -> PredictPlan:
    about = subject_of_predict(statement, environment)
    options = about.options
    words = None
    if options.words_table is not None:
        named = f"{options.result_col}_words"
        words = plan_words(about.snapshot, options.words_table, options.row_key, about.audio, named, about.target)
    language = language_model(options, about.model, environment)
    strict = options.on_error == "raise"
    access = access_of(options, environment)
    rows = inspect(about.snapshot, about.audio, environment, access, list_failures=strict)
    if strict:
        rows.refuse(about.audio.name)
    assert isinstance(about.how, TranscribeOptions)
    about = replace(about, how=(how := settled(about.how, about.model)))
    keeper = _keeper(statement, about, language, access, environment) if options.save_seconds is not None else None
    return PredictPlan(
        about.model, options, how, about.snapshot, about.audio, rows, language, about.target, words, keeper
    )


@run.register
def run_predict(plan: PredictPlan, environment: Environment) -> Result:
    started = time.perf_counter()
    _write(plan, environment)
    seconds = time.perf_counter() - started
    status = f"PREDICT {plan.snapshot.rows}"
    note = transcription.summary(plan.snapshot.rows, plan.rows.total_seconds, seconds)
    # Read before the replacement: the query may have read the very table that is replaced.
    frame = plan.snapshot.frame(environment.at_once) if environment.fetch or plan.target is None else None
    note += put_in_place(plan.snapshot, plan.target, plan.words, environment)
    if plan.keeper is not None:
        note += plan.keeper.note
    return Result(
        status=status,
        rows=frame,
        note=note,
        audio_column=plan.audio.name,
        display={"result_column": plan.options.result_col},
    )


@materialize.register
def materialize_predict(statement: Predict, environment: Environment) -> str:
    plan = plan_predict(statement, environment)
    if plan.target is not None or plan.words is not None:
        raise ThanoSQLDataError(
            "A PREDICT inside a query cannot have a table_name or words_table.",
            hint="Run it as a statement of its own first.",
        )
    _write(plan, environment)
    name = plan.snapshot.into_temporary()
    environment.resources.callback(environment.database.drop_temporary, name)
    return name


def _write(plan: PredictPlan, environment: Environment) -> None:
    plan.snapshot.write(_columns(plan.options), _predictions(plan, environment))
    if plan.keeper is not None:
        plan.keeper.save()


def _keeper(
    statement: Predict, about: Subject, language: LanguageModel | None, access: AudioAccess, environment: Environment
) -> Keeper[Any]:
    """What keeps the predictions until the whole statement, this one inside it or not, is complete."""
    from thanosql.engine import recipes
    from thanosql.engine.kept import FILE, Keeper
    from thanosql.models.ctc.decoder import TimedTranscript
    from thanosql.models.results import Transcript

    options = about.options
    guided_by = language_identity(options, language, environment)
    keeper = Keeper(
        environment.settings.home / FILE,
        about.model,
        environment.statement,
        recipes.recipe(about.model, options, about.how, more=[options.level, guided_by]),
        list(recipes.parameters(statement.query, environment)),
        Transcript if _is_plain(options) else TimedTranscript,
        access,
        options.save_seconds,
    )
    environment.resources.push(keeper.__exit__)
    return keeper


def _columns(options: PredictOptions) -> list[Column]:
    """The columns that are written: the transcript, and what else was asked for."""
    wanted = {
        "_words": options.level != "none",
        "_confidence": options.confidence,
        "_error": options.on_error == "null",
    }
    return [
        Column(options.result_col, "text"),
        *(Column(f"{options.result_col}{end}", TYPES[end]) for end, is_wanted in wanted.items() if is_wanted),
    ]


def _predictions(plan: PredictPlan, environment: Environment) -> Iterator[tuple[Any, ...]]:
    options = plan.options
    for row, outcome in _heard(plan, environment):
        if not isinstance(outcome, Exception):
            found: list[Any] = [outcome.text]
            if options.level != "none":
                found.append(words_json(outcome.words))  # type: ignore[union-attr]
            if options.confidence:
                found.append(outcome.confidence)
            yield (row, *found) if options.on_error == "raise" else (row, *found, None)
        elif options.on_error == "null":
            yield row, *[None] * (len(_columns(options)) - 1), str(outcome)
        else:
            raise transcription.unreadable(row, plan.audio.name, outcome) from outcome


def _heard(
    plan: PredictPlan, environment: Environment
) -> Iterator[tuple[int, Transcript | TimedTranscript | Exception]]:
    given = (plan.snapshot, plan.audio, plan.rows, plan.model, plan.transcribe, environment)
    if _is_plain(plan.options):
        return transcription.transcribe(*given, memory=plan.keeper)
    return transcription.hear(*given, plan.options, plan.language, level=plan.options.level, memory=plan.keeper)


def _is_plain(options: PredictOptions) -> bool:
    return options.decoder == "greedy" and options.level == "none"
