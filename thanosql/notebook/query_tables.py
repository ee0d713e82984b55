"""The text of a statement in, the tables that it reads out, by the names they have in it; and the lexemes of any text."""

from __future__ import annotations

from collections.abc import Sequence

from thanosql.engine.language.terminals import Lexeme, Refusal, lexeme
from thanosql.notebook.sql_words import CLAUSES, SQL_WORDS


def lexemes(text: str) -> list[Lexeme]:
    """The lexemes of a text, up to an open quote."""
    found: list[Lexeme] = []
    at = 0
    while (piece := lexeme(text, at)).kind:
        found.append(piece)
        if piece.kind in ("'", '"'):
            break
        at = piece.end
    return found


def tables_in(text: str, at: int) -> dict[str, str]:
    """The tables that the statement around the offset `at` reads: alias, or name, → name as written."""
    tokens = _whole(text)
    begin = max((index + 1 for index, token in enumerate(tokens) if token.kind == ";" and token.end <= at), default=0)
    end = next((index for index, token in enumerate(tokens) if token.kind == ";" and token.start >= at), len(tokens))
    found: dict[str, str] = {}
    index, listing = begin, False
    while index < end:
        token = tokens[index]
        index += 1
        if token.upper in ("FROM", "JOIN", "UPDATE", "INTO"):
            listing = True
        elif not (listing and token.kind == ","):
            listing = listing and token.upper not in CLAUSES
            continue
        name, index = _qualified(tokens, index, end)
        if not name:
            continue
        if index < end and tokens[index].upper == "AS":
            index += 1
        alias = name.rpartition(".")[2]
        if index < end and tokens[index].kind in ("WORD", "QUOTED") and tokens[index].upper not in SQL_WORDS:
            alias, index = tokens[index].text, index + 1
        found[alias] = name
    return found


def _whole(text: str) -> list[Lexeme]:
    """The lexemes of a text; past a quote that is being typed they go on after the word that it opens."""
    try:
        tokens = lexemes(text)
        if tokens and tokens[-1].kind in ("'", '"'):
            opened = tokens.pop()
            behind = text[opened.end :].partition(" ")[2]
            skipped = len(text) - len(behind)
            tokens += [Lexeme(one.kind, one.text, one.start + skipped, one.end + skipped) for one in lexemes(behind)]
    except Refusal:
        return []
    return tokens


def _qualified(tokens: Sequence[Lexeme], index: int, end: int) -> tuple[str, int]:
    """The dotted name at `index`, and the index after it; an empty name where none stands."""
    parts: list[str] = []
    while index < end and tokens[index].kind in ("WORD", "QUOTED") and tokens[index].upper not in SQL_WORDS:
        parts.append(tokens[index].text)
        index += 1
        if index >= end or tokens[index].kind != ".":
            break
        index += 1
    return ".".join(parts), index
