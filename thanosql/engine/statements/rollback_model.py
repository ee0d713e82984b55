"""ROLLBACK MODEL and LIST MODEL VERSIONS: a name in, an earlier version in its place, or what versions there are, out.

ROLLBACK MODEL my_model
ROLLBACK MODEL my_model TO 2
LIST MODEL VERSIONS my_model
"""

from __future__ import annotations

from dataclasses import dataclass

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement, Word
from thanosql.engine.planner import Environment, Plan, RowsPlan, located, materialize, plan
from thanosql.engine.postgres.naming import Column
from thanosql.engine.postgres.small_table import SmallTable
from thanosql.engine.statements.rows import temporary_rows
from thanosql.errors import ThanoSQLModelError
from thanosql.models.card import figures
from thanosql.models.stored_names import require_stored

VERSION_COLUMNS = (
    Column("version", "bigint"),
    Column("current", "boolean"),
    Column("rows", "bigint"),
    Column("hours", "double precision"),
    Column("wer", "double precision"),
    Column("created", "timestamp with time zone"),
    Column("statement", "text"),
)


@dataclass(frozen=True, slots=True)
class RollbackModel(Statement):
    syntax = StatementSyntax(
        "ROLLBACK MODEL name [TO version]",
        names={"name": "model"},
        also=("VERSION",),
        gives="A status. Without a version, the one before the current one becomes current. The newest three versions "
        "are kept.",
    )

    name: Word
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ListVersions(Statement):
    syntax = StatementSyntax(
        "LIST MODEL VERSIONS name",
        nests=True,
        names={"name": "model"},
        also=("MODELS",),
        view="whole",
        columns=lambda: ("version", "current", "rows", "hours", "wer", "created", "statement"),
        gives="A row for each saved version of a model.",
    )

    name: Word


@dataclass(frozen=True)
class RollbackPlan(Plan):
    name: str
    current: int | None  # none where what names it is lost
    version: int


@dataclass(frozen=True)
class VersionsPlan(RowsPlan):
    name: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return VERSION_COLUMNS


@plan.register
def plan_rollback(statement: RollbackModel, environment: Environment) -> RollbackPlan:
    name = statement.name.text
    with located(environment, statement.name.start, len(name)):
        require_stored(name, environment.store)
        versions = environment.store.versions(name)
        try:
            current = environment.store.get(name).version
        except ThanoSQLModelError:
            if statement.version not in versions:
                raise
            return RollbackPlan(name, None, statement.version)
        earlier = [version for version in versions if version < current]
        version = statement.version if statement.version is not None else max(earlier, default=None)
        if version is None or version not in versions or version == current:
            listed = ", ".join(str(one) for one in versions)
            wanted = "no version before it" if version is None else f"no other version {version}"
            raise ThanoSQLModelError(
                f"The model {name} is at version {current}, and there is {wanted}.",
                hint=f"The saved versions: {listed}.",
            )
    return RollbackPlan(name, current, version)


@run.register
def run_rollback(plan: RollbackPlan, environment: Environment) -> Result:
    model = environment.store.roll_back(plan.name, plan.version)
    return Result(
        status=f"ROLLBACK MODEL {plan.name}",
        note=f"{plan.name} is at version {model.version}; "
        + (f"it was at {plan.current}." if plan.current is not None else "it was damaged."),
    )


@plan.register
def plan_versions(statement: ListVersions, environment: Environment) -> VersionsPlan:
    name = statement.name.text
    with located(environment, statement.name.start, len(name)):
        require_stored(name, environment.store)
        return VersionsPlan(environment.store.get(name).name)


@run.register
def run_versions(plan: VersionsPlan, environment: Environment) -> Result:
    current = environment.store.get(plan.name).version
    rows: list[tuple[object, ...]] = []
    for version in environment.store.versions(plan.name):
        try:
            card = environment.store.get(plan.name, version).card
        except ThanoSQLModelError as error:
            rows.append((version, version == current, None, None, None, None, error.message))
            continue
        rows.append((version, version == current, *figures(card), card.get("statement")))
    return Result(status=f"LIST {len(rows)}", table=SmallTable.of(VERSION_COLUMNS, rows))


@materialize.register
def materialize_versions(plan: VersionsPlan, environment: Environment) -> str:
    frame = run_versions(plan, environment).rows
    assert frame is not None
    return temporary_rows(VERSION_COLUMNS, frame, environment)
