"""The file of the prediction cache: a home in; connections to it, what it holds, and its removal out."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from thanosql import private
from thanosql.errors import ThanoSQLError

FILE = "predictions.sqlite"
WAIT_SECONDS = 30.0  # for another process that is writing; it does so for milliseconds
SHRINK_PAGES = 1000  # of 4 kB, that an emptied file may go on taking

FORMAT = 1  # tables that an older ThanoSQL would misread get the next number; a file without one (0) has those of 1

TABLES = """
CREATE TABLE IF NOT EXISTS statements (
    id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL UNIQUE, model TEXT NOT NULL, version INTEGER,
    statement TEXT NOT NULL, begun TEXT NOT NULL, saved TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS predictions (
    key BLOB PRIMARY KEY, statement INTEGER NOT NULL, seconds REAL NOT NULL, outcome TEXT NOT NULL) WITHOUT ROWID;
"""


class SavedPredictions(NamedTuple):
    """What the cache holds of one statement: utterances, and their audio in seconds; times are UTC, ISO 8601."""

    model: str
    version: int | None
    utterances: int
    seconds: float
    begun: str
    saved: str
    statement: str


def connect(path: Path) -> sqlite3.Connection:
    """The file opened to read and write, made where it is not there. Raises sqlite3.Error and OSError, NewerFormat for
    the file of a newer ThanoSQL."""
    # A statement may be taken up by another thread than began it; never by two at once.
    private.file(path)  # the files that SQLite puts beside it take its rights
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        found = _checked_format(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a power cut loses nothing that was saved
        connection.execute("PRAGMA cache_size = -16000")
        connection.executescript(TABLES)
        if found < FORMAT:
            connection.execute(f"PRAGMA user_version = {FORMAT}")
    except BaseException:
        connection.close()
        raise
    return connection


class NewerFormat(sqlite3.OperationalError):
    """The file is of a newer ThanoSQL."""


def _checked_format(connection: sqlite3.Connection) -> int:
    ((number,),) = connection.execute("PRAGMA user_version")
    if number > FORMAT:
        raise NewerFormat(
            f"a newer ThanoSQL has written it: its format is {number}, and this one knows those up to {FORMAT}"
        )
    return int(number)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is written inside, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def remove(connection: sqlite3.Connection, which: str, *values: object) -> int:
    """Remove the statements that `which`, an SQL condition, selects, and their predictions; how many these were."""
    with transaction(connection):
        ((there,),) = connection.execute(f"SELECT EXISTS (SELECT 1 FROM statements WHERE {which})", values)
        if not there:
            return 0
        ((others,),) = connection.execute(f"SELECT EXISTS (SELECT 1 FROM statements WHERE NOT ({which}))", values)
        # Without WHERE, SQLite empties the table without going through it.
        where = f" WHERE statement IN (SELECT id FROM statements WHERE {which})" if others else ""
        count = connection.execute(f"DELETE FROM predictions{where}", values if others else ()).rowcount
        connection.execute(f"DELETE FROM statements WHERE {which}", values)
    ((free,),) = connection.execute("PRAGMA freelist_count")
    if free > SHRINK_PAGES and not others:
        with suppress(sqlite3.OperationalError):  # somebody reads: the next one will do it
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return int(count)


def saved_predictions(home: Path) -> list[SavedPredictions]:
    """What the cache of a home holds, statements in the order in which they began. Raises ThanoSQLError."""
    if not (home / FILE).is_file():
        return []
    with _explained(home / FILE), closing(_opened_to_read(home / FILE)) as connection:
        rows = connection.execute(
            "SELECT model, version, count(p.key), coalesce(sum(seconds), 0.0), begun, saved, s.statement"
            " FROM statements s LEFT JOIN predictions p ON p.statement = s.id GROUP BY s.id ORDER BY s.id"
        ).fetchall()
    return [SavedPredictions(*row) for row in rows]


def drop(home: Path, model: str | None = None) -> int:
    """Remove all predictions of a home's cache, or those of one model; the number of utterances that were removed.

    A damaged file is removed. Raises ThanoSQLError.
    """
    path = home / FILE
    if not path.is_file():
        return 0
    try:
        with closing(connect(path)) as connection:
            return remove(connection, "model = ?", model) if model is not None else remove(connection, "true")
    except sqlite3.OperationalError as error:
        raise _cannot(path, error) from error
    except sqlite3.DatabaseError as error:
        if model is not None:
            raise _cannot(path, error) from error
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        return 0


def _opened_to_read(path: Path) -> sqlite3.Connection:
    try:
        return connect(path)
    except (sqlite3.OperationalError, OSError):
        if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            raise
    # Where nothing can be written, SQLite cannot keep readers and writers apart, and need not.
    quoted = urllib.parse.quote(str(path))
    connection = sqlite3.connect(f"file:{quoted}?mode=ro&immutable=1", uri=True)
    try:
        _checked_format(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _cannot(path, error) from error


def _cannot(path: Path, error: Exception) -> ThanoSQLError:
    hint = "DROP PREDICTIONS removes them."
    if isinstance(error, NewerFormat):
        hint = "Use that version, or another home (THANOSQL_HOME). Nothing in it was touched."
    return ThanoSQLError(f"The prediction cache {path} cannot be read: {error}.", hint=hint)
