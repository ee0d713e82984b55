"""UPLOAD MODEL: a Hugging Face folder in, a model of the store out.

UPLOAD MODEL my_model OPTIONS (overwrite=True) FROM 'checkpoints/my_model'
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.files.paths import find
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Literal, Option, Parameter, Statement, Word
from thanosql.engine.lifecycle.interruption import Left
from thanosql.engine.planner import Environment, Plan, located, plan
from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files
from thanosql.models.card import imported_card
from thanosql.models.options import option


@dataclass(frozen=True, slots=True)
class UploadModel(Statement):
    syntax = StatementSyntax(
        "UPLOAD MODEL name [OPTIONS (…)] FROM 'path'",
        names={"'path'": ""},
        options=lambda: (UploadOptions,),
        gives="A status. The folder is one that `save_pretrained` writes; its files are checked and copied into the store.",
    )

    name: Word
    options: tuple[Option, ...]
    path: Literal | Parameter


@dataclass(frozen=True, kw_only=True)
class UploadOptions:
    overwrite: bool = option(
        False, "replace an existing model of that name; the old one stays in use until the new one is complete"
    )


@dataclass(frozen=True)
class UploadPlan(Plan):
    name: str
    options: UploadOptions
    folder: Path


@plan.register
def plan_upload(statement: UploadModel, environment: Environment) -> UploadPlan:
    from thanosql.models import registry

    (options,) = environment.bind("UPLOAD MODEL", statement.options, UploadOptions)
    with located(environment, statement.name.start, len(statement.name.text)):
        registry.check_new_name(
            statement.name.text, environment.store, environment.settings, overwrite=options.overwrite
        )
    folder = find(statement.path, environment)
    checkpoint_files.refuse_outside(folder, environment.settings)
    if not (folder / "config.json").is_file():
        what = "has no config.json" if folder.is_dir() else "is a file"
        raise ThanoSQLModelError(
            f"{folder} {what}: UPLOAD MODEL takes the folder of a Hugging Face model.",
            hint="Such a folder holds config.json, vocab.json and model.safetensors, as save_pretrained writes them.",
        )
    return UploadPlan(statement.name.text, options, folder)


@run.register
def run_upload(plan: UploadPlan, environment: Environment) -> Result:
    from thanosql.models import registry

    with environment.store.writing(plan.name, overwrite=plan.options.overwrite) as draft:
        family, _ = registry.import_checkpoint(str(plan.folder), draft.folder)
        card = imported_card(plan.name, family, plan.name, str(plan.folder), None, environment.statement)
        model = draft.commit(card)
        environment.left = Left.SAVED
    return Result(status=f"UPLOAD MODEL {plan.name}", note=f"{plan.name} is in {model.folder}")
