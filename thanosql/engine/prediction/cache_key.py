"""A model, options and a query's parameters in; what tells their predictions from any others out; and results as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from thanosql.engine.language.syntax import Nested, Parameter, Query, query_of
from thanosql.engine.parameters.tables import identity
from thanosql.version import __version__

if TYPE_CHECKING:
    from thanosql.engine.planner import Environment
    from thanosql.models.model import Model


def cache_key(model: Model, *options: Any, more: object = None) -> bytes:
    """16 bytes that change with all that a prediction depends on but the audio.

    `options` are instances of dataclasses of options: every field counts that is not declared with
    `changes_result=False`. `more` is what else matters, such as a language model's content.
    """
    counted = [
        [type(given).__name__, entry.name, getattr(given, entry.name)]
        for given in options
        for entry in dataclasses.fields(given)
        if entry.metadata.get("changes_result", True)
    ]
    said = json.dumps([__version__, model.family, model.key, counted, more], ensure_ascii=True, default=repr)
    return digest(said.encode())


def result_fingerprint(family: str, content: str, *options: Any, more: object = None) -> str:
    """16 hexadecimal digits that stand in a table beside a prediction: they change with all that it depends on but the
    audio, on any machine.

    `content` is the model's fingerprint. Unlike in `cache_key`, neither the version of ThanoSQL counts nor an option that
    has its default: rows of last year are not recognized again because an option was added since.
    """
    counted = sorted(
        [entry.name, repr(getattr(given, entry.name))]
        for given in options
        for entry in dataclasses.fields(given)
        if entry.metadata.get("changes_result", True) and getattr(given, entry.name) != default_of(entry)
    )
    said = json.dumps([family, content, counted, more], ensure_ascii=True, default=repr)
    return digest(said.encode())[:8].hex()


def default_of(entry: dataclasses.Field[Any]) -> Any:
    """What an option is when nothing is said."""
    return entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()


def parameter_values(query: Query, environment: Environment) -> Iterator[Any]:
    """The values of the parameters in a query, those of statements nested in it too."""
    for part in query.parts:
        if isinstance(part, Parameter):
            yield identity(environment.parameter(part))
        elif isinstance(part, Nested):
            yield from parameter_values(part.scope, environment)
            yield from parameter_values(query_of(part.statement), environment)


def packed(value: Any) -> Any:
    """A result as JSON has it: a dataclass is the list of its fields.

    >>> from thanosql.models.results import Transcript
    >>> packed(Transcript("one two", 0.5)), unpacked(Transcript, ["one two", 0.5])
    (['one two', 0.5], Transcript(text='one two', confidence=0.5))
    """
    if dataclasses.is_dataclass(value):
        return [packed(getattr(value, entry.name)) for entry in dataclasses.fields(value)]
    return [packed(item) for item in value] if isinstance(value, tuple | list) else value


def unpacked(kind: Any, value: Any) -> Any:
    """What `packed` made a list of."""
    if dataclasses.is_dataclass(kind):
        return kind(*(unpacked(of, item) for of, item in zip(_types(kind), value, strict=True)))  # type: ignore[operator, arg-type]
    if typing.get_origin(kind) is tuple:
        of = typing.get_args(kind)[0]
        return tuple(unpacked(of, item) for item in value)
    return value


@cache
def _types(kind: Any) -> tuple[Any, ...]:
    hints = typing.get_type_hints(kind)
    return tuple(hints[entry.name] for entry in dataclasses.fields(kind))


def digest(*parts: bytes) -> bytes:
    """16 bytes that tell these from any others."""
    made = hashlib.blake2b(digest_size=16)
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()
