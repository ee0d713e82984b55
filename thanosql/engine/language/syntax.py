"""The parts that statements are made of: what was said, and where in the source it stands.

Offsets are 0-based characters of the source; they never count when two trees are compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias


class Statement:
    """One thing said. Each subclass is a frozen dataclass in `statements/`, named after its grammar rule."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Word:
    """A name as its reader understands it (quotes taken off, letters as written)."""

    text: str
    start: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ModelReference:
    """What stands behind USING: a name, or in quotes a folder or hub id (`literal`)."""

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
class Nested:
    """A statement in parentheses where a sub-select stands, the parentheses included.

    `scope` is the WITH list that its query sees, as SQL ready to stand before it (empty when there is none).
    """

    statement: Statement
    scope: Query
    start: int = field(default=0, compare=False)


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
