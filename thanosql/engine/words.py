"""Words with their seconds → jsonb beside their row, and a table of a row for each, joinable by a key of the query's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import SQL
from thanosql.engine.planner import Environment
from thanosql.engine.postgres.naming import Column, quoted, too_long
from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot, Target
    from thanosql.models.ctc.timestamps import Timed

LEVELS = ("word", "char", "segment")
COLUMNS = ("position", "word", "start", "end", "confidence")


@dataclass(frozen=True)
class WordsTable:
    """The table to replace, the column of the query that stands beside each word, and the one that holds the words."""

    target: Target
    key: Column
    words: str

    def rows(self, snapshot: Snapshot, environment: Environment) -> Snapshot:
        """A row for each word, in the order of rows and words; open until the statement is over."""
        result = snapshot.into_temporary()
        try:
            taken = SQL.of(
                f"SELECT r.{quoted(self.key.name)}, w.position::integer, w.item->>'word' AS word,"
                " (w.item->>'start')::double precision AS start, (w.item->>'end')::double precision AS \"end\","
                " (w.item->>'confidence')::double precision AS confidence"
                f" FROM (SELECT *, row_number() OVER (ORDER BY ctid) AS place FROM {result}) r,"
                f" jsonb_array_elements(r.{quoted(self.words)}) WITH ORDINALITY w(item, position)"
                " ORDER BY r.place, w.position"
            )
            return environment.resources.enter_context(environment.database.snapshot(taken))
        finally:
            environment.database.drop_temporary(result)


def put_in_place(snapshot: Snapshot, target: Target | None, words: WordsTable | None, environment: Environment) -> str:
    """Replace the result's table and the table of its words, both or neither; what is to be said of them."""
    changes, said = [], []
    if words is not None:
        rows = words.rows(snapshot, environment)
        changes.append(rows.replacing(words.target))
        said.append(f"; {rows.rows:,} words in table {words.target}")
    if target is not None:
        changes.append(snapshot.replacing(target))
        said.append(f"; in table {target}")
    if changes:
        environment.database.replace(*changes)
    return "".join(said)


def plan_words(
    snapshot: Snapshot, table: str, row_key: str | None, audio: Column, words: str, result: Target | None
) -> WordsTable:
    """The table of words, checked before any work; `result` is the table that takes the rows.

    Raises ThanoSQLDataError for a key that cannot be one, ThanoSQLOptionError for the same table twice.
    """
    key = audio if row_key is None else snapshot.column(row_key, option="row_key")
    if key.type == "bytea":
        raise ThanoSQLDataError(
            f"The words in '{table}' need a key, and '{key.name}' holds the audio itself.",
            hint="row_key='name' chooses a column of the query that tells its rows apart.",
        )
    if key.name in COLUMNS:
        raise ThanoSQLDataError(
            f"The key '{key.name}' has the name of another column of '{table}'.",
            hint=f"Its columns are {', '.join(COLUMNS)}: give the key another name in the query.",
        )
    target = snapshot.check_target(table)
    if result is not None and str(target) == str(result):
        raise ThanoSQLOptionError(
            f"table_name and words_table both name {target}.", hint="Give each a table of its own."
        )
    return WordsTable(target, key, words)


def refuse_taken(snapshot: Snapshot, names: Iterable[str]) -> None:
    """Raise ThanoSQLDataError for a name of ours that the query's columns have, or that PostgreSQL would cut off."""
    taken = {column.name for column in snapshot.columns}
    for name in names:
        if name in taken:
            raise ThanoSQLDataError(
                f"The query has a column '{name}', which this statement would add.",
                hint="Leave it out of the query, or choose another result_col.",
            )
        if too_long(name):
            raise ThanoSQLDataError(f"The column name '{name}' is longer than PostgreSQL's 63 bytes.")


def words_json(words: Sequence[Timed]) -> str:
    """Words as the jsonb column takes them; seconds and confidence rounded to thousandths and millionths."""
    return json.dumps(
        [
            {"word": word.text, "start": word.start, "end": word.end, "confidence": round(word.confidence, 6)}
            for word in words
        ],
        ensure_ascii=False,
    )
