"""The prediction cache: predictions in as they are made, the same out when an interrupted statement is run again.

It is a file under the home. The key of a prediction is made of its audio (the bytes; or path, size and modification time of
the file), the version of the model, and every option that may change the result. Its entries are removed when the statement
completes, and by DROP PREDICTIONS. At most `save_seconds` of audio wait to be written: a kill or power cut costs no more.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from thanosql import private
from thanosql.engine.prediction.cache_file import connect, remove, transaction
from thanosql.engine.prediction.cache_key import digest, packed, unpacked
from thanosql.models.audio import AudioError

if TYPE_CHECKING:
    from thanosql.engine.prediction.batching import Key
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.model import Model

MARKS_REMEMBERED = 8192  # of references that stand in several rows

T = TypeVar("T")
log = logging.getLogger(__name__)


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
            self._connection = connect(path)
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
        with self._enduring(), transaction(self._connection):
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
                remove(self._connection, "fingerprint = ?", self._statement)

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
        return self._mark_again(key) if not isinstance(key[0], bytes) else self._new_mark(key)

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
