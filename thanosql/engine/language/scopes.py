"""Scopes: a statement as parsed and what the lexer saw go in, the same with each nested one's WITH list comes out."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from thanosql.engine.language.syntax import (
    Nested,
    Parameter,
    Query,
    Statement,
    Text,
    WithEntry,
    planned_in,
    query_of,
    with_part,
)
from thanosql.engine.language.terminals import SPACE, skip_blank
from thanosql.engine.language.with_names import WithQuery, names_in, recursion

LIST_WITHIN, CLOSED = "\nSELECT * FROM (\n", "\n) scope"


@dataclass(slots=True)
class Findings:
    """What the lexer saw that the grammar does not: by offset of a parenthesis.

    `scopes` has the WITH names that each nested statement sees, `recursions` the WITH RECURSIVE queries that it stands in
    and `ends` where it ends; `outer` has the parenthesis that closes one around a query.
    """

    text: str
    scopes: dict[int, tuple[WithQuery, ...]] = field(default_factory=dict)
    recursions: dict[int, tuple[WithQuery, ...]] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
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
    for part in query.parts:
        if isinstance(part, Nested):
            part = _settled(part, findings, around)
        done.add(part)
    return with_part(statement, query, Query(_without_parentheses(done, findings)))


def _settled(nested: Nested, findings: Findings, around: list[_Parts]) -> Nested:
    statement = _settle(nested.statement, findings, around)
    if not findings.scopes[nested.start]:  # most of them stand behind no WITH
        return nested if statement is nested.statement else Nested(statement, nested.scope, nested.start)
    needed = _needed(findings, nested.start, around)
    reads = tuple(_entry(one, needed) for one in _dependencies_first(needed))
    return Nested(statement, _list(needed), nested.start, reads)


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
    stripped = list(parts)
    if stripped and isinstance(first := stripped[0], Text):
        sql = first.sql.lstrip(SPACE)
        stripped[0] = Text(sql, None if first.start is None else first.start + len(first.sql) - len(sql))
    if stripped and isinstance(last := stripped[-1], Text):
        stripped[-1] = Text(last.sql.rstrip(SPACE), last.start)
    return tuple(part for part in stripped if not isinstance(part, Text) or part.sql)


def _needed(findings: Findings, start: int, around: Sequence[_Parts]) -> list[WithQuery]:
    """The WITH queries that the nested statement at `start` reads, and those that they read, outer ones first."""
    visible, text = findings.scopes[start], findings.text
    nearest = {entry.name: entry for entry in visible}
    waiting = [nearest[name] for name in names_in(text, start, findings.ends[start]) & nearest.keys()]
    found: list[WithQuery] = []
    while waiting:
        entry = waiting.pop()
        if entry in found:
            continue
        found.append(entry)
        for around_it in findings.recursions[start]:
            if _reads(entry, around_it, visible, text):
                raise recursion(around_it, start)
        meant = (_meant(name, entry, visible) for name in entry.mentioned(text) & nearest.keys())
        entry.reads = tuple(other for other in meant if other is not None)
        waiting.extend(entry.reads)
        if entry.parts is None:
            entry.parts = around[entry.level].between(entry.start, entry.end)
    return [entry for entry in visible if entry in found]


def _reads(entry: WithQuery, recursive: WithQuery, visible: Sequence[WithQuery], text: str) -> bool:
    """Whether a WITH query names a recursive one that is not complete where both are in sight."""
    if recursive.name not in entry.mentioned(text) or recursive.name in entry.declares:
        return False
    beside = entry.recursive and (entry.level, entry.depth) == (recursive.level, recursive.depth)
    nearer = any(
        one.name == recursive.name
        and recursive.start < one.start
        and (one.start < entry.start or (one is entry and entry.recursive))
        for one in visible
    )
    return beside or (entry.start > recursive.start and not nearer)


def _meant(name: str, where: WithQuery, visible: Sequence[WithQuery]) -> WithQuery | None:
    """The WITH query that a name means inside another: the last one before it, or any of its own WITH RECURSIVE."""
    own_list = [one for one in visible if one.recursive and (one.level, one.depth) == (where.level, where.depth)]
    for one in (*reversed(own_list if where.recursive else ()), *reversed(visible)):
        if one.name == name and one is not where and (one.start < where.start or one in own_list):
            return one
    return None


def _list(entries: Sequence[WithQuery]) -> Query:
    """WITH a AS (…), b AS (…); where a name hides another one, each in a list of its own:
    WITH a AS (…) SELECT * FROM (WITH a AS (…)
    """
    parts: list[Text | Parameter | Nested] = []
    names: set[str] = set()
    for entry, before in zip(entries, (None, *entries), strict=False):
        assert entry.parts is not None
        if before is None or entry.name in names or entry.recursive != before.recursive:
            names.clear()
            parts += [Text(LIST_WITHIN)] if before is not None else []
            parts.append(Text("WITH RECURSIVE " if entry.recursive else "WITH "))
        else:
            parts.append(Text(", "))
        names.add(entry.name)
        parts.extend(entry.parts)
    return Query(tuple(parts))


def with_list(scope: Query, query: Sequence[Text | Parameter | Nested]) -> Query:
    """A query behind a WITH list."""
    within = sum(part.start is None and part == Text(LIST_WITHIN) for part in scope.parts)
    return Query((*scope.parts, *query, *([Text(CLOSED * within)] if within else [])))


def _dependencies_first(entries: Sequence[WithQuery]) -> list[WithQuery]:
    """The WITH queries, each after those that it reads; they may follow it in a WITH RECURSIVE."""
    ordered: list[WithQuery] = []

    def take(entry: WithQuery, above: tuple[WithQuery, ...]) -> None:
        if entry in ordered or entry in above:
            return
        for read in entry.reads:
            take(read, (*above, entry))
        ordered.append(entry)

    for entry in entries:
        take(entry, ())
    return ordered


def _entry(entry: WithQuery, needed: Sequence[WithQuery]) -> WithEntry:
    """A WITH query with a query for its rows: itself after what it reads."""
    read: set[int] = set()

    def collect(one: WithQuery) -> None:
        if one.start not in read:
            read.add(one.start)
            for other in one.reads:
                collect(other)

    collect(entry)
    listed = _list([one for one in needed if one.start in read])
    name = entry.name.replace('"', '""')
    return WithEntry(entry.name, with_list(listed, [Text(f'\nSELECT * FROM "{name}"')]), entry.start, entry.end)


def with_replacements(
    parts: Sequence[Text | Parameter | Nested], replacements: Mapping[int, tuple[int, str]]
) -> Iterator[Text | Parameter | Nested]:
    """Parts of a source with stretches of it replaced: by where one begins, where it ends, and what stands in its place."""
    if not replacements:
        yield from parts
        return
    left_out_to = 0  # the stretch that is left out ends here
    for part in parts:
        if part.start is None or not isinstance(part, Text):
            if part.start is None or part.start >= left_out_to:
                yield part
            continue
        at, end = max(part.start, left_out_to), part.start + len(part.sql)
        while at < end:
            begin = min((one for one in replacements if at <= one < end), default=end)
            if at < begin:
                yield Text(part.sql[at - part.start : begin - part.start], at)
            if begin == end:
                break
            left_out_to, text = replacements[begin]
            yield Text(text, begin)
            at = left_out_to
