"""A table that a statement writes beside its result: of the words or segments of its rows, joinable by a key of the query's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from thanosql.engine.planner import Environment
from thanosql.engine.postgres.columns import find_column
from thanosql.engine.postgres.naming import Column
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Snapshot, Target
    from thanosql.engine.rows.audio_probe import ProbedRows


@dataclass(frozen=True)
class SideTable:
    """The table to replace (its name as written), the column of the query that tells whose a row is, and the one that holds
    the words. `option` names the table in the statement, `unit` what a row is."""

    option: ClassVar[str]
    unit: ClassVar[str]

    name: str
    target: Target
    key: Column
    words: str

    def seen_by(self, snapshot: Snapshot) -> Self:
        """The same with the table as it was at the query's moment: it may be what the query reads."""
        return replace(self, target=snapshot.check_target(self.name))

    def rows(self, snapshot: Snapshot, probed: ProbedRows, environment: Environment) -> Snapshot:
        """What the table is to hold, of a snapshot whose words are written; open until the statement is over."""
        raise NotImplementedError


def find_key(columns: Sequence[Column], row_key: str | None, audio: Column, table: str, own: Sequence[str]) -> Column:
    """The key beside the `own` columns of a side table: audio_col where row_key is NULL.

    Raises ThanoSQLDataError for a column that cannot be one.
    """
    key = audio if row_key is None else find_column(columns, row_key, "row_key")
    if key.type == "bytea":
        raise ThanoSQLDataError(
            f"The rows of '{table}' need a key, and '{key.name}' holds the audio itself.",
            hint="Choose a column of the query that identifies its rows: row_key='name'.",
        )
    refuse_own_name(key, table, own)
    return key


def refuse_own_name(column: Column, table: str, own: Sequence[str]) -> None:
    """Raise ThanoSQLDataError for a column of the query with the name of one that the table has anyway."""
    if column.name in own:
        raise ThanoSQLDataError(
            f"The column '{column.name}' has the name of another column of '{table}'.",
            hint=f"Its columns are {', '.join(own)}: give the query's another name.",
        )
