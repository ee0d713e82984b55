"""A refusal in, the same with the word out that was probably meant: a table, a column, a keyword of SQL; and its place.

It is asked for when a statement is over and its transaction rolled back, so that the database can be asked too.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import Option, Statement, nested_statements, options_of, query_of, walk
from thanosql.engine.language.terminals import lexeme, words
from thanosql.errors import Position, ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLError, near

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection

NO_TABLE, NO_COLUMN, SYNTAX = "42P01", "42703", "42601"
_KEYWORDS = words(
    """ALTER ANALYZE BETWEEN COLUMN CREATE DELETE DISTINCT EXCEPT EXISTS EXPLAIN FROM GROUP HAVING INDEX INNER INSERT
    INTERSECT INTO JOIN LATERAL LEFT LIMIT OFFSET ORDER OUTER RETURNING RIGHT SELECT SCHEMA TABLE TRUNCATE UNION UPDATE
    USING VALUES VIEW WHERE WINDOW WITH"""
)
ALONE = (
    "A statement in parentheses is run once, before the query around it, and sees none of that query's columns: "
    "join its result by a key."
)
_NAME = re.compile(r'(?:[\w$]+|"[^"]+")(?:\.(?:[\w$]+|"[^"]+"))*')
_TABLES = (
    "SELECT relname::text, nspname::text, pg_table_is_visible(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid ="
    " relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname !~ '^pg_toast|^pg_temp_'"
    " AND (nspname NOT IN ('pg_catalog', 'information_schema')) LIMIT 10000"
)
_COLUMNS = (
    "SELECT DISTINCT attname::text FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0 AND NOT"
    " attisdropped AND pg_table_is_visible(c.oid) AND relname = ANY(%s) LIMIT 10000"
)


def suggest(error: ThanoSQLError, statement: Statement, source: str, connection: Connection | None) -> None:
    """Add to an error what was probably meant, and where it stands, if it does not say so. It raises nothing."""
    if isinstance(error, ThanoSQLDataError) and error.option is not None and error.position is None:
        error.position = _place(*error.option, statement, source)
    elif isinstance(error, ThanoSQLDatabaseError) and error.position is not None and error.hint is None:
        with contextlib.suppress(ThanoSQLError):
            error.hint = _hint(error, error.position, statement, source, connection)


def _place(option: str, name: str, statement: Statement, source: str) -> Position | None:
    """Where an option has a name for its value."""
    for said in _options(statement):
        if said.name.lower() == option and getattr(said.value, "text", said.value) == name:
            end = lexeme(source, said.value_start).end
            return Position.at(source, said.value_start, end - said.value_start)
    return None


def _options(statement: Statement) -> Iterator[Option]:
    for one in walk(statement):
        yield from options_of(one)


def _hint(
    error: ThanoSQLDatabaseError, at: Position, statement: Statement, source: str, connection: Connection | None
) -> str | None:
    if error.sqlstate == NO_TABLE and "FROM-clause" in error.message:
        return ALONE if any(True for _ in nested_statements(query_of(statement))) else None
    meant = _keyword(at) if error.sqlstate == SYNTAX else _name(error, at, source, connection)
    return f"Did you mean {meant}?" if meant is not None else None


def _name(error: ThanoSQLDatabaseError, at: Position, source: str, connection: Connection | None) -> str | None:
    """The table or column of the database that the name at a place was meant to be."""
    found = _NAME.match(at.text, at.column - 1)
    if found is None or connection is None or not connection.open or connection.in_transaction:
        return None
    name = found[0].replace('"', "")
    if error.sqlstate == NO_TABLE:
        known = connection.values(_TABLES)
        visible = [table for table, _, is_visible in known if is_visible]
        return near(name, visible) or near(name, [f"{schema}.{table}" for table, schema, _ in known])
    if error.sqlstate == NO_COLUMN:
        return near(name.rpartition(".")[2], [column for (column,) in connection.values(_COLUMNS, _words(source))])
    return None


def _keyword(at: Position) -> str | None:
    """The keyword that the word where PostgreSQL stopped, or the one before it, was meant to be.

    >>> _keyword(Position(1, 20, "SELECT * FROM t WHRE x = 1")), _keyword(Position(1, 1, "SELEC 2"))
    ('WHERE', 'SELECT')
    """
    here = [found[0] for found in _NAME.finditer(at.text[: at.column - 1])][-1:]
    found = _NAME.match(at.text, at.column - 1)
    for word in ([found[0]] if found else []) + here:
        if word.upper() not in _KEYWORDS and (meant := near(word, _KEYWORDS, 0.75)) is not None:
            return meant
    return None


def _words(source: str) -> list[str]:
    """The words of a text, folded as names are: those of its tables among them."""
    return list({word.lower() for word in re.findall(r"[\w$]+", source[:100_000])})
