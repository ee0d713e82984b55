"""ALIGN: a model and a query with known texts in, the query's columns and when each word was said out.

ALIGN USING my_model OPTIONS (words_table='word_times') AS SELECT * FROM calls

logs = model(waveform).logits.log_softmax(-1)                       # what it means in Python
path, scores = torchaudio.functional.forced_align(logs, labels, blank=processor.tokenizer.pad_token_id)
words = torchaudio.functional.merge_tokens(path[0], scores[0])      # and these joined, times 0.02 s
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine import transcription
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.planner import Environment, Plan, materialize, plan, resolve_model
from thanosql.engine.postgres.naming import Column
from thanosql.engine.preflight import MISSING, AudioRows, RemoteOptions, access_of, inspect
from thanosql.engine.subject import Subject, open_rows, settled, subject, written
from thanosql.engine.transactions import refuse_open_transaction
from thanosql.engine.words import LEVELS, WordsTable, plan_words, put_in_place, refuse_taken, words_json
from thanosql.errors import ThanoSQLDataError
from thanosql.models.options import TranscribeOptions, option

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot, Target
    from thanosql.models.registry import Model

NO_TEXT = "no text (NULL)"


@dataclass(frozen=True, slots=True)
class Align(Statement):
    syntax = StatementSyntax(
        "ALIGN USING model [OPTIONS (…)] AS query",
        nests=True,
        planned=True,
        options=lambda: (AlignOptions, TranscribeOptions),
        view="transcripts",
        gives="The query's columns; `result_col` (jsonb), a list of objects with `word`, `start` and `end` (seconds) and "
        "`confidence`; and `…_confidence`, how well the whole text fits, from 0 to 1.",
    )

    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class AlignOptions(RemoteOptions):
    audio_col: str = option("audio_path", "the column with the audio: a path, or the file's bytes", kind="column")
    text_col: str = option("text", "the column with what is said in it", kind="column")
    result_col: str = option(
        "align_result",
        "the jsonb column that takes a list of word, start and end (seconds) and confidence, in the place of one of that "
        "name; another with _confidence behind its name says how well the whole text fits, from 0 to 1",
        kind="column",
    )
    timestamps: str = option("word", "what is timed: words, characters, or segments between pauses", choices=LEVELS)
    table_name: str | None = option(None, "the table that the result replaces, in one step", kind="table")
    words_table: str | None = option(None, "the table that takes a row for each word", kind="table")
    row_key: str | None = option(
        None, "the column that stands beside each word in words_table; audio_col where it is NULL", kind="column"
    )
    on_error: str = option(
        "raise",
        "a row whose audio cannot be read, or whose text cannot be aligned: 'raise' stops; 'null' gives NULL, and the "
        "reason in a column named as result_col with _error behind it",
        choices=("raise", "null"),
    )


@dataclass(frozen=True)
class AlignPlan(Plan):
    """`texts` are normalized; None where there is none."""

    model: Model
    options: AlignOptions
    transcribe: TranscribeOptions
    snapshot: Snapshot
    audio: Column
    text: Column
    rows: AudioRows
    texts: list[str | None]
    target: Target | None
    words: WordsTable | None


@subject.register
def subject_of_align(statement: Align, environment: Environment) -> Subject:
    model = resolve_model(statement.model, environment)
    options, transcribe = environment.bind("ALIGN", statement.options, AlignOptions, TranscribeOptions)
    if options.table_name is not None or options.words_table is not None:
        refuse_open_transaction(environment, "ALIGN with a table")
    snapshot, audio = open_rows(statement.query, options.audio_col, environment)
    text = snapshot.column(options.text_col, option="text_col")
    refuse_taken(snapshot, [column.name for column in _columns(options)[1:]])
    target = snapshot.check_target(options.table_name) if options.table_name is not None else None
    return Subject("ALIGN", model, options, transcribe, snapshot, audio, text, target, written(target))


@plan.register
def plan_align(statement: Align, environment: Environment) -> AlignPlan:
    about = subject_of_align(statement, environment)
    model, options, snapshot, audio, text = about.model, about.options, about.snapshot, about.audio, about.text
    assert isinstance(about.how, TranscribeOptions)
    assert text is not None
    words = None
    if options.words_table is not None:
        words = plan_words(snapshot, options.words_table, options.row_key, audio, options.result_col, about.target)
    strict = options.on_error == "raise"
    rows = inspect(snapshot, audio, environment, access_of(options, environment), list_failures=strict)
    texts = _texts(snapshot, text, model, environment)
    if strict:
        rows.refuse(audio.name)
        _refuse_texts(texts, text, model)
    return AlignPlan(model, options, settled(about.how, model), snapshot, audio, text, rows, texts, about.target, words)


@run.register
def run_align(plan: AlignPlan, environment: Environment) -> Result:
    started = time.perf_counter()
    plan.snapshot.write(_columns(plan.options), _aligned(plan, environment))
    seconds = time.perf_counter() - started
    note = transcription.summary(plan.snapshot.rows, plan.rows.total_seconds, seconds)
    # Read before the replacement: the query may have read the very table that is replaced.
    frame = plan.snapshot.frame(environment.at_once) if environment.fetch or plan.target is None else None
    note += put_in_place(plan.snapshot, plan.target, plan.words, environment)
    return Result(status=f"ALIGN {plan.snapshot.rows}", rows=frame, note=note, audio_column=plan.audio.name)


@materialize.register
def materialize_align(statement: Align, environment: Environment) -> str:
    plan = plan_align(statement, environment)
    if plan.target is not None or plan.words is not None:
        raise ThanoSQLDataError(
            "An ALIGN inside a query cannot have a table_name or words_table.",
            hint="Run it as a statement of its own first.",
        )
    plan.snapshot.write(_columns(plan.options), _aligned(plan, environment))
    name = plan.snapshot.into_temporary()
    environment.resources.callback(environment.database.drop_temporary, name)
    return name


def _columns(options: AlignOptions) -> list[Column]:
    name = options.result_col
    columns = [Column(name, "jsonb"), Column(f"{name}_confidence", "double precision")]
    return columns + ([Column(f"{name}_error", "text")] if options.on_error == "null" else [])


def _texts(snapshot: Snapshot, column: Column, model: Model, environment: Environment) -> list[str | None]:
    from thanosql.models import registry

    normalize = registry.normalizer(model, environment.settings).normalize
    return [None if text is None else normalize(str(text)) for _, text in snapshot.stream(column)]


def _refuse_texts(texts: list[str | None], column: Column, model: Model) -> None:
    """Raise ThanoSQLDataError for texts that are not there, or hold what the model cannot spell."""
    from thanosql.models import registry

    facts = registry.family(model.family).facts(model.checkpoint)
    vocabulary = facts.vocabulary if facts is not None else None
    failures: list[dict[str, Any]] = []
    for row, text in enumerate(texts, start=1):
        if text is None:
            failures.append({"row": row, "text": None, "reason": NO_TEXT})
        elif vocabulary is not None and (missing := vocabulary.missing(text)):
            reason = f"the model has no {', '.join(map(repr, missing))}"
            failures.append({"row": row, "text": text, "reason": reason})
    if failures:
        raise _unaligned(column, failures, len(texts))


def _aligned(plan: AlignPlan, environment: Environment) -> Iterator[tuple[Any, ...]]:
    from thanosql.models.ctc.alignment import AlignmentError

    given = (plan.snapshot, plan.audio, plan.rows, plan.texts, plan.model, plan.transcribe, environment)
    keeps_on = plan.options.on_error == "null"
    for row, outcome in transcription.align(*given, level=plan.options.timestamps):
        if not isinstance(outcome, Exception):
            found = (row, words_json(outcome.words), outcome.confidence)
            yield (*found, None) if keeps_on else found
        elif keeps_on:
            yield row, None, None, str(outcome) or MISSING
        elif isinstance(outcome, AlignmentError):
            failure = {"row": row, "text": plan.texts[row - 1], "reason": str(outcome)}
            raise _unaligned(plan.text, [failure], len(plan.texts)) from outcome
        else:
            raise transcription.unreadable(row, plan.audio.name, outcome) from outcome


def _unaligned(column: Column, failures: list[dict[str, Any]], rows: int) -> ThanoSQLDataError:
    return ThanoSQLDataError(
        f"{len(failures):,} of {rows:,} rows have a text in '{column.name}' that cannot be aligned.",
        rows=failures,
        hint="Nothing was changed. on_error='null' goes on past such rows.",
    )
