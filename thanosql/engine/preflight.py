"""A snapshot's audio column → how long each utterance is, and which rows cannot be used; headers alone are read."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from thanosql.engine.planner import Environment, Progress
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.database import Column, Snapshot

PROBES_AT_ONCE = 4
BYTES_CHUNK, PATHS_CHUNK = 32, 1000  # rows fetched at a time: audio as bytea is a thousand times a path's size
MISSING = "no audio (NULL)"


@dataclass(frozen=True)
class AudioRows:
    """`seconds[row - 1]` is the duration of a row's audio, NaN where it cannot be read; `failures` says why."""

    seconds: array[float]
    failures: list[dict[str, Any]]

    @property
    def total_seconds(self) -> float:
        return math.fsum(value for value in self.seconds if value == value)

    def refuse(self, column: str) -> None:
        """Raise a ThanoSQLDataError when any row cannot be used."""
        if self.failures:
            count, total = len(self.failures), len(self.seconds)
            raise ThanoSQLDataError(
                f"{count:,} of {total:,} rows have audio in '{column}' that cannot be read.", rows=self.failures
            )


def chunk_size(column: Column) -> int:
    return BYTES_CHUNK if column.type == "bytea" else PATHS_CHUNK


def inspect(snapshot: Snapshot, column: Column, environment: Environment) -> AudioRows:
    """Probe the header of every row's audio. Raises ThanoSQLDataError when the query gave no rows at all."""
    refuse_empty(snapshot)
    refuse_unfit(column)
    seconds: array[float] = array("f")
    failures: list[dict[str, Any]] = []
    probe = partial(_probe, environment=environment)
    with ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe") as pool:
        rows = snapshot.stream(column, chunk=chunk_size(column))
        for chunk in _chunks(rows, chunk_size(column)):
            for (row, audio), (duration, reason) in zip(chunk, pool.map(probe, [audio for _, audio in chunk])):
                seconds.append(duration)
                if reason:
                    failures.append({"row": row, "path": describe(audio), "reason": reason})
            environment.progress(Progress(what="checking", done=len(seconds), total=snapshot.rows, unit="rows"))
    return AudioRows(seconds, failures)


def refuse_unfit(column: Column) -> None:
    """Raise a ThanoSQLDataError when a column cannot hold audio."""
    if column.type not in ("text", "character varying", "bytea") and not column.type.startswith("character"):
        raise ThanoSQLDataError(
            f"The column '{column.name}' is of type {column.type}; audio is a path (text) or the file's bytes (bytea)."
        )


def refuse_empty(snapshot: Snapshot) -> None:
    """Raise a ThanoSQLDataError when the query gave no rows."""
    if snapshot.rows == 0:
        raise ThanoSQLDataError("The query gave no rows.", hint="Run the query by itself to see what it selects.")


def describe(audio: str | bytes | None) -> str:
    """An audio reference as a message shows it.

    >>> describe(b"RIFF")
    '4 bytes'
    """
    if audio is None:
        return "NULL"
    return audio if isinstance(audio, str) else f"{len(audio):,} bytes"


def _probe(audio: str | bytes | None, environment: Environment) -> tuple[float, str]:
    from thanosql.models.audio import AudioError, probe

    if audio is None:
        return math.nan, MISSING
    try:
        return probe(audio, environment.settings.audio_roots).seconds, ""
    except AudioError as error:
        return math.nan, str(error)


def _chunks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := list(islice(rows, size)):
        yield chunk
