"""What PostgreSQL refused in, the statement to write out: other dialects' words, forgotten parentheses, models as tables.

It is looked at once, and only for a text that PostgreSQL has refused: what it takes is PostgreSQL's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise

from thanosql.engine.language import habits
from thanosql.engine.language.cures import (
    COLUMN,
    FILES,
    FUNCTION,
    NOT_SUPPORTED,
    PARAMETER,
    SCHEMA,
    SETTING,
    STATES,
    SYNTAX,
    TABLE,
    Cure,
    rewritten,
)
from thanosql.engine.language.foreign_characters import foreign_character
from thanosql.engine.language.foreign_functions import function, type_name
from thanosql.engine.language.slips import SLIPS, joined
from thanosql.engine.language.terminals import Lexeme, Refusal, lexeme
from thanosql.engine.language.vocabulary import vocabulary

LONGEST = 100_000  # characters of a statement that are looked at
_SHOWN = 300  # characters of a statement that a cure repeats

_VIEW = re.compile(
    r"^create\s+(?:or\s+replace\s+)?(?:(?:temp(?:orary)?|recursive|materialized)\s+)?view\b", re.IGNORECASE
)
_QUERY = "SELECT audio_path FROM …"
_TRANSCRIBES = f"SELECT * FROM (PREDICT USING model AS {_QUERY}) p"
_TRAINS = "BUILD MODEL name USING base AS SELECT audio_path, text FROM …"
# Functions that recognize speech elsewhere: BigQuery's ML.…, Snowflake's AI_TRANSCRIBE, Databricks' ai_query, DuckDB's …
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
            "ASR",
            "STT",
            "WHISPER",
            "WHISPER_TRANSCRIBE",
            "WHISPER_TRANSCRIBE_SEGMENTS",
        ),
        _TRANSCRIBES,
    ),
}


def cure(text: str, sqlstate: str, models: Collection[str], at: int | None = None) -> Cure | None:
    """What to write in the place of a statement that PostgreSQL refused; None for what is nobody's dialect.

    `models` are the names of models and bases, `at` is where PostgreSQL stopped.
    """
    if sqlstate not in STATES or len(text) > LONGEST:
        return None
    pieces = [*_pieces(text)]
    if not pieces:
        return None
    if at is None and pieces[0].upper in vocabulary().own:
        return None  # it stopped in a query that stands nowhere in the text: an option's, as valid_query
    around = [piece for piece in pieces if at is None or sqlstate == SYNTAX or piece.start <= at < piece.end]
    if (found := _foreign(text, around)) is not None:
        return found
    for find, states in _FINDERS:
        if sqlstate in states and (found := find(text, pieces)) is not None:
            return found
    for find_at, states in _FINDERS_AT:
        if sqlstate in states and (found := find_at(text, pieces, at)) is not None:
            return found
    if sqlstate == COLUMN and at is not None and (found := _method(pieces) or _argument(text, pieces, at)) is not None:
        return found
    if sqlstate == COLUMN and at is not None:
        return habits.parameter_at(text, at) or habits.quoted_text(pieces, at)
    if sqlstate == SYNTAX:  # MindsDB joins a table with a model, without ON
        around = [word for before, word in pairwise(pieces) if before.upper == "JOIN"]
    found = _model(pieces, around, models) if sqlstate in (SYNTAX, TABLE, FUNCTION, SCHEMA) else None
    return joined(pieces, at) if found is None and sqlstate == SYNTAX else found


def _pieces(text: str) -> Iterator[Lexeme]:
    at = 0
    try:
        while (piece := lexeme(text, at)).kind:
            yield piece
            at = piece.end
    except Refusal:  # a comment or string that is never closed
        return


def _foreign(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    for piece in pieces:
        if piece.kind == "WORD" and (refusal := foreign_character(piece)) is not None:
            return Cure(f"{refusal.message} {refusal.hint}", refusal.start)
        narrow = unicodedata.normalize("NFKC", piece.text)
        if piece.kind == "WORD" and narrow.isascii() and narrow != piece.text:
            shown = rewritten(text, (piece.start, piece.end, narrow))
            return Cure(f"{piece.text} is in full-width letters; write: {shown}", piece.start, len(piece.text))
    return None


def _backtick(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    for piece in pieces:
        if piece.text == "`":
            name = text[piece.end :].partition("`")[0]
            shown = name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f'"{name}"'
            return Cure(f"Write the name without backticks, or in double quotes: {shown}", piece.start, len(name) + 2)
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
            or before.upper == "MODEL"  # BUILD MODEL predict USING
            or before.upper in ours.prefixes
            or word.upper not in ours.nested_using
            or following != "USING"
            or _is_table(pieces, index)
        ):
            continue
        if pieces[0].upper in ours.prefixes and before.kind == ")" and not opened:  # EXPLAIN (ANALYZE) PREDICT
            wrong, at = f"{pieces[0].upper} takes no list before {word.upper}", pieces[1].start
            shown = rewritten(text, (at, word.start, ""))
            return Cure(f"{wrong}; write: {shown}", at, before.end - at)
        end = _closing(pieces, index) if opened else len(text.rstrip().rstrip(";"))
        inside = text[word.start : end].rstrip()
        if not re.search(r"\bAS\b", inside, re.IGNORECASE):
            model = "".join(piece.text for piece in pieces[index + 2 : index + 3]) or "model"
            written = f"SELECT * FROM ({word.upper} USING {model} AS {_QUERY}) p"
            return Cure(f"Put the query inside the statement: {written}", word.start, len(word.text))
        if pieces[0].upper == "UPDATE" and before.text == "=":
            written = f"SET … FROM ({word.upper} USING … AS SELECT …) p WHERE …"
            return Cure(f"Join its rows by a key: UPDATE {pieces[1].text} {written}", word.start, len(word.text))
        name = "" if before.upper in ("AS", "") or before.upper not in ("FROM", "JOIN", ",") else " p"
        written = f"{text[: word.start]}({inside}){name}{text[end:].rstrip()}".strip()
        if before.upper == "SELECT" and before is pieces[0]:
            written = f"SELECT * FROM ({inside}) p{text[end:].rstrip()}"
        wrong = "Put the inner statement in parentheses"
        if _VIEW.match(written):  # its rows are gone when the statement ends
            wrong, written = "A view cannot contain this statement; make a table", _VIEW.sub("CREATE TABLE", written)
        shown = written if len(written) <= _SHOWN else f"({word.upper} USING … AS …){name}"
        return Cure(f"{wrong}: {' '.join(shown.split())}", word.start, len(word.text))
    return None


def _is_table(pieces: Sequence[Lexeme], index: int) -> bool:
    """Whether what stands here before USING is a table, as in DELETE FROM predict USING and JOIN predict USING (id)."""
    changed = {piece.upper for piece in pieces[max(index - 3, 0) : index]}
    listed = index + 2 < len(pieces) and pieces[index + 2].kind == "("
    return listed or changed >= {"DELETE", "FROM"} or changed >= {"MERGE", "INTO"}


def _listing(text: str, pieces: Sequence[Lexeme]) -> Cure | None:
    """LIST and DESCRIBE MODEL without their parentheses, and a table of models, as other databases have."""
    kinds = vocabulary().nested_kinds
    for before, word, following in zip(pieces, pieces[1:], (*pieces[2:], Lexeme("", "", 0, 0)), strict=False):
        if before.upper not in ("FROM", "JOIN"):
            continue
        if word.upper in kinds and following.upper in kinds[word.upper]:
            shown = rewritten(text, (word.start, word.start, "("), (following.end, following.end, ") l"))
            return Cure(f"Put the inner statement in parentheses: {shown}", word.start, following.end - word.start)
        if word.upper in ("MODELS", "ML_MODELS"):
            shown = rewritten(text, (word.start, word.end, "(LIST MODEL) models"))
            return Cure(f"Models are listed by a statement: {shown}", word.start, len(word.text))
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
    for index, (word, following) in enumerate(pairwise(pieces)):
        of_ml = index > 1 and (pieces[index - 2].upper, pieces[index - 1].text) == ("ML", ".")
        if following.kind == "(" and of_ml and word.upper in ("TRAIN", "CREATE_MODEL", "FIT"):
            return Cure(f"Training is a statement here: {_TRAINS}", word.start, len(word.text))
        if following.kind == "(" and word.upper in _FUNCTIONS:
            return Cure(
                f"Recognition is a statement here, not a function: {_FUNCTIONS[word.upper]}", word.start, len(word.text)
            )
    return None


def _argument(text: str, pieces: Sequence[Lexeme], at: int) -> Cure | None:
    """The same where PostgreSQL stopped at the function's argument, as `predict(Wav2Vec2Tiny, audio_path)`."""
    for index, piece in enumerate(pieces[1:], start=1):
        if piece.kind == "(" and piece.end <= at < _closing(pieces, index + 1):
            found = _function(text, pieces[index - 1 : index + 1])
            if found is not None:
                return found
    return None


def _method(pieces: Sequence[Lexeme]) -> Cure | None:
    """Snowflake's `model!PREDICT(…)`."""
    for model, sign, word in zip(pieces, pieces[1:], pieces[2:], strict=False):
        if sign.text == "!" and model.end == sign.start and word.upper in _FUNCTIONS:
            written = _FUNCTIONS[word.upper].replace("model", model.text)
            return Cure(
                f"Recognition is a statement here, not a function: {written}", model.start, word.end - model.start
            )
    return None


def _model(pieces: Sequence[Lexeme], around: Sequence[Lexeme], models: Collection[str]) -> Cure | None:
    """A model where a table stands."""
    known = {name.lower(): name for name in models}
    if any(word.text.lower() == "mindsdb" for word in around):
        around = pieces
    for word in around:
        name = known.get(word.text.strip('"').lower())
        if name is None or word.kind not in ("WORD", "QUOTED"):
            continue
        written = f"SELECT * FROM (PREDICT USING {name} AS {_QUERY}) p"
        if pieces[0].upper == "DROP":
            written = f"DROP MODEL {name}"
        following = next((piece.kind for piece in pieces if piece.start >= word.end), "")
        stands = "function" if following == "(" else "table"
        return Cure(f"{name} is a model, not a {stands}: {written}", word.start, len(word.text))
    return None


_FINDERS: tuple[tuple[Callable[[str, Sequence[Lexeme]], Cure | None], frozenset[str]], ...] = (
    (habits.servers_copy, FILES | {SYNTAX}),
    (habits.opening, STATES - FILES),
    (_parenthesis, frozenset({SYNTAX})),
    (_listing, frozenset({SYNTAX, TABLE})),
    (_function, frozenset({SYNTAX, FUNCTION, SCHEMA, NOT_SUPPORTED})),
    (_backtick, frozenset({SYNTAX})),
    (habits.clause, frozenset({SYNTAX, FUNCTION})),
    (habits.frame, frozenset({TABLE})),
    (habits.placeholder, frozenset({SYNTAX, PARAMETER})),
)
_FINDERS_AT = (
    (function, frozenset({SYNTAX, FUNCTION, COLUMN})),
    (type_name, frozenset({SETTING})),
    *SLIPS,
)
