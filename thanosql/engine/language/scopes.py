"""Scopes: a statement as parsed and what the lexer saw go in, the same with each nested one's WITH list comes out."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field

from thanosql.engine.language.syntax import Nested, Parameter, Query, Statement, Text, planned_in, query_of, with_part
from thanosql.engine.language.terminals import SPACE, Refusal, skip_blank
from thanosql.engine.language.with_names import WithQuery, mentions


@dataclass(slots=True)
class Findings:
    """What the lexer saw that the grammar does not: by offset of a parenthesis.

    `scopes` has the WITH names that each nested statement sees, `outer` the parenthesis that closes one around a query.
    """

    text: str
    scopes: dict[int, tuple[WithQuery, ...]] = field(default_factory=dict)
    outer: dict[int, int] = field(default_factory=dict)


def settle(statement: Statement, findings: Findings) -> Statement:
    """The statement with every nested one's scope filled in and the parentheses around its queries taken off."""
    if not findings.scopes and not findings.outer:
        return statement
    return _settle(statement, findings, [])


def _settle(statement: Statement, findings: Findings, around: list[_Parts]) -> Statement:
    if (planned := planned_in(statement)) is not None:
        return with_part(statement, planned, _settle(planned, findings, around))
    query = query_of(statement)
    if not query:
        return statement
    done = _Parts()
    around = [*around, done]
    scopes: dict[tuple[int, ...], Query] = {}
    for part in query.parts:
        if isinstance(part, Nested):
            visible = findings.scopes[part.start]
            key = tuple(entry.start for entry in visible)
            if key not in scopes:
                scopes[key] = _scope(visible, around, findings.text, part.start)
            part = Nested(_settle(part.statement, findings, around), scopes[key], part.start)
        done.add(part)
    return with_part(statement, query, Query(_without_parentheses(done, findings)))


class _Parts:
    """The parts of a query so far, found by their offsets."""

    def __init__(self) -> None:
        self.parts: list[Text | Parameter | Nested] = []
        self.starts: list[int] = []

    def add(self, part: Text | Parameter | Nested) -> None:
        self.parts.append(part)
        self.starts.append(part.start or 0)

    def between(self, start: int, end: int) -> tuple[Text | Parameter | Nested, ...]:
        first = bisect.bisect_right(self.starts, start) - 1
        found: list[Text | Parameter | Nested] = []
        for part in self.parts[max(0, first) : bisect.bisect_left(self.starts, end)]:
            if isinstance(part, Text):
                assert part.start is not None
                sql = part.sql[max(0, start - part.start) : end - part.start]
                if sql:
                    found.append(Text(sql, max(start, part.start)))
            else:
                found.append(part)
        return tuple(found)


def _without_parentheses(done: _Parts, findings: Findings) -> tuple[Text | Parameter | Nested, ...]:
    """The parts without the parentheses around them all."""
    first = done.parts[0]
    if isinstance(first, Text) and first.start is not None:
        opening = skip_blank(findings.text, first.start)
        if opening in findings.outer:
            return _stripped(done.between(opening + 1, findings.outer[opening]))
    return tuple(done.parts)


def _stripped(parts: Sequence[Text | Parameter | Nested]) -> tuple[Text | Parameter | Nested, ...]:
    """The parts without the white space at both ends."""
    kept = list(parts)
    if kept and isinstance(first := kept[0], Text):
        sql = first.sql.lstrip(SPACE)
        kept[0] = Text(sql, None if first.start is None else first.start + len(first.sql) - len(sql))
    if kept and isinstance(last := kept[-1], Text):
        kept[-1] = Text(last.sql.rstrip(SPACE), last.start)
    return tuple(part for part in kept if not isinstance(part, Text) or part.sql)


def _scope(visible: Sequence[WithQuery], around: Sequence[_Parts], text: str, start: int) -> Query:
    """WITH a AS (…), b AS (…): outer entries first, of two of one name the inner one."""
    nearest = {entry.name: entry for entry in visible}
    kept = [entry for entry in visible if nearest[entry.name] is entry]
    for entry in visible:
        if nearest[entry.name] is entry:
            continue
        for other in kept:
            if entry.start < other.start and mentions(text, other.parenthesis, other.end, entry.name):
                raise Refusal(
                    f"Two WITH queries around this statement are named '{entry.name}', and both are needed.",
                    start,
                    1,
                    "Rename one of them.",
                )
    parts: list[Text | Parameter | Nested] = []
    for entry in kept:
        if entry.parts is None:
            entry.parts = around[entry.level].between(entry.start, entry.end)
        parts.append(Text(", " if parts else f"WITH {'RECURSIVE ' if any(e.recursive for e in kept) else ''}"))
        parts.extend(entry.parts)
    return Query(tuple(parts))
