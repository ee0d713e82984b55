"""Plan → Result: what was planned is done.

`run` is a generic function; each statement's file registers its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, singledispatch
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.statement_syntax import View
from thanosql.engine.planner import Environment, Plan
from thanosql.engine.postgres.small_table import SmallTable

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.audio_columns import AudioColumns


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a statement gives: rows, or a report, or else its status; `note` is said beside it, never instead of it.

    `table` has the rows as they come: a statement of ours may list a few without pandas. `view` is how a notebook shows
    it; the session sets it as the statement's class has it.
    """

    status: str
    table: pd.DataFrame | SmallTable | None = None
    report: Any = None
    note: str = ""
    audio: AudioColumns | None = None
    view: View = ""
    display: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def rows(self) -> pd.DataFrame | None:
        """The rows as a DataFrame."""
        return self.table.frame() if isinstance(self.table, SmallTable) else self.table

    @property
    def value(self) -> Any:
        """What `execute` returns."""
        if self.rows is not None:
            return self.rows
        return self.report if self.report is not None else self.status


@singledispatch
def run(plan: Plan, environment: Environment) -> Result:
    """The result of a plan."""
    raise NotImplementedError(f"nothing runs {type(plan).__name__}")
