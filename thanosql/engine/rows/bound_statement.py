"""A statement over rows in; its model, options, query and columns, looked up and checked, out.

It is the first half of a plan, and all that EXPLAIN and CHECK need: each of BUILD, FIT, PREDICT, EVALUATE and ALIGN
registers its own in its file. Names and options come first, then the query's columns; nothing is run and no audio read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from thanosql.engine.executors.base import check_name
from thanosql.engine.language.syntax import Query, Statement
from thanosql.engine.planner import Environment, QueryPlan
from thanosql.engine.postgres.audio_columns import AudioColumnOptions, AudioColumns
from thanosql.engine.postgres.naming import Column
from thanosql.engine.rows.query import plan_query
from thanosql.models import precision
from thanosql.models.devices import check_device, expected_device
from thanosql.models.options import TrainOptions, TranscribeOptions

if TYPE_CHECKING:
    from thanosql.engine.postgres.database import Target
    from thanosql.models.model import Model


@dataclass(frozen=True)
class BoundStatement:
    """`kind` is BUILD, FIT, PREDICT, EVALUATE or ALIGN; `options` are the statement's, `how` the family's; `writes` says
    which model or table it would make, or replace; `against` is what EVALUATE compares the model with."""

    kind: str
    model: Model
    options: Any
    how: TrainOptions | TranscribeOptions
    query: QueryPlan
    audio: AudioColumns
    text: Column | None = None
    target: Target | None = None
    writes: str = ""
    against: Model | None = None

    @property
    def tags(self) -> str:
        """What becomes of tags in the texts; a statement without texts has no such option."""
        return str(getattr(self.options, "tags", "keep"))


@singledispatch
def bind_statement(statement: Statement, environment: Environment) -> BoundStatement:
    """Check names, options and columns. Raises what the statement itself would raise."""
    raise NotImplementedError(f"{type(statement).__name__} can be neither explained nor checked")


def plan_rows(query: Query, options: AudioColumnOptions, environment: Environment) -> tuple[QueryPlan, AudioColumns]:
    """The plan of a query for rows of audio, and the columns that say which.

    A column without values in a table of the caller's takes the type that is asked of the column of its name.
    """
    planned = plan_query(query, environment)
    given = {name: table and table.taking(options.types) for name, table in environment.given.items()}
    if given != environment.given:
        environment.given.update(given)
        environment.temporary.beside.pop()
        planned = plan_query(query, environment)
    return planned, AudioColumns.find(planned.columns, options)


def check_where(options: Any, how: TranscribeOptions | TrainOptions, environment: Environment) -> None:
    """Refuse an executor that is not there, named by the option or the setting, and what names no device."""
    check_device(how.device)
    if options.executor is not None:
        check_name(options.executor)
    else:
        check_name(environment.settings.executor, "the setting executor")


def settled(how: TranscribeOptions, model: Model) -> TranscribeOptions:
    """The options with precision='auto' replaced by what it is for this model on this machine."""
    if how.precision != "auto":
        return how
    return replace(how, precision=precision.choose(model.card, expected_device(how.device))[0])


def written(target: Target | None, is_updated: bool = False) -> str:
    """What a target says under EXPLAIN."""
    what = "updated" if is_updated else "replaced"
    return "" if target is None else f"table {target} ({'made' if target.oid is None else what})"
