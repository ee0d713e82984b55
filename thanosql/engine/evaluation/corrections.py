"""A query of labelled rows and its columns in, the UPDATE that corrects a row's label out, where one table holds it."""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from thanosql.engine.language.syntax import Parameter, Query, Text
from thanosql.engine.language.terminals import Lexeme, Refusal, lexeme

_ENDS = frozenset(("WHERE", "ORDER", "LIMIT", "OFFSET", "FETCH", "TABLESAMPLE"))
_SHAPED = frozenset(("UNION", "INTERSECT", "EXCEPT", "GROUP", "HAVING", "WINDOW", "JOIN", "WITH", "DISTINCT"))

_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


@dataclass(frozen=True)
class Correction:
    """The table of the labels, as it was written; its columns of the label, and of what tells its rows apart."""

    table: str
    text: str
    key: str

    def update(self, key: object, text: str) -> str:
        """The statement that gives the row of a key another label.

        >>> Correction("calls", "text", "id").update(28, "it's seven")
        "UPDATE calls SET text = 'it''s seven' WHERE id = 28"
        >>> print(Correction("calls", "text", "id").update("a", "two\\nlines"))
        UPDATE calls SET text = E'two\\nlines' WHERE id = 'a'
        """
        return f"UPDATE {self.table} SET {self.text} = {_literal(text)} WHERE {self.key} = {_literal(key)}"


def correction(query: Query, text: str, key: str) -> Correction | None:
    """What corrects the labels of a query's rows: they must come from one table, as they stand in it.

    `text` and `key` are names of the query's columns. None where the query joins, groups or computes them.
    """
    if not all(isinstance(part, Text | Parameter) for part in query.parts):
        return None
    pieces = [*_pieces("".join(part.sql if isinstance(part, Text) else "1" for part in query.parts))]
    if not pieces or pieces[0].upper != "SELECT" or any(piece.upper in _SHAPED for piece in pieces):
        return None
    places = [place for place, piece in enumerate(pieces) if piece.upper == "FROM"]
    if len(places) != 1:
        return None
    chosen, behind = pieces[1 : places[0]], pieces[places[0] + 1 :]
    table, rest = _name(behind)
    if not table or (rest and rest[0].upper not in _ENDS):  # a comma, or another name of the table
        return None
    names = {piece.text.strip('"') for piece in _bare(chosen)}
    if [piece.text for piece in chosen] != ["*"] and not {text, key} <= names:
        return None
    return Correction(table, _quoted(text), _quoted(key))


def _pieces(sql: str) -> Iterator[Lexeme]:
    at = 0
    try:
        while (piece := lexeme(sql, at)).kind not in ("", ";"):
            yield piece
            at = piece.end
    except Refusal:
        return


def _name(pieces: Sequence[Lexeme]) -> tuple[str, Sequence[Lexeme]]:
    """The dotted name that opens the pieces, and what follows it."""
    end = 0
    while end < len(pieces) and pieces[end].kind in ("WORD", "QUOTED"):
        end += 1
        if end >= len(pieces) or pieces[end].kind != ".":
            break
        end += 1
    return "".join(piece.text for piece in pieces[:end]), pieces[end:]


def _bare(chosen: Sequence[Lexeme]) -> Iterator[Lexeme]:
    """The columns of a SELECT's list that stand in it without more."""
    for place, piece in enumerate(chosen):
        before = chosen[place - 1].kind if place else ","
        behind = chosen[place + 1].kind if place + 1 < len(chosen) else ","
        if piece.kind in ("WORD", "QUOTED") and before == behind == ",":
            yield piece


def _quoted(name: str) -> str:
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'


def _literal(value: object) -> str:
    if isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return f"'\\x{bytes(value).hex()}'"
    quoted = "'" + str(value).replace("'", "''") + "'"
    if quoted.isprintable():
        return quoted
    # What is not printable would be shown, and copied, as something else.
    escaped = (
        one if one.isprintable() else _ESCAPES.get(one) or f"\\U{ord(one):08x}" for one in quoted.replace("\\", r"\\")
    )
    return "E" + "".join(escaped)
