"""GET THANOSQL DATASET and MODEL: a name in, its files in the workspace or the store out.

GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)
GET THANOSQL MODEL Wav2Vec2En OPTIONS (model_name='my_base')
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Option, Statement, Word
from thanosql.engine.lifecycle.interruption import Left
from thanosql.engine.planner import Environment, Plan, located, plan
from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError, did_you_mean
from thanosql.models.card import imported_card
from thanosql.models.options import option


@dataclass(frozen=True, slots=True)
class GetDataset(Statement):
    syntax = StatementSyntax(
        "GET THANOSQL DATASET name [OPTIONS (…)]",
        names={"name": "data set"},
        options=lambda: (GetDatasetOptions,),
        gives="A status. The data set is copied to `thanosql-dataset/NAME/` in the workspace, where `COPY` and the "
        "paths in its rows find it from any working folder.",
    )

    name: Word
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class GetModel(Statement):
    syntax = StatementSyntax(
        "GET THANOSQL MODEL name [OPTIONS (…)]",
        names={"name": "base"},
        options=lambda: (GetModelOptions,),
        gives="A status. The base's files are copied into the store under a name of your choice, and do not change "
        "when the hub does.",
    )

    name: Word
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class GetDatasetOptions:
    overwrite: bool = option(False, "copy the data set again if the workspace has it already")


@dataclass(frozen=True)
class GetDatasetPlan(Plan):
    name: str
    options: GetDatasetOptions


@plan.register
def plan_get_dataset(statement: GetDataset, environment: Environment) -> GetDatasetPlan:
    from thanosql.models.datasets import DATASETS

    (options,) = environment.bind("GET THANOSQL DATASET", statement.options, GetDatasetOptions)
    name = statement.name.text
    if name not in DATASETS:
        raise ThanoSQLDataError(
            f"There is no data set {name}.",
            hint=did_you_mean(name, DATASETS),
            position=environment.position(statement.name.start, len(name)),
        )
    return GetDatasetPlan(name, options)


@run.register
def run_get_dataset(plan: GetDatasetPlan, environment: Environment) -> Result:
    from thanosql.models import datasets

    workspace = environment.settings.workspace
    try:
        folder = datasets.get(
            plan.name, workspace, overwrite=plan.options.overwrite, lock_timeout=environment.settings.lock_timeout
        )
    except OSError as error:
        raise ThanoSQLDataError(f"The data set {plan.name} cannot be put into {workspace}: {error}") from error
    files = sorted(path.name for path in folder.iterdir() if path.suffix == ".csv")
    said = f"{datasets.WORKSPACE_FOLDER}/{plan.name}"
    note = f"{plan.name} is in {folder}"
    if files:
        note += "; COPY reads " + ", ".join(f"'{said}/{name}'" for name in files)
    return Result(status=f"GET THANOSQL DATASET {plan.name}", note=note)


@dataclass(frozen=True, kw_only=True)
class GetModelOptions:
    model_name: str | None = option(None, "the name of the model in the store; NULL: the base's own name")
    overwrite: bool = option(
        False, "replace an existing model of that name; the old one stays in use until the new one is complete"
    )


@dataclass(frozen=True)
class GetModelPlan(Plan):
    base: str
    checkpoint: str
    name: str
    options: GetModelOptions


@plan.register
def plan_get_model(statement: GetModel, environment: Environment) -> GetModelPlan:
    from thanosql.models import registry
    from thanosql.models.bases import BASES

    (options,) = environment.bind("GET THANOSQL MODEL", statement.options, GetModelOptions)
    base = statement.name.text
    with located(environment, statement.name.start, len(base)):
        known = {*BASES, *environment.settings.base_models}
        if base not in known:
            raise ThanoSQLModelError(f"There is no base model {base}.", hint=did_you_mean(base, known))
        name = options.model_name or base
        environment.store.check_new_name(name, overwrite=options.overwrite)
    checkpoint = registry.checkpoint_of(base, environment.settings)
    return GetModelPlan(base, checkpoint, name, options)


@run.register
def run_get_model(plan: GetModelPlan, environment: Environment) -> Result:
    from thanosql.models import registry

    with environment.store.writing(plan.name, overwrite=plan.options.overwrite) as draft:
        family, revision = registry.import_checkpoint(plan.checkpoint, draft.folder)
        card = imported_card(plan.name, family, plan.base, plan.checkpoint, revision, environment.statement)
        model = draft.commit(card)
        environment.left = Left.SAVED
    return Result(status=f"GET THANOSQL MODEL {plan.base}", note=f"{plan.name} is in {model.folder}")
