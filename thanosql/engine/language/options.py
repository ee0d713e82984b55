"""Options: an OPTIONS list and the dataclasses that declare it in, instances of these with their values checked out.

@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    batch_size: int = option(16, "utterances in one batch", low=1, high=4096)

(options,) = bind(statement.options, PredictOptions, source=source, statement="PREDICT", params={})
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import PurePath
from typing import Any

from thanosql.engine.language.foreign_options import option_here, switch_here
from thanosql.engine.language.syntax import Option, Parameter, Word
from thanosql.errors import Position, ThanoSQLOptionError, did_you_mean
from thanosql.imported import imported

_VALUE = re.compile(r"'(?:[^']|'')*+'|[^\s,()]++")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared of one option; `type` and `limits` are words for the user.

    `limits` is "" where the type alone limits; `optional` says that NULL is taken, `switch` that a list may be True or
    False instead, `words` what a number may be instead.
    """

    name: str
    type: str
    default: Any
    limits: str
    help: str
    optional: bool = False
    low: float | None = None
    high: float | None = None
    exclusive_low: bool = False
    choices: tuple[str, ...] | None = None
    kind: str | None = None
    base: Any = field(default=str, repr=False)
    switch: bool = False
    words: tuple[str, ...] = ()


_TYPES = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a string",
    list: "a list of strings",
}


@cache
def describe(kind: type) -> tuple[Declared, ...]:
    """The options that a dataclass declares, in their order."""
    hints = typing.get_type_hints(kind)
    return tuple(_declared(entry, hints[entry.name]) for entry in dataclasses.fields(kind) if entry.init)


def declared_by(*kinds: type) -> tuple[Declared, ...]:
    """The options that several dataclasses declare, each once, in the order of an error's list."""
    found: dict[str, Declared] = {}
    for kind in kinds:
        for entry in describe(kind):
            found.setdefault(entry.name, entry)
    return tuple(found.values())


def bind(
    options: Sequence[Option],
    *kinds: type,
    source: str,
    statement: str,
    params: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> tuple[Any, ...]:
    """An instance of each of `kinds`, its fields from `options`, then `defaults`, then as declared.

    An option that two kinds declare goes to both. Raises ThanoSQLOptionError, with the position of the name or of the
    value, for an option that none declares, one given twice, a value of another type or out of its limits, and a
    parameter that `params` lacks.
    """
    declared = {entry.name: entry for entry in declared_by(*kinds)}
    values = {name: value for name, value in (defaults or {}).items() if name in declared}
    given: set[str] = set()
    for option in options:
        name = option.name.lower()
        where = Position.at(source, option.start, len(option.name))
        if name not in declared:
            known = f"{statement} takes {', '.join(declared)}." if declared else f"{statement} takes no options."
            here = option_here(name, declared)
            meant = f"Did you mean {here}?" if here else did_you_mean(name, declared)
            hint = f"{meant} {known}" if meant and meant.startswith("Did") else known
            raise ThanoSQLOptionError(f"{statement} has no option '{option.name}'.", hint=hint, position=where)
        if name in given:
            raise ThanoSQLOptionError(f"The option '{name}' is given twice.", hint="Keep one of them.", position=where)
        given.add(name)
        values[name] = _checked(declared[name], option, params or {}, value_position(option, source))
    return tuple(
        kind(**{entry.name: values[entry.name] for entry in describe(kind) if entry.name in values}) for kind in kinds
    )


def _declared(entry: dataclasses.Field[Any], hint: Any) -> Declared:
    arms = (
        typing.get_args(hint)
        if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
        else (hint,)
    )
    optional = type(None) in arms
    kinds = [typing.get_origin(arm) or arm for arm in arms if arm is not type(None)]
    about = entry.metadata
    switch = bool in kinds and list in kinds
    words: tuple[str, ...] = about.get("words", ())
    (base,) = [list] if switch else [kind for kind in kinds if kind is not str or not words]
    kind = about.get("kind")
    default = entry.default_factory() if entry.default_factory is not MISSING else entry.default
    return Declared(
        name=entry.name,
        type=(f"a {kind}'s name" + (" or a list of them" if base is list else ""))
        if kind
        else _type(base, switch, words),
        default=default,
        limits=_limits(about),
        help=about.get("help", ""),
        optional=optional,
        low=about.get("low"),
        high=about.get("high"),
        exclusive_low=about.get("exclusive_low", False),
        choices=about.get("choices"),
        kind=kind,
        base=base,
        switch=switch,
        words=words,
    )


def _type(base: Any, switch: bool, words: Sequence[str]) -> str:
    either = [_TYPES[bool], _TYPES[base]] if switch else [_TYPES[base], *(f"'{word}'" for word in words)]
    return ", or ".join(either)


def _limits(about: Mapping[str, Any]) -> str:
    if about.get("choices"):
        return "one of " + ", ".join(f"'{choice}'" for choice in about["choices"])
    low, high = about.get("low"), about.get("high")
    if low is not None and high is not None:
        return (
            f"over {low:.12g} and at most {high:.12g}"
            if about.get("exclusive_low")
            else f"from {low:.12g} to {high:.12g}"
        )
    if low is not None:
        return f"over {low:.12g}" if about.get("exclusive_low") else f"at least {low:.12g}"
    return f"at most {high:.12g}" if high is not None else ""


def value_position(option: Option, source: str) -> Position:
    """Where the value of an option stands."""
    found = _VALUE.match(source, option.value_start)
    return Position.at(source, option.value_start, len(found[0].partition("\n")[0]) if found else 1)


def _checked(declared: Declared, option: Option, params: Mapping[str, Any], where: Position) -> Any:
    given = option.value
    value = _looked_up(given, declared.name, params, where)
    converted = _converted(declared, value)
    if converted is _MISSING:
        expected = declared.type + (" or NULL" if declared.optional else "")
        found = f":{given.name}, which is {_shown(value)}" if isinstance(given, Parameter) else _shown(value)
        raise ThanoSQLOptionError(
            f"The option '{declared.name}' takes {expected}, not {found}.", hint=_cure(declared, value), position=where
        )
    _check_limits(declared, converted, where)
    return converted


def _looked_up(value: Any, name: str, params: Mapping[str, Any], where: Position) -> Any:
    if isinstance(value, tuple):
        return tuple(_looked_up(item, name, params, where) for item in value)
    if not isinstance(value, Parameter):
        return value
    if value.name not in params:
        given = ", ".join(f":{name}" for name in sorted(params)) or "none"
        raise ThanoSQLOptionError(
            f"The parameter :{value.name} of the option '{name}' has no value.",
            hint=f"Parameters given: {given}.",
            position=where,
        )
    found = params[value.name]
    if isinstance(found, list):
        return tuple(found)
    if isinstance(found, PurePath):
        return str(found)
    if isinstance(found, Decimal):
        return float(found)
    pandas = imported("pandas")
    if pandas is not None and (found is pandas.NA or found is pandas.NaT):
        return None
    # NumPy's and pandas' arrays and scalars, told without importing either.
    tolist = getattr(found, "tolist", None)
    if callable(tolist) and getattr(found, "ndim", 0) == 1:
        return tuple(tolist())
    item = getattr(found, "item", None)
    return item() if callable(item) and getattr(found, "ndim", 0) == 0 else found


def _converted(declared: Declared, value: Any) -> Any:
    """The value as the option's type, or _MISSING where it is of another one."""
    if value is None:
        return None if declared.optional else _MISSING
    if declared.switch and isinstance(value, bool):
        return value
    if isinstance(value, str | Word) and str(value).lower() in declared.words:
        return str(value).lower()
    if declared.base is list:
        # One name is a list of one: group_by='speaker'.
        items = value if isinstance(value, tuple) else (value,)
        texts = [str(item) for item in items if isinstance(item, str | Word)]
        return texts if len(texts) == len(items) else _MISSING
    if declared.base is str:
        if not isinstance(value, str | Word):
            return _MISSING
        return _MISSING if declared.kind and not str(value).strip() else str(value)
    if declared.base is bool:
        return value if isinstance(value, bool) else _MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _MISSING
    if declared.base is float:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value if isinstance(value, int) else _MISSING


def _check_limits(declared: Declared, value: Any, where: Position) -> None:
    if value is None or (declared.switch and isinstance(value, bool)) or value in declared.words:
        return
    if declared.choices is not None:
        for item in value if isinstance(value, list) else [value]:
            if item not in declared.choices:
                raise ThanoSQLOptionError(
                    f"The option '{declared.name}' cannot be '{item}'.",
                    hint=did_you_mean(item, declared.choices),
                    position=where,
                )
    if declared.base not in (int, float):
        return
    too_low = declared.low is not None and (value <= declared.low if declared.exclusive_low else value < declared.low)
    too_high = declared.high is not None and value > declared.high
    if too_low or too_high or (declared.base is float and not math.isfinite(value)):
        limits = declared.limits or "a finite number"
        raise ThanoSQLOptionError(f"The option '{declared.name}' must be {limits}, not {value}.", position=where)


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Word):
        return f"the name {value.text}"
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, str):
        return f"the string '{value}'"
    if isinstance(value, tuple):
        return "a list"
    return f"a {type(value).__name__}"


def _cure(declared: Declared, value: Any) -> str | None:
    if declared.base is bool and (switch := switch_here(value.text if isinstance(value, Word) else str(value))):
        return f"Write {declared.name}={switch}."
    if declared.base in (int, float, bool) and isinstance(value, str) and not declared.words:
        return "Write it without quotes."
    if declared.base is list:
        return f"Write {declared.name}=['…', '…']."
    if declared.limits:
        return f"It must be {declared.limits}."
    return None
