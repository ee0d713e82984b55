"""LIST: what there is of a kind, as a table.

LIST MODEL              the store's models
LIST TABLE              the database's tables
LIST THANOSQL MODEL     the base models
LIST THANOSQL DATASET   the tutorial data sets
LIST PREDICTIONS        the saved predictions of interrupted statements
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement
from thanosql.engine.planner import Environment, RowsPlan, materialize, plan
from thanosql.engine.postgres.naming import Column
from thanosql.engine.postgres.small_table import SmallTable
from thanosql.engine.statements.rows import temporary_rows
from thanosql.errors import ThanoSQLModelError
from thanosql.models.card import figures
from thanosql.models.store import TRAININGS
from thanosql.models.training.resume import interrupted

if TYPE_CHECKING:
    from thanosql.models.store import Store


@dataclass(frozen=True, slots=True)
class List(Statement):
    syntax = StatementSyntax(
        "LIST {MODEL | TABLE | THANOSQL MODEL | THANOSQL DATASET | PREDICTIONS}",
        nests=True,
        also=("MODELS", "TABLES", "DATASETS", "PREDICTION"),
        view="whole",
        gives="A table. `LIST MODEL` gives the models of the store with the WER of their last evaluation and their `status` "
        "('ready', an unfinished training of that name, what is damaged); `LIST TABLE` the tables of the database; `LIST "
        "THANOSQL MODEL` the base models; `LIST THANOSQL DATASET` the tutorial data sets; `LIST PREDICTIONS` the saved "
        "predictions of interrupted statements. The plural words mean the same.",
    )

    what: str


@dataclass(frozen=True)
class ListPlan(RowsPlan):
    what: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return COLUMNS[self.what]


@plan.register
def plan_list(statement: List, environment: Environment) -> ListPlan:
    return ListPlan(statement.what)


@run.register
def run_list(plan: ListPlan, environment: Environment) -> Result:
    rows = KINDS[plan.what](environment)
    return Result(status=f"LIST {len(rows)}", table=SmallTable.of(plan.columns, rows))


@materialize.register
def materialize_list(plan: ListPlan, environment: Environment) -> str:
    frame = run_list(plan, environment).rows
    assert frame is not None
    return temporary_rows(plan.columns, frame, environment)


Rows = list[tuple[object, ...]]


def _models(environment: Environment) -> Rows:
    """A row for each name that has a model, an unfinished training, or both; a damaged model hides no other."""
    names = sorted({*environment.store.names(), *environment.store.unfinished()})
    return [row for name in names for row in _model(name, environment.store)]


def _model(name: str, store: Store) -> Iterator[tuple[object, ...]]:
    facts: tuple[object, ...] = (None,) * 6
    status = []
    if store.exists(name):
        try:
            model = store.get(name)
            facts = (model.card.get("base"), model.version, *figures(model.card))
            status.append("ready")
        except ThanoSQLModelError as error:
            if store.exists(name):  # and not dropped meanwhile
                status.append(f"{error.message} {error.hint or ''}".rstrip())
    for kind in TRAININGS:
        try:
            if (run := interrupted(store.training_state(name, kind))) is not None:
                status.append(f"unfinished {kind}, {run.step:,} of {run.steps:,} steps")
        except ThanoSQLModelError as error:
            status.append(error.message)
    if status:
        yield (name, *facts, "; ".join(status))


def _tables(environment: Environment) -> Rows:
    return [tuple(table) for table in environment.database.tables()]


def _bases(environment: Environment) -> Rows:
    from thanosql.models.bases import BASES
    from thanosql.models.registry import checkpoint_of

    return [
        (base.name, checkpoint_of(base.name, environment.settings), base.megabytes, base.language, base.license)
        for base in BASES.values()
    ]


def _datasets(environment: Environment) -> Rows:
    from thanosql.models.datasets import DATASETS

    folder = environment.settings.workspace / "thanosql-dataset"
    return [(dataset.name, dataset.description, (folder / dataset.name).is_dir()) for dataset in DATASETS.values()]


def _predictions(environment: Environment) -> Rows:
    from thanosql.engine.prediction.cache_file import saved_predictions

    return [tuple(one) for one in saved_predictions(environment.settings.home)]


KINDS: dict[str, Callable[[Environment], Rows]] = {
    "MODEL": _models,
    "TABLE": _tables,
    "THANOSQL MODEL": _bases,
    "THANOSQL DATASET": _datasets,
    "PREDICTION": _predictions,
}


def _columns(text: str) -> tuple[Column, ...]:
    """Columns written as `name type, name type`."""
    return tuple(Column(*part.strip().split(" ", 1)) for part in text.split(","))


COLUMNS: dict[str, tuple[Column, ...]] = {
    "MODEL": _columns(
        "name text, base text, version bigint, rows bigint, hours double precision, wer double precision, "
        "created timestamp with time zone, status text"
    ),
    "TABLE": _columns("schema text, table text, kind text, rows bigint, bytes bigint, comment text"),
    "THANOSQL MODEL": _columns("name text, checkpoint text, megabytes double precision, language text, license text"),
    "THANOSQL DATASET": _columns("name text, description text, in_workspace boolean"),
    "PREDICTION": _columns(
        "model text, version bigint, utterances bigint, seconds double precision, "
        "begun timestamp with time zone, saved timestamp with time zone, statement text"
    ),
}
