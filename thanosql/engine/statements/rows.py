"""A statement's small table: its rows → a temporary table where it is nested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thanosql.engine.planner import Environment
from thanosql.engine.postgres.naming import Column

if TYPE_CHECKING:
    import pandas as pd


def temporary_rows(columns: Sequence[Column], frame: pd.DataFrame, environment: Environment) -> str:
    """A temporary table of a statement's rows, its columns of the types that its plan said; its name, quoted."""
    from thanosql.engine.postgres.dataframe_columns import values_of

    return environment.database.temporary(columns, values_of(frame, columns))
