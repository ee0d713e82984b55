"""A statement's small table: rows → a DataFrame of its columns' types, and that → a temporary table where it is nested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from thanosql.engine.planner import Environment
from thanosql.engine.postgres.naming import Column

if TYPE_CHECKING:
    import pandas as pd


def frame_of_rows(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Rows as a DataFrame; whole numbers stay whole numbers beside NULLs (Int64)."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=[column.name for column in columns])
    whole = {column.name: "Int64" for column in columns if column.type == "bigint"}
    return frame.astype(whole)


def temporary_rows(columns: Sequence[Column], frame: pd.DataFrame, environment: Environment) -> str:
    """A temporary table of a statement's rows, its columns of the types that its plan said; its name, quoted."""
    from thanosql.engine.postgres.frame_tables import values_of

    return environment.database.temporary(columns, values_of(frame, columns))
