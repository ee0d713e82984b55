"""Properties of the parser: what is printed parses to itself, and any text at all is a statement or an error.

THANOSQL_EXAMPLES sets the number of examples of each; 100,000 is the long run.
"""

from __future__ import annotations

import os
import re
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from thanosql.engine import statements as s
from thanosql.engine.parser import parse, parse_script
from thanosql.engine.syntax import ModelReference, Nested, Option, Parameter, Query, Statement, Text, Word
from thanosql.errors import ThanoSQLError

EXAMPLES = int(os.environ.get("THANOSQL_EXAMPLES", "100"))
many = settings(max_examples=EXAMPLES, deadline=2_000, suppress_health_check=list(HealthCheck), database=None)


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


RESERVED = {"as", "using", "options", "from", "true", "false", "null"}
names = st.from_regex(re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,20}"), fullmatch=True).filter(
    lambda name: name.lower() not in RESERVED
)
words = names.map(Word)
parameters = names.map(Parameter)
strings = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    strings | numbers | st.booleans() | st.none() | words | parameters,
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=5,
)
option_lists = st.lists(st.builds(Option, names, values), max_size=4).map(tuple)
models = names.map(ModelReference) | strings.map(lambda text: ModelReference(text, literal=True))
tables = names | st.tuples(names, names).map(".".join) | names.map(lambda name: f'"My {name}".t')
SQL = (
    *("a + b, ", "'it''s; (', ", "E'\\'', ", '"x;""(", ', "$t$ ; ' ( $t$, ", "/* ; /* ( */ ' */ 1, ", "-- ; ' (\n1, "),
    *("f(x), ", "a::int, ", "arr[1:n], ", "(SELECT predict FROM list), ", "CASE WHEN a THEN 1 END, ", "é, ", "$1, "),
)


def queries(nested: st.SearchStrategy[Statement]) -> st.SearchStrategy[Query]:
    """SELECT and a list of what SQL has, parameters and statements in parentheses among it."""
    text = st.sampled_from(SQL).map(Text)
    value = parameters | nested.map(lambda statement: Nested(statement, Query()))
    parts = st.lists(text | st.tuples(value, st.just(Text(", "))), max_size=6)
    return parts.map(lambda listed: joined([Text("SELECT "), *flat(listed), Text("1")]))


def flat(parts: list[Any]) -> list[Any]:
    return [item for part in parts for item in (part if isinstance(part, tuple) else (part,))]


def joined(parts: list[Any]) -> Query:
    """A query whose neighbouring texts are one, as the parser gives it."""
    result: list[Any] = []
    for part in parts:
        if isinstance(part, Text) and result and isinstance(result[-1], Text):
            part = Text(result.pop().sql + part.sql)
        result.append(part)
    return Query(tuple(result))


lists = st.builds(s.List, st.sampled_from(["MODEL", "TABLE", "THANOSQL MODEL", "THANOSQL DATASET"]))
described = st.builds(s.DescribeModel, words)
nestable = st.recursive(
    lists | described,
    lambda inner: (
        st.builds(s.Predict, models, option_lists, queries(inner))
        | st.builds(s.Evaluate, models, option_lists, queries(inner))
    ),
    max_leaves=4,
)
trained = st.builds(s.BuildModel, words, models, option_lists, queries(nestable)) | st.builds(
    s.FitModel, words, models, option_lists, queries(nestable)
)
used = st.builds(s.Predict, models, option_lists, queries(nestable)) | st.builds(
    s.Evaluate, models, option_lists, queries(nestable)
)
paths = strings | parameters
statements = (
    trained
    | used
    | nestable
    | st.builds(s.PrintAudio, option_lists, queries(nestable))
    | st.builds(s.DropModel, words, st.booleans())
    | st.builds(s.Copy, tables.map(Word), option_lists, paths)
    | st.builds(s.GetDataset, words, option_lists)
    | st.builds(s.GetModel, words, option_lists)
    | st.builds(s.UploadModel, words, option_lists, paths)
    | st.builds(s.Explain, trained | used)
    | st.builds(s.Check, trained | used)
    | st.builds(s.PlainSQL, queries(nestable))
)


@many
@given(statements)
def test_a_statement_that_is_printed_parses_to_itself(statement: Statement) -> None:
    assert parse(printed(statement)) == statement


@many
@given(st.lists(statements, max_size=4))
def test_statements_that_are_printed_parse_to_themselves(several: list[Statement]) -> None:
    assert parse_script(";\n".join(map(printed, several))) == tuple(several)


SIGNS = "( ) [ ] , ; : :: := . = == => * + - / % ? | ~ # @ ! ` { } < > \\ $$ $t$ $1 -- /* */ \" '"
LITERALS = "'x' '' E' E'\\'' \"q\" U&'\\0041' U&\"x\" N'x' B'1' :n 1 -1 1e-4 1e 0x NULL True é ‘ \x00"
WORDS = """SELECT FROM WITH RECURSIVE a b AS MATERIALIZED PREDICT USING EVALUATE BUILD FIT MODEL OPTIONS LIST MODELS
    TABLE THANOSQL DATASET DESCRIBE DROP DELETE IF EXISTS PRINT AUDIO COPY GET UPLOAD EXPLAIN CHECK CREATE VIEW
    FUNCTION BEGIN ATOMIC CASE END LATERAL SEARCH CYCLE SET predict PREDCIT MODLE JSON_OBJECT"""
PIECES = [*f"{SIGNS} {LITERALS} {WORDS}".split(), " ", "\n", "\f"]
pieces = st.lists(st.sampled_from(PIECES), max_size=40)
soup = pieces.map(" ".join) | pieces.map("".join)


@many
@given(soup | st.text(max_size=60))
@example("\x85")
def test_any_text_is_statements_or_an_error(text: str) -> None:
    check(text)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A statement with a few characters taken away, put in or doubled."""
    text = printed(draw(statements))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        width = draw(st.integers(0, 8))
        text = (
            text[:at]
            + draw(st.sampled_from(["", "(", ")", "'", '"', ";", ":", "$$", "/*", "--", " ", "AS ", text[at:][:9]]))
            + text[at + width :]
        )
    return text


@many
@given(damaged())
def test_a_damaged_statement_is_statements_or_an_error(text: str) -> None:
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
