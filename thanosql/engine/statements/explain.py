"""EXPLAIN: a statement in, its plan as a table out; nothing is loaded and nothing changed.

EXPLAIN PREDICT USING my_model AS SELECT * FROM calls
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql.counting import counted
from thanosql.engine.dispatcher import Result, run
from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.syntax import Statement
from thanosql.engine.planner import Environment, Plan, QueryPlan, plan
from thanosql.engine.rows import estimates, speeds
from thanosql.engine.rows.audio_probe import access_of
from thanosql.engine.rows.bound_statement import BoundStatement, bind_statement, settled
from thanosql.engine.rows.spoken_language import spoken_language
from thanosql.models import measurements, precision
from thanosql.models.devices import expected_device
from thanosql.models.options import TrainOptions
from thanosql.models.tasks import BATCH_SECONDS
from thanosql.models.text import SPOKEN_IN

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from thanosql.engine.executors.base import Workers
    from thanosql.engine.postgres.database import Snapshot
    from thanosql.models.base import Facts

NOTE = "Memory and time are estimates; nothing was loaded or changed."
SLOWER = ": takes {:.1f} times as long as float32 here, since this processor has no products of its own for it"
UNMEASURED = "nothing yet: the first model that is loaded here has its products timed, a part of a second"
SPELLED = " (numbers, money, times, signs and abbreviations in words)"
# Where silence is, headers do not tell; utterances have next to none that is left out.
SILENCE = "; long silence takes less, since the model does not hear it"
RUN = ("runs", "run")
LONG_SECONDS = 30.0
UNKNOWN = "not known before the statement inside the query has run"


@dataclass(frozen=True, slots=True)
class Explain(Statement):
    syntax = StatementSyntax(
        "EXPLAIN statement",
        columns=lambda: ("item", "value"),
        view="whole",
        gives="An item a row: rows, hours of audio, model and its size, device, precision, batches, estimated memory and "
        "time. The query is run READ ONLY and the audio headers are read; no model is loaded. `EXPLAIN` "
        "before any other statement is PostgreSQL's own.",
    )

    statement: Statement


@dataclass(frozen=True)
class ExplainPlan(Plan):
    about: BoundStatement


@plan.register
def plan_explain(statement: Explain, environment: Environment) -> ExplainPlan:
    return ExplainPlan(bind_statement(statement.statement, environment))


@run.register
def run_explain(plan: ExplainPlan, environment: Environment) -> Result:

    import pandas as pd

    frame = pd.DataFrame(list(_items(plan.about, environment)), columns=["item", "value"])
    return Result(status=f"EXPLAIN {plan.about.kind}", table=frame, note=NOTE)


def explain_nested(answer: pd.DataFrame, query: QueryPlan, environment: Environment) -> Result:
    """PostgreSQL's own plan of a query, and after it those of the statements in the query, a line an item."""

    import pandas as pd

    lines = [f"{item}: {value}" for item, value in _nested_items(query, environment)]
    if list(answer.columns) == ["QUERY PLAN"] and str(answer.dtypes.iloc[0]) == "string":
        added = pd.DataFrame({"QUERY PLAN": pd.array(lines, dtype="string")})
        return Result(status="EXPLAIN", table=pd.concat([answer, added], ignore_index=True), note=NOTE)
    return Result(status="EXPLAIN", table=answer, note="\n".join([*lines, NOTE]))


def _items(about: BoundStatement, environment: Environment) -> Iterator[tuple[str, str]]:
    yield "statement", about.kind
    if about.query.recognizes or about.query.awaits:
        yield "rows", UNKNOWN
        yield from _about_model(about, environment)
    else:
        from thanosql.engine.prediction.stale_rows import rows_to_do

        snapshot, stale = rows_to_do(about, environment)
        yield "rows", f"{(snapshot if stale is None else stale.query).rows:,}"
        if stale is not None:
            yield "to recognize", stale.said
            yield "results by", stale.made_by
        yield from _counted(about, snapshot, environment)
    if about.writes:
        yield "writes", about.writes
    yield from _nested_items(about.query, environment)


def _nested_items(query: QueryPlan, environment: Environment) -> Iterator[tuple[str, str]]:
    """The plans of the statements in a query that take a model through audio."""
    for start, inner in query.nested:
        about = getattr(inner, "about", None)
        if inner.recognizes and about is not None:
            yield "inside the query", f"{about.kind} at line {environment.position(start).line}"
            yield from _items(about, environment)


def _about_model(about: BoundStatement, environment: Environment) -> Iterator[tuple[str, str]]:
    from thanosql.models import registry

    known = registry.facts(about.model)
    where = expected_device(about.how.device)
    yield "model", _model(about)
    yield "model size", _size(about, known)
    if said := spoken_language(about.model, about.how):
        yield "language", said
    if normalizer := getattr(about.how, "normalizer", getattr(about.options, "normalizer", None)):
        yield "texts", f"normalizer {normalizer!r}{SPELLED if normalizer in SPOKEN_IN else ''}, tags {about.tags!r}"
    if workers := _workers(about, environment):
        yield "workers", workers.said
    yield "device", f"{where}, on this machine" if workers else where
    yield "precision", _precision(about, where, environment.settings.home)
    if where == "cpu":
        yield (
            "measured here",
            "; ".join(measurements.summary(measurements.kept(environment.settings.home))) or UNMEASURED,
        )


def _counted(about: BoundStatement, snapshot: Snapshot, environment: Environment) -> Iterator[tuple[str, str]]:
    from thanosql.models import registry

    audio = estimates.length(snapshot, about.audio, access_of(about.options, environment))
    yield "hours of audio", f"{audio.total / 3600:.3f} ({audio.said})"
    yield "audio", f"{audio.mean:.1f} s on average, {audio.longest:.1f} s at most, of those read"
    if audio.unreadable:
        yield "cannot be read", f"{audio.unreadable:,} of the {audio.read:,} headers read; CHECK lists them"
    yield from _about_model(about, environment)
    yield from _batches(about, audio)
    known = registry.facts(about.model)
    if known is not None:
        yield from _costs(about, audio, known, environment)


def _workers(about: BoundStatement, environment: Environment) -> Workers | None:
    return environment.executor(about.options.executor).workers(about.how)


def _precision(about: BoundStatement, where: str, home: Path) -> str:
    if about.how.precision != "auto" or isinstance(about.how, TrainOptions):
        faster = precision.speed(about.how.precision, where, measurements.kept(home))
        return f"{about.how.precision}{SLOWER.format(1 / faster) if faster < 1 else ''}"
    if about.kind == "EVALUATE":
        return "float32; and bfloat16, to see which words differ"
    chosen, reason = precision.choose(about.model.card, where)
    return f"{chosen}: {reason}"


def _model(about: BoundStatement) -> str:
    model = about.model
    version = f", version {model.version}" if model.version is not None else ""
    return f"{model.name} (base {model.base}{version})" if model.base != model.name or version else model.name


def _size(about: BoundStatement, known: Facts | None) -> str:
    from thanosql.models.bases import BASES

    if known is not None:
        return f"{known.parameters / 1e6:.1f} million parameters, {estimates.size(known.weight_bytes)} on disk"
    declared = BASES.get(about.model.base)
    size = f", {declared.size}" if declared else ""
    return f"not on this machine yet: {about.model.checkpoint} from the hub{size}"


def _batches(about: BoundStatement, audio: estimates.Length) -> Iterator[tuple[str, str]]:
    batch_size = about.how.batch_size
    if isinstance(about.how, TrainOptions):
        steps = math.ceil(audio.rows / batch_size)
        yield "batches", f"{steps:,} steps of {batch_size} an epoch"
        epochs, trainings = about.how.max_epochs, about.how.trainings
        repeated = f" in each of {trainings} trainings" if trainings > 1 else ""
        yield "epochs", f"{epochs:,}{repeated} ({steps * epochs * trainings:,} steps)"
        return
    yield "batches", f"about {_batch_count(about, audio):,}, of {batch_size} rows or {BATCH_SECONDS:.0f} s at most"


def _batch_count(about: BoundStatement, audio: estimates.Length) -> int:
    return max(math.ceil(audio.rows / about.how.batch_size), math.ceil(audio.total / BATCH_SECONDS), 1)


def _costs(
    about: BoundStatement, audio: estimates.Length, known: Facts, environment: Environment
) -> Iterator[tuple[str, str]]:
    how: Any = about.how
    where, workers = expected_device(how.device), _workers(about, environment)
    if workers is not None and (workers.gpus > 0) != where.startswith("cuda"):
        where = "cuda" if workers.gpus else "cpu"
    forward = known.flops_per_second * audio.total
    if not isinstance(how, TrainOptions):
        memory, parts = estimates.transcription_memory(known, audio)
        precision_ = settled(how, about.model).precision
        kept = speeds.measured(environment.settings.home, about, precision_, where)
        seconds, said = estimates.seconds(
            forward, precision_, where, kept, measurements.kept(environment.settings.home)
        )
        said += SILENCE if audio.longest > LONG_SECONDS else ""
    else:
        memory, parts = estimates.training_memory(known.training_sizes(how), audio, how)
        encoder = known.encoder_share if how.freeze_feature_encoder else 0.0
        # A frozen feature encoder has no backward pass; with augmentation it runs in every epoch.
        passes = encoder + estimates.TRAINING * (1 - encoder)
        # What was measured of a training is its audio's forward passes, whatever else it did.
        kept = speeds.measured(environment.settings.home, about, how.precision, where)
        operations = forward * how.trainings * how.max_epochs * (passes if kept is None else 1)
        seconds, said = estimates.seconds(operations, how.precision, where, kept)
    yield "memory", f"about {estimates.size(memory)}: {parts}"
    if workers is None:
        yield "time", f"{estimates.duration(seconds)}: {said}"
        return
    busy = workers.count if isinstance(how, TrainOptions) else min(workers.count, _batch_count(about, audio))
    shared, cost = estimates.shared(seconds, busy, workers.cpus, workers.gpus)
    yield (
        "time",
        f"{estimates.duration(shared)} once {counted(busy, 'worker', RUN)}, if as fast as this machine: {said}",
    )
    yield "cost", cost
