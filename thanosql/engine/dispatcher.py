"""Plan → Result: what was planned is done.

`run` is a generic function; each statement's file registers its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.statement_syntax import View
from thanosql.engine.planner import Environment, Plan

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.audio_columns import AudioColumns


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a statement gives: rows, or a report, or else its status; `note` is said beside it, never instead of it.

    `view` is how a notebook shows it; the session sets it as the statement's class has it.
    """

    status: str
    rows: pd.DataFrame | None = None
    report: Any = None
    note: str = ""
    audio: AudioColumns | None = None
    view: View = ""
    display: dict[str, Any] = field(default_factory=dict)

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
