"""The parts that statements are made of: what was said, and where in the source it stands.

Offsets are 0-based characters of the source; they never count when two trees are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, TypeAlias

from thanosql.engine.language.statement_syntax import StatementSyntax

STATEMENTS: dict[str, type[Statement]] = {}  # by grammar rule; filled as the classes are made


class Statement:
    """One thing said. Each subclass is a frozen dataclass in `statements/`, named after its grammar rule.

    Its fields are the parts of the rule, in their order, and `syntax` says all that is to be known of it. Plain SQL has
    none: it is what no statement of ours is.
    """

    __slots__ = ()
    syntax: ClassVar[StatementSyntax | None] = None

    def __init_subclass__(cls) -> None:
        # A dataclass with slots is made twice; the second is the one.
        STATEMENTS[rule_of(cls)] = cls
        if cls.__doc__ is None and cls.syntax is not None:
            cls.__doc__ = "\n".join(cls.syntax.lines)

    @classmethod
    def of(cls, *parts: Any) -> Statement:
        """The statement that the parts of its grammar rule make."""
        return cls(*parts)


def rule_of(kind: type[Statement]) -> str:
    """The name of a statement's grammar rule: its class's, in small letters with underscores."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


@dataclass(frozen=True, slots=True)
class Word:
    """A name as its reader understands it (quotes taken off, letters as written)."""

    text: str
    start: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ModelReference:
    """What follows USING: a name, or in quotes a folder or hub id (`literal`)."""

    text: str
    literal: bool = False
    start: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Literal:
    """A text in single quotes, as it is meant (`''` is one quote)."""

    text: str
    start: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`:name`, bound by the driver."""

    name: str
    start: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """SQL as written. `start` is None for text of ours that stands nowhere in the source."""

    sql: str
    start: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class WithEntry:
    """One query of a WITH list, from `start` to `end` in the source; `query` gives its rows, by itself."""

    name: str
    query: Query
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Nested:
    """A statement in parentheses where a sub-select stands, the parentheses included.

    `scope` is the WITH list that its query reads, as SQL ready to stand before it (empty when there is none); `reads` has
    the queries of that list one by one, each after those that it reads itself.
    """

    statement: Statement
    scope: Query
    start: int = field(default=0, compare=False)
    reads: tuple[WithEntry, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """A query, or any other SQL, in its parts and in their order."""

    parts: tuple[Text | Parameter | Nested, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def start(self) -> int:
        first = next((part.start for part in self.parts if part.start is not None), None)
        return first or 0


OptionValue: TypeAlias = "str | int | float | bool | None | Word | Parameter | tuple[OptionValue, ...]"


@dataclass(frozen=True, slots=True)
class Option:
    """`name = value`, not yet checked."""

    name: str
    value: OptionValue
    start: int = field(default=0, compare=False)
    value_start: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Bound:
    """A parameter's value on its way to the driver."""

    value: Any
    start: int | None = None


@dataclass(frozen=True, slots=True)
class SQL:
    """SQL ready for the database: text and values in order, and the source that its offsets point into."""

    pieces: tuple[Text | Bound, ...]
    source: str = ""

    @classmethod
    def of(cls, *pieces: str | SQL) -> SQL:
        """Our own text and rendered queries put together.

        >>> SQL.of("SELECT count(*) FROM (", SQL((Text("TABLE t", 0),), "TABLE t"), ") q").plain
        'SELECT count(*) FROM (TABLE t) q'
        """
        joined: list[Text | Bound] = []
        source = ""
        for piece in pieces:
            if isinstance(piece, SQL):
                joined.extend(piece.pieces)
                source = source or piece.source
            else:
                joined.append(Text(piece))
        return cls(tuple(joined), source)

    @property
    def plain(self) -> str:
        """The text with `?` for each value: for messages and lineage, never for a driver."""
        return "".join(piece.sql if isinstance(piece, Text) else "?" for piece in self.pieces)


def nested_statements(query: Query) -> Iterable[Nested]:
    """The nested statements of a query, in their order, outermost level only."""
    return (part for part in query.parts if isinstance(part, Nested))


def query_of(statement: Statement) -> Query:
    """The query of a statement; an empty one where it has none."""
    name = _field(type(statement), Query)  # type: ignore[arg-type]  # mypy asks an instance for its hash
    return getattr(statement, name) if name else _NO_QUERY


def planned_in(statement: Statement) -> Statement | None:
    """The statement that EXPLAIN or CHECK stands before; None for any other."""
    name = _field(type(statement), Statement)  # type: ignore[arg-type]  # as above
    return getattr(statement, name) if name else None


def options_of(statement: Statement) -> tuple[Option, ...]:
    """The options that stand in a statement's head."""
    given: tuple[Option, ...] = getattr(statement, "options", ())
    return given


def references(statement: Statement) -> Iterator[Word | ModelReference | Literal]:
    """The names and paths in the heads of a statement and of those in it."""
    for one in walk(statement):
        for entry in fields(one):  # type: ignore[arg-type]
            part = getattr(one, entry.name)
            if isinstance(part, Word | ModelReference | Literal):
                yield part


def with_part(statement: Statement, part: object, other: object) -> Statement:
    """The statement with another part in the place of one."""
    changed = {entry.name: other for entry in fields(statement) if getattr(statement, entry.name) is part}  # type: ignore[arg-type]
    return replace(statement, **changed)  # type: ignore[type-var]


def walk(statement: Statement) -> Iterator[Statement]:
    """The statement and all those in it, each once: what EXPLAIN stands before, what its query and its WITH list hold."""
    seen: set[int] = set()

    def those(one: Statement) -> Iterator[Statement]:
        if id(one) in seen:
            return
        seen.add(id(one))
        yield one
        inner = planned_in(one)
        if inner is not None:
            yield from those(inner)
        yield from within(query_of(one))

    def within(query: Query) -> Iterator[Statement]:
        for nested in nested_statements(query):
            yield from within(nested.scope)
            yield from those(nested.statement)

    return those(statement)


_NO_QUERY = Query()


@cache
def _field(kind: type[Any], of: type[Any]) -> str:
    """The name of the field that has a part of this type; "" where none has."""
    return next((entry.name for entry in fields(kind) if entry.type in (of, of.__name__)), "")
