"""LIST: what there is of a kind, as a table.

LIST MODEL              the store's models
LIST TABLE              the database's tables
LIST THANOSQL MODEL     the base models
LIST THANOSQL DATASET   the tutorial data sets
LIST PREDICTIONS        what is kept of PREDICTs that were not completed
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement
from thanosql.engine.planner import Environment, Plan, materialize, plan
from thanosql.engine.statements.rows import materialize_rows


@dataclass(frozen=True, slots=True)
class List(Statement):
    syntax = StatementSyntax(
        "LIST {MODEL | TABLE | THANOSQL MODEL | THANOSQL DATASET | PREDICTIONS}",
        nests=True,
        also=("MODELS", "TABLES", "DATASETS", "PREDICTION"),
        view="whole",
        gives="A table. `LIST MODEL` gives the models of the store with the WER of their last evaluation; `LIST TABLE` the "
        "tables of the database; `LIST THANOSQL MODEL` the base models; `LIST THANOSQL DATASET` the tutorial data sets; "
        "`LIST PREDICTIONS` what is kept of `PREDICT`s that were not completed. The plural words mean the same.",
    )

    what: str


@dataclass(frozen=True)
class ListPlan(Plan):
    what: str


@plan.register
def plan_list(statement: List, environment: Environment) -> ListPlan:
    return ListPlan(statement.what)


@run.register
def run_list(plan: ListPlan, environment: Environment) -> Result:
    import pandas as pd

    columns, rows = KINDS[plan.what](environment)
    return Result(status=f"LIST {len(rows)}", rows=pd.DataFrame(rows, columns=columns))


Rows = list[tuple[object, ...]]


def _models(environment: Environment) -> tuple[list[str], Rows]:
    columns = ["name", "base", "version", "rows", "hours", "wer", "created"]
    rows: Rows = []
    for name in environment.store.names():
        model = environment.store.get(name)
        evaluations = model.card.get("evaluations") or [{}]
        rows.append(
            (
                name,
                model.card.get("base"),
                model.version,
                model.card.get("rows"),
                model.card.get("audio_hours"),
                evaluations[-1].get("wer"),
                model.card.get("created"),
            )
        )
    return columns, rows


def _tables(environment: Environment) -> tuple[list[str], Rows]:
    tables = environment.database.tables()
    columns = ["schema", "table", "kind", "rows", "bytes", "comment"]
    return columns, [tuple(table) for table in tables]


def _bases(environment: Environment) -> tuple[list[str], Rows]:
    from thanosql.models.registry import BASES, checkpoint_of

    columns = ["name", "checkpoint", "megabytes", "language"]
    return columns, [
        (
            base.name,
            checkpoint_of(base.name, environment.settings),
            base.megabytes,
            base.language,
        )
        for base in BASES.values()
    ]


def _datasets(environment: Environment) -> tuple[list[str], Rows]:
    from thanosql.models.datasets import DATASETS

    folder = environment.settings.workspace / "thanosql-dataset"
    return ["name", "description", "in_workspace"], [
        (dataset.name, dataset.description, (folder / dataset.name).is_dir()) for dataset in DATASETS.values()
    ]


def _predictions(environment: Environment) -> tuple[list[str], Rows]:
    from thanosql.engine.kept import Kept, kept

    return list(Kept._fields), [tuple(one) for one in kept(environment.settings.home)]


KINDS = {
    "MODEL": _models,
    "TABLE": _tables,
    "THANOSQL MODEL": _bases,
    "THANOSQL DATASET": _datasets,
    "PREDICTION": _predictions,
}

materialize.register(List, materialize_rows)
