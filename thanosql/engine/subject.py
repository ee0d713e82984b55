"""A statement over rows in; its model, options, query and columns, looked up and checked, out.

It is the first half of a plan, and all that EXPLAIN and CHECK need: each of BUILD, FIT, PREDICT, EVALUATE and ALIGN
registers its own in its file. Names and options come first, within a second; then the query is run; no audio is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from thanosql.engine import estimates
from thanosql.engine.language.syntax import Query, Statement
from thanosql.engine.planner import Environment, render
from thanosql.engine.preflight import refuse_empty, refuse_unfit
from thanosql.models import precision
from thanosql.models.options import TrainOptions, TranscribeOptions

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Column, Snapshot, Target
    from thanosql.models.registry import Model


@dataclass(frozen=True)
class Subject:
    """`kind` is BUILD, FIT, PREDICT, EVALUATE or ALIGN; `options` are the statement's, `how` the family's; `writes` says
    which model or table it would make, or replace."""

    kind: str
    model: Model
    options: Any
    how: TrainOptions | TranscribeOptions
    snapshot: Snapshot
    audio: Column
    text: Column | None = None
    target: Target | None = None
    writes: str = ""


@singledispatch
def subject(statement: Statement, environment: Environment) -> Subject:
    """Check names, options and columns, and run the query. Raises what the statement itself would raise."""
    raise NotImplementedError(f"{type(statement).__name__} can be neither explained nor checked")


def open_rows(query: Query, audio_col: str, environment: Environment) -> tuple[Snapshot, Column]:
    """The query's rows, open until the statement is over, and the column that holds their audio."""
    snapshot = environment.resources.enter_context(environment.database.snapshot(render(query, environment)))
    audio = snapshot.column(audio_col, option="audio_col")
    refuse_empty(snapshot)
    refuse_unfit(audio)
    return snapshot, audio


def settled(how: TranscribeOptions, model: Model) -> TranscribeOptions:
    """The options with precision='auto' replaced by what it is for this model on this machine."""
    if how.precision != "auto":
        return how
    return replace(how, precision=precision.choose(model.card, estimates.device(how.device))[0])


def written(target: Target | None) -> str:
    """What a target says under EXPLAIN."""
    return "" if target is None else f"table {target} ({'made' if target.oid is None else 'replaced'})"
