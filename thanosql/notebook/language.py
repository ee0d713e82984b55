"""The words of a statement in, its options and its help out; both are read from its class and its file."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from thanosql.engine import statements as _registered  # noqa: F401  # to import them is to know them
from thanosql.engine.language.options import declared_by
from thanosql.engine.language.syntax import STATEMENTS, Statement
from thanosql.engine.language.vocabulary import vocabulary

if TYPE_CHECKING:
    from thanosql.engine.language.options import Declared


def statements_of(words: Sequence[str]) -> list[type[Statement]]:
    """The statements that begin with these words, in capitals: `("GET",)` is two."""
    meant = vocabulary().opened_by(*words)
    return sorted((kind for kind in STATEMENTS.values() if kind.syntax in meant), key=lambda kind: kind.__name__)


def options_of(words: Sequence[str]) -> tuple[Declared, ...]:
    """The options of the statements that begin with these words, each once."""
    kinds = (kind for statement in statements_of(words) if statement.syntax for kind in statement.syntax.options())
    return declared_by(*kinds)


def example_of(statement: type[Statement]) -> str:
    """The docstring of a statement's file: what goes in and comes out, the SQL, and the Python that means the same."""
    return (importlib.import_module(statement.__module__).__doc__ or "").strip()


def default_of(declared: Declared) -> str:
    """An option's default as one writes it."""
    value = declared.default
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value) if not isinstance(value, float) else f"{value:g}"
