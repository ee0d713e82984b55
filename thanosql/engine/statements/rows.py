"""A statement's small table: rows → a DataFrame of its columns' types, and that → a temporary table where it is nested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from thanosql.engine.planner import Environment
from thanosql.engine.postgres.naming import Column

if TYPE_CHECKING:
    import pandas as pd


MOMENT = "datetime64[us, UTC]"
TYPES = {
    **dict.fromkeys(("smallint", "integer", "bigint"), "Int64"),
    **dict.fromkeys(("real", "double precision"), "Float64"),
    "boolean": "boolean",
}


def frame_of_rows(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Rows as a DataFrame, moments among them as ISO has them."""
    import pandas as pd

    return typed(pd.DataFrame(list(rows), columns=[column.name for column in columns]), columns)


def typed(frame: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """The frame with the types that a query's would have, whatever its rows hold: whole numbers stay so beside NULLs."""
    import pandas as pd

    moments = {
        column.name: pd.to_datetime(frame[column.name], utc=True, format="ISO8601", errors="coerce").astype(MOMENT)  # type: ignore[call-overload]
        for column in columns
        if column.type == "timestamp with time zone" and column.name in frame.columns
    }
    known = {
        column.name: TYPES[column.type] for column in columns if column.type in TYPES and column.name in frame.columns
    }
    return frame.assign(**moments).astype(known)


def temporary_rows(columns: Sequence[Column], frame: pd.DataFrame, environment: Environment) -> str:
    """A temporary table of a statement's rows, its columns of the types that its plan said; its name, quoted."""
    from thanosql.engine.postgres.frame_tables import values_of

    return environment.database.temporary(columns, values_of(frame, columns))
