"""A task and a bound statement in; the cache that its predictions are saved in, and resumed from, out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thanosql.engine.prediction import cache_key
from thanosql.engine.prediction.language_models import language_identity
from thanosql.models.options import DecodeOptions
from thanosql.models.results import Assessment, Transcript
from thanosql.models.tasks import Output, TranscribeTask

if TYPE_CHECKING:
    from thanosql.engine.planner import Environment
    from thanosql.engine.prediction.cache import PredictionCache
    from thanosql.engine.rows.bound_statement import BoundStatement


def decode_options(options: DecodeOptions) -> DecodeOptions:
    """Those of a statement's options that say how text is decoded, alone: what a task takes along."""
    return DecodeOptions(**{field.name: getattr(options, field.name) for field in dataclasses.fields(DecodeOptions)})


def open_cache(
    task: TranscribeTask, about: BoundStatement, save_seconds: float | None, environment: Environment
) -> PredictionCache[Any] | None:
    """The cache of the statement's predictions, closed when the whole statement is over, this one inside it or not: what
    is complete takes its predictions along, what is not leaves them saved. None where nothing is to be saved."""
    if save_seconds is None:
        return None
    from thanosql.engine.prediction.cache import PredictionCache
    from thanosql.engine.prediction.cache_file import FILE
    from thanosql.models.ctc.decoder import TimedTranscript

    assert task.model is not None
    kinds: dict[Output, type[Any]] = {Output.TRANSCRIPT: Transcript, Output.ASSESSMENT: Assessment}
    cache = PredictionCache(
        environment.settings.home / FILE,
        task.model,
        environment.statement,
        cache_key.cache_key(
            task.model,
            about.options,
            task.options,
            more=[task.output, task.level, language_identity(task.language_model)],
        ),
        list(cache_key.parameter_values(about.query.query, environment)),
        kinds.get(task.output, TimedTranscript),
        task.audio,
        save_seconds,
    )
    environment.resources.push(cache.__exit__)
    return cache
