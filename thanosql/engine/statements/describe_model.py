"""DESCRIBE MODEL: a name in, what is known of the model out, a fact a row.

DESCRIBE MODEL my_model
SELECT name, value::jsonb ->> 'loss' AS loss FROM (DESCRIBE MODEL my_model) d WHERE section = 'history'
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import ModelReference, Statement, Word
from thanosql.engine.planner import Environment, RowsPlan, materialize, plan, resolve_model
from thanosql.engine.postgres.naming import Column
from thanosql.engine.postgres.small_table import SmallTable
from thanosql.engine.statements.rows import temporary_rows
from thanosql.errors import ThanoSQLModelError

if TYPE_CHECKING:
    from thanosql.models.model import Model

COLUMNS = (Column("section", "text"), Column("name", "text"), Column("value", "text"))
Fact = tuple[str, str, Any]


@dataclass(frozen=True, slots=True)
class DescribeModel(Statement):
    syntax = StatementSyntax(
        "DESCRIBE MODEL name",
        nests=True,
        names={"name": "model or base"},
        columns=lambda: [column.name for column in COLUMNS],
        view="card",
        gives="One fact per row: what the model is, what its confidence means, its files and vocabulary, its normalizer, the "
        "statement that trained it, options, versions, the history of its training, its evaluations. A base model may be "
        "described too.",
    )

    name: Word


@dataclass(frozen=True)
class DescribePlan(RowsPlan):
    model: Model

    @property
    def columns(self) -> tuple[Column, ...]:
        return COLUMNS


@plan.register
def plan_describe(statement: DescribeModel, environment: Environment) -> DescribePlan:
    reference = ModelReference(statement.name.text, start=statement.name.start)
    return DescribePlan(resolve_model(reference, environment))


@run.register
def run_describe(plan: DescribePlan, environment: Environment) -> Result:
    rows = [(*where, _text(value)) for *where, value in _facts(plan.model, environment)]
    return Result(status=f"DESCRIBE MODEL {plan.model.name}", table=SmallTable.of(COLUMNS, rows))


@materialize.register
def materialize_describe(plan: DescribePlan, environment: Environment) -> str:
    frame = run_describe(plan, environment).rows
    assert frame is not None
    return temporary_rows(COLUMNS, frame, environment)


def _facts(model: Model, environment: Environment) -> Iterator[Fact]:
    from thanosql.models.ctc.calibration import described

    card = model.card
    yield "model", "name", model.name
    yield "model", "kind", "base model" if card is None else "model of the store"
    yield "model", "base", model.base
    yield "model", "family", model.family
    if card is None:
        yield from _base(model, environment)
    else:
        yield "model", "version", model.version
        yield "model", "versions kept", ", ".join(map(str, environment.store.versions(model.name)))
        for name in ("created", "rows", "audio_hours"):
            if card.get(name) is not None:
                yield "model", name, card[name]
    yield "model", "confidence", described(card)
    yield from _files(model)
    if card is not None:
        yield from _lineage(card)


def _base(model: Model, environment: Environment) -> Iterator[Fact]:
    from thanosql.models.bases import BASES
    from thanosql.models.options import TrainOptions
    from thanosql.models.registry import train_defaults

    yield "model", "checkpoint", model.checkpoint
    if declared := BASES.get(model.name):
        yield "model", "size", declared.size
        yield "model", "language", declared.language
        if declared.license is not None:
            yield "model", "license", declared.license
    for field in fields(TrainOptions):
        yield "training defaults", field.name, train_defaults(model).get(field.name, field.default)


def _files(model: Model) -> Iterator[Fact]:
    from thanosql.models import registry

    try:
        known = registry.facts(model)
    except ThanoSQLModelError as error:  # its base is gone, or its files are damaged: what the card says is still there
        yield "files", "problem", error.message
        return
    if known is None:
        yield "files", "folder", "not on this machine yet: the hub is asked when the model is first used"
        return
    yield "files", "folder", known.folder
    yield "files", "weights", f"{known.weight_bytes / 1e6:,.1f} MB"
    yield "architecture", "parameters", f"{known.parameters:,}"
    yield "architecture", "transformer layers", known.layers
    yield "architecture", "hidden size", known.hidden
    if known.vocabulary is not None:
        letters = sorted(known.vocabulary.characters)
        yield "vocabulary", "tokens", len(known.vocabulary.tokens)
        yield "vocabulary", "characters", " ".join("(space)" if letter == " " else letter for letter in letters)
        normalizer = known.normalizer
        for field in fields(normalizer) if normalizer is not None else ():
            yield "normalizer", field.name, getattr(normalizer, field.name)


def _lineage(card: Mapping[str, Any]) -> Iterator[Fact]:
    """What the card says; a card may lack any of it."""
    yield "lineage", "statement", card.get("statement")
    for name, value in _mapping(card.get("from")):
        if value is not None:
            yield "lineage", f"from {name}", value
    for name in ("fingerprint", "hardware"):
        if card.get(name) is not None:
            yield "lineage", name, card[name]
    for name, value in _mapping(card.get("options")):
        yield "options", name, value
    for name, value in _mapping(card.get("texts")):
        yield "texts", name, value
    for name, value in _mapping(card.get("versions")):
        yield "versions", name, value
    for name, value in _mapping(card.get("vocabulary")):
        yield "vocabulary", name, value
    report = dict(_mapping(card.get("report")))
    history, curve = (_list(report.pop(name, None)) for name in ("history", "curve"))
    for name, value in report.items():
        yield "report", name, value
    for number, epoch in enumerate(history, start=1):
        said = dict(_mapping(epoch))
        yield "history", f"epoch {said.pop('epoch', number)}", said
    for number, evaluation in enumerate(card.get("evaluations") or (), start=1):
        yield "evaluations", str(number), evaluation
    for point in curve:
        if isinstance(point, list) and len(point) == 3:
            step, loss, rate = point
            yield "steps", f"step {step}", {"loss": loss, "learning_rate": rate}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Iterator[tuple[str, Any]]:
    return iter(value.items()) if isinstance(value, Mapping) else iter(())


def _text(value: Any) -> str | None:
    """A value as a cell shows it; what has parts is JSON, for a query to take apart.

    >>> _text({"loss": 0.51234567, "seconds": 3.0})
    '{"loss": 0.512346, "seconds": 3}'
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(_rounded(value), ensure_ascii=False) if isinstance(value, Mapping | list | tuple) else str(value)


def _rounded(value: Any) -> Any:
    """A value for JSON, its numbers to six digits; JSON knows neither NaN nor infinity."""
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
