"""A refusal in, the same with the word out that was probably meant: a table, a column, a keyword of SQL; and its place.

It is asked for when a statement is over and its transaction rolled back, so that the database can be asked too.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from thanosql.engine.language import dialects
from thanosql.engine.language.cures import STATES
from thanosql.engine.language.options import declared_by
from thanosql.engine.language.syntax import (
    Option,
    Statement,
    Word,
    nested_statements,
    options_of,
    query_of,
    references,
    walk,
)
from thanosql.engine.language.terminals import Lexeme, lexeme, words
from thanosql.engine.postgres.error_translation import cure_of_parameter
from thanosql.engine.postgres.naming import written
from thanosql.engine.postgres.query_errors import DUPLICATE_COLUMN
from thanosql.errors import Position, ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLError, near

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection

log = logging.getLogger(__name__)

SHORT = 2  # letters; a word of no more is looked for in quotes only
NO_TABLE, NO_COLUMN, NO_FUNCTION, SYNTAX = "42P01", "42703", "42883", "42601"
_KEYWORDS = words(
    """ALTER ANALYZE BETWEEN COLUMN CREATE DELETE DISTINCT EXCEPT EXISTS EXPLAIN FROM GROUP HAVING INDEX INNER INSERT
    INTERSECT INTO JOIN LATERAL LEFT LIMIT OFFSET ORDER OUTER RETURNING RIGHT SELECT SCHEMA TABLE TRUNCATE UNION UPDATE
    USING VALUES VIEW WHERE WINDOW WITH"""
)
ALONE = (
    "A statement in parentheses is run once, before the query around it, and cannot see that query's columns: "
    "join its result by a key."
)
_NAME = re.compile(r'(?:[\w$]+|"[^"]+")(?:\.(?:[\w$]+|"[^"]+"))*')
_VALUE_BEFORE = re.compile(r"(?:[^<>!]=|<>|!=|\bI?LIKE)\s*$", re.IGNORECASE)
_TABLES = (
    "SELECT relname::text, nspname::text, pg_table_is_visible(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid ="
    " relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname !~ '^pg_toast|^pg_temp_'"
    " AND (nspname NOT IN ('pg_catalog', 'information_schema')) LIMIT 10000"
)
_COLUMNS = (
    "SELECT DISTINCT attname::text FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT"
    " attisdropped AND pg_table_is_visible(c.oid) AND lower(relname) = ANY(%s) LIMIT 10000"
)
_FUNCTIONS = "SELECT DISTINCT proname::text FROM pg_proc WHERE prokind <> 'p' AND pg_function_is_visible(oid)"


def suggest(
    error: ThanoSQLError,
    statement: Statement,
    text: str,
    source: str,
    connection: Connection | None,
    models: Callable[[], Collection[str]],
) -> None:
    """Add to an error what was probably meant, and where it stands, if it does not say so.

    `text` is the statement's own in `source`, `models` gives the names of models and bases. It raises nothing: a mistake of
    ours in here is logged, since the error that it would hide is the one that helps.
    """
    try:
        with contextlib.suppress(ThanoSQLError):
            _complete(error, statement, text, source, connection, models)
    except Exception:
        log.exception("What an error lacks was not found")


def _complete(
    error: ThanoSQLError,
    statement: Statement,
    text: str,
    source: str,
    connection: Connection | None,
    models: Callable[[], Collection[str]],
) -> None:
    if isinstance(error, ThanoSQLDatabaseError):
        _cure(error, text, source, models)
        no_function = error.sqlstate == NO_FUNCTION and error.message.startswith("function ")
        if error.position is not None and no_function and (error.hint or "").startswith("No function"):
            error.hint = _hint(error, error.position, statement, source, connection) or error.hint
        if error.position is not None and error.hint is None:
            error.hint = _hint(error, error.position, statement, source, connection)
    if error.position is None:
        error.position = _place(error, statement, text, source)


def _cure(error: ThanoSQLDatabaseError, text: str, source: str, models: Callable[[], Collection[str]]) -> None:
    """What another dialect's words are here."""
    if error.sqlstate not in STATES:
        return
    at = error.position.offset(source) if error.position is not None else None
    begin = source.find(text)
    while at is not None and 0 <= begin + len(text) < at:
        begin = source.find(text, begin + 1)
    if begin < 0:
        return
    found = dialects.cure(text, error.sqlstate or "", models(), None if at is None else at - begin)
    if found is not None:
        error.hint = found.hint
        if found.start is not None:
            error.position = Position.at(source, begin + found.start, found.width)


def _place(error: ThanoSQLError, statement: Statement, text: str, source: str) -> Position | None:
    """Where the word stands that an error is about: an option's value or name, a model's or a table's name."""
    options = [*_options(statement)]
    message = error.message
    if isinstance(error, ThanoSQLDatabaseError) and error.sqlstate == DUPLICATE_COLUMN:
        queries = (query_of(one).start for one in walk(statement) if one.syntax is not None)
        twice = (_selected_twice(message, start, source) for start in queries)
        if (place := next((place for place in twice if place is not None), None)) is not None:
            return place
    if isinstance(error, ThanoSQLDataError) and error.option is not None:
        name, wanted = error.option
        options = [option for option in options if option.name.lower() == name and wanted in _texts(option.value)]
        if options:
            return _at(source, options[0].value_start)
        # It was looked for by the option's default: where the query begins that does not have it.
        declaring = (one for one in walk(statement) if one.syntax and name in _declared(one))
        begins = next((query_of(one).start for one in declaring), None)
        return None if begins is None else _at(source, begins)
    for option in options:
        # What a result is called is named in a message about the rows by chance only.
        by_chance = option.name.lower() == "result_col" and isinstance(error, ThanoSQLDataError)
        if not by_chance and any(_names(message, value) for value in _texts(option.value)):
            return _at(source, option.value_start)
    for reference in references(statement):
        if _names(message, reference.text):
            return _at(source, reference.start)
    for option in options:
        # What has no place in the text stands in an option that holds a query: valid_query, lm_query.
        if isinstance(error, ThanoSQLDatabaseError) and option.name.lower().endswith("_query"):
            return _at(source, option.value_start)
    named = next((_at(source, option.start) for option in options if _names(message, option.name)), None)
    return _quoted(message, text, source) if named is None and isinstance(error, ThanoSQLDatabaseError) else named


def _quoted(message: str, text: str, source: str) -> Position | None:
    """Where the first name stands that PostgreSQL's message has in double quotes, as `relation "calls" already exists`."""
    begin = source.find(text)
    for wanted in re.findall(r'"([^"]+)"', message)[:2] if begin >= 0 else ():
        at = 0
        while at < dialects.LONGEST and (piece := lexeme(text, at)).kind:
            name = piece.text[1:-1].replace('""', '"') if piece.kind == "QUOTED" else piece.text.lower()
            if piece.kind in ("WORD", "QUOTED") and name == wanted:
                return Position.at(source, begin + piece.start, len(piece.text))
            at = piece.end
    return None


def _selected_twice(message: str, start: int, source: str) -> Position | None:
    """Where the query that starts there selects a column for the last time that a message names: by its name or a star."""
    name = _NAME.search(message.partition(" ")[2])
    found: list[Lexeme] = []
    at, depth, selecting = start, 0, False
    while at < start + dialects.LONGEST and (piece := lexeme(source, at)).kind and depth >= 0:
        at = piece.end
        depth += {"(": 1, ")": -1}.get(piece.kind, 0)
        if depth == 0 and selecting and piece.upper in ("FROM", "WHERE", "UNION", ";"):
            break
        selecting = selecting or (depth == 0 and piece.upper == "SELECT")
        named = name is not None and piece.text.strip('"').lower() == name[0].strip('"').lower()
        if depth == 0 and selecting and (piece.text == "*" or named):
            found.append(piece)
    return (
        Position.at(source, found[-1].start, len(found[-1].text))
        if len(found) > 1 or "*" in [one.text for one in found]
        else None
    )


def _texts(value: object) -> list[str]:
    """What an option's value says, where it is a word or a string, or a list of them."""
    if isinstance(value, tuple):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else [value.text] if isinstance(value, Word) else []


def _names(message: str, word: str) -> bool:
    """Whether a message names a word: in quotes, or a word of some length that stands alone."""
    bare = rf"|(?<![\w'\"./-]){re.escape(word)}(?![\w'\"/-])" if len(word) > SHORT else ""
    return bool(word) and re.search(rf"(['\"]){re.escape(word)}\1{bare}", message) is not None


def _at(source: str, start: int) -> Position:
    return Position.at(source, start, lexeme(source, start).end - start)


def _options(statement: Statement) -> Iterator[Option]:
    for one in walk(statement):
        yield from options_of(one)


def _hint(
    error: ThanoSQLDatabaseError, at: Position, statement: Statement, source: str, connection: Connection | None
) -> str | None:
    if error.sqlstate == NO_TABLE and "FROM-clause" in error.message:
        return ALONE if any(True for _ in nested_statements(query_of(statement))) else None
    if error.sqlstate == NO_COLUMN and (made := _made(at, statement)) is not None:
        return made
    if error.sqlstate == SYNTAX and (cure := cure_of_parameter(at)) is not None:
        return cure
    if error.sqlstate != SYNTAX:
        meant = _name(error, at, source, connection)
    elif (found := _keyword(at)) is None:
        meant = None
    else:
        meant, column, width = found
        if column != at.column:  # PostgreSQL stops behind a word that may be a name
            error.position = Position(at.line, column, at.text, width)
    if meant is None and error.sqlstate == NO_COLUMN and _VALUE_BEFORE.search(at.text[: at.column - 1]):
        name = _NAME.match(at.text, at.column - 1)
        return (
            f"If this is not a column, write it as a string in single quotes: '{name[0]}'"
            if name and "." not in name[0]
            else None
        )
    return f"Did you mean {meant}?" if meant is not None else None


def _declared(statement: Statement) -> dict[str, Any]:
    """The options of a statement, with their defaults."""
    if statement.syntax is None:
        return {}
    return {option.name: option.default for option in declared_by(*statement.syntax.options())}


def _made(at: Position, statement: Statement) -> str | None:
    """The cure where a query asks for the column that the statement around it makes."""
    found = _NAME.match(at.text, at.column - 1)
    name = found[0].rpartition(".")[2].strip('"').lower() if found else ""
    for one in walk(statement):
        declared = _declared(one)
        given = {option.name.lower(): next(iter(_texts(option.value)), None) for option in options_of(one)}
        column = given.get("result_col") or declared.get("result_col")
        if column and name and name.removesuffix("_confidence") == column.lower() and one.syntax is not None:
            inside = f"({one.syntax.title} USING … AS SELECT …)"
            return f"{name} is a column that the statement adds: SELECT * FROM {inside} p WHERE {name} …"
    return None


def _name(error: ThanoSQLDatabaseError, at: Position, source: str, connection: Connection | None) -> str | None:
    """The table or column of the database that the name at a place was meant to be."""
    found = _NAME.match(at.text, at.column - 1)
    if found is None or connection is None or not connection.open or connection.in_transaction:
        return None
    name = found[0].replace('"', "")
    if error.sqlstate == NO_TABLE:
        known = connection.values(_TABLES)
        visible = [(table,) for table, _, is_visible in known if is_visible]
        return _nearest(name, visible) or _nearest(name, [(schema, table) for table, schema, _ in known])
    if error.sqlstate == NO_FUNCTION:
        functions = {function for (function,) in connection.values(_FUNCTIONS)}
        return None if name.lower() in functions else near(name, functions, 0.75)
    if error.sqlstate == NO_COLUMN:
        name = name.rpartition(".")[2]
        meant = _nearest(name, connection.values(_COLUMNS, _words(source)))
        return None if meant == name.lower() else meant
    return None


def _nearest(name: str, known: Iterable[Sequence[str]]) -> str | None:
    """Of these, each in its parts, the one that a name was meant to be, as SQL has to write it."""
    named = {".".join(parts): parts for parts in known}
    meant = near(name, named)
    return None if meant is None else written(*named[meant])


def _keyword(at: Position) -> tuple[str, int, int] | None:
    """The keyword that the word where PostgreSQL stopped, or the one before it, was meant to be; its column and width.

    >>> _keyword(Position(1, 22, "SELECT * FROM t WHRE x = 1")), _keyword(Position(1, 1, "SELEC 2"))
    (('WHERE', 17, 4), ('SELECT', 1, 5))
    """
    before = [*_NAME.finditer(at.text[: at.column - 1])][-1:]
    found = _NAME.match(at.text, at.column - 1)
    for word in ([found] if found else []) + before:
        if word[0].upper() not in _KEYWORDS and (meant := near(word[0], _KEYWORDS, 0.75)) is not None:
            return meant, word.start() + 1, len(word[0])
    return None


def _words(source: str) -> list[str]:
    """The words and quoted names of a text in lower case: those of its tables among them."""
    return list({(word or name).lower() for name, word in re.findall(r'"([^"]+)"|([\w$]+)', source[:100_000])})
