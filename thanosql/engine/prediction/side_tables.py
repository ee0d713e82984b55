"""The tables that PREDICT and ALIGN write beside their result, of its words and segments: planned, and put in their places
with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted
from thanosql.engine.lifecycle.interruption import Left
from thanosql.engine.planner import Environment
from thanosql.engine.prediction.segments_table import COLUMNS as SEGMENT_COLUMNS
from thanosql.engine.prediction.segments_table import SegmentsTable
from thanosql.engine.prediction.side_table import SideTable, find_key, refuse_own_name
from thanosql.engine.prediction.word_table import COLUMNS as WORD_COLUMNS
from thanosql.engine.prediction.word_table import WordsTable
from thanosql.errors import ThanoSQLDataError, ThanoSQLOptionError

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot, Target
    from thanosql.engine.rows.audio_probe import ProbedRows
    from thanosql.engine.rows.bound_statement import BoundStatement


def plan_tables(
    about: BoundStatement, words: str, environment: Environment, *, updates: bool = False
) -> tuple[SideTable, ...]:
    """The tables that the statement's options name, checked before any work; `words` is the column with the words of its
    result. With `updates` rows of a table are replaced, and not the table.

    Raises ThanoSQLDataError for a key that cannot be one, ThanoSQLOptionError for the same table twice, or for segments of
    what is not words.
    """
    options, columns, audio = about.options, about.query.columns, about.audio
    find = environment.database.target_to_update if updates else environment.database.target
    tables: list[SideTable] = []
    if (name := options.words_table) is not None:
        key = find_key(columns, options.row_key, audio.audio, name, WORD_COLUMNS)
        tables.append(WordsTable(name, find(name), key, words, about.kind == "ALIGN"))
    if (name := options.segments_table) is not None:
        if options.level != "word":
            raise ThanoSQLOptionError(
                f"segments_table is made of words, and timestamps='{options.level}' times none.",
                hint="Say timestamps='word', or leave it out.",
            )
        key = find_key(columns, options.row_key, audio.audio, name, SEGMENT_COLUMNS)
        if not audio.raw:
            refuse_own_name(audio.audio, name, SEGMENT_COLUMNS)
        found = find(name)
        tables.append(SegmentsTable(name, found, key, words, audio, options.min_pause, options.segment_seconds))
    named = [("table_name", about.target), *((table.option, table.target) for table in tables)]
    for (one, first), (other, second) in combinations(named, 2):
        refuse_same_table(first, second, one, other)
    return tuple(tables)


def writes_tables(options: Any) -> bool:
    """Whether the options name a table to write."""
    return any(name is not None for name in (options.table_name, options.words_table, options.segments_table))


def put_in_place(
    snapshot: Snapshot,
    target: Target | None,
    tables: Sequence[SideTable],
    probed: ProbedRows,
    environment: Environment,
) -> str:
    """Replace the result's table and those beside it, all or none; what is to be said of them."""
    changes, said = [], []
    for table in tables:
        rows = table.rows(snapshot, probed, environment)
        changes.append(rows.replacing(table.target))
        said.append(f"; {counted(rows.rows, table.unit)} in table {table.target}")
    if target is not None:
        changes.append(snapshot.replacing(target))
        said.append(f"; in table {target}")
    if changes:
        environment.database.replace(*changes)
        environment.left = Left.SAVED
    return "".join(said)


def refuse_same_table(one: Target | None, other: Target | None, *options: str) -> None:
    """Raise ThanoSQLOptionError where two options name one table: the second would take the first one's place."""
    if one is not None and other is not None and str(one) == str(other):
        raise ThanoSQLOptionError(f"{' and '.join(options)} both name {one}.", hint="Give each a table of its own.")


def refuse_tables_inside(statement: str, target: Target | None, tables: Sequence[SideTable] = ()) -> None:
    """Raise ThanoSQLDataError for a statement inside a query that would write tables."""
    if target is not None or tables:
        given = "table_name" if target is not None else tables[0].option
        raise ThanoSQLDataError(
            f"{'An' if statement[0] in 'AE' else 'A'} {statement} inside a query cannot write a table: it has a {given}.",
            hint="Run it as a statement of its own first.",
        )
