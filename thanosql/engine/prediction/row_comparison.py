"""Rows of a query, each beside what the table says of where its result is from, in; those to recognize, and why, out.

The server proves of most rows that model, options and reference are as they were. So of these the size and the time of
change of their file alone are asked for here: a row costs the system's answer about its file, and little more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from thanosql.engine.postgres.audio_columns import AudioColumns
from thanosql.engine.postgres.naming import literal, quoted
from thanosql.engine.prediction.provenance import NOWHERE, Provenance
from thanosql.models.audio.origins import DIGITS, AudioOrigins, digest

CURRENT, UNHEARD = "current", "without its audio"
NEW, CHANGED = "new", "with other audio"
OUTDATED, INCOMPLETE = "by another model or other options", "without a result or its origin"
PROVEN = "$"  # stands behind what is left of an origin of which the server has proven the rest


@dataclass(frozen=True)
class Judged:
    """How many rows of each kind there are, and of those to be recognized (number, origin of its new result, whether the
    table lacks it)."""

    counts: Counter[str]
    chosen: list[tuple[int, str, bool]]


@dataclass(frozen=True)
class RowComparison:
    """`keeps`: a row whose recording is not to be found keeps its result even where another model made it, as it would lose
    it (on_error='null')."""

    audio: AudioColumns
    provenance: Provenance
    origins: AudioOrigins
    keeps: bool

    def columns(self, key: str, said: str | None) -> list[str]:
        """SQL of what is to be fetched, over a row `q` of the query and the row `t` of the table with the same `key`.

        `said` is the SQL of what the table says, '' where something is missing; None where there is no table. The columns are
        those of the audio (of bytes their digest alone) and what the table says: where model, options and reference are the
        same, what stands behind the reference's digest, and `PROVEN`; else all of it; NULL where the table lacks the row.
        """
        sound, *part = (f"q.{quoted(column.name)}" for column in self.audio.columns)
        if said is None:
            return [_digest(sound) if self.audio.raw else sound, *part, "NULL"]
        of_sound = _digest(sound if self.audio.raw else f"convert_to({sound}, 'UTF8')")
        proven = f"split_part({said} || '{PROVEN}', {literal(self.provenance.ending)} || {of_sound}, 2)"
        says = f"CASE WHEN t.{quoted(key)} IS NOT NULL THEN coalesce(nullif({proven}, ''), {said}) END"
        return [of_sound if self.audio.raw else sound, *part, says]

    def judge(self, chunk: Sequence[tuple[Any, ...]]) -> Judged:
        """What each row of a chunk of (number, *`columns`) is. Several threads may judge."""
        counts: Counter[str] = Counter()
        chosen = []
        raw, rest = self.audio.raw, chunk
        if not raw:
            quick = self.origins.states_at_once([row[1] for row in chunk])
            rest = [row for row, *_ in self._unlike(chunk, quick)]  # most rows are current
        states = repeat("") if raw else self.origins.states(row[1] for row in rest)
        for row, state, ending in self._unlike(rest, states):
            number, sound, said = row[0], row[1], row[-1]
            heard = None
            if sound is not None and state is not None:
                heard = (
                    (sound if raw else digest(sound.encode(errors="surrogatepass"))) + state + ending[: -len(PROVEN)]
                )
            kind = self._kind(said, heard)
            counts[kind] += 1
            if kind not in (CURRENT, UNHEARD):
                chosen.append((number, self.provenance.of(heard or ""), kind == NEW))
        counts[CURRENT] += len(chunk) - counts.total()
        return Judged(counts, chosen)

    def _unlike(
        self, rows: Sequence[tuple[Any, ...]], states: Iterable[str | None]
    ) -> Iterator[tuple[tuple[Any, ...], str | None, str]]:
        """The rows of which the table does not say what their file's state says, each with that and what stands behind it."""
        parted = self.audio.parted
        ending = PROVEN if parted else self.audio.fragment(()) + PROVEN
        for row, state in zip(rows, states):
            if parted:
                ending = self.audio.fragment(row[2:-1]) + PROVEN
            if state is None or row[-1] != state + ending:
                yield row, state, ending

    def _kind(self, said: str | None, heard: str | None) -> str:
        """What a row is, of what the table says of it, and would say if it were recognized now.

        A recording that is not to be found is no other one: its row keeps its result, unless it was to be recognized anyway
        and the statement fails for such rows.
        """
        if said is None:
            return NEW
        if not said:
            return INCOMPLETE
        by_the_same = said.endswith(PROVEN) or self.provenance.is_of(said)
        if by_the_same and said.endswith(f"{self.provenance.ending}{heard or NOWHERE}"):
            return CURRENT
        if not heard and (self.keeps or by_the_same):
            return UNHEARD
        return CHANGED if by_the_same else OUTDATED


def _digest(content: str) -> str:
    """SQL for what `origins.digest` makes of a bytea."""
    return f"encode(substr(sha256({content}), 1, {DIGITS // 2}), 'hex')"
