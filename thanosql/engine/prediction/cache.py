"""The prediction cache: predictions in as they are made, the same out when an interrupted statement is run again.

It is a file under the home. The key of a prediction is made of its audio (the bytes; or path, size and modification time of
the file), the version of the model, and every option that may change the result. Its entries are removed when the statement
completes, and by DROP PREDICTIONS. At most `save_seconds` of audio wait to be written: a kill or power cut costs no more.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from thanosql import private
from thanosql.engine.prediction.cache_key import digest, packed, unpacked
from thanosql.errors import ThanoSQLError
from thanosql.models.audio import AudioError

if TYPE_CHECKING:
    from thanosql.engine.prediction.batching import Key
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.model import Model

FILE = "predictions.sqlite"
WAIT_SECONDS = 30.0  # for another process that is writing; it does so for milliseconds
MARKS_REMEMBERED = 8192  # of references that stand in several rows
SHRINK_PAGES = 1000  # of 4 kB, that an emptied file may go on taking

T = TypeVar("T")
log = logging.getLogger(__name__)

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


class PredictionCache(Generic[T]):
    """The cache of one statement. When its file fails, `failure` says so, and the statement continues without it.

    Closed by `__exit__`: the entries of a statement that completed are removed, those of any other are saved.
    """

    def __init__(
        self,
        path: Path,
        model: Model,
        statement: str,
        recipe: bytes,
        values: object,
        kind: type[T],
        access: AudioAccess,
        save_seconds: float,
    ) -> None:
        self.batch_seconds = save_seconds
        self.failure = ""
        self.before = 0  # predictions of this statement that were cached when it began
        self._recipe = recipe
        self._kind = kind
        self._access = access
        self._about = (model.name, model.version, statement)
        self._statement = digest(recipe, statement.encode(errors="surrogatepass"), repr(values).encode())
        self._pending: dict[bytes, tuple[T, float]] = {}
        self._pending_seconds = 0.0
        self._mark_again = lru_cache(MARKS_REMEMBERED)(self._new_mark)
        self._connection: sqlite3.Connection | None = None
        with self._enduring():
            private.home(path.parent)
            self._connection = _connected(path)
            ((self.before,),) = self._connection.execute(
                "SELECT count(*) FROM predictions WHERE statement = (SELECT id FROM statements WHERE fingerprint = ?)",
                (self._statement,),
            )

    @property
    def note(self) -> str:
        """What is to be said beside the result."""
        taken = f"; {self.before:,} predictions resumed from the cache" if self.before else ""
        return f"{taken}; {self.failure}" if self.failure else taken

    def recall(self, keys: Sequence[Key]) -> Mapping[Key, tuple[T, float]]:
        """The cached ones of these, with their seconds of audio."""
        found: dict[Key, tuple[T, float]] = {}
        if self._connection is None:
            return found
        marked = {mark: key for key in keys if (mark := self._mark(key)) is not None}
        asked = []
        for mark, key in marked.items():
            if mark in self._pending:
                found[key] = self._pending[mark]
            else:
                asked.append(mark)
        with self._enduring():
            places = ",".join("?" * len(asked))
            rows = self._connection.execute(
                f"SELECT key, outcome, seconds FROM predictions WHERE key IN ({places})", asked
            )
            for mark, outcome, seconds in rows:
                found[marked[mark]] = unpacked(self._kind, json.loads(outcome)), seconds
        return found

    def expect(self, seconds: float) -> None:
        """Save first, if a kill during the next `seconds` of audio could cost more than `save_seconds`."""
        if self._pending and self._pending_seconds + seconds > self.batch_seconds:
            self.save()

    def keep(self, key: Key, outcome: T, seconds: float) -> None:
        """This was recognized."""
        mark = self._mark(key) if self._connection is not None else None
        if mark is not None:
            self._pending[mark] = outcome, seconds
            self._pending_seconds += seconds

    def save(self) -> None:
        """Write what waits; when this returns, it outlasts a power cut."""
        if self._connection is None or not self._pending:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._enduring(), _transaction(self._connection):
            ((number,),) = self._connection.execute(
                "INSERT INTO statements (fingerprint, model, version, statement, begun, saved) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (fingerprint) DO UPDATE SET saved = excluded.saved RETURNING id",
                (self._statement, *self._about, now, now),
            ).fetchall()
            self._connection.executemany(
                "INSERT OR REPLACE INTO predictions (key, statement, seconds, outcome) VALUES (?, ?, ?, ?)",
                (
                    (mark, number, seconds, json.dumps(packed(outcome), ensure_ascii=False))
                    for mark, (outcome, seconds) in self._pending.items()
                ),
            )
        self._pending.clear()
        self._pending_seconds = 0.0

    def drop(self) -> None:
        """Remove the entries of this statement, which is complete."""
        self._pending.clear()
        if self._connection is not None:
            with self._enduring():
                _drop(self._connection, "fingerprint = ?", self._statement)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.drop()
            else:
                self.save()
        finally:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _mark(self, key: Key) -> bytes | None:
        return self._mark_again(key) if isinstance(key[0], str) else self._new_mark(key)

    def _new_mark(self, key: Key) -> bytes | None:
        audio, reference = key
        try:
            of_audio = self._access.fingerprint(audio)
        except AudioError:
            return None  # it says so when it is read
        text = b"" if reference is None else b"=" + reference.encode(errors="surrogatepass")
        return digest(self._recipe, of_audio, text)

    @contextmanager
    def _enduring(self) -> Iterator[None]:
        """A failure of the file costs a restart after a kill, and never the statement."""
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            self.failure = (
                f"the prediction cache cannot be used ({error}): after a kill, this statement would start over"
            )
            log.warning(self.failure)
            self._pending.clear()
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None


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
    """Let go of all that is kept under a home, or what one model predicted; utterances let go of.

    A file that is damaged is removed. Raises ThanoSQLError.
    """
    path = home / FILE
    if not path.is_file():
        return 0
    try:
        with closing(_connected(path)) as connection:
            return _drop(connection, "model = ?", model) if model is not None else _drop(connection, "true")
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
        return _connected(path)
    except (sqlite3.OperationalError, OSError):
        if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            raise
    # Where nothing can be written, SQLite cannot keep readers and writers apart, and need not.
    quoted = urllib.parse.quote(str(path))
    return sqlite3.connect(f"file:{quoted}?mode=ro&immutable=1", uri=True)


def _connected(path: Path) -> sqlite3.Connection:
    # A statement may be taken up by another thread than began it; never by two at once.
    private.file(path)  # the files that SQLite puts beside it take its rights
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a power cut loses nothing that was saved
        connection.execute("PRAGMA cache_size = -16000")
        connection.executescript(TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _drop(connection: sqlite3.Connection, which: str, *values: object) -> int:
    with _transaction(connection):
        ((there,),) = connection.execute(f"SELECT EXISTS (SELECT 1 FROM statements WHERE {which})", values)
        if not there:
            return 0
        ((others,),) = connection.execute(f"SELECT EXISTS (SELECT 1 FROM statements WHERE NOT ({which}))", values)
        # Without WHERE, SQLite lets go of the whole table without going through it.
        where = f" WHERE statement IN (SELECT id FROM statements WHERE {which})" if others else ""
        count = connection.execute(f"DELETE FROM predictions{where}", values if others else ()).rowcount
        connection.execute(f"DELETE FROM statements WHERE {which}", values)
    ((free,),) = connection.execute("PRAGMA freelist_count")
    if free > SHRINK_PAGES and not others:
        with suppress(sqlite3.OperationalError):  # somebody reads: the next one will do it
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return int(count)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _cannot(path, error) from error


def _cannot(path: Path, error: Exception) -> ThanoSQLError:
    return ThanoSQLError(f"The prediction cache {path} cannot be read: {error}.", hint="DROP PREDICTIONS removes them.")
