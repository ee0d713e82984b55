"""A refused query in, the same refusal with what to write instead out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from thanosql.engine.language.syntax import SQL
from thanosql.errors import ThanoSQLDatabaseError

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection

DUPLICATE_COLUMN = "42701"
PSEUDO_TYPE = "42P16"
READ_ONLY = "25006"
NO_PRIVILEGE = "42501"
NOT_SUPPORTED = "0A000"
SYNTAX = "42601"

ONLY_READ = (
    "The query after AS may only read, and its own WITH list too. Put what changes data into the WITH list of a SELECT around "
    "the statement, or run it as a statement of its own first; then read its result."
)
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*+(\w+)", re.DOTALL)
_QUERIES = {"select", "values", "table", "with"}
_WANTED = "A query is expected here: SELECT, VALUES, TABLE or WITH."
_NAME = re.compile(r"[\w.]+")
_INTO = re.compile(r"SELECT ... INTO|near \"INTO\"$")
_CHANGE = re.compile(r"near \"(?:INSERT|UPDATE|DELETE|MERGE)\"$", re.IGNORECASE)
_CHANGING = {"insert", "update", "delete", "merge", "create", "drop", "alter", "truncate", "copy", "call", "do"}


DOUBLED = (
    "Every column of the query needs a name of its own: "
    "instead of * name the columns, with AS another_name after one of the two."
)


class CreationRefused(Exception):
    """The temporary table could not be made for want of a right, the query's or the table's; `cause` says it."""

    def __init__(self, cause: ThanoSQLDatabaseError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextlib.contextmanager
def explained(connection: Connection, query: SQL) -> Iterator[None]:
    """Add the cure to what PostgreSQL says of a query that stands where only a sub-select may."""
    try:
        yield
    except ThanoSQLDatabaseError as error:
        cure = _cure(error, query)
        if cure is None or cure == error.hint:
            raise
        raise ThanoSQLDatabaseError(
            error.message,
            sqlstate=error.sqlstate,
            hint="\n".join(part for part in (error.hint, cure) if part),
            position=error.position,
        ) from error


@contextlib.contextmanager
def only_reading(statement: str) -> Iterator[None]:
    """Say it of a statement that reads a query and stands in no other: around it there is no SELECT to change data in."""
    try:
        yield
    except ThanoSQLDatabaseError as error:
        changing = error.sqlstate in (READ_ONLY, NOT_SUPPORTED) and (error.hint == ONLY_READ or "WITH" in error.message)
        if changing or (error.sqlstate == SYNTAX and _CHANGE.search(error.message)):
            error.hint = (
                f"{statement} only reads. Run what changes data first, as a statement of its own that keeps its rows in a table"
                " (WITH … INSERT INTO kept SELECT …); then read that table."
            )
        elif _INTO.search(error.message):
            error.hint = f"{statement} writes its rows to the file: leave INTO out."
        raise


def first_word(query: SQL) -> str:
    """The keyword that a query opens with, in lower case; empty where it opens with none."""
    first = _FIRST_WORD.match(query.plain)
    return first.group(1).lower() if first else ""


def _cure(error: ThanoSQLDatabaseError, query: SQL) -> str | None:
    word = first_word(query)
    if error.sqlstate == DUPLICATE_COLUMN:
        return DOUBLED
    if error.sqlstate == PSEUDO_TYPE:
        return (
            "A table cannot hold such a value: for a record write its parts, (value).part, or to_jsonb(value); "
            "else cast it, value::text."
        )
    if error.sqlstate == READ_ONLY or (error.sqlstate == NOT_SUPPORTED and word == "with"):
        return ONLY_READ
    if error.sqlstate == SYNTAX and query.plain.lstrip().startswith("'"):
        return f"{_WANTED} For one file: SELECT {query.plain.strip()} AS audio_path."
    if error.sqlstate == SYNTAX and word in _CHANGING:
        return f"{_WANTED} {ONLY_READ}"
    if error.sqlstate == SYNTAX and (position := error.position) is not None and _INTO.search(error.message):
        table = re.search(r"\binto\s+([\w.]+)", position.text, re.IGNORECASE)
        return f"Write the result to a table with an option: OPTIONS (table_name='{table[1] if table else 'name'}')"
    if error.sqlstate == SYNTAX and word and word not in _QUERIES:
        name = query.plain.strip("() \n\t")
        return f"{_WANTED} For a whole table: TABLE {name}." if _NAME.fullmatch(name) else _WANTED
    return None


def refuse_doubled_names(names: Sequence[str]) -> None:
    """Raise what PostgreSQL raises where such a query is to become a table."""
    for name in names:
        if names.count(name) > 1:
            raise ThanoSQLDatabaseError(
                f'column "{name}" specified more than once', sqlstate=DUPLICATE_COLUMN, hint=DOUBLED
            )


def means_no_temporary_tables(connection: Connection, error: ThanoSQLDatabaseError) -> bool:
    """Whether making a temporary table failed because this server, session or role may make none."""
    if error.sqlstate == READ_ONLY:
        return True
    if error.sqlstate != NO_PRIVILEGE or connection.failed:
        return False
    return not connection.values("SELECT has_database_privilege(current_database(), 'TEMPORARY')")[0][0]
