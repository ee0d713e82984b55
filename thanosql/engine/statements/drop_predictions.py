"""DROP PREDICTIONS: removes the saved predictions of interrupted statements; LIST PREDICTIONS shows them.

DROP PREDICTIONS
DROP PREDICTIONS my_model
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement, Word
from thanosql.engine.planner import Environment, Plan, located, plan
from thanosql.engine.prediction import cache_file
from thanosql.errors import ThanoSQLModelError, did_you_mean


@dataclass(frozen=True, slots=True)
class DropPredictions(Statement):
    syntax = StatementSyntax(
        "DROP PREDICTIONS [model]",
        names={"model": "model"},
        also=("PREDICTION",),
        gives="A status. Removes the saved predictions of interrupted statements: those of one model, or all.",
    )

    model: Word | None = None


@dataclass(frozen=True)
class DropPredictionsPlan(Plan):
    model: str | None


@plan.register
def plan_drop_predictions(statement: DropPredictions, environment: Environment) -> DropPredictionsPlan:
    if statement.model is None:
        return DropPredictionsPlan(None)
    name = statement.model.text
    known = {one.model for one in cache_file.saved_predictions(environment.settings.home)}
    if name not in known and not environment.store.exists(name):
        with located(environment, statement.model.start, len(name)):
            hint = did_you_mean(name, known) or "There are none of any model: only interrupted statements leave some."
            raise ThanoSQLModelError(f"There are no saved predictions of {name}.", hint=hint)
    return DropPredictionsPlan(name)


@run.register
def run_drop_predictions(plan: DropPredictionsPlan, environment: Environment) -> Result:
    return Result(status=f"DROP PREDICTIONS {cache_file.drop(environment.settings.home, plan.model)}")
