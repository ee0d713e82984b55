"""A query in, its rows kept by a server-side cursor out: for servers and roles that may not make temporary tables.

A read replica, a session that is read only and a role without the TEMP privilege still PREDICT and EVALUATE this way.
The query
runs once, in a READ ONLY transaction; its rows stay on the server (a cursor WITH HOLD), what is written stays here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.connection import Answer, Connection
from thanosql.engine.postgres.copying import batched
from thanosql.engine.postgres.frames import as_frame, casts
from thanosql.engine.postgres.naming import Column, fresh, quoted, type_of
from thanosql.engine.postgres.query_errors import NO_PRIVILEGE, READ_ONLY, explained, refuse_doubled_names
from thanosql.engine.postgres.snapshot import Snapshot
from thanosql.errors import ThanoSQLDatabaseError

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.replacement import Replacement
    from thanosql.engine.postgres.target import Target

RAW_CHUNK = 50  # rows at a time where the query has bytea, which may be large


class CursorSnapshot(Snapshot):
    """A snapshot without a table: `stream` (of columns as they are), `write` and `frame` work; `replace` and
    `into_temporary` are refused."""

    def __init__(self, connection: Connection, query: SQL, refusal: ThanoSQLDatabaseError) -> None:
        self._connection = connection
        self._refusal = refusal
        self._cursor = quoted(fresh("rows"))
        self._written_rows: dict[tuple[Column, ...], dict[int, tuple[Any, ...]]] = {}
        if connection.in_transaction:
            self._refuse("in an open transaction")
        with (
            explained(connection, query),
            connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        ):
            connection.execute("SET LOCAL synchronize_seqscans = off")
            connection.execute(
                f"DECLARE {self._cursor} SCROLL CURSOR WITH HOLD FOR SELECT row_number() OVER (), q.* FROM (",
                query,
                "\n) q",
            )
            self._fields = connection.execute(f"FETCH FORWARD 0 FROM {self._cursor}").fields or ()
            refuse_doubled_names([name for name, _ in self._fields[1:]])
        oids = [oid for _, oid in self._fields[1:]]
        named = dict(
            connection.values(f"SELECT o, {type_of('o::oid', 'NULL')} FROM unnest(%s::bigint[]) o", sorted(set(oids)))
        )
        self.columns = tuple(Column(name, named[oid]) for name, oid in self._fields[1:])
        ((timeout,),) = connection.values("SELECT current_setting('idle_session_timeout', true)")
        self._stay_awake(timeout)
        # A cursor tells how far it moved, never how long it is.
        self.rows = int(connection.execute(f"MOVE FORWARD ALL IN {self._cursor}").status.split()[-1])

    def stream(
        self,
        *columns: Column,
        chunk: int = 1000,
        expression: Callable[[Column], str] | None = None,
        numbers: range | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        if expression is not None:
            self._refuse("into a file")
        names = [column.name for column in self.columns]
        places = [0, *(names.index(column.name) + 1 for column in columns)]
        if any(column.type == "bytea" for column in self.columns):
            chunk = min(chunk, RAW_CHUNK)
        last, end = (0, self.rows) if numbers is None else (numbers.start - 1, numbers.stop - 1)
        for before in range(last, end, chunk):
            for row in self._fetch(before, min(chunk, end - before)).rows:
                yield tuple(row[place] for place in places)

    def write(self, columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> None:
        written_rows = self._written_rows.setdefault(tuple(columns), {})
        for batch in batched(rows, 1000):
            written_rows.update((row[0], row[1:]) for row in batch)

    def frame(self, at_once: int | None = None) -> pd.DataFrame:
        answer = self._fetch(0, self.rows)
        rows = answer.rows
        columns = {
            name: (oid, [row[place] for row in rows]) for place, (name, oid) in enumerate(self._fields) if place > 0
        }
        for written, written_rows in self._written_rows.items():
            for place, column in enumerate(written):
                ((oid,),) = self._connection.values("SELECT to_regtype(%s)::oid::bigint", column.type)
                nothing = (None,) * len(written)
                columns[column.name] = (
                    oid,
                    [written_rows.get(number, nothing)[place] for number in range(1, self.rows + 1)],
                )
        fields = tuple((name, oid) for name, (oid, _) in columns.items())
        merged = list(zip(*(values for _, values in columns.values()), strict=True))
        return as_frame(self._connection, Answer(fields, merged))

    def into_temporary(self) -> str:
        self._refuse("inside another query")

    def check_target(self, table: str) -> Target:
        self._refuse(f"into the table {table}")

    def replacing(self, target: Target) -> Replacement:
        self._refuse(f"into the table {target}")

    def close(self) -> None:
        self._written_rows.clear()
        self._connection.attempt(f"CLOSE {self._cursor}", *self._restore)
        self._restore = ()

    def _fetch(self, after: int, count: int) -> Answer:
        with self._connection.turn:
            self._connection.execute(f"MOVE ABSOLUTE {after} IN {self._cursor}")
            return self._connection.execute(f"FETCH FORWARD {count} FROM {self._cursor}", casts=casts())

    def _refuse(self, where: str) -> NoReturn:
        raise cannot_write(where, self._refusal.message, self._refusal.sqlstate) from self._refusal


def refuse_no_temporary_tables(connection: Connection, table: str) -> None:
    """Raise, before any work, for a result that is to become a table where this session may make no temporary tables."""
    ((may_make, read_only, standby),) = connection.values(
        "SELECT has_database_privilege(current_database(), 'TEMPORARY'), current_setting('transaction_read_only')::boolean,"
        " pg_is_in_recovery()"
    )
    if not may_make:
        raise cannot_write(f"into the table {table}", "permission denied to create temporary tables", NO_PRIVILEGE)
    if read_only or standby:
        raise cannot_write(f"into the table {table}", "the session or the server is read only", READ_ONLY)


def cannot_write(where: str, reason: str, sqlstate: str | None) -> ThanoSQLDatabaseError:
    """The error for a result that cannot be written for want of temporary tables."""
    return ThanoSQLDatabaseError(
        f"A result cannot be written {where}: this session may not make temporary tables ({reason}).",
        sqlstate=sqlstate,
        hint="PREDICT without table_name and EVALUATE work here. "
        "To write, connect to the primary server, or have TEMPORARY granted on the database.",
    )
