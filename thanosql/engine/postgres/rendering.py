"""SQL in pieces in, the text that the server gets out, and where each part of it stands in the user's source."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest
from pathlib import PurePath
from typing import Any

from thanosql.engine.language.syntax import SQL, Bound, Text
from thanosql.engine.postgres.json_values import json_text
from thanosql.errors import Position, ThanoSQLDatabaseError, ThanoSQLOptionError
from thanosql.imported import imported

Place = tuple[int, int, "int | None"]  # begin and end in the text sent, offset in the source


def rendered(sql: SQL, cursor: Any) -> tuple[str, tuple[Place, ...]]:
    """The text for the server, values quoted by the driver for this cursor's connection, and its places.

    Raises ThanoSQLOptionError for a value that has no form in SQL, ThanoSQLDatabaseError for text that cannot be sent.
    """
    written: list[str] = []
    places: list[Place] = []
    length = 0
    for piece, behind in zip_longest(sql.pieces, sql.pieces[1:]):
        text = piece.sql if isinstance(piece, Text) else _quoted(piece, cursor, sql.source)
        if isinstance(piece, Bound) and text.lstrip().startswith("-") and isinstance(behind, Text):
            # A cast binds closer than a minus: -32768::smallint is out of range.
            text = f"({text.strip()})" if behind.sql.lstrip().startswith("::") else text
        written.append(text)
        places.append((length, length + len(text), piece.start))
        length += len(text)
    whole = "".join(written)
    refuse_unsendable(whole)
    return whole, tuple(places)


def refuse_unsendable(*texts: str) -> None:
    """Raise ThanoSQLDatabaseError for text that no PostgreSQL takes, which the driver would call a ValueError."""
    for text in texts:
        if "\0" in text:
            raise ThanoSQLDatabaseError("SQL cannot hold the character NUL (U+0000).", sqlstate="22021")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ThanoSQLDatabaseError(
                f"SQL cannot hold half a surrogate pair ({text[error.start]!r}).", sqlstate="22021"
            ) from error


def position(at: int, sql: SQL, places: Sequence[Place]) -> Position | None:
    """Where character `at` (from 0) of the text that was sent stands in the user's source; None if the text is ours."""
    for begin, end, start in places:
        if begin <= at < end and start is not None and sql.source:
            offset = start + at - begin
            if sql.source[start : start + 1] in ":(" and sql.source[start : start + end - begin] != _sent(
                sql, places, begin
            ):
                offset = start  # a parameter or a statement: what stands for it is longer or shorter
            word = re.compile(r'"[^"\n]+"|:?\w+').match(sql.source, offset)
            return Position.at(sql.source, offset, len(word.group()) if word else 1)
    return None


def _sent(sql: SQL, places: Sequence[Place], begin: int) -> str:
    """What was sent from there, where it is a text as the user wrote it; else nothing."""
    piece = next(piece for piece, (at, _, _) in zip(sql.pieces, places, strict=True) if at == begin)
    return piece.sql if isinstance(piece, Text) else ""


def end_of_query(at: int, sql: SQL, places: Sequence[Place]) -> Position | None:
    """The end of the user's query, where character `at` of the text that was sent is the first after it; else None."""
    for index, (begin, end, start) in reversed([*enumerate(places)]):
        if start is None or end > at:
            continue
        ours = "".join(piece.sql for piece in sql.pieces[index + 1 :] if isinstance(piece, Text))
        piece = sql.pieces[index]
        name = re.compile(r":\w+").match(sql.source, start) if isinstance(piece, Bound) else None
        said = sql.source[start : name.end() if name else start + end - begin]
        written = name is not None or (isinstance(piece, Text) and said == piece.sql)
        if ours[: at - end].strip() or not written:
            return None
        return Position.at(sql.source, start + len(said.rstrip()))
    return None


def value(given: Any) -> Any:
    """A value as the driver takes it: NumPy's and pandas' scalars and arrays become Python's, their missing values None."""
    pandas = imported("pandas")
    numpy = imported("numpy")
    if pandas is not None:
        if given is pandas.NA or given is pandas.NaT:
            return None
        if isinstance(given, pandas.Timestamp):
            return given.to_pydatetime(warn=False)
        if isinstance(given, pandas.Timedelta):
            return given.to_pytimedelta()
        if isinstance(given, pandas.Series | pandas.Index | pandas.api.extensions.ExtensionArray):
            return [None if missing else value(item) for item, missing in zip(given, given.isna(), strict=True)]
    if numpy is not None:
        if isinstance(given, numpy.datetime64 | numpy.timedelta64):
            return None if numpy.isnat(given) else given.astype(given.dtype.str[:2] + "8[us]").item()
        if isinstance(given, numpy.generic):
            return given.item()
        if isinstance(given, numpy.ndarray):
            # tolist makes whole numbers of times in nanoseconds.
            items = given if given.dtype.kind in "mM" and given.ndim else given.tolist()
            return [value(item) for item in items] if given.ndim else value(given[()])
    if isinstance(given, list):
        return [value(item) for item in given]
    if isinstance(given, tuple):
        return tuple(value(item) for item in given)
    if isinstance(given, uuid.UUID | PurePath):
        return str(given)
    return given


def _quoted(piece: Bound, cursor: Any, source: str) -> str:
    import psycopg2
    from psycopg2.extras import Json

    try:
        plain = _infinite(value(piece.value))
        if isinstance(plain, dict):
            plain = Json(plain, dumps=json_text)
        text: str = cursor.mogrify("%s", (plain,)).decode("utf-8")
    except (psycopg2.ProgrammingError, ValueError, TypeError, UnicodeError, RecursionError) as error:
        deep = "it holds itself, or lies too deep" if isinstance(error, RecursionError) else error
        raise ThanoSQLOptionError(
            f"A parameter of type {type(piece.value).__name__} cannot be sent to PostgreSQL: {deep}",
            position=Position.at(source, piece.start) if source and piece.start is not None else None,
        ) from error
    return text


def _infinite(plain: Any) -> Any:
    """The value with its infinite Decimals as PostgreSQL writes them: the driver would send NaN in their place."""
    from psycopg2.extensions import AsIs

    if isinstance(plain, Decimal) and plain.is_infinite():
        return AsIs(f"'{plain}'::numeric")
    if isinstance(plain, list | tuple):
        return type(plain)(map(_infinite, plain))
    return plain
