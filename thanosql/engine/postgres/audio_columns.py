"""Columns of a query and the options that name them in; which sound each row means (a path, bytes, or a part) out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.postgres.columns import find_column
from thanosql.engine.postgres.naming import Column
from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError
from thanosql.models.options import option

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.audio.parts import Audio

CHUNK_ROWS = 1000  # fetched at a time, and fewer where they hold much audio
WHOLE_NUMBERS = ("smallint", "integer", "bigint")
NUMBERS = (*WHOLE_NUMBERS, "real", "double precision", "numeric")


@dataclass(frozen=True, kw_only=True)
class AudioColumnOptions:
    """Which sound a row means; every statement over audio takes them. A prediction's key has the part itself."""

    audio_col: str = option(
        "audio_path", "the column with the audio: a path, or the file's bytes", kind="column", changes_result=False
    )
    start_col: str | None = option(
        None,
        "the column with the second at which a row begins in its recording; NULL in it: at the recording's beginning",
        kind="column",
        changes_result=False,
    )
    end_col: str | None = option(
        None,
        "the column with the second at which a row ends in its recording; NULL in it: at the recording's end. A time up to "
        "0.1 s after the end is cut to it",
        kind="column",
        changes_result=False,
    )
    channel: int | str = option(
        "mix",
        "'mix' is the mean of all channels, a number chooses one of them: 1 is the first (left) one",
        low=1,
        high=65_535,
        words=("mix",),
        changes_result=False,
    )
    channel_col: str | None = option(
        None,
        "the column with each row's channel, from 1; NULL in it: the mix",
        kind="column",
        changes_result=False,
    )
    track: int | None = option(
        None,
        "which of several audio tracks of a video or container, from 1; NULL: the container's own choice",
        low=1,
        high=1_000,
        changes_result=False,
    )

    def __post_init__(self) -> None:
        if self.channel_col is not None and self.channel != "mix":
            raise ThanoSQLOptionError("channel and channel_col both say which channel.", hint="Keep one of them.")

    @property
    def types(self) -> dict[str, str]:
        """The type that each column named here can have in any case."""
        wanted = {
            self.audio_col: "text",
            self.start_col: "double precision",
            self.end_col: "double precision",
            self.channel_col: "integer",
        }
        return {name: kind for name, kind in wanted.items() if name is not None}


@dataclass(frozen=True)
class AudioColumns:
    """`audio` holds recordings, `start`, `end` (seconds) and `channel` the part of them; None: the same for every row.

    `of_all` is the channel, and `track` the audio track, of all rows.
    """

    audio: Column
    start: Column | None = None
    end: Column | None = None
    channel: Column | None = None
    of_all: int | None = None
    track: int | None = None

    @classmethod
    def find(cls, columns: Sequence[Column], options: AudioColumnOptions, of: str = "") -> AudioColumns:
        """Those that the options name; ` of valid_query`, say, tells whose columns they are.

        Raises ThanoSQLDataError for a column that is not there, or whose type is no audio or no number.
        """
        audio = find_column(columns, options.audio_col, f"audio_col{of}")
        _refuse_unfit(audio)
        start, end, channel = (
            None if name is None else _number(find_column(columns, name, f"{known}{of}"), known, name, types)
            for known, name, types in (
                ("start_col", options.start_col, NUMBERS),
                ("end_col", options.end_col, NUMBERS),
                ("channel_col", options.channel_col, WHOLE_NUMBERS),
            )
        )
        one = options.channel if isinstance(options.channel, int) else None
        return cls(audio, start, end, channel, one, options.track)

    @property
    def name(self) -> str:
        """The name of the column with the recordings."""
        return self.audio.name

    @property
    def columns(self) -> list[Column]:
        """Those of the query that say which sound a row means, the recordings' first."""
        return [column for column in (self.audio, self.start, self.end, self.channel) if column is not None]

    @property
    def raw(self) -> bool:
        """Whether the rows hold the files' bytes."""
        return self.audio.type == "bytea"

    @property
    def parted(self) -> bool:
        """Whether rows mean parts of recordings, several of which may lie in one."""
        return self.start is not None or self.end is not None or self.channel is not None

    def stream(
        self, snapshot: Snapshot, *more: Column, chunk: int = CHUNK_ROWS, numbers: range | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """(row number from 1, audio, value of each of `more`, …) of all rows, or those of `numbers`, in the query's order."""
        if not self.parted and self.of_all is self.track is None:
            # The recordings: for many rows a third of the time.
            yield from snapshot.stream(self.audio, *more, chunk=chunk, numbers=numbers)
            return
        behind = 1 + len(self.columns)
        for row in snapshot.stream(*self.columns, *more, chunk=chunk, numbers=numbers):
            yield row[0], self.meant(row[1], row[2:behind]), *row[behind:]

    def stand_in(self, names: Iterable[object]) -> bool:
        """Whether a table with columns of these names has them all."""
        return {column.name for column in self.columns} <= set(names)

    def of_frame(self, frame: pd.DataFrame) -> list[Audio | None]:
        """The audio of each row of a DataFrame that has these columns."""
        rows = zip(*(map(_known, frame[column.name].astype(object)) for column in self.columns), strict=True)
        return [self.meant(value, part) for value, *part in rows]

    def fragment(self, values: Sequence[Any]) -> str:
        """What the part is called that a row's values of all `columns` but the first mean; see `AudioPart.fragment`."""
        from thanosql.models.audio.parts import AudioPart

        sound = self.meant("", values)
        return sound.fragment if isinstance(sound, AudioPart) else ""

    def meant(self, audio: Any, values: Sequence[Any]) -> Audio | None:
        """A row's audio: the recording itself where all of it is meant; None where there is none."""
        from thanosql.models.audio.parts import AudioPart

        given = iter(values)
        start, end, channel = (None if one is None else next(given) for one in (self.start, self.end, self.channel))
        if audio is None or (not start and end is channel is self.of_all is self.track is None):
            return audio  # type: ignore[no-any-return]
        return AudioPart(
            audio,
            0.0 if start is None else float(start),
            None if end is None else float(end),
            self.of_all if self.channel is None else None if channel is None else int(channel),
            self.track,
        )


def _refuse_unfit(column: Column) -> None:
    if column.type not in ("text", "character varying", "bytea") and not column.type.startswith("character"):
        raise ThanoSQLDataError(
            f"The column '{column.name}' is of type {column.type}; audio is a path (text) or the file's bytes (bytea).",
            hint=f"audio_col names the column with the audio; if it holds no value, write {column.name}::text AS "
            f"{column.name}.",
        )


def _number(column: Column, known: str, name: str, types: Sequence[str]) -> Column:
    if column.type.partition("(")[0] in types:
        return column
    wanted, cast = ("a channel's number, from 1", "integer") if known == "channel_col" else ("seconds", "float8")
    cures = {"interval": f"extract(epoch FROM {column.name})", "time": f"extract(epoch FROM {column.name})"}
    cure = cures.get(column.type.split("(")[0].split(" ")[0], f"{column.name}::{cast}")
    raise ThanoSQLDataError(
        f"The column '{column.name}' is of type {column.type}; {known} takes {wanted}.",
        option=(known, name),
        hint=f"Say {cure} AS {column.name} in the query.",
    )


def _known(value: Any) -> Any:
    """A cell of a DataFrame, None where it is missing in one of pandas' ways."""
    return None if type(value).__name__ == "NAType" or value != value else value
