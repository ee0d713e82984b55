"""DROP MODEL and DELETE MODEL: a name in, the model gone, and with it what an interrupted training of it left.

DROP MODEL IF EXISTS my_model
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement, Word
from thanosql.engine.planner import Environment, Plan, located, plan
from thanosql.errors import ThanoSQLModelError, did_you_mean


@dataclass(frozen=True, slots=True)
class DropModel(Statement):
    syntax = StatementSyntax(
        ("DROP MODEL [IF EXISTS] name", "DELETE MODEL name"),
        names={"name": "model"},
        gives="A status. The two words mean the same; `IF EXISTS` makes an absent model no error.",
    )

    name: Word
    if_exists: bool = False

    @classmethod
    def of(cls, *parts: Any) -> DropModel:
        """IF EXISTS comes before the name."""
        return cls(parts[-1], if_exists=len(parts) == 2)


@dataclass(frozen=True)
class DropPlan(Plan):
    name: str


@plan.register
def plan_drop(statement: DropModel, environment: Environment) -> DropPlan:
    from thanosql.models.bases import BASES

    name = statement.name.text
    if not statement.if_exists and not environment.store.exists(name):
        with located(environment, statement.name.start, len(name)):
            if name in BASES:
                raise ThanoSQLModelError(f"{name} is a base model, which cannot be dropped.")
            raise ThanoSQLModelError(f"There is no model {name}.", hint=did_you_mean(name, environment.store.names()))
    return DropPlan(name)


@run.register
def run_drop(plan: DropPlan, environment: Environment) -> Result:
    # Another process may have dropped it since the plan was made: that is what was wanted.
    if environment.store.drop(plan.name, if_exists=True):
        return Result(status=f"DROP MODEL {plan.name}")
    return Result(status="DROP MODEL", note=f"there was no model {plan.name}")
