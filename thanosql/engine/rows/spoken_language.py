"""A model and the option `language` in; the model set to that language, and what is to be said of it, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from thanosql.engine.language.options import value_position
from thanosql.engine.language.syntax import Option
from thanosql.engine.planner import Environment
from thanosql.errors import ThanoSQLModelError

if TYPE_CHECKING:
    from thanosql.models.model import Model
    from thanosql.models.options import TrainOptions, TranscribeOptions

OPTION = "language"


def in_language(
    model: Model, how: TrainOptions | TranscribeOptions, given: Sequence[Option], environment: Environment
) -> Model:
    """The model set to what the option says, or to its checkpoint's own language where it says nothing.

    Raises ThanoSQLModelError, at the option, for a model without adapters and for a language that it does not have.
    """
    from thanosql.models import model_language

    try:
        return model_language.in_language(model, how.language)
    except ThanoSQLModelError as error:
        named = next((option for option in given if option.name.lower() == OPTION), None)
        if error.position is None and named is not None:
            error.position = value_position(named, environment.source)
        raise


def in_languages(
    models: Sequence[Model], how: TranscribeOptions, given: Sequence[Option], environment: Environment
) -> tuple[Model, ...]:
    """The same of models that are compared: the language is for those that can be set to one, and for one at least."""
    from thanosql.models import model_language

    takers = [how.language is None or model_language.takes_language(model) for model in models]
    if not any(takers):
        takers[0] = True  # which says what is wrong
    plain = replace(how, language=None)
    return tuple(
        in_language(model, how if takes else plain, given, environment)
        for model, takes in zip(models, takers, strict=True)
    )


def language_notes(model: Model, how: TrainOptions | TranscribeOptions) -> Iterator[str]:
    """That the checkpoint's own language holds where none was named: it is one of many, and never taken in silence."""
    if how.language is not None or model.languages < 2:
        return
    said = spoken_language(model, how)
    yield f"language {said}" if said else f"{model.name} is set to none of its {model.languages:,} languages"


def spoken_language(model: Model, how: TrainOptions | TranscribeOptions) -> str:
    """What EXPLAIN says of the language; empty for a model that has one only, and of which nothing was asked.

    >>> from thanosql.models.model import Model
    >>> from thanosql.models.options import TranscribeOptions
    >>> spoken_language(Model("mms", "f", "wav2vec2", "mms", language="eng", languages=1162), TranscribeOptions())
    "eng, which mms is set to; language='…' names another of its 1,162"
    """
    if model.language is None:
        return ""
    if how.language is not None or model.languages < 2:
        return model.language
    return f"{model.language}, which {model.name} is set to; language='…' names another of its {model.languages:,}"
