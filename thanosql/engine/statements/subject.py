"""The statement behind EXPLAIN or CHECK in; its model, options, rows and columns, looked up as it would itself, out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING

from thanosql.engine.options import bind
from thanosql.engine.planner import Environment, located, render, resolve_model
from thanosql.engine.preflight import refuse_empty, refuse_unfit
from thanosql.engine.statements.build_model import BuildModel, BuildOptions
from thanosql.engine.statements.evaluate import Evaluate, EvaluateOptions
from thanosql.engine.statements.fit_model import FitModel
from thanosql.engine.statements.predict import Predict, PredictOptions
from thanosql.engine.syntax import ModelReference, Option, Query, Statement, Word
from thanosql.models.base import TrainOptions, TranscribeOptions

if TYPE_CHECKING:
    from thanosql.engine.database import Column, Snapshot
    from thanosql.models.registry import Model


@dataclass(frozen=True)
class Subject:
    """`kind` is BUILD, FIT, PREDICT or EVALUATE; `writes` is the model or table that it would make, or replace."""

    kind: str
    model: Model
    how: TrainOptions | TranscribeOptions
    snapshot: Snapshot
    audio: Column
    text: Column | None = None
    writes: str = ""


@singledispatch
def subject(statement: Statement, environment: Environment) -> Subject:
    """Check names, options and columns, and run the query. Raises what the statement itself would raise."""
    raise NotImplementedError(f"{type(statement).__name__} can be neither explained nor checked")


@subject.register
def _build(statement: BuildModel, environment: Environment) -> Subject:
    return _training("BUILD", statement.name, statement.base, statement.options, statement.query, environment)


@subject.register
def _fit(statement: FitModel, environment: Environment) -> Subject:
    return _training("FIT", statement.name, statement.model, statement.options, statement.query, environment)


@subject.register
def _predict(statement: Predict, environment: Environment) -> Subject:
    model = resolve_model(statement.model, environment)
    options, how = bind(
        statement.options,
        PredictOptions,
        TranscribeOptions,
        source=environment.source,
        statement="PREDICT",
        params=environment.params,
    )
    snapshot, audio = _rows(statement.query, options.audio_col, environment)
    writes = ""
    if options.table_name is not None:
        target = snapshot.check_target(options.table_name)
        writes = f"table {target} ({'made' if target.oid is None else 'replaced'})"
    return Subject("PREDICT", model, how, snapshot, audio, None, writes)


@subject.register
def _evaluate(statement: Evaluate, environment: Environment) -> Subject:
    model = resolve_model(statement.model, environment)
    options, how = bind(
        statement.options,
        EvaluateOptions,
        TranscribeOptions,
        source=environment.source,
        statement="EVALUATE",
        params=environment.params,
    )
    snapshot, audio = _rows(statement.query, options.audio_col, environment)
    return Subject("EVALUATE", model, how, snapshot, audio, snapshot.column(options.text_col, option="text_col"))


def _training(
    kind: str, name: Word, reference: ModelReference, given: tuple[Option, ...], query: Query, environment: Environment
) -> Subject:
    from thanosql.models import registry

    model = resolve_model(reference, environment)
    options, how = bind(
        given,
        BuildOptions,
        TrainOptions,
        source=environment.source,
        statement=kind,
        params=environment.params,
        defaults=registry.train_defaults(model),
    )
    with located(environment, name.start, len(name.text)):
        registry.check_new_name(name.text, environment.store, overwrite=options.overwrite)
    there = environment.store.exists(name.text)
    snapshot, audio = _rows(query, options.audio_col, environment)
    text = snapshot.column(options.text_col, option="text_col")
    return Subject(kind, model, how, snapshot, audio, text, f"model {name.text} ({'replaced' if there else 'made'})")


def _rows(query: Query, audio_col: str, environment: Environment) -> tuple[Snapshot, Column]:
    snapshot = environment.resources.enter_context(environment.database.snapshot(render(query, environment)))
    audio = snapshot.column(audio_col, option="audio_col")
    refuse_empty(snapshot)
    refuse_unfit(audio)
    return snapshot, audio
