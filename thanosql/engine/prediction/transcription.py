"""A task and a snapshot's rows in, an outcome for every row out: what PREDICT, EVALUATE and ALIGN share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from thanosql.counting import counted
from thanosql.engine.planner import Environment, Progress
from thanosql.engine.prediction.batching import Cache, recognize
from thanosql.engine.prediction.stopwatch import Spent
from thanosql.engine.rows.audio_probe import ProbedRows
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLDataError
from thanosql.models.tasks import AudioRow, Failure, Outcome, TranscribeTask

if TYPE_CHECKING:
    from thanosql.engine.executors.base import Executor
    from thanosql.engine.postgres.audio_columns import AudioColumns
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.audio.parts import Audio

LOADING = 0.5  # seconds of loading that are said


def transcribe(
    task: TranscribeTask,
    rows: Callable[[], Iterator[tuple[int, Audio | None]]],
    probed: ProbedRows,
    environment: Environment,
    executor: Executor,
    *,
    texts: Sequence[str | None] | None = None,
    cache: Cache | None = None,
) -> Iterator[Outcome]:
    """An outcome for each row, in the order in which they are done; rows whose header could not be read come first.

    `rows` gives (row, audio) of all rows each time it is called; `texts[row - 1]` is a row's normalized text, for outputs
    that need one.
    """
    probed.notes.found.clear()
    if unreadable := probed.unreadable:
        for row, reason in probed.failures_of(rows()):
            yield Outcome(row, Failure(reason), 0.0)
    if unreadable == len(probed.seconds):
        return
    readable = (
        AudioRow(row, audio, probed.seconds[row - 1], None if texts is None else texts[row - 1])
        for row, audio in rows()
        if audio is not None and probed.seconds[row - 1] == probed.seconds[row - 1]
    )
    done, total = 0.0, probed.total_seconds
    for outcome in recognize(task, readable, executor, environment.cancellation, cache, total_seconds=total):
        done += probed.seconds[outcome.row - 1]
        if not isinstance(outcome.value, Failure) or outcome.seconds:
            probed.seconds[outcome.row - 1] = outcome.seconds
        probed.notes.take(outcome.row, outcome.notes)
        environment.progress(Progress(what="transcribing", done=done, total=total, unit="s"))
        yield outcome


def audio_of(snapshot: Snapshot, audio: AudioColumns) -> Callable[[], Iterator[tuple[int, Audio | None]]]:
    """What gives (row, audio) of a snapshot, in the query's order, each time it is called."""
    return lambda: audio.stream(snapshot)


def unreadable(row: int, column: str, failure: Failure) -> ThanoSQLDataError:
    """The error for audio whose header was right and whose content is not."""
    return ThanoSQLDataError(
        f"The audio of a row in '{column}' cannot be read.",
        rows=[{"row": row, "reason": failure.reason}],
        hint="Nothing was changed. CHECK before the statement lists such rows; on_error='null' skips them.",
    )


@contextmanager
def resumable(cache: Cache | None) -> Iterator[None]:
    """A connection lost on the way says that the predictions made so far are saved, and how to go on."""
    try:
        yield
    except ThanoSQLConnectionError as error:
        if cache is not None and error.lost:
            error.hint = (
                "The predictions made so far are saved: run the same statement again, and it resumes from them. "
                "Settings, temporary tables and an open transaction of the lost connection are gone."
            )
        raise


def summary(rows: int, audio_seconds: float, spent: Spent) -> str:
    """One line of what was done.

    >>> summary(1200, 7200.0, Spent(90.0))
    '1,200 rows, 2.00 h of audio in 90.0 s (80 × real time)'
    >>> summary(3, 3.9, Spent(0.5, loading=17.6))
    '3 rows, 3.9 s of audio in 0.5 s (7.8 × real time); loading the model took 17.6 s before it'
    """
    hours = f"{audio_seconds / 3600:.2f} h" if audio_seconds >= 360 else f"{audio_seconds:.1f} s"
    speed = audio_seconds / max(spent.seconds, 1e-9)
    said = f"{counted(rows, 'row')}, {hours} of audio in {spent.seconds:.1f} s"
    said += f" ({speed:,.{0 if speed >= 10 else 1}f} × real time)"
    return f"{said}; loading the model took {spent.loading:.1f} s before it" if spent.loading >= LOADING else said
