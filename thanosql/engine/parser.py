"""The parser: the text of one or more statements in, their dataclasses out; every error of the text leaves here.

parse("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls")
== Predict(ModelReference("Wav2Vec2Tiny"), (), Query((Text("SELECT * FROM calls"),)))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, islice
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer, v_args
from lark.common import LexerConf
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from thanosql.engine.language import grammar
from thanosql.engine.language.declared import DECLARED
from thanosql.engine.language.lexer import Scanner
from thanosql.engine.language.parse_table import parser_of
from thanosql.engine.language.scopes import settle
from thanosql.engine.language.sql_chunk import SQLChunk
from thanosql.engine.language.syntax import (
    Literal,
    ModelReference,
    Nested,
    Option,
    OptionValue,
    Parameter,
    Query,
    Statement,
    Word,
)
from thanosql.engine.language.terminals import Refusal, number_value, quoted_value
from thanosql.engine.statements import statement_class
from thanosql.errors import ThanoSQLSyntaxError

MAX_NAME = 63  # characters
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def parse(source: str) -> Statement:
    """The one statement that `source` holds. Raises ThanoSQLSyntaxError, also when there is none or another."""
    statements = parse_script(source)
    if len(statements) != 1:
        raise ThanoSQLSyntaxError(f"One statement was expected here, and there are {len(statements) or 'none'}.")
    return statements[0]


def parse_script(source: str) -> tuple[Statement, ...]:
    """The statements of `source`, divided by `;`, empty ones left out. Raises ThanoSQLSyntaxError."""
    return tuple(statement for statement, _ in parse_with_texts(source))


def parse_with_texts(source: str) -> tuple[tuple[Statement, str], ...]:
    """As `parse_script`, each statement with its own text; positions are still those of the whole `source`."""
    scanner = Scanner(source)
    try:
        statements: Any = _read_all(scanner)
        settled = [settle(statement, scanner.findings) for statement in statements]
        texts = [source[begin:end].rstrip() for begin, end in scanner.spans]
        return tuple(zip(settled, texts, strict=True))
    except Refusal as refusal:
        raise refusal.as_error(source) from None
    except UnexpectedToken as error:
        from thanosql.engine.language.mistakes import explain

        raise explain(error, scanner, stopped).as_error(source) from error


def _read_all(scanner: Scanner) -> Any:
    """The statements of a text. One piece of SQL, as most texts are, needs no grammar: that takes half of the time."""
    tokens = scanner.tokens()
    begun = list(islice(tokens, 1))
    if begun and isinstance(chunk := begun[0], SQLChunk):  # nothing that may follow it changes what it is
        begun += islice(tokens, 1)
        if begun[-1].type == "SEMICOLON":
            begun += islice(tokens, 1)
        if len(begun) == 1 or begun[-1].type == "SEMICOLON":
            return (statement_class("plain_sql").of(Query(chunk.parts)),)
    return _lark().parse(chain(begun, tokens))


def stopped(source: str) -> UnexpectedToken:
    """Where the grammar stops in a malformed text, for one that it does not take."""
    try:
        _lark().parse(Scanner(source).tokens())
    except UnexpectedToken as error:
        return error
    raise ValueError(f"this parses: {source}")


class StatementLexer(Lexer):
    """Lark's side of it: what is parsed are a Scanner's tokens."""

    def __init__(self, lexer_conf: LexerConf) -> None:
        pass

    def lex(self, tokens: Iterator[Token]) -> Iterator[Token]:  # type: ignore[override]
        return tokens


@cache
def _lark() -> Lark:
    return parser_of(grammar.text(), StatementLexer, _Builder())


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Each rule's dataclass, made as the rule is recognised."""

    def script(self, *statements: Statement) -> tuple[Statement, ...]:
        return statements

    def __getattr__(self, rule: str) -> Callable[[list[Any]], Statement]:
        # A statement's rule makes the class of its name.
        if rule not in DECLARED:
            raise AttributeError(rule)
        return lambda parts: statement_class(rule).of(*parts)

    def what(self, *words: Token) -> str:
        return " ".join([word.upper().removesuffix("S") for word in words])

    def if_exists(self, *_words: Token) -> bool:
        return True

    def query(self, *chunks: SQLChunk | Nested) -> Query:
        if len(chunks) == 1 and isinstance(only := chunks[0], SQLChunk):  # as most are
            return Query(only.parts)
        parts: list[Any] = []
        for chunk in chunks:
            if isinstance(chunk, Nested):
                parts.append(chunk)
            else:
                parts.extend(chunk.parts)
        return Query(tuple(parts))

    def nested(self, parenthesis: Token, statement: Statement) -> Nested:
        return Nested(statement, Query(), parenthesis.start_pos or 0)

    def options(self, *options: Option) -> tuple[Option, ...]:
        return tuple(option for option in options if isinstance(option, Option))

    def option(self, name: Token, value: Token | _Value) -> Option:
        read = _read(value)
        return Option(name.value, read.value, name.start_pos or 0, read.start)

    def bare(self, *words: Token) -> _Value:
        text = ".".join(word.value for word in words)
        start = words[0].start_pos or 0
        if words[0].type == "QUOTED" and len(words) == 1:
            raise Refusal(
                "Double quotes are for names; put a string in single quotes.",
                start,
                len(text),
                f"Write '{quoted_value(text)}'.",
            )
        folded = text.lower()
        if folded in _CONSTANTS:
            return _Value(_CONSTANTS[folded], start)
        return _Value(Word(text, start), start)

    def array(self, opening: Token, *values: Token | _Value) -> _Value:
        items: list[OptionValue] = []
        for value in values:
            if isinstance(value, SQLChunk):
                items.extend(value.parts)
            else:
                items.append(_read(value).value)
        return _Value(tuple(items), opening.start_pos or 0)

    def name(self, *tokens: Token) -> Word:
        return Word(_checked_name(tokens[0]), tokens[0].start_pos or 0)

    def model(self, token: Token) -> ModelReference:
        if token.type == "STRING":
            return ModelReference(token.value, True, token.start_pos or 0)
        return ModelReference(_checked_name(token), False, token.start_pos or 0)

    def version(self, token: Token) -> int:
        number = number_value(token, token.start_pos or 0)
        if not isinstance(number, int) or number < 1:
            raise Refusal("A version is a whole number from 1.", token.start_pos or 0, len(token.value))
        return number

    def table(self, *words: Token) -> Word:
        return Word(".".join(word.value for word in words), words[0].start_pos or 0)

    def path(self, token: Token) -> Literal | Parameter:
        return (Literal if token.type == "STRING" else Parameter)(token.value, token.start_pos or 0)


class _Value(NamedTuple):
    value: OptionValue
    start: int


_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def _read(value: Token | _Value) -> _Value:
    if isinstance(value, _Value):
        return value
    start = value.start_pos or 0
    if value.type == "PARAMETER":
        return _Value(Parameter(value.value, start), start)
    return _Value(number_value(value, start) if value.type == "NUMBER" else value.value, start)


def _checked_name(token: Token) -> str:
    name = quoted_value(token.value) if token.type == "QUOTED" else token.value
    if not _NAME.fullmatch(name):
        raise Refusal(
            f"'{name}' cannot be a name here.",
            token.start_pos or 0,
            len(token),
            f"A name has letters from A to Z, digits and underscores, no digit first, at most {MAX_NAME}.",
        )
    return name
