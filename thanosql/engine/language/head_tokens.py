"""The head of a statement of ours: a lexeme in, the grammar's token out; a list's strings and numbers are one token."""

from __future__ import annotations

from lark import Token

from thanosql.engine.language import terminals
from thanosql.engine.language.foreign_characters import foreign_character
from thanosql.engine.language.sql_chunk import SQLChunk
from thanosql.engine.language.terminals import Lexeme, lexeme, number_value
from thanosql.engine.language.vocabulary import Vocabulary

_SIGNS = {"(": "LPAR", ")": "RPAR", "[": "LSQB", "]": "RSQB", ",": "COMMA", "=": "EQUAL", ".": "DOT"}
_QUERY_OPENERS = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})


def list_of_literals(text: str, first: Lexeme) -> SQLChunk:
    """The strings and numbers of a list that begin with `first`, up to the last one that another does not follow."""
    values: list[str | int | float] = []
    piece = first
    while True:
        is_string = piece.kind == "STRING"
        values.append(terminals.string_value(piece) if is_string else number_value(piece.text, piece.start))
        end = piece.end
        comma = lexeme(text, end)
        if comma.kind != "," or (piece := lexeme(text, comma.end)).kind not in ("STRING", "NUMBER"):
            return SQLChunk.of("LITERALS", text, first.start, end, values)


def head_token(text: str, piece: Lexeme, depth: int, ours: Vocabulary) -> Token:
    """The token of a lexeme, with `depth` parentheses and lists open around it. Raises Refusal for what is none."""
    kind, value = _SIGNS.get(piece.kind, piece.kind), piece.text
    if kind == "WORD":
        # Between parentheses every word is a name, but an AS with a query after it: there one is not closed.
        word = piece.upper
        if word in ours.keywords and (depth <= 0 or (word == "AS" and _opens_query(text, piece.end))):
            kind = word
        elif (foreign := foreign_character(piece)) is not None:
            raise foreign
    elif kind == "STRING":
        value = terminals.string_value(piece)
    elif kind in "'\"":
        raise terminals.unclosed_quote(text, piece.start)
    elif kind == "PARAMETER":
        value = piece.text[1:]
    return Token(kind, value, piece.start, end_pos=piece.end)


def _opens_query(text: str, at: int) -> bool:
    following = lexeme(text, at)
    return following.kind == "(" or following.upper in _QUERY_OPENERS
