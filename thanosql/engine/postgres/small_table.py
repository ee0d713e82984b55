"""The few rows that a statement of ours lists in; their values to print, or a DataFrame of the columns' types, out.

pandas takes longer to import than such a statement to run, so the DataFrame is made when somebody asks for it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.naming import Column

MOMENT = "datetime64[us, UTC]"
MOMENT_TYPE = "timestamp with time zone"
TYPES = {
    **dict.fromkeys(("smallint", "integer", "bigint"), "Int64"),
    **dict.fromkeys(("real", "double precision"), "Float64"),
    "boolean": "boolean",
}


@dataclass(frozen=True)
class SmallTable:
    """`rows` as the statement has them: moments are texts as ISO 8601 has them, or None."""

    columns: tuple[Column, ...]
    rows: tuple[Sequence[Any], ...]

    @classmethod
    def of(cls, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> SmallTable:
        return cls(tuple(columns), tuple(rows))

    def __len__(self) -> int:
        return len(self.rows)

    def values(self) -> Iterator[tuple[Any, ...]]:
        """The rows with the values that the DataFrame would have, None for what is missing."""
        kinds = [column.type for column in self.columns]
        return (tuple(map(_value, row, kinds)) for row in self.rows)

    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        return typed(pd.DataFrame(list(self.rows), columns=[column.name for column in self.columns]), self.columns)


def typed(frame: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """The frame with the types that a query's would have, whatever its rows hold: whole numbers stay so beside NULLs."""
    import pandas as pd

    moments = {
        column.name: pd.to_datetime(frame[column.name], utc=True, format="ISO8601", errors="coerce").astype(MOMENT)  # type: ignore[call-overload]
        for column in columns
        if column.type == MOMENT_TYPE and column.name in frame.columns
    }
    known = {
        column.name: TYPES[column.type] for column in columns if column.type in TYPES and column.name in frame.columns
    }
    return frame.assign(**moments).astype(known)


def _value(value: Any, kind: str) -> Any:
    """A value as the DataFrame's column of that type has it."""
    if value is None:
        return None
    if kind == MOMENT_TYPE:
        try:
            moment = datetime.datetime.fromisoformat(value)
        except (TypeError, ValueError):
            return None
        return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    return float(value) if TYPES.get(kind) == "Float64" else value
