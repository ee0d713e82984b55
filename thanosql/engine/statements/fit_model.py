"""FIT MODEL: a model of the store and a query in, the model trained further and its report out.

    FIT MODEL my_model USING my_model OPTIONS (overwrite=True) AS SELECT * FROM new_calls

It is BUILD, starting from a model (a base will do too) and keeping its vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.planner import Environment, plan
from thanosql.engine.statements.build_model import TrainPlan, plan_training, subject_of_training
from thanosql.engine.subject import Subject, subject
from thanosql.engine.syntax import ModelReference, Option, Query, Statement, Word


@dataclass(frozen=True, slots=True)
class FitModel(Statement):
    """FIT MODEL name USING model [OPTIONS (…)] AS query"""

    name: Word
    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@subject.register
def subject_of_fit(statement: FitModel, environment: Environment) -> Subject:
    return subject_of_training("FIT", statement.name, statement.model, statement.options, statement.query, environment)


@plan.register
def plan_fit(statement: FitModel, environment: Environment) -> TrainPlan:
    return plan_training(subject_of_fit(statement, environment), statement.name.text, environment)
