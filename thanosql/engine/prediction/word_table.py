"""Words with their seconds → jsonb beside their row, and a table of a row for each, joinable by a key of the query's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.syntax import SQL
from thanosql.engine.planner import Environment
from thanosql.engine.postgres.naming import Column, fault_of, quoted
from thanosql.engine.prediction.side_table import SideTable
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.engine.rows.audio_probe import ProbedRows
    from thanosql.models.ctc.timestamps import Timed

LEVELS = ("word", "char", "segment")
PROBLEM = "problem"
COLUMNS = ("position", "word", "start", "end", "confidence", PROBLEM)


@dataclass(frozen=True)
class WordsTable(SideTable):
    """A row for each word, in the order of rows and words; with `problems`, what is wrong with it stands beside it."""

    option = "words_table"
    unit = "word"

    problems: bool

    def rows(self, snapshot: Snapshot, probed: ProbedRows, environment: Environment) -> Snapshot:
        result = snapshot.into_temporary()
        try:
            taken = SQL.of(
                f"SELECT r.{quoted(self.key.name)}, w.position::integer, w.item->>'word' AS word,"
                " (w.item->>'start')::double precision AS start, (w.item->>'end')::double precision AS \"end\","
                " (w.item->>'confidence')::double precision AS confidence"
                f"{', w.item->>' + repr(PROBLEM) + ' AS ' + PROBLEM if self.problems else ''}"
                f" FROM (SELECT *, row_number() OVER (ORDER BY ctid) AS place FROM {result}) r,"
                f" jsonb_array_elements(r.{quoted(self.words)}) WITH ORDINALITY w(item, position)"
                " ORDER BY r.place, w.position"
            )
            return environment.resources.enter_context(environment.database.snapshot(taken))
        finally:
            environment.database.drop_temporary(result)


def refuse_taken(columns: Iterable[Column], written: Sequence[Column]) -> None:
    """Raise ThanoSQLDataError for a written column's name that PostgreSQL cannot have, or that the query's columns have:
    the first of them alone may stand in the place of one of those."""
    taken = {column.name for column in columns}
    for place, name in enumerate(column.name for column in written):
        if place and name in taken:
            raise ThanoSQLDataError(
                f"The query has a column '{name}', which this statement would add.",
                hint="Leave it out of the query, or choose another result_col.",
            )
        if (fault := fault_of(name)) is not None:
            raise ThanoSQLDataError(f"The column name {name!r} {fault}.")


def replaced_columns(columns: Iterable[Column], written: Sequence[Column]) -> tuple[Column, ...]:
    """A query's columns with those that are written: one of a name that the query has stands in its place.

    >>> replaced_columns([Column("a", "text"), Column("b", "bytea")], [Column("b", "text"), Column("c", "jsonb")])
    (Column(name='a', type='text'), Column(name='b', type='text'), Column(name='c', type='jsonb'))
    """
    new = {column.name: column for column in written}
    replaced = [new.pop(column.name, column) for column in columns]
    return (*replaced, *new.values())


def words_json(words: Sequence[Timed]) -> str:
    """Words as the jsonb column takes them; seconds and confidence rounded to thousandths and millionths."""
    return json.dumps([_as_json(word) for word in words], ensure_ascii=False)


def _as_json(word: Timed) -> dict[str, Any]:
    said = {"word": word.text, "start": word.start, "end": word.end, "confidence": round(word.confidence, 6)}
    return said if word.problem is None else {**said, "problem": word.problem}
