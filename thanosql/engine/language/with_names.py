"""WITH names while a text is read: the places where WITH and parentheses stand go in, the names in sight come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from thanosql.engine.language.syntax import Nested, Parameter, Text
from thanosql.engine.language.terminals import Lexeme, Refusal, lexeme, quoted_value
from thanosql.engine.language.vocabulary import vocabulary

_AFTER_LIST = frozenset({"SELECT", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"})


@dataclass(slots=True, eq=False)
class WithQuery:
    """`name [(columns)] AS […] (…)`: one entry of a WITH list, from `start` to `end`.

    `level` counts the statements around it, `depth` the parentheses around its WITH: where those close, it is out of
    sight. `parts` is its text as it stands in the query, filled in where it is needed; `reads` are others of its list;
    `declares` has the names of WITH lists within it.
    """

    name: str
    start: int
    parenthesis: int
    recursive: bool
    level: int
    depth: int
    end: int = 0
    parts: tuple[Text | Parameter | Nested, ...] | None = field(default=None, repr=False)
    reads: tuple[WithQuery, ...] = field(default=(), repr=False)
    declares: frozenset[str] = frozenset()
    _mentioned: frozenset[str] | None = field(default=None, repr=False)

    def mentioned(self, text: str) -> frozenset[str]:
        """The names that stand in its query, as PostgreSQL compares them."""
        if self._mentioned is None:
            self._mentioned = names_in(text, self.parenthesis, self.end)
        return self._mentioned


class WithNames:
    """The WITH queries of one statement: those whose parenthesis is still open, and those that are in sight."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: dict[int, WithQuery] = {}  # by the parenthesis of its query
        self._visible: list[WithQuery] = []
        self._gone: list[tuple[WithQuery, int]] = []  # those that were in sight, each to where

    def clear(self) -> None:
        """Another statement begins."""
        self._open.clear()
        self._visible.clear()
        self._gone.clear()

    @property
    def visible(self) -> tuple[WithQuery, ...]:
        """Those that a query which begins here sees, outer ones first."""
        return tuple(self._visible)

    def recursive(self) -> Iterator[WithQuery]:
        """Those of a WITH RECURSIVE that are still open."""
        return (entry for entry in self._open.values() if entry.recursive)

    def refuse_recursion(self, parenthesis: int, end: int, visible: Sequence[WithQuery]) -> None:
        """Raise Refusal where the statement between two offsets names the recursive query that it stands in."""
        for entry in self.recursive():
            outside = any(one.name == entry.name and one.start > entry.start for one in visible)
            hidden = self.hiding(entry.name, parenthesis, end)
            if not outside and mentions(self._text, parenthesis, end, entry.name, hidden):
                raise recursion(entry, parenthesis)

    def hiding(self, name: str, start: int, end: int) -> list[range]:
        """Where between two offsets another WITH query of that name is meant: there it is declared, and in sight."""
        found = [*self._gone, *((entry, end) for entry in self._visible)]
        return [
            stretch
            for entry, until in found
            if entry.name == name and start < entry.start < end
            for stretch in (
                range(entry.start, entry.end if entry.recursive else entry.parenthesis),  # RECURSIVE reads itself
                range(entry.end, until),
            )
        ]

    def begin(self, word: Lexeme, before: str, *, level: int, depth: int) -> None:
        """A WITH stands at `word`, after the character `before`; it may begin a list."""
        following = lexeme(self._text, word.end)
        recursive = following.upper == "RECURSIVE"
        entry = _with_query(self._text, following.end if recursive else word.end, recursive, level, depth)
        # `f() WITH ORDINALITY AS (…)` lists columns.
        if entry is not None and not (entry.name == "ordinality" and before == ")"):
            self._open[entry.parenthesis] = entry

    def close(self, parenthesis: int, end: int, depth: int) -> None:
        """What opened at `parenthesis` is closed, and `depth` others are open: it may have been a WITH query."""
        while self._visible and self._visible[-1].depth > depth:
            self._gone.append((self._visible.pop(), end))
        entry = self._open.pop(parenthesis, None)
        if entry is None:
            return
        entry.end = end
        within = takewhile(lambda one: one[0].start > entry.start, reversed(self._gone))
        entry.declares = frozenset(one.name for one, _ in within)
        self._visible.append(entry)
        following = self._go_on(entry, lexeme(self._text, end))
        if following.upper in vocabulary().nested_using and lexeme(self._text, following.end).upper == "USING":
            raise Refusal(
                f"{following.upper} cannot follow a WITH list.",
                following.start,
                len(following.text),
                f"Put the list into its query: {following.upper} USING model AS WITH … SELECT …",
            )

    def _go_on(self, entry: WithQuery, following: Lexeme) -> Lexeme:
        """Behind a WITH query: its SEARCH and CYCLE clauses, and the next one of the list. Gives what follows."""
        in_clause = following.upper in ("SEARCH", "CYCLE")
        while following.kind == "," or (
            in_clause
            and following.kind in ("WORD", "QUOTED", "STRING", "NUMBER")
            and following.upper not in _AFTER_LIST
            and following.upper not in vocabulary().nested_using
        ):
            if following.kind == ",":
                another = _with_query(self._text, following.end, entry.recursive, entry.level, entry.depth)
                if another is not None:
                    self._open[another.parenthesis] = another
                    break
                if not in_clause:
                    break
            entry.end = following.end
            following = lexeme(self._text, following.end)
        return following


def _with_query(text: str, at: int, recursive: bool, level: int, depth: int) -> WithQuery | None:
    """The entry of a WITH list that stands at `at`, its query still open; None where there is none."""
    name = lexeme(text, at)
    if name.kind not in ("WORD", "QUOTED"):
        return None
    following = lexeme(text, name.end)
    if following.kind == "(":
        while (following := lexeme(text, following.end)).kind in ("WORD", "QUOTED", ","):
            pass
        if following.kind != ")":
            return None
        following = lexeme(text, following.end)
    if following.upper != "AS":
        return None
    following = lexeme(text, following.end)
    if following.upper == "NOT":
        following = lexeme(text, following.end)
    if following.upper == "MATERIALIZED":
        following = lexeme(text, following.end)
    if following.kind != "(":
        return None
    return WithQuery(_folded(name), name.start, following.start, recursive, level, depth)


def _folded(name: Lexeme) -> str:
    """A name as PostgreSQL compares it."""
    return quoted_value(name.text) if name.kind == "QUOTED" else name.text.lower()


def recursion(entry: WithQuery, parenthesis: int) -> Refusal:
    """The error for a statement at `parenthesis` that would be part of a recursion."""
    return Refusal(
        f"A statement inside the recursive query '{entry.name}' cannot read '{entry.name}'.",
        parenthesis,
        1,
        "Put the recursion inside the statement: PREDICT USING … AS WITH RECURSIVE …",
    )


def mentions(text: str, start: int, end: int, name: str, hidden: Sequence[range]) -> bool:
    """Whether `name` stands as a word somewhere between two offsets, and not where it is hidden."""
    while (word := lexeme(text, start)).kind and word.start < end:
        if word.kind in ("WORD", "QUOTED") and _folded(word) == name and not any(word.start in one for one in hidden):
            return True
        start = word.end
    return False


def names_in(text: str, start: int, end: int) -> frozenset[str]:
    """The words and quoted names between two offsets, as PostgreSQL compares names."""
    found = set()
    while (word := lexeme(text, start)).kind and word.start < end:
        if word.kind in ("WORD", "QUOTED"):
            found.add(_folded(word))
        start = word.end
    return frozenset(found)
