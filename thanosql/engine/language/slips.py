"""A slip in SQL, or a clause of another database, that PostgreSQL refused, in; the statement to write out.

Each function looks for one kind of slip at the place where PostgreSQL stopped; `tests/fixtures/habits.txt` shows them at work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from thanosql.engine.language.cures import COLUMN, FUNCTION, GROUPING, NOT_SUPPORTED, SYNTAX, Cure, rewritten
from thanosql.engine.language.foreign_statements import statement
from thanosql.engine.language.lookaround import is_operand
from thanosql.engine.language.terminals import Lexeme, words

_CLAUSES = words("FROM WHERE GROUP ORDER HAVING LIMIT OFFSET UNION EXCEPT INTERSECT WINDOW RETURNING")
_NO_PARENTHESES = words(
    "CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP CURRENT_USER SESSION_USER"
)
_PATTERN = re.compile(r"[%\w]+")
_COMPARES = frozenset("= < > <= >= <> !=".split())
_NO_OPERATORS = {
    "==": "=",
    "===": "=",
    "!==": "<>",
    "=!": "<>",
    "RLIKE": "~",
    "REGEXP": "~",
    "≥": ">=",
    "≤": "<=",
    "≠": "<>",
}
_SIGNS = re.compile(r"[-+*/<>=~!@#%^&|`?]+|[≥≤≠]")
_NOTHING = Lexeme("", "", 0, 0)


def comma(text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """A comma behind the last of a list; a word that stands twice; BY that is missing."""
    before, word = _at(pieces, at)
    if before.kind == "," and (word.upper in _CLAUSES or word.kind == ")"):
        return _replaced(text, f"There is one comma too many before {word.text}", before, "")
    if word.kind == "WORD" and word.upper == before.upper:
        return _replaced(text, f"{word.upper} is written twice", word, "")
    if before.upper in ("ORDER", "GROUP", "PARTITION") and word.kind in ("WORD", "QUOTED", "NUMBER"):
        return _replaced(text, f"BY is missing after {before.upper}", word, f"BY {word.text}")
    if word.upper in ("AUTO_INCREMENT", "AUTOINCREMENT", "IDENTITY"):
        found = re.compile(r"\w+(?:\s*\(\s*\d+\s*,\s*\d+\s*\))?").match(text, word.start)
        whole = word._replace(end=found.end()) if found else word
        return _replaced(text, f"PostgreSQL has no {word.upper}", whole, "GENERATED ALWAYS AS IDENTITY")
    return None


def parts(text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """An expression that has a word too few, or written as elsewhere: INTERVAL 1 DAY, IS 1, CASE without END."""
    before, word = _at(pieces, at)
    unit = next((piece for piece in pieces if piece.start >= word.end), _NOTHING)
    if before.upper == "INTERVAL" and word.kind == "NUMBER" and unit.kind == "WORD":
        whole = before._replace(end=unit.end)
        return _replaced(
            text, "An interval is written as a string", whole, f"interval '{word.text} {unit.text.lower()}'"
        )
    if before.upper == "IS" and word.kind in ("NUMBER", "STRING"):
        return _replaced(text, "IS is for NULL, TRUE and FALSE", before, "=")
    if word.upper == "NOT" and unit.upper == "NULL" and before.kind in ("WORD", "QUOTED"):
        return _replaced(text, "IS is missing before NOT NULL", word, "IS NOT")
    if word.upper in ("DESCENDING", "ASCENDING"):
        return _replaced(text, f"PostgreSQL writes {word.upper[:-6]}", word, word.upper[:-6])
    if (word.kind in ("(", ")") and before.upper in _NO_PARENTHESES) or (word.kind == ")" and before.kind == "("):
        name = next((one for one in reversed(pieces) if one.end <= word.start and one.kind == "WORD"), _NOTHING)
        closed = next((one for one in pieces if one.start >= word.start and one.kind == ")"), _NOTHING)
        if name.upper in _NO_PARENTHESES and closed.kind:
            return _replaced(text, f"{name.upper} takes no parentheses", name._replace(end=closed.end), name.text)
    if word.upper in _CLAUSES and (case := _open_case(pieces, word.start)) is not None:
        shown = rewritten(text, (word.start, word.start, "END "))
        return Cure(f"CASE has no END; write: {shown}", case.start, len(case.text))
    if word.text == "%" and before.upper in ("LIKE", "ILIKE") and (found := _PATTERN.match(text, word.start)):
        return _replaced(text, "A pattern is a string", word._replace(end=found.end()), f"'{found[0]}'")
    if word.text == "," and (between := _open_between(pieces, word.start)) is not None:
        return _replaced(text, f"{between.upper} is written with AND", word, " AND")
    return None


def _open_case(pieces: Sequence[Lexeme], until: int) -> Lexeme | None:
    opened: list[Lexeme] = []
    for piece in pieces:
        if piece.start >= until:
            break
        if piece.upper == "CASE":
            opened.append(piece)
        elif piece.upper == "END":
            opened = opened[:-1]
    return opened[-1] if opened else None


def _open_between(pieces: Sequence[Lexeme], until: int) -> Lexeme | None:
    behind = [piece for piece in pieces if piece.start < until]
    at = next((at for at in range(len(behind) - 1, -1, -1) if behind[at].upper == "BETWEEN"), None)
    return None if at is None or any(piece.upper == "AND" for piece in behind[at:]) else behind[at]


def joined(pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """A JOIN that does not say how."""
    last = next((one for one in reversed(pieces) if one.upper in ("JOIN", "ON", "USING", "CROSS", "NATURAL")), _NOTHING)
    before = next((one.upper for one in reversed(pieces) if one.end <= last.start), "")
    if last.upper != "JOIN" or before in ("CROSS", "NATURAL") or last is pieces[-1]:
        return None
    if at is None or at < pieces[-1].start:
        return None
    return Cure("JOIN needs ON or USING after its table, for example USING (column)", last.start, len(last.text))


def operator(text: str, pieces: Sequence[Lexeme], at: int | None, state: str) -> Cure | None:
    """An operator that has another sign here."""
    signs = [*_operators(text, pieces)]
    before, word = _at([piece if piece.kind == "WORD" else _NOTHING for piece in pieces], at)
    wrong = next((one for one in (*signs, before, word) if one.text.upper() in _NO_OPERATORS and one.start == at), None)
    if wrong is not None:
        meant = _NO_OPERATORS[wrong.text.upper()]
        all_of_them = [one for one in (*signs, *pieces) if one.text.upper() == wrong.text.upper()]
        shown = rewritten(text, *{(one.start, one.end, meant) for one in all_of_them})
        return Cure(f"PostgreSQL writes {wrong.text} as {meant}; write: {shown}", wrong.start, len(wrong.text))
    here = next((one for one in signs if one.start == at), _NOTHING)
    beside = next((piece for piece in pieces if piece.start >= here.end), _NOTHING)
    if state == FUNCTION and here.text in _COMPARES and beside.kind == "NUMBER":
        return _replaced(text, "Text is compared with text, in single quotes", beside, f"'{beside.text}'")
    if state == FUNCTION and here.text == "+":
        return _replaced(text, "PostgreSQL joins texts with ||", here, "||")
    if here.text == "!":
        return _replaced(text, "PostgreSQL writes ! as NOT", here, "NOT ")
    if here.text in _COMPARES:  # n = 1 && text = 'x' is read as (n = (1 && text)) = 'x'
        for one in reversed(signs[: signs.index(here)]):
            if one.text in ("&&", "||"):
                meant = "AND" if one.text == "&&" else "OR"
                return _replaced(text, f"PostgreSQL writes {meant} between conditions", one, meant)
            if one.text in _COMPARES:
                break
    return None


def _operators(text: str, pieces: Sequence[Lexeme]) -> Iterator[Lexeme]:
    """The operators of a text, whole."""
    end = 0
    for piece in pieces:
        if piece.start >= end and (found := _SIGNS.match(text, piece.start)) is not None:
            yield Lexeme("OPERATOR", found[0], *found.span())
            end = found.end()


def brackets(text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """`[1, 2]`: a list of values, or an array."""
    before, word = _at(pieces, at)
    if word.text != "[" or (
        before.upper != "IN" and is_operand(text, before.end - 1) and before.upper not in ("ANY", "ALL")
    ):
        return None
    depth = 0
    for piece in pieces:
        depth += {"[": 1, "]": -1}.get(piece.kind, 0) if piece.start >= word.start else 0
        if piece.start >= word.start and depth == 0:
            inside = text[word.end : piece.start]
            meant = {"IN": f"({inside})", "ANY": f"(ARRAY[{inside}])", "ALL": f"(ARRAY[{inside}])"}
            written = meant.get(before.upper, f"ARRAY[{inside}]")
            shown = rewritten(text, (word.start, piece.end, written))
            return Cure(
                f"PostgreSQL writes such a list as {written}; write: {shown}", word.start, piece.end - word.start
            )
    return None


def star(_text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """`* EXCEPT (…)`, `* EXCLUDE (…)`, `* REPLACE (…)`; GROUP BY ALL."""
    for before, word, following in zip(pieces, pieces[1:], pieces[2:], strict=False):
        if before.text == "*" and word.upper in ("EXCEPT", "EXCLUDE", "REPLACE") and following.kind == "(":
            if at is not None and at < word.start:
                return None
            return Cure(
                f"PostgreSQL has no * {word.upper}: name the columns that you want, instead of *",
                word.start,
                len(word.text),
            )
    for first, second, third in zip(pieces, pieces[1:], pieces[2:], strict=False):
        if (first.upper, second.upper, third.upper) == ("GROUP", "BY", "ALL"):
            return Cure(
                "PostgreSQL has no GROUP BY ALL: name the columns, or their positions: GROUP BY 1, 2", third.start, 3
            )
    return None


def alias(text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """A name that SELECT gives, in WHERE."""
    _, word = _at(pieces, at)
    where = next((one for one in pieces if one.upper == "WHERE"), None)
    if (
        where is None
        or word.start < where.start
        or pieces[0].upper != "SELECT"
        or any(p.upper == "SELECT" for p in pieces[1:])
    ):
        return None
    for before, one in zip(pieces, pieces[1:], strict=False):
        if before.upper == "AS" and one.upper == word.upper and one.end <= where.start:
            begun, end = pieces[0].start, len(text[: where.start].rstrip())
            shown = rewritten(text, (begun, begun, "SELECT * FROM ("), (end, end, ") q"))
            return Cure(f"WHERE does not know the names that SELECT gives; write: {shown}", word.start, len(word.text))
    return None


def grouping(text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """A count in WHERE; a column beside a count that is not grouped by."""
    _, word = _at(pieces, at)
    if not word.kind or word.text == "*":
        return None
    said = [one.upper for one in pieces]
    if "WHERE" in said and word.start > pieces[said.index("WHERE")].start:
        where = pieces[said.index("WHERE")].start
        group = next((one.start for one in pieces if one.upper == "GROUP"), None)
        if group is not None and not {"AND", "OR"} & {one.upper for one in pieces if where < one.start < group}:
            condition = text[where + len("WHERE") : group].strip()
            end = next((one.start for one in pieces if one.upper in ("ORDER", "LIMIT") or one.text == ";"), len(text))
            shown = rewritten(text, (where, group, ""), (end, end, f" HAVING {condition} "))
            return Cure(f"A condition on an aggregate goes after GROUP BY; write: {shown}", word.start, len(word.text))
        return Cure(
            f"A condition on an aggregate goes after GROUP BY: HAVING {word.text}(…) …", word.start, len(word.text)
        )
    if said.count("SELECT") != 1:
        return None
    end = next((one.start for one in pieces if one.upper in ("HAVING", "ORDER", "LIMIT") or one.text == ";"), len(text))
    found = re.compile(r'(?:[\w$]+|"[^"]+")(?:\.(?:[\w$]+|"[^"]+"))*').match(text, word.start)
    column = found[0] if found else word.text
    if "GROUP" in said:
        end = len(text[:end].rstrip())
    shown = rewritten(text, (end, end, f", {column}" if "GROUP" in said else f" GROUP BY {column} "))
    too = " too" if "GROUP" in said else ""
    return Cure(f"Group by {column}{too}; write: {shown}", word.start, len(column))


def other_database(text: str, pieces: Sequence[Lexeme], at: int | None) -> Cure | None:
    """`database.schema.table`"""
    for first, *dots in zip(pieces, pieces[1:], pieces[2:], pieces[3:], pieces[4:], strict=False):
        if first.start == at and [dots[0].text, dots[2].text] == [".", "."]:
            shown = rewritten(text, (first.start, dots[1].start, ""))
            return Cure(
                f"Names are schema.table here, in the one database of the session; write: {shown}",
                first.start,
                dots[3].end - first.start,
            )
    return None


def _at(pieces: Sequence[Lexeme], at: int | None) -> tuple[Lexeme, Lexeme]:
    """The piece that stands at a place, and the one before it."""
    for before, piece in zip((_NOTHING, *pieces), pieces, strict=False):
        if at is not None and piece.start <= at < piece.end:
            return before, piece
    return _NOTHING, _NOTHING


def _replaced(text: str, wrong: str, piece: Lexeme, written: str) -> Cure:
    if not written and text[piece.end : piece.end + 1] == " " == text[piece.start - 1 : piece.start]:
        shown = rewritten(text, (piece.start, piece.end + 1, written))
    else:
        shown = rewritten(text, (piece.start, piece.end, written))
    return Cure(f"{wrong}; write: {shown}", piece.start, piece.end - piece.start)


Find = Callable[[str, Sequence[Lexeme], "int | None"], "Cure | None"]
SLIPS: tuple[tuple[Find, frozenset[str]], ...] = (
    (comma, frozenset({SYNTAX})),
    (parts, frozenset({SYNTAX})),
    (partial(operator, state=SYNTAX), frozenset({SYNTAX})),
    (partial(operator, state=FUNCTION), frozenset({FUNCTION})),
    (brackets, frozenset({SYNTAX})),
    (star, frozenset({SYNTAX})),
    (statement, frozenset({SYNTAX})),
    (alias, frozenset({COLUMN})),
    (grouping, frozenset({GROUPING})),
    (other_database, frozenset({NOT_SUPPORTED})),
)
