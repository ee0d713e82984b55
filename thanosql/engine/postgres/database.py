"""All that is said to PostgreSQL: SQL in; DataFrames, snapshots of queries, temporary and replaced tables out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.copying import chunks
from thanosql.engine.postgres.cursor_snapshot import CursorSnapshot, refuse_no_temporary_tables
from thanosql.engine.postgres.description import check, describe, describe_change, plan_of
from thanosql.engine.postgres.frames import as_frame, casts
from thanosql.engine.postgres.naming import Column, fresh, quoted
from thanosql.engine.postgres.one_moment import one_moment
from thanosql.engine.postgres.plan_relations import Touched
from thanosql.engine.postgres.query_errors import CreationRefused, means_no_temporary_tables
from thanosql.engine.postgres.replacement import Replacement, inside_transaction, replace
from thanosql.engine.postgres.server_cursor import close_unwanted, open_if_many
from thanosql.engine.postgres.snapshot import Snapshot
from thanosql.engine.postgres.target import Target, find, refuse_if_hindered, refuse_if_not_updatable
from thanosql.engine.postgres.turn import Turn

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Database", "Replacement", "Snapshot", "Table", "Target", "quoted"]


COUNTED_BYTES = 16 * 2**20  # of a table whose rows are counted: some milliseconds


class Table(NamedTuple):
    """One relation that a user sees. `rows` is PostgreSQL's estimate, of a small table that it has none of they are counted;
    None for others; `bytes` with indexes."""

    schema: str
    table: str
    kind: str  # 'table', 'partitioned table', 'view', 'materialized view' or 'foreign table'
    rows: int | None
    bytes: int
    comment: str | None


class Database:
    """A session in PostgreSQL: one connection, opened when first needed, kept until `close`; autocommit.

    `url` is SQLAlchemy's (postgresql://user:password@host:port/database), or what gives it again for each connection,
    where the server may have to be started first; `lock_timeout` is how many seconds a replacement waits for other
    sessions. Any thread may ask; one waits for the other (`connection`), and `turn` is the lock of those who share it.
    `cancel` waits for nobody.
    """

    def __init__(self, url: str | Callable[[], str], *, lock_timeout: float = 5.0, turn: Turn | None = None) -> None:
        self._connection = Connection(url, lock_timeout=lock_timeout, turn=turn)

    def run(self, sql: SQL, at_once: int | None = None) -> pd.DataFrame | str:
        """Run any SQL as written: what has rows gives a DataFrame (types: `frames`), anything else its status.

        Raises ThanoSQLDatabaseError in PostgreSQL's words with the place in the source, ThanoSQLConnectionError when
        the server cannot be reached or was lost. Where PostgreSQL expects more rows of a query than `at_once`, they
        stay with the server until the frame is used (`lazy_dataframe`).
        """
        with self._connection.turn:
            close_unwanted(self._connection)
            if at_once is not None and (cursor := open_if_many(self._connection, sql, at_once)) is not None:
                from thanosql.engine.postgres.lazy_dataframe import LazyDataFrame

                return cursor.frame() if cursor.count <= at_once else LazyDataFrame(cursor)
            answer = self._connection.execute(sql, casts=casts())
            return answer.status if answer.fields is None else as_frame(self._connection, answer)

    def snapshot(self, query: SQL) -> Snapshot:
        """Run a query once, READ ONLY, and keep its rows on the server; a context manager.

        Where temporary tables are refused (a replica, no TEMP privilege) the rows are kept by a server-side cursor: all
        works but `replace` and `into_temporary`.
        """
        with self._connection.turn:
            close_unwanted(self._connection)
            try:
                return Snapshot(self._connection, query)
            except CreationRefused as refused:
                if not means_no_temporary_tables(self._connection, refused.cause):
                    raise refused.cause from refused.cause.__cause__
                return CursorSnapshot(self._connection, query, refused.cause)

    def snapshot_at_one_moment(self, rendered: Callable[[], SQL]) -> Snapshot:
        """The same of a query that is known once others have run: all of them see the database at one moment."""
        with one_moment(self._connection) as began:
            snapshot = self.snapshot(rendered())
            if began:
                self._connection.leave_open(snapshot)
            return snapshot

    def describe(self, query: SQL, *, doubled_names: bool = False) -> tuple[Column, ...]:
        """The columns that a query would give; it is not run. Raises what PostgreSQL refuses it for; see `describe`."""
        with self._connection.turn:
            close_unwanted(self._connection)
            return describe(self._connection, query, doubled_names=doubled_names)

    def describe_change(self, query: SQL) -> tuple[Column, ...]:
        """The columns of a query whose WITH list changes or locks rows; nothing is run, and nothing changed."""
        with self._connection.turn:
            close_unwanted(self._connection)
            return describe_change(self._connection, query)

    def touched(self, sql: SQL) -> Touched:
        """The tables that SQL would change and read; it is not run."""
        with self._connection.turn:
            return plan_of(self._connection, sql)

    def check(self, sql: SQL) -> None:
        """Raise what PostgreSQL refuses SQL for, without running it; see `description.check`."""
        with self._connection.turn:
            close_unwanted(self._connection)
            check(self._connection, sql)

    def target(self, table: str) -> Target:
        """The table of this name, or the place for it, as a replacement would find it now; see `target.find`."""
        return self._target(table, refuse_if_hindered)

    def target_to_update(self, table: str) -> Target:
        """The same, as `table_update` would find it: rows change in it, and the table stays."""
        return self._target(table, refuse_if_not_updatable)

    def _target(self, table: str, refuse: Callable[[Connection, Target], None]) -> Target:
        if self._connection.in_transaction:
            raise inside_transaction(table)
        refuse_no_temporary_tables(self._connection, table)
        return find(self._connection, table, refuse)

    def replace(self, *replacements: Replacement) -> list[int]:
        """Put what `Snapshot.replacing` gave in its targets' places, all in one transaction; the rows of each.

        Raises ThanoSQLDatabaseError, and then every target is as it was.
        """
        return replace(self._connection, *replacements)

    def temporary(self, columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> str:
        """A temporary table of these rows, in their order; its name, quoted."""
        table = quoted("pg_temp", fresh("values"))
        defined = ", ".join(f"{quoted(column.name)} {column.type}" for column in columns)
        self._connection.execute(f"CREATE TEMP TABLE {table} ({defined})")
        try:
            for data in chunks(rows, [column.type for column in columns]):
                self._connection.copy_in(table, data)
        except BaseException:
            self.drop_temporary(table)
            raise
        return table

    def run_into_temporary(self, query: SQL) -> str:
        """Run a query, which may change and lock rows, into a temporary table; its name, quoted."""
        table = quoted("pg_temp", fresh("changed"))
        self._connection.execute(f"CREATE TEMP TABLE {table} AS ", query)
        return table

    def drop_temporary(self, name: str) -> None:
        """Drop what `temporary` or `into_temporary` made, if it is there and the connection is. Raises nothing."""
        self._connection.attempt(f"DROP TABLE IF EXISTS {name}")

    def tables(self) -> list[Table]:
        """What stands in the schemas that are not PostgreSQL's own and that this role may use, by schema and name."""
        return [self._counted(Table(*row)) for row in self._connection.values(TABLES)]

    def _counted(self, table: Table) -> Table:
        # What was just made has no estimate. A refusal would end a transaction that is open.
        name = f"{quoted(table.schema)}.{quoted(table.table)}"
        if table.rows is not None or table.kind != "table" or table.bytes > COUNTED_BYTES:
            return table
        if self._connection.values("SELECT has_table_privilege(%s, 'SELECT')", name) != [(True,)]:
            return table
        return table._replace(rows=self._connection.values(f"SELECT count(*) FROM {name}")[0][0])

    @property
    def connection(self) -> Connection:
        """The one connection of this session, for what loads files through it."""
        return self._connection

    @property
    def in_transaction(self) -> bool:
        """Whether a BEGIN of the user's is open, a failed one included."""
        return self._connection.in_transaction

    @property
    def server_version(self) -> int:
        """As PostgreSQL counts: 180004 is 18.4. Connects."""
        return self._connection.server_version

    def cancel(self) -> None:
        """Stop what the server is doing for this session; callable from any thread."""
        self._connection.cancel()

    def close(self) -> None:
        """End the session: its temporary tables and an open transaction go with it. Raises nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


TABLES = """
SELECT n.nspname::text, c.relname::text,
    CASE c.relkind WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'f' THEN 'foreign table' ELSE 'table' END,
    nullif(c.reltuples, -1)::bigint, pg_total_relation_size(c.oid), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY 1, 2
"""
