"""What a statement says of itself, once: parser, messages, completion, colours, help and reference take it from here.

class Predict(Statement):
    syntax = StatementSyntax(
        "PREDICT USING model [OPTIONS (…)] AS query", nests=True, options=lambda: (PredictOptions,), view="transcripts"
    )
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

View: TypeAlias = Literal["", "transcripts", "players", "evaluation", "training", "card", "whole"]
NAMES = {  # what a shape's words in small letters stand for, in completion; a statement may say otherwise
    "model": "model or base",
    "base": "model or base",
    "table": "table",
    "'path'": "file",
}
CLAUSES = frozenset({"AS", "USING", "OPTIONS", "FROM"})  # what no title has, and no name may be
_PIECE = re.compile(r"[A-Z]{2,}|[a-z]+|'[a-z]+'|\(…\)|…|[\[\]{}|]")


@dataclass(frozen=True)
class StatementShape:
    """What the parser and completion need of a statement: data alone, so that it can be known without its class.

    `shapes` are what users read: keywords in capitals, [optional parts], {one | of these}; `name`, `base`, `model`,
    `table` and `'path'` are names, `query` is SQL, and `statement` stands for one that may be planned.
    `nests` says that it gives rows and may stand in a query, `planned` that EXPLAIN and CHECK may stand before it.
    `names` says what a shape's `name` is: a model of the store, a base, a data set; a new one where it says nothing.
    `also` are further spellings of its keywords.
    """

    shapes: str | tuple[str, ...]
    nests: bool = field(default=False, kw_only=True)
    planned: bool = field(default=False, kw_only=True)
    names: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    also: tuple[str, ...] = field(default=(), kw_only=True)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The shapes, however many."""
        return (self.shapes,) if isinstance(self.shapes, str) else self.shapes

    @cached_property
    def keywords(self) -> frozenset[str]:
        """Every word of its own, in capitals."""
        return frozenset(re.findall(r"\b[A-Z]{2,}\b", " ".join(self.lines))) | set(self.also)

    @cached_property
    def title(self) -> str:
        """The words that name it: those it opens with.

        >>> StatementShape("DROP MODEL [IF EXISTS] name").title, StatementShape("PREDICT USING model AS query").title
        ('DROP MODEL', 'PREDICT')
        """
        words: list[str] = []
        for piece in _PIECE.findall(self.lines[0]):
            if not piece.isupper() or piece in CLAUSES:
                break
            words.append(piece)
        return " ".join(words)

    @cached_property
    def ways(self) -> tuple[tuple[str, ...], ...]:
        """Every way to write it, as words: with and without each optional part, with each of the alternatives.

        >>> StatementShape("DROP MODEL [IF EXISTS] name").ways
        (('DROP', 'MODEL', 'name'), ('DROP', 'MODEL', 'IF', 'EXISTS', 'name'))
        """
        return tuple(way for line in self.lines for way in _ways(iter(_PIECE.findall(line)), ""))

    @property
    def query_behind(self) -> str:
        """The word that a query stands behind, at its end: AS or FROM; "" where none does."""
        return next((way[-2] for way in self.ways if way[-1] == "query" and way[-2] in CLAUSES), "")

    def kind_of(self, slot: str) -> str:
        """What kind of name a word of the shape stands for; "" for a new one."""
        return self.names.get(slot, NAMES.get(slot, ""))


@dataclass(frozen=True)
class StatementSyntax(StatementShape):
    """The declaration that stands in a statement's class.

    `options` gives the dataclasses that declare its options, `columns` the columns of its result: functions, since both
    may stand below the class. `view` is how a notebook shows the result, `gives` what the reference says of it, in Markdown.
    """

    options: Callable[[], tuple[type, ...]] = field(default=lambda: (), kw_only=True)
    columns: Callable[[], Sequence[str]] = field(default=lambda: (), kw_only=True)
    view: View = field(default="", kw_only=True)
    gives: str = field(default="", kw_only=True)


def _ways(pieces: Iterator[str], closing: str) -> list[tuple[str, ...]]:
    """The ways to write a shape's pieces up to `closing`."""
    done: list[tuple[str, ...]] = []
    ways: list[tuple[str, ...]] = [()]
    for piece in pieces:
        if piece == closing:
            break
        if piece == "|":
            done, ways = done + ways, [()]
        elif piece == "[":
            inner = [(), *_ways(pieces, "]")]
            ways = [way + part for way in ways for part in inner]
        elif piece == "{":
            inner = _ways(pieces, "}")
            ways = [way + part for way in ways for part in inner]
        else:
            ways = [(*way, piece) for way in ways]
    return done + ways
