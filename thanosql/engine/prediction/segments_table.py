"""Words with their seconds → a table of segments that goes into any statement as the parts of recordings it was made for.

PREDICT USING m OPTIONS (segments_table='cuts') AS SELECT * FROM calls;
FIT MODEL m USING m OPTIONS (start_col='start', end_col='end', channel_col='channel') AS SELECT * FROM cuts
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.syntax import SQL
from thanosql.engine.planner import Environment
from thanosql.engine.postgres.audio_columns import AudioColumns
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.engine.prediction.side_table import SideTable
from thanosql.models.audio.parts import AudioPart
from thanosql.models.options import option

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.engine.rows.audio_probe import ProbedRows
    from thanosql.models.ctc import segments

COLUMNS = ("channel", "position", "start", "end", "text", "confidence", "problem")
PLACE = "thanosql_place"
TYPES = ("integer", "integer", "double precision", "double precision", "text", "double precision", "text")


@dataclass(frozen=True, kw_only=True)
class SegmentOptions:
    """The table of segments; PREDICT and ALIGN take them."""

    segments_table: str | None = option(
        None,
        "the table that takes a row for each segment, cut at pauses: row_key, audio_col, channel, position, start, end, text, "
        "confidence and problem; it goes into any statement with start_col='start', end_col='end', channel_col='channel'",
        kind="table",
        changes_result=False,
    )
    min_pause: float = option(
        0.3, "seconds between two words that belong to different segments", low=0.0, high=60.0, changes_result=False
    )
    segment_seconds: float = option(
        15.0,
        "longest segment: a longer one is cut at its longest pauses",
        low=0.5,
        high=3600.0,
        changes_result=False,
    )


@dataclass(frozen=True)
class SegmentsTable(SideTable):
    """A row for each segment, in the order of rows and time. `audio` says which part of which recording a row is, and
    `keeps_audio` whether the recording stands in the table: it does unless the rows hold the files themselves."""

    option = "segments_table"
    unit = "segment"

    audio: AudioColumns
    min_pause: float
    longest: float

    @property
    def keeps_audio(self) -> bool:
        return not self.audio.raw

    def rows(self, snapshot: Snapshot, probed: ProbedRows, environment: Environment) -> Snapshot:
        database = environment.database
        numbered = f"SELECT *, row_number() OVER (ORDER BY ctid) AS {PLACE} FROM {{}}"
        result = snapshot.into_temporary()
        try:
            words = SQL.of(f"SELECT {quoted(self.words)}::text AS words FROM {result} ORDER BY ctid")
            columns = [Column(PLACE, "bigint"), *(Column(*one) for one in zip(COLUMNS, TYPES, strict=True))]
            with database.snapshot(words) as said:
                cut = database.temporary(columns, self._cut(snapshot, said, probed))
            try:
                taken = [self.key.name, *([self.audio.name] if self.keeps_audio else [])]
                named = ", ".join(
                    [
                        *(f"r.{quoted(name)}" for name in dict.fromkeys(taken)),
                        *(f"c.{quoted(name)}" for name in COLUMNS),
                    ]
                )
                joined = (
                    f"SELECT {named} FROM {cut} c JOIN ({numbered.format(result)}) r USING ({PLACE})"
                    f" ORDER BY {PLACE}, c.position"
                )
                return environment.resources.enter_context(database.snapshot(SQL.of(joined)))
            finally:
                database.drop_temporary(cut)
        finally:
            database.drop_temporary(result)

    def _cut(self, snapshot: Snapshot, words: Snapshot, probed: ProbedRows) -> Iterator[tuple[Any, ...]]:
        """(number of the row, and what stands in COLUMNS) of every segment."""
        from thanosql.models.ctc import segments

        (column,) = words.columns
        for (row, audio), (_, said) in zip(self.audio.stream(snapshot), words.stream(column), strict=True):
            if said is None or audio is None:
                continue  # nothing was recognized in it, which the result says
            part = AudioPart.of(audio)
            found = segments.cut(
                list(_words(json.loads(said), part.start)),
                begin=part.start,
                end=part.start + probed.seconds[row - 1],
                min_pause=self.min_pause,
                longest=self.longest,
            )
            for position, one in enumerate(found, start=1):
                yield row, part.channel, position, one.start, one.end, one.text, one.confidence, one.problem


def _words(said: Sequence[Mapping[str, Any]], begin: float) -> Iterator[segments.Word]:
    """Words of the result column; one that has no time of its own stands behind the one before it."""
    from thanosql.models.ctc import segments

    at = begin
    for word in said:
        start, end = (at if word.get(name) is None else float(word[name]) for name in ("start", "end"))
        yield segments.Word(word["word"], start, max(start, end), word.get("confidence") or 0.0, word.get("problem"))
        at = max(start, end)
