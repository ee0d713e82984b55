"""What the driver raised in, what the user reads out: PostgreSQL's own words, the place, and the cure where we know
one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.naming import written
from thanosql.engine.postgres.rendering import Place, end_of_query, position
from thanosql.errors import Position, ThanoSQLConnectionError, ThanoSQLDatabaseError

# What a server says that ends a session; functions of users may raise it too.
LOST_STATES = {"57P01", "57P02", "57P03", "08000", "08003", "08006"}

SYNTAX = "42601"
UNDEFINED_COLUMN = "42703"
_COLUMN = re.compile(r'"([^".]+)\.([^"]+)"')  # as PostgreSQL's hint names one: "s.File"
ENDS_EARLY = "The query ends too early."
CURES = {
    "25P02": "The open transaction has failed: ROLLBACK ends it.",
    "57014": None,
    "53100": "It is the disk of the database that is full. Nothing that the statement wrote there is kept.",
    "53300": "The server has no connection left: close sessions that are not needed.",
}


def translated(error: Any, sql: SQL, places: Sequence[Place]) -> ThanoSQLDatabaseError:
    """A psycopg2 error as ours: the message in PostgreSQL's words, its detail, its hint and ours, the place in the
    source."""
    diagnosis = error.diag
    primary = diagnosis.message_primary or str(error).strip() or type(error).__name__
    if error.pgcode is None and "COPY" in primary:
        primary = "COPY FROM STDIN and COPY TO STDOUT need a terminal of their own and do not work here."
        return ThanoSQLDatabaseError(primary, hint="COPY table FROM 'path' reads a file into a table.")
    message = "\n".join(part for part in (primary, diagnosis.message_detail) if part)
    own = _in_quotes(diagnosis.message_hint) if error.pgcode == UNDEFINED_COLUMN else CURES.get(error.pgcode or "")
    hint = "\n".join(part for part in (diagnosis.message_hint, own) if part)
    at = diagnosis.statement_position
    place = position(int(at) - 1, sql, places) if at else None
    if at and error.pgcode == SYNTAX:
        # Where something of the user's stands it does not end; a statement in it stands for a query of ours.
        end = end_of_query(int(at) - 1, sql, places) if place is None else None
        # The parenthesis after the query is ours.
        if end is not None or (place is None and primary.endswith('near ")"')):
            return ThanoSQLDatabaseError(ENDS_EARLY, sqlstate=SYNTAX, hint=hint or None, position=end)
    return ThanoSQLDatabaseError(
        message,
        sqlstate=error.pgcode,
        hint=hint or None,
        position=place,
    )


def _in_quotes(hint: str | None) -> str | None:
    """How to write the columns that PostgreSQL suggests; None where they can be written as it names them.

    >>> _in_quotes('Perhaps you meant to reference the column "s.File".')
    'Write s."File": names with capitals, spaces or signs need double quotes.'
    """
    found = [written(*one) for one in _COLUMN.findall(hint or "")]
    if not any('"' in column for column in found):
        return None
    return f"Write {' or '.join(found)}: names with capitals, spaces or signs need double quotes."


def holds_nul() -> ThanoSQLDatabaseError:
    """The driver refused a value before it was sent."""
    return ThanoSQLDatabaseError(
        "A value holds the character NUL (U+0000), which a text of PostgreSQL cannot hold.", sqlstate="22021"
    )


def lost(cause: BaseException) -> ThanoSQLConnectionError:
    """The connection broke under a statement."""
    said = " ".join(str(cause).split()) or "the server closed it"
    error = ThanoSQLConnectionError(
        f"The connection to the database was lost: {said}",
        hint="The next statement connects again. Settings, temporary tables and an open transaction are gone.",
    )
    error.lost = True
    return error


def unreachable(error: BaseException, where: Any) -> ThanoSQLConnectionError:
    """The server could not be reached at all; the password is not shown."""
    cause = getattr(error, "orig", None) or error
    said = " ".join(str(cause).split())
    if where.password:
        said = said.replace(str(where.password), "***")
    shown = where.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    return ThanoSQLConnectionError(
        f"The database {shown} cannot be reached: {said}",
        hint="It is named by THANOSQL_DATABASE_URL, thanosql.connect(url) or %thanosql postgresql://…",
    )


def cure_of_parameter(at: Position) -> str | None:
    """The cure where one value stands for a list, or a list for a table."""
    found = re.match(r":\w+", at.text[at.column - 1 :])
    word = re.search(r"\b(IN|FROM|JOIN)\s*$", at.text[: at.column - 1], re.IGNORECASE) if found else None
    if found is None or word is None:
        return None
    if word[1].upper() == "IN":
        return f"The value of {found[0]} is no list, as IN takes one: write = {found[0]}, or give a list."
    return f"The value of {found[0]} is no table, as a DataFrame is: unnest({found[0]}) makes rows of a list."
