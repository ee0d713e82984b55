"""What PostgreSQL refused in, the statement to write out: other dialects' words, forgotten parentheses, models as tables.

It is looked at once, and only for a text that PostgreSQL has refused: what it takes is PostgreSQL's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from thanosql.engine.language.foreign_characters import foreign_character
from thanosql.engine.language.lookaround import is_operand
from thanosql.engine.language.terminals import Lexeme, Refusal, lexeme
from thanosql.engine.language.vocabulary import vocabulary

# What PostgreSQL answers: syntax, and no such table, column, function, setting, schema or parameter.
SYNTAX, TABLE, COLUMN, FUNCTION, SETTING, SCHEMA, PARAMETER = "42601 42P01 42703 42883 42704 3F000 42P02".split()
STATES = frozenset({SYNTAX, TABLE, COLUMN, FUNCTION, SETTING, SCHEMA, PARAMETER})
LONGEST = 100_000  # characters of a statement that are looked at
_SHOWN = 300  # characters of a statement that a cure repeats

_QUERY = "SELECT audio_path FROM …"
_TRANSCRIBES = f"SELECT * FROM (PREDICT USING model AS {_QUERY}) p"
_FITS = "FIT MODEL name USING name AS SELECT audio_path, text FROM …"
_MADE = "A model is made by a statement of its own:"
_FURTHER = "A model is trained further by a statement of its own:"
_BUILDS = "BUILD MODEL name USING base AS SELECT audio_path, text FROM …"
# By the first words of a statement: BigQuery's and MindsDB's, MySQL's.
_OPENINGS = {
    r"CREATE (?:OR REPLACE )?(?:TEMP(?:ORARY)? )?(?:MODEL|PREDICTOR)\b.*": f"{_MADE} {_BUILDS}",
    r"ALTER MODEL\b.*": f"{_FURTHER} {_FITS}",
    r"(?:RETRAIN|FINETUNE) .*": f"{_FURTHER} {_FITS}",
    r"SHOW (?:ML_?)?(?:MODELS|PREDICTORS)\b.*": "Models are listed otherwise: LIST MODEL",
    r"SHOW (?:FULL )?TABLES\b.*": "Tables are listed otherwise: LIST TABLE",
    r"SHOW (?:DATABASES|SCHEMAS)\b.*": "Schemas are listed otherwise: SELECT nspname FROM pg_namespace",
    r"SHOW COLUMNS\b.*": "Columns are listed otherwise: SELECT column_name, data_type FROM information_schema.columns",
    r"USE \w+": "A schema is chosen otherwise: SET search_path TO name",
}
# Functions that recognize speech elsewhere: BigQuery's ML.…, Snowflake's AI_TRANSCRIBE, Databricks' ai_query …
_FUNCTIONS = {
    "EVALUATE": "SELECT * FROM (EVALUATE USING model AS SELECT audio_path, text FROM …) e",
    **dict.fromkeys(
        (
            "PREDICT",
            "TRANSCRIBE",
            "AI_TRANSCRIBE",
            "AI_QUERY",
            "AI_PREDICT",
            "ML_PREDICT",
            "SPEECH_TO_TEXT",
            "RECOGNIZE",
        ),
        _TRANSCRIBES,
    ),
}


class Cure(NamedTuple):
    """What to do, in one sentence with the statement to write, and where; `start` is None where PostgreSQL knows better."""

    hint: str
    start: int | None = None
    width: int = 1


def cure(text: str, sqlstate: str, models: Collection[str], at: int | None = None) -> Cure | None:
    """What to write in the place of a statement that PostgreSQL refused; None for what is nobody's dialect.

    `models` are the names of models and bases, `at` is where PostgreSQL stopped.
    """
    if sqlstate not in STATES or len(text) > LONGEST:
        return None
    pieces = [*_pieces(text)]
    if at is None and pieces and pieces[0].upper in vocabulary().own:
        return None  # it stopped in a query that stands nowhere in the text: an option's, as valid_query
    around = [piece for piece in pieces if at is None or sqlstate == SYNTAX or piece.start <= at < piece.end]
    if (found := _foreign(around)) is not None:
        return found
    for find, states in _FINDERS:
        if sqlstate in states and (found := find(text, pieces)) is not None:
            return found
    if sqlstate == SYNTAX:  # MindsDB joins a table with a model, without ON
        around = [word for before, word in pairwise(pieces) if before.upper == "JOIN"]
    return _model(pieces, around, models) if sqlstate in (SYNTAX, TABLE) else None


def _pieces(text: str) -> Iterator[Lexeme]:
    at = 0
    try:
        while (piece := lexeme(text, at)).kind:
            yield piece
            at = piece.end
    except Refusal:  # a comment or string that is never closed
        return


def _foreign(pieces: Sequence[Lexeme]) -> Cure | None:
    for piece in pieces:
        if piece.kind == "WORD" and (refusal := foreign_character(piece)) is not None:
            return Cure(f"{refusal.message} {refusal.hint}", refusal.start)
    return None


def _opening(_text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    said = " ".join(piece.text.upper() for piece in pieces[:6])
    for pattern, hint in _OPENINGS.items():
        if re.fullmatch(pattern, said):
            return Cure(hint, pieces[0].start, pieces[min(2, len(pieces)) - 1].end - pieces[0].start)
    return None


def _backtick(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    for piece in pieces:
        if piece.text == "`":
            name = text[piece.end :].partition("`")[0]
            shown = name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f'"{name}"'
            return Cure(f"A name stands without backticks, or in double quotes: {shown}", piece.start, len(name) + 2)
    return None


def _parenthesis(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    """A statement of ours in SQL, without its parentheses."""
    opened: list[Lexeme] = []
    ours = vocabulary()
    for index, (before, word) in enumerate(pairwise(pieces), start=1):
        if before.kind in ("(", ")"):
            opened = [*opened, before] if before.kind == "(" else opened[:-1]
        following = pieces[index + 1].upper if index + 1 < len(pieces) else ""
        if (
            before.kind == "("
            or before.upper in ours.prefixes
            or word.upper not in ours.nested_using
            or following != "USING"
        ):
            continue
        end = _closing(pieces, index) if opened else len(text.rstrip().rstrip(";"))
        inside = text[word.start : end].rstrip()
        name = "" if before.upper in ("AS", "") or before.upper not in ("FROM", "JOIN", ",") else " p"
        written = f"{text[: word.start]}({inside}){name}{text[end:].rstrip()}".strip()
        shown = written if len(written) <= _SHOWN else f"({word.upper} USING … AS …){name}"
        return Cure(
            f"A statement inside another stands in parentheses: {' '.join(shown.split())}", word.start, len(word.text)
        )
    return None


def _closing(pieces: Sequence[Lexeme], index: int) -> int:
    """Where the parenthesis closes that is open at this piece."""
    depth = 0
    for piece in pieces[index:]:
        depth += {"(": 1, ")": -1}.get(piece.kind, 0)
        if depth < 0:
            return piece.start
    return pieces[-1].end


def _function(_text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    for word, following in pairwise(pieces):
        if following.kind == "(" and word.upper in _FUNCTIONS:
            return Cure(
                f"Recognition is a statement here, not a function: {_FUNCTIONS[word.upper]}", word.start, len(word.text)
            )
    return None


def _placeholder(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    """`?`, `%s`, `%(name)s`, `$1` and `@name` of drivers and of other databases."""
    for piece, following in zip(pieces, (*pieces[1:], Lexeme("", "", 0, 0)), strict=False):
        sign, close = piece.text[:1], following.start == piece.end
        written = (
            sign == "?"
            or (sign == "%" and close and (following.text == "s" or following.kind == "("))
            or (sign in ("$", "@") and close and following.kind in ("WORD", "NUMBER"))
        )
        # Behind an operand all of these are operators.
        if written and not is_operand(text, len(text[: piece.start].rstrip()) - 1):
            return Cure(
                "A parameter is written :name, and its value is given by name: params={'name': value}", piece.start
            )
    return None


def _model(pieces: Sequence[Lexeme], around: Sequence[Lexeme], models: Collection[str]) -> Cure | None:
    """A model where a table stands."""
    known = {name.lower(): name for name in models}
    for word in around:
        name = known.get(word.text.strip('"').lower())
        if name is None or word.kind not in ("WORD", "QUOTED"):
            continue
        written = f"SELECT * FROM (PREDICT USING {name} AS {_QUERY}) p"
        if pieces[0].upper == "DROP":
            written = f"DROP MODEL {name}"
        return Cure(f"{name} is a model, not a table: {written}", word.start, len(word.text))
    return None


_FINDERS: tuple[tuple[Callable[[str, Sequence[Lexeme]], Cure | None], frozenset[str]], ...] = (
    (_opening, STATES),
    (_parenthesis, frozenset({SYNTAX})),
    (_function, frozenset({SYNTAX, FUNCTION, SCHEMA})),
    (_backtick, frozenset({SYNTAX})),
    (_placeholder, frozenset({SYNTAX, PARAMETER})),
)
