"""A snapshot's audio column → how long each utterance is, and which rows cannot be used; headers alone are read."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from thanosql import private
from thanosql.counting import part_of
from thanosql.engine.planner import Environment, Progress
from thanosql.engine.postgres.audio_columns import CHUNK_ROWS, AudioColumnOptions, AudioColumns
from thanosql.engine.rows.headers import Headers
from thanosql.errors import ThanoSQLDataError
from thanosql.models.audio.parts import described
from thanosql.models.options import option

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.audio.info import Note
    from thanosql.models.audio.parts import Audio
    from thanosql.models.tasks import Failure

PROBES_AT_ONCE = 4
FETCHES_AT_ONCE = 8  # of remote files
NO_RESULT = "no result"


@dataclass(frozen=True, kw_only=True)
class AudioOptions(AudioColumnOptions):
    """What every statement over audio says of where it comes from."""

    allow_remote: bool = option(
        False,
        "fetch audio whose reference is a URL (http, https, s3, gs, abfs); private addresses are refused unless the "
        "setting remote_hosts names them",
        changes_result=False,
    )


@dataclass(frozen=True, kw_only=True)
class TaskOptions(AudioOptions):
    """The same of statements whose work is a task, and where it is done."""

    executor: str | None = option(
        None,
        "where recognition and training run: 'local' in this process, 'ray' or 'ray://host:10001' on a Ray cluster; "
        "NULL: as the setting says",
        changes_result=False,
    )


@dataclass(frozen=True, kw_only=True)
class ResumableOptions(TaskOptions):
    """The same of statements whose predictions are saved as they are made."""

    save_seconds: float | None = option(
        30.0,
        "seconds of audio between writes to the prediction cache; an interrupted statement, run "
        "again, resumes from it; NULL: no cache",
        low=0.0,
        high=86_400.0,
        exclusive_low=True,
        changes_result=False,
    )


@dataclass
class AudioNotes:
    """What one should know of the audio of a statement, told once for all rows that it is true of."""

    found: dict[str, tuple[int, int, str]] = field(
        default_factory=dict
    )  # by name: rows, the first of them, its sentence

    def take(self, row: int, notes: Sequence[Note]) -> None:
        for note in notes:
            count, first, text = self.found.get(note.name, (0, row, note.text))
            self.found[note.name] = (count + 1, *((row, note.text) if row < first else (first, text)))

    def lost(self, row: int, failure: Failure) -> None:
        """A row that has no result, and why."""
        from thanosql.models.audio.info import Note

        self.take(row, [Note(NO_RESULT, failure.reason.rstrip("."))])

    @property
    def without_result(self) -> int:
        """How many rows have none."""
        return self.found[NO_RESULT][0] if NO_RESULT in self.found else 0

    def remarks(self) -> Iterator[str]:
        """Sentences for the user, the commonest first."""
        for name, (count, first, text) in sorted(self.found.items(), key=lambda one: -one[1][0]):
            rows = f"Row {first}" if count == 1 else f"{count:,} rows, row {first} the first"
            yield f"{rows}: {name}: {text}."


@dataclass(frozen=True)
class ProbedRows:
    """`seconds[row - 1]` is the duration of a row's audio, NaN where it cannot be read; `failures` says why, if listed.

    `access` is how the audio is read. The duration of what it fetches is assumed until it is read, and then put right.
    `notes` are what one should know of the audio that was decoded.
    """

    seconds: array[float]
    failures: list[dict[str, Any]]
    access: AudioAccess
    notes: AudioNotes = field(default_factory=AudioNotes)

    @property
    def total_seconds(self) -> float:
        return math.fsum(value for value in self.seconds if value == value)

    @property
    def unreadable(self) -> int:
        return sum(value != value for value in self.seconds)

    def failures_of(self, rows: Iterable[tuple[int, Audio | None]]) -> Iterator[tuple[int, str]]:
        """(row, why its audio cannot be read) of those of the rows whose audio cannot, asked again."""
        headers = Headers(self.access)
        for row, audio in rows:
            if self.seconds[row - 1] != self.seconds[row - 1]:
                yield row, headers.seconds(audio)[1] or "its header could not be read before"

    def refuse(self, column: str) -> None:
        """Raise a ThanoSQLDataError when any row cannot be used."""
        if self.failures:
            count, total = len(self.failures), len(self.seconds)
            raise ThanoSQLDataError(
                f"{part_of(count, total, 'row', ('has', 'have'))} audio in '{column}' that cannot be read.",
                rows=self.failures,
            )


def access_of(options: AudioOptions, environment: Environment, *, read_again: bool = False) -> AudioAccess:
    """How a statement's audio is read; remote files that are `read_again` are fetched once, and stay till it is over."""
    from thanosql.models.audio.access import AudioAccess

    downloads = None
    if options.allow_remote and read_again:
        from thanosql.models.audio.download_cache import DownloadCache

        private.home(environment.settings.home)
        downloads = environment.resources.enter_context(DownloadCache(environment.settings.home)).downloads
    return AudioAccess.of(environment.settings, allow_remote=options.allow_remote, downloads=downloads)


def probe_rows(
    snapshot: Snapshot,
    audio: AudioColumns,
    environment: Environment,
    access: AudioAccess | None = None,
    *,
    list_failures: bool = True,
    each: Callable[[int, Audio | None], None] = lambda row, audio: None,
) -> ProbedRows:
    """Probe the header of every row's audio; `each` is given every row, so that what else is asked of it needs no pass.

    Without `access`, audio is on this machine. Without `list_failures`, memory does not grow with them.
    """
    access = access or access_of(AudioOptions(), environment)
    seconds: array[float] = array("f")
    failures: list[dict[str, Any]] = []
    headers = Headers(access)
    probes = FETCHES_AT_ONCE if access.remote is not None else PROBES_AT_ONCE
    with ThreadPoolExecutor(probes, thread_name_prefix="probe") as pool:
        for chunk in _chunks(audio.stream(snapshot), CHUNK_ROWS):
            for (row, value), (duration, reason) in zip(chunk, headers.of_rows([value for _, value in chunk], pool)):
                seconds.append(duration)
                if reason and list_failures:
                    failures.append({"row": row, "path": described(value), "reason": reason})
                each(row, value)
            environment.cancellation.check()
            environment.progress(Progress(what="checking", done=len(seconds), total=snapshot.rows, unit="rows"))
    return ProbedRows(seconds, failures, access)


def refuse_empty(snapshot: Snapshot) -> None:
    """Raise a ThanoSQLDataError when the query gave no rows."""
    if snapshot.rows == 0:
        raise ThanoSQLDataError("The query gave no rows.", hint="Run the query by itself to see what it selects.")


def _chunks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := list(islice(rows, size)):
        yield chunk
