"""Words with their seconds → jsonb beside their row, and a table of a row for each, joinable by a key of the query's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import SQL
from thanosql.engine.planner import Environment
from thanosql.engine.postgres.columns import find_column
from thanosql.engine.postgres.naming import Column, quoted, too_long
from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot, Target
    from thanosql.models.ctc.timestamps import Timed

LEVELS = ("word", "char", "segment")
COLUMNS = ("position", "word", "start", "end", "confidence")


@dataclass(frozen=True)
class WordsTable:
    """The table to replace (its name as written), the column of the query that stands beside each word, and the one that
    holds the words."""

    name: str
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
        environment.saved = True
    return "".join(said)


def plan_words(
    columns: Sequence[Column],
    table: str,
    row_key: str | None,
    audio: Column,
    words: str,
    result: Target | None,
    environment: Environment,
    *,
    updates: bool = False,
) -> WordsTable:
    """The table of words, checked before any work; `columns` are the query's, `result` is the table that takes the rows.
    With `updates` rows of it are replaced, and not the table.

    Raises ThanoSQLDataError for a key that cannot be one, ThanoSQLOptionError for the same table twice.
    """
    key = audio if row_key is None else find_column(columns, row_key, "row_key")
    if key.type == "bytea":
        raise ThanoSQLDataError(
            f"The words in '{table}' need a key, and '{key.name}' holds the audio itself.",
            hint="Choose a column of the query that identifies its rows: row_key='name'.",
        )
    if key.name in COLUMNS:
        raise ThanoSQLDataError(
            f"The key '{key.name}' has the name of another column of '{table}'.",
            hint=f"Its columns are {', '.join(COLUMNS)}: give the key another name in the query.",
        )
    target = environment.database.target_to_update(table) if updates else environment.database.target(table)
    refuse_same_table(result, target, "table_name", "words_table")
    return WordsTable(table, target, key, words)


def refuse_same_table(one: Target | None, other: Target | None, *options: str) -> None:
    """Raise ThanoSQLOptionError where two options name one table: the second would take the first one's place."""
    if one is not None and other is not None and str(one) == str(other):
        raise ThanoSQLOptionError(f"{' and '.join(options)} both name {one}.", hint="Give each a table of its own.")


def refuse_tables_inside(statement: str, target: Target | None, words: WordsTable | None = None) -> None:
    """Raise ThanoSQLDataError for a statement inside a query that would write tables."""
    if target is not None or words is not None:
        given = "table_name" if target is not None else "words_table"
        raise ThanoSQLDataError(
            f"{'An' if statement[0] in 'AE' else 'A'} {statement} inside a query cannot write a table: it has a {given}.",
            hint="Run it as a statement of its own first.",
        )


def refuse_taken(columns: Iterable[Column], names: Iterable[str]) -> None:
    """Raise ThanoSQLDataError for a name of ours that the query's columns have, or that PostgreSQL would cut off."""
    taken = {column.name for column in columns}
    for name in names:
        if name in taken:
            raise ThanoSQLDataError(
                f"The query has a column '{name}', which this statement would add.",
                hint="Leave it out of the query, or choose another result_col.",
            )
        if too_long(name):
            raise ThanoSQLDataError(f"The column name '{name}' is longer than PostgreSQL's 63 bytes.")


def replaced_columns(columns: Iterable[Column], written: Sequence[Column]) -> tuple[Column, ...]:
    """A query's columns with those that are written: one of a name that the query has stands in its place.

    >>> replaced_columns([Column("a", "text"), Column("b", "bytea")], [Column("b", "text"), Column("c", "jsonb")])
    (Column(name='a', type='text'), Column(name='b', type='text'), Column(name='c', type='jsonb'))
    """
    new = {column.name: column for column in written}
    kept = [new.pop(column.name, column) for column in columns]
    return (*kept, *new.values())


def words_json(words: Sequence[Timed]) -> str:
    """Words as the jsonb column takes them; seconds and confidence rounded to thousandths and millionths."""
    return json.dumps(
        [
            {"word": word.text, "start": word.start, "end": word.end, "confidence": round(word.confidence, 6)}
            for word in words
        ],
        ensure_ascii=False,
    )
