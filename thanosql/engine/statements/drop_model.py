"""DROP MODEL and DELETE MODEL: a name in, the model gone, and with it the unfinished training run of that name.

DROP MODEL IF EXISTS my_model
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement, Word
from thanosql.engine.planner import Environment, Plan, located, plan
from thanosql.errors import ThanoSQLModelError
from thanosql.models.stored_names import require_stored


@dataclass(frozen=True, slots=True)
class DropModel(Statement):
    syntax = StatementSyntax(
        ("DROP MODEL [IF EXISTS] name", "DELETE MODEL name"),
        names={"name": "model"},
        gives="A status. The model is removed with all its versions, and so is an unfinished training run of that "
        "name. DROP and DELETE mean the same; with `IF EXISTS` a missing model is no error.",
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

    name, store = statement.name.text, environment.store
    if not statement.if_exists and not store.exists(name) and name not in store.unfinished():
        with located(environment, statement.name.start, len(name)):
            if name in BASES:
                raise ThanoSQLModelError(f"{name} is a base model, which cannot be dropped.")
            require_stored(name, store)
    return DropPlan(name)


@run.register
def run_drop(plan: DropPlan, environment: Environment) -> Result:
    unfinished = plan.name in environment.store.unfinished()
    # Another process may have dropped it since the plan was made: that is what was wanted.
    dropped = environment.store.drop(plan.name, if_exists=True)
    notes = [] if dropped else [f"there was no model {plan.name}"]
    if unfinished:
        notes.append(f"the unfinished training of {plan.name} was removed")
    return Result(status=f"DROP MODEL {plan.name}" if dropped or unfinished else "DROP MODEL", note="; ".join(notes))
