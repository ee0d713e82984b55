"""A model and the code of a language in, the model set to that language out: nothing is loaded or fetched for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from thanosql.models import checkpoint_files, registry
from thanosql.models.base import Capability
from thanosql.models.bases import BASES
from thanosql.models.ctc.tokenizer_files import one_language

if TYPE_CHECKING:
    from thanosql.models.ctc.languages import Languages
    from thanosql.models.model import Model


def in_language(model: Model, language: str | None) -> Model:
    """The model set to a language, or where None is given to that of its checkpoint.

    Raises ThanoSQLModelError for a model without adapters, and for a language that it does not have. What a hub id that is
    not on this machine has is looked at when it is opened.
    """
    if language is not None:
        registry.require(model, Capability.ADAPTERS, "language")
    found = _languages(model)
    if found is not None and language is not None:
        found.check(language, fetched=checkpoint_files.local(model.checkpoint) is None)
    elif language is not None and not takes_language(model):
        raise one_language(registry.shortened(model.name), language)
    count = 0 if found is None else len(found.codes)
    if language is None:
        return model if found is None else replace(model, language=found.own, languages=count)
    return replace(model, language=language, languages=count, key=f"{model.key}#{language}")


def takes_language(model: Model) -> bool:
    """Whether a model can be set to a language, as far as it is known: a hub id that is not here may be."""
    if model.family and Capability.ADAPTERS not in registry.family(model.family).capabilities:
        return False
    if checkpoint_files.local_or_cached(model.checkpoint) is not None:
        return _languages(model) is not None
    declared = next((base for base in BASES.values() if base.checkpoint == model.checkpoint), None)
    return declared is None or declared.adapters


def _languages(model: Model) -> Languages | None:
    if checkpoint_files.local_or_cached(model.checkpoint) is None:
        return None
    with registry.reading(model):
        if Capability.ADAPTERS not in registry.family_of(model).capabilities:
            return None
        return registry.adapter_family_of(model).languages(model.checkpoint)
