"""tests/fixtures/statements.sql: each text means what stands below it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from thanosql.engine.language.syntax import (
    Literal,
    ModelReference,
    Nested,
    Option,
    Parameter,
    Query,
    Text,
    Word,
    query_of,
)
from thanosql.engine.parser import parse_script
from thanosql.errors import ThanoSQLSyntaxError

FIXTURE = Path(__file__).parents[2] / "fixtures" / "statements.sql"


class Pair(NamedTuple):
    title: str
    text: str
    meaning: list[str]


def pairs() -> Iterator[Pair]:
    lines = iter(FIXTURE.read_text(encoding="utf-8").split("\n\n", 1)[1].splitlines())
    for title in lines:
        text: list[str] = []
        for line in lines:
            if line.startswith(("--> ", "--! ")):
                break
            text.append(line)
        said = [line]
        for line in lines:
            if not line:
                break
            said.append(line)
        yield Pair(title.removeprefix("-- "), "\n".join(text), said)


PAIRS = list(pairs())


def meaning(value: Any) -> str:
    """The line for one statement, or for a part of one, that a reader of the file can check."""
    match value:
        case Query():
            return "«" + "¦".join(meaning(part) for part in value.parts) + "»"
        case Text():
            return value.sql.replace("\n", "⏎").replace("\t", "⇥")
        case Nested():
            scope = f" in {meaning(value.scope)}" if value.scope else ""
            return "{" + meaning(value.statement) + scope + "}"
        case Parameter():
            return f":{value.name}"
        case Word():
            return value.text
        case Literal():
            return repr(value.text)
        case ModelReference():
            return repr(value.text) if value.literal else value.text
        case Option():
            return f"{value.name}={meaning(value.value)}"
        case tuple():
            return "(" + ", ".join(meaning(item) for item in value) + ")"
        case str() | int() | float() | None:
            return repr(value)
    fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    said = (f"{name}={meaning(field)}" for name, field in fields if field not in ((), False))
    return f"{type(value).__name__}({', '.join(said)})"


def read(text: str) -> list[str]:
    try:
        statements = parse_script(text)
    except ThanoSQLSyntaxError as error:
        said = [f"--! {error.position.line}:{error.position.column} {error.message}"]
        return said + ([f"--? {error.hint}"] if error.hint else [])
    return [f"--> {meaning(statement)}" for statement in statements] or ["--> nothing"]


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.title for pair in PAIRS])
def test_the_text_means_what_stands_below_it(pair: Pair) -> None:
    assert read(pair.text) == pair.meaning


def test_there_are_at_least_150_pairs_and_none_twice() -> None:
    assert len(PAIRS) >= 150
    assert len({pair.text for pair in PAIRS}) == len({pair.title for pair in PAIRS}) == len(PAIRS)


def test_every_offset_points_at_what_it_belongs_to() -> None:
    """Text parts are the source's own text, wherever they stand: PostgreSQL's positions are put back by them."""

    def check(query: Query, source: str) -> None:
        for part in query.parts:
            if isinstance(part, Text) and part.start is not None:
                assert source[part.start : part.start + len(part.sql)] == part.sql
            elif isinstance(part, Parameter):
                assert source[part.start :].startswith(f":{part.name}")
            elif isinstance(part, Nested):
                assert source[part.start] == "("
                check(part.scope, source)
                check(query_of(part.statement), source)

    checked = 0
    for pair in PAIRS:
        if pair.meaning[0].startswith("--> "):
            for statement in parse_script(pair.text):
                check(query_of(statement), pair.text)
                checked += bool(query_of(statement))
    assert checked > 100
