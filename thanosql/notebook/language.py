"""The words of a statement in, its options and its help out; both are read from its class and its file."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from thanosql.engine.language.options import declared_by
from thanosql.engine.language.syntax import Statement
from thanosql.engine.language.vocabulary import vocabulary
from thanosql.engine.statements import statement_classes

if TYPE_CHECKING:
    from thanosql.engine.language.options import Declared
    from thanosql.engine.language.statement_syntax import StatementSyntax


def statements_of(words: Sequence[str]) -> list[type[Statement]]:
    """The statements that begin with these words, in capitals: `("GET",)` is two."""
    meant = {shape.lines for shape in vocabulary().opened_by(*words)}
    return sorted((kind for kind, syntax in syntaxes() if syntax.lines in meant), key=lambda kind: kind.__name__)


def syntaxes() -> Iterator[tuple[type[Statement], StatementSyntax]]:
    """Every statement of ours, and what it says of itself, in the order of their shapes."""
    declared = [(kind, kind.syntax) for kind in statement_classes().values() if kind.syntax is not None]
    return iter(sorted(declared, key=lambda one: one[1].lines))


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
