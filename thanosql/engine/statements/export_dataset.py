"""EXPORT DATASET: a query for audio, and its texts, in; a folder that other toolkits read out.

EXPORT DATASET support_calls FROM SELECT audio_path, text, speaker FROM calls

for row in calls.itertuples():                                       # what it means in Python, the lists apart
    soundfile.write(f"audio/{row.Index}.flac", read(row.audio_path), 16_000)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.files.dataset_folder import RESERVED, DatasetFolder, Utterance
from thanosql.engine.files.paths import refuse_outside
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Option, Query, Statement, Word
from thanosql.engine.planner import Environment, Plan, Progress, QueryPlan, plan
from thanosql.engine.postgres.audio_columns import AudioColumns
from thanosql.engine.postgres.columns import find_column
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.engine.postgres.query_errors import only_reading
from thanosql.engine.prediction.transcription import unreadable
from thanosql.engine.rows.audio_probe import AudioOptions, ProbedRows, access_of, probe_rows, refuse_empty
from thanosql.engine.rows.bound_statement import plan_rows
from thanosql.engine.rows.query import open_snapshot
from thanosql.errors import ThanoSQLDataError, ThanoSQLResourceError
from thanosql.models.datasets import WORKSPACE_FOLDER, placed, refuse_existing
from thanosql.models.options import option
from thanosql.models.tasks import Failure

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.audio.access import AudioAccess

THREADS = 4  # that read and write audio
UNDER_WAY = 16  # utterances whose audio is in memory at once


@dataclass(frozen=True, slots=True)
class ExportDataset(Statement):
    syntax = StatementSyntax(
        "EXPORT DATASET name [OPTIONS (…)] FROM query",
        options=lambda: (ExportOptions,),
        gives="A status. The data set is a folder in `thanosql-dataset/NAME/` of the workspace, or in `path`: what each row "
        "means of its recording as FLAC (16,000 Hz, mono), `metadata.jsonl` for Hugging Face datasets, `manifest.jsonl` for "
        "NeMo and a folder `kaldi`. It is written beside and put in its place when it is whole.",
    )

    name: Word
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class ExportOptions(AudioOptions):
    text_col: str | None = option(None, "the column with the text; NULL: 'text', if the query has it", kind="column")
    speaker_col: str | None = option(
        None, "the column with the speaker, for NeMo and Kaldi; NULL: 'speaker', if the query has it", kind="column"
    )
    path: str | None = option(None, "the folder in which the data set's folder is made; NULL: the workspace")
    overwrite: bool = option(False, "replace a data set of that name, once the new one is whole")
    on_error: str = option(
        "raise",
        "a row whose audio cannot be read: 'raise' stops and writes nothing; 'skip' leaves it out and says so",
        choices=("raise", "skip"),
    )


@dataclass(frozen=True)
class ExportPlan(Plan):
    """`folder` is where it will stand; `more` are the columns that metadata.jsonl has besides, `left_out` those that it
    cannot have."""

    folder: Path
    query: QueryPlan
    audio: AudioColumns
    text: Column | None
    speaker: Column | None
    more: tuple[Column, ...]
    left_out: tuple[str, ...]
    options: ExportOptions


@plan.register
def plan_export(statement: ExportDataset, environment: Environment) -> ExportPlan:
    (options,) = environment.bind("EXPORT DATASET", statement.options, ExportOptions)
    settings = environment.settings
    parent = (
        settings.workspace / WORKSPACE_FOLDER if options.path is None else Path(options.path).expanduser().absolute()
    )
    if options.path is not None:
        refuse_outside(parent, settings)
        if not parent.is_dir():
            raise ThanoSQLDataError(f"There is no folder {parent} (path).", hint="Make it first, or leave path out.")
    folder = parent / statement.name.text
    refuse_existing(folder, options.overwrite)
    with only_reading("EXPORT DATASET"):
        query, audio = plan_rows(statement.query, options, environment)
    text = _column(query.columns, options.text_col, "text")
    speaker = _column(query.columns, options.speaker_col, "speaker")
    others = [column for column in query.columns if column not in (text, speaker) and column.type != "bytea"]
    more = tuple(column for column in others if column.name not in RESERVED)
    exported = {column.name for column in (*more, text, speaker, audio.audio) if column is not None}
    left_out = tuple(column.name for column in query.columns if column.name not in exported)
    return ExportPlan(folder, query, audio, text, speaker, more, left_out, options)


def _column(columns: Sequence[Column], named: str | None, usual: str) -> Column | None:
    if named is None:
        return next((column for column in columns if column.name == usual), None)
    return find_column(columns, named, f"{usual}_col")


@run.register
def run_export(plan: ExportPlan, environment: Environment) -> Result:
    options, settings = plan.options, environment.settings
    access = access_of(options, environment)
    strict = options.on_error == "raise"
    with only_reading("EXPORT DATASET"), open_snapshot(plan.query, environment) as snapshot:
        refuse_empty(snapshot)
        probed = probe_rows(snapshot, plan.audio, environment, access, list_failures=strict)
        if strict:
            probed.refuse(plan.audio.name)
        try:
            with (
                placed(
                    plan.folder, settings.workspace, overwrite=options.overwrite, lock_timeout=settings.lock_timeout
                ) as new,
                DatasetFolder(new, plan.folder, has_text=plan.text is not None) as folder,
            ):
                written = 0
                for utterance, samples in _written(plan, snapshot, probed, access, folder, environment):
                    folder.add(utterance, samples)
                    written += 1
                if not written:
                    raise ThanoSQLDataError(
                        "No row has audio that can be read.", hint="CHECK PREDICT lists the reasons."
                    )
                folder.finish()
        except OSError as error:
            raise ThanoSQLResourceError(
                f"The data set {plan.folder.name} cannot be written into {plan.folder.parent}: {error}",
                hint="What was there under that name is unchanged.",
            ) from error
    note = f"{counted(written, 'utterance')}, {folder.seconds / 3600:.2f} h of audio in {plan.folder}"
    if written < snapshot.rows:
        note += f"; {counted(snapshot.rows - written, 'row')} left out, whose audio cannot be read"
    if folder.without_text:
        note += f"; {counted(folder.without_text, 'utterance')} without a text, not in kaldi"
    if plan.left_out:
        note += f"; columns left out: {', '.join(plan.left_out)}"
    return Result(status=f"EXPORT {written}", note=note)


def _written(
    plan: ExportPlan,
    snapshot: Snapshot,
    probed: ProbedRows,
    access: AudioAccess,
    folder: DatasetFolder,
    environment: Environment,
) -> Iterator[tuple[Utterance, int]]:
    """The utterances in the query's order, each with its number of samples, once its audio is in its file."""

    def work(utterance: Utterance, audio: Any) -> int | Failure:
        from thanosql.models.audio import AudioError

        try:
            samples = access.read(audio)
        except AudioError as error:
            return Failure(str(error))
        folder.write_audio(utterance, samples)
        return len(samples)

    rows = (
        (row, audio, utterance)
        for row, audio, utterance in _utterances(plan, snapshot)
        if audio is not None and probed.seconds[row - 1] == probed.seconds[row - 1]
    )
    waiting: deque[tuple[int, Utterance, Future[int | Failure]]] = deque()
    done, total = 0.0, probed.total_seconds
    with ThreadPoolExecutor(THREADS, thread_name_prefix="export") as pool:
        try:
            while True:
                for row, audio, utterance in islice(rows, UNDER_WAY - len(waiting)):
                    waiting.append((row, utterance, pool.submit(work, utterance, audio)))
                if not waiting:
                    return
                row, utterance, future = waiting.popleft()
                samples = future.result()
                done += probed.seconds[row - 1]
                environment.cancellation.check()
                environment.progress(Progress(what="writing", done=done, total=total, unit="s"))
                if not isinstance(samples, Failure):
                    yield utterance, samples
                elif plan.options.on_error == "raise":
                    raise unreadable(row, plan.audio.name, samples)
        finally:
            for _, _, future in waiting:
                future.cancel()


def _utterances(plan: ExportPlan, snapshot: Snapshot) -> Iterator[tuple[int, Any, Utterance]]:
    """(row, its audio, the utterance) of every row."""
    named = [column for column in (plan.text, plan.speaker) if column is not None]
    values = snapshot.stream(*named, *plan.more, chunk=1000, expression=lambda column: _expression(column, named))
    for (row, audio), (_, *rest) in zip(plan.audio.stream(snapshot), values, strict=True):
        said = iter(rest)
        text = None if plan.text is None else next(said)
        speaker = None if plan.speaker is None else next(said)
        more = {column.name: "null" if value is None else _one_line(value) for column, value in zip(plan.more, said)}
        yield row, audio, Utterance(row, text, speaker, more)


def _expression(column: Column, named: Sequence[Column]) -> str:
    return f"{quoted(column.name)}::text" if column in named else f"to_json({quoted(column.name)})::text"


def _one_line(value: str) -> str:
    """JSON may have line ends between its values; within a string they are always escaped."""
    return value.replace("\n", " ").replace("\r", " ")
