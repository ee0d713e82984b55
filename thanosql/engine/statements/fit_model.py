"""FIT MODEL: a model of the store and a query in, the model trained further and its report out.

    FIT MODEL my_model USING my_model OPTIONS (overwrite=True) AS SELECT * FROM new_calls

It is BUILD, starting from a model (a base will do too).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from thanosql.engine.language.resuming import resuming_options
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Option, Query, Statement, Word
from thanosql.engine.planner import Environment, plan, resolve_model
from thanosql.engine.rows.bound_statement import BoundStatement, bind_statement
from thanosql.engine.statements.build_model import BuildOptions, TrainPlan, bind_training
from thanosql.errors import ThanoSQLOptionError
from thanosql.models.model_report import ModelReport
from thanosql.models.options import TrainOptions, option


@dataclass(frozen=True, slots=True)
class FitModel(Statement):
    syntax = StatementSyntax(
        "FIT MODEL name USING model [OPTIONS (…)] AS query",
        planned=True,
        names={"name": "model"},
        options=lambda: (FitOptions, TrainOptions),
        columns=lambda: [entry.name for entry in fields(ModelReport)],
        view="training",
        gives="The same report as `BUILD MODEL`. The vocabulary stays the model's.",
    )

    name: Word
    model: ModelReference
    options: tuple[Option, ...]
    query: Query


@dataclass(frozen=True, kw_only=True)
class FitOptions(BuildOptions):
    overwrite_if_better: bool = option(
        False, "replace a model of that name only if the new version is better on valid_query (paired p < 0.05)"
    )

    @property
    def replaces(self) -> bool:
        return self.overwrite or self.overwrite_if_better


@bind_statement.register
def bind_fit(statement: FitModel, environment: Environment) -> BoundStatement:
    return bind_training(
        "FIT", statement.name, statement.model, statement.options, statement.query, environment, FitOptions
    )


@plan.register
def plan_fit(statement: FitModel, environment: Environment) -> TrainPlan:
    about = bind_fit(statement, environment)
    name, resuming = statement.name.text, resuming_options(statement.options, environment.source)
    if not about.options.overwrite_if_better:
        return TrainPlan(about, name, resuming=resuming)
    if about.options.valid_query is None:
        raise ThanoSQLOptionError(
            "overwrite_if_better needs rows to compare the versions on.", hint="Give them with valid_query='SELECT …'."
        )
    rival = resolve_model(ModelReference(name), environment) if environment.store.exists(name) else None
    return TrainPlan(about, name, rival, resuming)
