"""Properties of the parser: what is printed parses to itself, and any text at all is a statement or an error.

THANOSQL_EXAMPLES sets the number of examples of each; 100,000 is the long run.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from thanosql.engine import statements as s
from thanosql.engine.language.syntax import (
    Literal,
    ModelReference,
    Nested,
    Option,
    Parameter,
    Query,
    Statement,
    Text,
    Word,
)
from thanosql.engine.parser import parse, parse_script
from thanosql.errors import ThanoSQLError

EXAMPLES = int(os.environ.get("THANOSQL_EXAMPLES", "100"))
many = settings(max_examples=EXAMPLES, deadline=20_000, suppress_health_check=list(HealthCheck), database=None)


def printed(value: Any) -> str:
    """A statement, or a part of one, as SQL."""
    match value:
        case Query():
            return "".join(printed(part) for part in value.parts)
        case Text():
            return value.sql
        case Nested():
            return f"({printed(value.statement)})"
        case Parameter():
            return f":{value.name}"
        case Word():
            return value.text
        case Literal():
            return quoted(value.text)
        case ModelReference():
            return quoted(value.text) if value.literal else value.text
        case Option():
            return f"{value.name}={printed(value.value)}"
        case None | bool():
            return {None: "NULL", True: "True", False: "False"}[value]
        case int() | float():
            return repr(value)
        case str():
            return quoted(value)
        case tuple():
            return f"[{', '.join(map(printed, value))}]"
        case s.BuildModel():
            return f"BUILD MODEL {value.name} USING {printed(value.base)}{options(value)} AS {printed(value.query)}"
        case s.FitModel():
            return f"FIT MODEL {value.name} USING {printed(value.model)}{options(value)} AS {printed(value.query)}"
        case s.Predict():
            return f"PREDICT USING {printed(value.model)}{options(value)} AS {printed(value.query)}"
        case s.Evaluate():
            return f"EVALUATE USING {printed(value.model)}{options(value)} AS {printed(value.query)}"
        case s.PrintAudio():
            return f"PRINT AUDIO{options(value)} AS {printed(value.query)}"
        case s.List():
            return f"LIST {value.what}"
        case s.DescribeModel():
            return f"DESCRIBE MODEL {value.name}"
        case s.DropModel():
            return f"DROP MODEL {'IF EXISTS ' if value.if_exists else ''}{value.name}"
        case s.Copy():
            return f"COPY {value.table}{options(value)} FROM {printed(value.path)}"
        case s.GetDataset():
            return f"GET THANOSQL DATASET {value.name}{options(value)}"
        case s.GetModel():
            return f"GET THANOSQL MODEL {value.name}{options(value)}"
        case s.UploadModel():
            return f"UPLOAD MODEL {value.name}{options(value)} FROM {printed(value.path)}"
        case s.Explain():
            return f"EXPLAIN {printed(value.statement)}"
        case s.Check():
            return f"CHECK {printed(value.statement)}"
        case s.PlainSQL():
            return printed(value.query)
    raise TypeError(value)


def options(statement: Any) -> str:
    return f" OPTIONS ({', '.join(map(printed, statement.options))})" if statement.options else ""


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


NAMES = """a _ A1 x_2 calls select From_ predict BUILD model Models list table Tables thanosql dataset audio print
    evaluate align describe drop delete copy get upload explain check if exists to version Versions rollback recursive e E n u
    case END begin with without lateral json_object values returning u00 true_ nullable Wav2Vec2Tiny""".split()
CHARACTERS = "' \" \\ ; ( ) [ ] : , = - / * $ é ᄒ \u00a0 \u2028 😀 \n \t".split(" ")
SQL = (
    *("a + b, ", "'it''s; (', ", "E'\\'', ", '"x;""(", ', "$t$ ; ' ( $t$, ", "/* ; /* ( */ ' */ 1, ", "-- ; ' (\n1, "),
    *("f(x), ", "a::int, ", "arr[1:n], ", "(SELECT predict FROM list), ", "CASE WHEN a THEN 1 END, ", "é, ", "$1, "),
)


class Grown:
    """What is grown from bytes, each the next choice; behind the last one the first, and simplest, is always chosen.

    One draw makes an example: a strategy for every part took fifty times as long as parsing, and shrinks no better.
    """

    def __init__(self, choices: bytes) -> None:
        self._choices = iter(choices)

    def below(self, count: int) -> int:
        return next(self._choices, 0) % count

    def one(self, *makers: Callable[[], Any]) -> Any:
        return makers[self.below(len(makers))]()

    def several(self, make: Callable[[], Any], most: int) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self.below(most + 1)))

    def name(self) -> str:
        number = self.below(len(NAMES) + 2)
        return NAMES[number] if number < len(NAMES) else "_z"[number % 2] * (20 + 40 * (number % 2))

    def word(self) -> Word:
        return Word(self.name())

    def parameter(self) -> Parameter:
        return Parameter(self.name())

    def string(self) -> str:
        return "".join(self.several(self.character, 8))

    def character(self) -> str:
        number = self.below(256)
        return CHARACTERS[number % len(CHARACTERS)] if number < 128 else chr(number * 67 % 0xD800 or 1)

    def integer(self) -> int:
        return int.from_bytes(bytes(self.below(256) for _ in range(self.below(13))), "big", signed=True)

    def float_(self) -> float:
        found: float = struct.unpack("d", bytes(self.below(256) for _ in range(8)))[0]
        return found if math.isfinite(found) else 0.5

    def value(self, depth: int = 0) -> Any:
        plain = (
            self.string,
            self.integer,
            self.float_,
            lambda: True,
            lambda: False,
            lambda: None,
            self.word,
            self.parameter,
        )
        return self.one(*plain, *((lambda: self.several(lambda: self.value(depth + 1), 4),) if depth < 3 else ()))

    def options(self) -> tuple[Option, ...]:
        return self.several(lambda: Option(self.name(), self.value()), 4)

    def model(self) -> ModelReference:
        return self.one(
            lambda: ModelReference(self.name()),
            lambda: ModelReference(self.name()),
            lambda: ModelReference(self.string(), literal=True),
        )

    def table(self) -> Word:
        return self.one(self.word, lambda: Word(f"{self.name()}.{self.name()}"), lambda: Word(f'"My {self.name()}".t'))

    def path(self) -> Literal | Parameter:
        return self.one(lambda: Literal(self.string()), self.parameter)

    def query(self, depth: int = 0) -> Query:
        """SELECT and a list of what SQL has, parameters and statements in parentheses among it."""

        def part() -> Any:
            return self.one(
                lambda: (Text(SQL[self.below(len(SQL))]),),
                lambda: (self.parameter(), Text(", ")),
                lambda: (Nested(self.nestable(depth + 1), Query()), Text(", ")),
            )

        return joined([Text("SELECT "), *(piece for pieces in self.several(part, 6) for piece in pieces), Text("1")])

    def nestable(self, depth: int = 0) -> Statement:
        simple = (
            lambda: s.List(("MODEL", "TABLE", "THANOSQL MODEL", "THANOSQL DATASET")[self.below(4)]),
            lambda: s.DescribeModel(self.word()),
        )
        return self.one(*simple, *((lambda: self.used(depth),) if depth < 4 else ()))

    def used(self, depth: int = 0) -> Statement:
        kind = (s.Predict, s.Evaluate)[self.below(2)]
        return kind(self.model(), self.options(), self.query(depth))

    def trained(self) -> Statement:
        kind = (s.BuildModel, s.FitModel)[self.below(2)]
        return kind(self.word(), self.model(), self.options(), self.query())

    def planned(self) -> Statement:
        return self.one(self.used, self.trained)

    def statement(self) -> Statement:
        return self.one(
            self.nestable,
            self.planned,
            lambda: s.PlainSQL(self.query()),
            lambda: s.PrintAudio(self.options(), self.query()),
            lambda: s.DropModel(self.word(), bool(self.below(2))),
            lambda: s.Copy(self.table(), self.options(), self.path()),
            lambda: s.GetDataset(self.word(), self.options()),
            lambda: s.GetModel(self.word(), self.options()),
            lambda: s.UploadModel(self.word(), self.options(), self.path()),
            lambda: s.Explain(self.planned()),
            lambda: s.Check(self.planned()),
        )


def joined(parts: list[Any]) -> Query:
    """A query whose neighbouring texts are one, as the parser gives it."""
    result: list[Any] = []
    for part in parts:
        if isinstance(part, Text) and result and isinstance(result[-1], Text):
            part = Text(result.pop().sql + part.sql)
        result.append(part)
    return Query(tuple(result))


grown = st.binary(min_size=300, max_size=300).map(Grown)  # of one length: else each byte is a draw of its own


@many
@given(grown)
def test_a_statement_that_is_printed_parses_to_itself(growth: Grown) -> None:
    statement = growth.statement()
    assert parse(printed(statement)) == statement


@many
@given(grown)
def test_statements_that_are_printed_parse_to_themselves(growth: Grown) -> None:
    several = growth.several(growth.statement, 4)
    assert parse_script(";\n".join(map(printed, several))) == several


SIGNS = "( ) [ ] , ; : :: := . = == => * + - / % ? | ~ # @ ! ` { } < > \\ $$ $t$ $1 -- /* */ \" '"
LITERALS = "'x' '' E' E'\\'' \"q\" U&'\\0041' U&\"x\" N'x' B'1' :n 1 -1 1e-4 1e 0x NULL True é ‘ \x00"
WORDS = """SELECT FROM WITH RECURSIVE a b AS MATERIALIZED PREDICT USING EVALUATE BUILD FIT MODEL OPTIONS LIST MODELS
    TABLE THANOSQL DATASET DESCRIBE DROP DELETE IF EXISTS PRINT AUDIO COPY GET UPLOAD EXPLAIN CHECK CREATE VIEW
    FUNCTION BEGIN ATOMIC CASE END LATERAL SEARCH CYCLE SET predict PREDCIT MODLE JSON_OBJECT"""
PIECES = [*f"{SIGNS} {LITERALS} {WORDS}".split(), " ", "\n", "\f"]
DAMAGE = ["", "(", ")", "'", '"', ";", ":", "$$", "/*", "--", " ", "AS "]


@many
@given(grown)
def test_any_tokens_are_statements_or_an_error(growth: Grown) -> None:
    pieces = [PIECES[growth.below(len(PIECES))] for _ in range(growth.below(41))]
    check(" ".join(pieces))
    check("".join(pieces))


@many
@given(st.text(max_size=60))
@example("\x85")
def test_any_text_is_statements_or_an_error(text: str) -> None:
    check(text)


@many
@given(grown)
def test_a_damaged_statement_is_statements_or_an_error(growth: Grown) -> None:
    """A few characters are taken away, put in or doubled."""
    wounds = [(growth.below(256), growth.below(9), growth.below(len(DAMAGE) + 1)) for _ in range(1 + growth.below(3))]
    text = printed(growth.statement())
    for place, width, kind in wounds:
        at = len(text) * place // 256
        text = text[:at] + [*DAMAGE, text[at:][:9]][kind] + text[at + width :]
    check(text)


def check(text: str) -> None:
    """Parse a text; nothing but a ThanoSQLError with a place in the text may come out."""
    try:
        parse_script(text)
    except ThanoSQLError as error:
        refusal = error
    else:
        return
    assert refusal.position is not None
    assert 1 <= refusal.position.line <= text.count("\n") + 1
    assert refusal.message
    assert str(refusal)
