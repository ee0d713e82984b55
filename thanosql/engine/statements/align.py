"""ALIGN: a model and a query with known texts in, the query's columns and when each word was said out.

ALIGN USING my_model OPTIONS (words_table='word_times') AS SELECT * FROM calls

logs = model(waveform).logits.log_softmax(-1)                       # what it means in Python
path, scores = torchaudio.functional.forced_align(logs, labels, blank=processor.tokenizer.pad_token_id)
words = torchaudio.functional.merge_tokens(path[0], scores[0])      # and these joined, times 0.02 s
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Option, Query, Statement
from thanosql.engine.planner import Environment, RowsPlan, materialize, plan, refuse_open_transaction, resolve_model
from thanosql.engine.postgres.columns import find_column
from thanosql.engine.postgres.naming import Column
from thanosql.engine.prediction import transcription
from thanosql.engine.prediction.known_texts import normalized_texts, refuse_texts, unaligned
from thanosql.engine.prediction.opening import open_cache
from thanosql.engine.prediction.precision_notes import precision_notes
from thanosql.engine.prediction.segments_table import SegmentOptions
from thanosql.engine.prediction.side_table import SideTable
from thanosql.engine.prediction.side_tables import plan_tables, put_in_place, refuse_tables_inside, writes_tables
from thanosql.engine.prediction.stopwatch import Spent, Stopwatch
from thanosql.engine.prediction.word_table import (
    LEVELS,
    refuse_taken,
    replaced_columns,
    words_json,
)
from thanosql.engine.rows import speeds
from thanosql.engine.rows.audio_probe import ProbedRows, ResumableOptions, access_of, probe_rows
from thanosql.engine.rows.bound_statement import (
    BoundStatement,
    bind_statement,
    check_where,
    plan_rows,
    settled,
    written,
)
from thanosql.engine.rows.query import open_snapshot
from thanosql.engine.rows.references import TagOptions, tag_remarks
from thanosql.engine.rows.spoken_language import in_language, language_notes
from thanosql.models.options import AlignmentOptions, TranscribeOptions, option
from thanosql.models.tasks import Failure, Output, TranscribeTask

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot, Target
    from thanosql.engine.prediction.cache import PredictionCache


@dataclass(frozen=True, slots=True)
class Align(Statement):
    syntax = StatementSyntax(
        "ALIGN USING model [OPTIONS (…)] AS query",
        nests=True,
        planned=True,
        options=lambda: (AlignOptions, TranscribeOptions),
        view="transcripts",
        gives="The query's columns; `result_col` (jsonb), a list of objects with `word`, `start` and `end` (seconds) and "
        "`confidence`, and `problem` where something is wrong; `…_confidence`, how well the whole text fits, from 0 to 1; and "
        "`…_problem`, what is wrong with the whole, NULL where nothing is.",
    )

    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class AlignOptions(ResumableOptions, TagOptions, SegmentOptions, AlignmentOptions):
    text_col: str = option("text", "the column with the text that is spoken in it", kind="column")
    result_col: str = option(
        "align_result",
        "the jsonb column for the list of word, start and end (seconds), confidence and problem; it replaces a query column of "
        "that name; two more, its name plus _confidence and _problem, say how well the whole text fits, from 0 to 1, and what "
        "is wrong with it",
        kind="column",
    )
    timestamps: str = option(
        "word", "the unit of the times: words, characters, or segments between pauses", choices=LEVELS
    )
    table_name: str | None = option(
        None, "the table to write the result to; an existing one is replaced in one step", kind="table"
    )
    words_table: str | None = option(None, "the table to write one row per word to", kind="table")
    row_key: str | None = option(
        None,
        "the column of the query that identifies the recording of each row in words_table and segments_table; NULL: "
        "audio_col",
        kind="column",
    )
    on_error: str = option(
        "raise",
        "a row whose audio cannot be read, or whose text cannot be aligned: 'raise' stops; 'null' gives NULL, and the "
        "reason in the column result_col plus _error",
        choices=("raise", "null"),
    )

    @property
    def level(self) -> str:
        """What is timed."""
        return self.timestamps


@dataclass(frozen=True)
class AlignPlan(RowsPlan):
    """`about` is the statement with its names, options and columns checked; `tables` are those beside its result."""

    recognizes = True

    about: BoundStatement
    transcribe: TranscribeOptions
    tables: tuple[SideTable, ...]

    @property
    def options(self) -> AlignOptions:
        return cast("AlignOptions", self.about.options)

    @property
    def columns(self) -> tuple[Column, ...]:
        return replaced_columns(self.about.query.columns, _columns(self.options))

    def check_nested(self) -> None:
        refuse_tables_inside("ALIGN", self.about.target, self.tables)


@dataclass(frozen=True)
class _Aligned:
    """The rows of an ALIGN that has run: `snapshot` has the alignments beside the query's columns."""

    snapshot: Snapshot
    probed: ProbedRows
    spent: Spent
    cache: PredictionCache[Any] | None
    target: Target | None
    tables: tuple[SideTable, ...]
    remarks: list[str]  # on the texts


@bind_statement.register
def bind_align(statement: Align, environment: Environment) -> BoundStatement:
    from thanosql.models import registry
    from thanosql.models.base import Capability

    model = resolve_model(statement.model, environment)
    options, transcribe = environment.bind("ALIGN", statement.options, AlignOptions, TranscribeOptions)
    model = in_language(model, transcribe, statement.options, environment)
    registry.require(model, Capability.CTC, "ALIGN")
    check_where(options, transcribe, environment)
    if writes_tables(options):
        refuse_open_transaction(environment, "ALIGN with a table")
    query, audio = plan_rows(statement.query, options, environment)
    text = find_column(query.columns, options.text_col, "text_col")
    refuse_taken(query.columns, _columns(options))
    target = environment.database.target(options.table_name) if options.table_name is not None else None
    return BoundStatement("ALIGN", model, options, transcribe, query, audio, text, target, written(target))


@plan.register
def plan_align(statement: Align, environment: Environment) -> AlignPlan:
    about = bind_align(statement, environment)
    options = about.options
    tables = plan_tables(about, options.result_col, environment)
    assert isinstance(about.how, TranscribeOptions)
    return AlignPlan(about, settled(about.how, about.model), tables)


@run.register
def run_align(plan: AlignPlan, environment: Environment) -> Result:
    done = _align(plan, environment)
    snapshot = done.snapshot
    note = transcription.summary(snapshot.rows, done.probed.total_seconds, done.spent)
    with transcription.resumable(done.cache):
        # Read before the replacement: the query may have read the very table that is replaced.
        frame = snapshot.frame(environment.at_once) if environment.fetch or done.target is None else None
        note += put_in_place(snapshot, done.target, done.tables, done.probed, environment)
    if done.cache is not None:
        note += done.cache.note
    note = "; ".join([note, *language_notes(plan.about.model, plan.transcribe)])
    remarks = [*done.remarks, *done.probed.notes.remarks(), *precision_notes(plan.transcribe, environment)]
    note = "\n".join([note, *remarks])
    return Result(status=f"ALIGN {snapshot.rows}", table=frame, note=note, audio=plan.about.audio)


@materialize.register
def materialize_align(plan: AlignPlan, environment: Environment) -> str:
    done = _align(plan, environment)
    with transcription.resumable(done.cache):
        return done.snapshot.into_temporary()


def _align(plan: AlignPlan, environment: Environment) -> _Aligned:
    """Run the query, read audio and texts, align them, and write what was found beside the query's rows."""
    about, options = plan.about, plan.options
    assert about.text is not None
    snapshot = environment.resources.enter_context(open_snapshot(about.query, environment))
    # Looked at again at the query's own moment: it may have read the very table that is replaced.
    target = snapshot.check_target(options.table_name) if options.table_name is not None else None
    tables = tuple(table.seen_by(snapshot) for table in plan.tables)
    strict = options.on_error == "raise"
    access = access_of(options, environment)
    probed = probe_rows(snapshot, about.audio, environment, access, list_failures=strict)
    remarks = tag_remarks((text for _, text in snapshot.stream(about.text)), options.tags)
    texts = normalized_texts(snapshot, about.text, about.model, options.tags)
    if strict:
        probed.refuse(about.audio.name)
        refuse_texts(texts, about.text, about.model, options.unknown)
    task = TranscribeTask(
        output=Output.ALIGNMENT,
        audio=access,
        model=about.model,
        options=plan.transcribe,
        align=AlignmentOptions(gaps=options.gaps, unknown=options.unknown),
        level=options.timestamps,
        home=environment.settings.home,
    )
    cache = open_cache(task, about, options.save_seconds, environment)
    watch = Stopwatch(environment)
    with transcription.resumable(cache):
        snapshot.write(_columns(options), _alignments(plan, task, snapshot, probed, texts, cache, environment))
        if cache is not None:
            cache.save()
    spent = watch.read()
    if cache is None or not cache.before:
        speeds.keep(about, plan.transcribe.precision, probed.total_seconds, spent.seconds, environment)
    return _Aligned(snapshot, probed, spent, cache, target, tables, remarks)


def _columns(options: AlignOptions) -> list[Column]:
    name = options.result_col
    columns = [
        Column(name, "jsonb"),
        Column(f"{name}_confidence", "double precision"),
        Column(f"{name}_problem", "text"),
    ]
    return columns + ([Column(f"{name}_error", "text")] if options.on_error == "null" else [])


def _alignments(
    plan: AlignPlan,
    task: TranscribeTask,
    snapshot: Snapshot,
    probed: ProbedRows,
    texts: list[str | None],
    cache: PredictionCache[Any] | None,
    environment: Environment,
) -> Iterator[tuple[Any, ...]]:
    about, keeps_on = plan.about, plan.options.on_error == "null"
    assert about.text is not None
    rows = transcription.audio_of(snapshot, about.audio)
    executor = environment.executor(plan.options.executor)
    for outcome in transcription.transcribe(task, rows, probed, environment, executor, texts=texts, cache=cache):
        value = outcome.value
        if not isinstance(value, Failure):
            found = (outcome.row, words_json(value.words), value.confidence, value.problem)
            yield (*found, None) if keeps_on else found
        elif keeps_on:
            probed.notes.lost(outcome.row, value)
            yield outcome.row, None, None, None, value.reason
        elif value.kind == "text":
            failure = {"row": outcome.row, "text": texts[outcome.row - 1], "reason": value.reason}
            raise unaligned(about.text, [failure], len(texts))
        else:
            raise transcription.unreadable(outcome.row, about.audio.name, value)
