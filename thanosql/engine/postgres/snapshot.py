"""A query in; its rows, kept on the server in their order, out: streamed, joined with what was predicted, written as
a table.

The query runs once, in a READ ONLY transaction, into a temporary table of this session, so that its types stay
PostgreSQL's own, nothing it reads can be changed by it, and a table may be replaced by a statement that reads it. It is
inserted by INSERT … SELECT, which PostgreSQL plans serially.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres import replacement
from thanosql.engine.postgres.columns import columns_of, find_column
from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.copying import chunks
from thanosql.engine.postgres.frames import as_frame, casts
from thanosql.engine.postgres.naming import Column, fault_of, fresh, literal, quoted
from thanosql.engine.postgres.query_errors import NO_PRIVILEGE, READ_ONLY, CreationRefused, explained
from thanosql.engine.postgres.target import AlteredMeanwhile, Target, find, refuse_if_gone, state_of
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLInternalError

if TYPE_CHECKING:
    import pandas as pd

CHUNK_BYTES = 32 << 20  # of bytea in one chunk of a stream
SAVEPOINT = "thanosql_snapshot"


class Snapshot:
    """The rows of one query as they were at one moment. A context manager; closing it drops its temporary tables."""

    columns: tuple[Column, ...]
    rows: int
    _restore: tuple[str, ...] = ()  # what is set back when it closes

    def __init__(self, connection: Connection, query: SQL) -> None:
        """Run the query. Raises ThanoSQLDatabaseError for what PostgreSQL refuses, with the position in the source."""
        self._connection = connection
        self._table = quoted("pg_temp", fresh("snapshot"))
        self._number = quoted(fresh("row"))
        self._written: dict[tuple[Column, ...], str] = {}
        self._indexed: set[str] = set()
        self._read: frozenset[int] = frozenset()  # oids
        self._targets: dict[str, Target] = {}
        inside = connection.in_transaction
        connection.execute(f"SAVEPOINT {SAVEPOINT}" if inside else "BEGIN ISOLATION LEVEL REPEATABLE READ")
        try:
            if not inside:
                # A large table is else read from where another scan of it stopped, and its rows come in another order:
                # one seed would not give one model, nor an interrupted training find its rows again.
                connection.execute("SET LOCAL synchronize_seqscans = off")
            self._fill(query)
        except BaseException:
            connection.roll_back(SAVEPOINT if inside else None)
            raise
        if inside:
            # Leaving a subtransaction gives the outer one its right to write back.
            connection.execute(f"RELEASE SAVEPOINT {SAVEPOINT}")
        else:
            connection.leave_open(self)

    def _fill(self, query: SQL) -> None:
        run = self._connection.execute
        try:
            with explained(self._connection, query):
                run(f"CREATE TEMP TABLE {self._table} AS SELECT * FROM (", query, "\n) q WITH NO DATA")
        except ThanoSQLDatabaseError as error:
            if error.sqlstate in (READ_ONLY, NO_PRIVILEGE):
                raise CreationRefused(error) from error
            raise
        self.columns = columns_of(self._connection, self._table)
        run(f"ALTER TABLE {self._table} ADD COLUMN {self._number} bigint")
        run("SET TRANSACTION READ ONLY")
        with explained(self._connection, query):
            self.rows = run(f"INSERT INTO {self._table} SELECT q.*, row_number() OVER () FROM (", query, "\n) q").count
        # What a query reads, through views and functions too, it has locked; and what statements in it have read. Under
        # the exclusive lock are the leftovers of a killed connection, which the first temporary table of this one removes.
        locked = self._connection.values(
            "SELECT relation::bigint, current_setting('idle_session_timeout', true) FROM pg_locks"
            " WHERE locktype = 'relation' AND pid = pg_backend_pid() AND mode <> 'AccessExclusiveLock'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        self._read = frozenset(oid for oid, _ in locked)
        self._stay_awake(*{timeout for _, timeout in locked})

    def _stay_awake(self, timeout: str | None) -> None:
        """Nothing is asked of the server while a model computes: that is no reason to end the session meanwhile."""
        if timeout not in (None, "0"):
            self._connection.execute("SET idle_session_timeout = 0")
            self._restore = (f"SET idle_session_timeout = {literal(str(timeout))}",)

    @property
    def numbered_table(self) -> tuple[str, str]:
        """The temporary table of the query's rows, and its column of their numbers from 1; both quoted."""
        return self._table, self._number

    def has_read(self, target: Target) -> bool:
        """Whether the query read this table, through a view or a function too."""
        return target.oid in self._read

    def column(self, name: str, *, option: str) -> Column:
        """The query's column of this name: as written, then folded to lower case.

        Raises ThanoSQLDataError that names `option`, the query's columns and the closest one.
        """
        return find_column(self.columns, name, option)

    def stream(
        self,
        *columns: Column,
        chunk: int = 5000,
        expression: Callable[[Column], str] | None = None,
        numbers: range | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """(row number from 1, value, …) of all rows, or those of `numbers`, in the query's order, fetched `chunk` rows (and
        about 32 MB of bytea) at a time. `expression` gives the SQL that a column is fetched as.

        bytea comes as `bytes`, NULL as None, text as `str`; other things may be done with the database between two
        rows.
        """
        self._index(self._table)
        fetched = map(expression, columns) if expression else (quoted(column.name) for column in columns)
        picked = ", ".join([self._number, *fetched])
        raw = [quoted(column.name) for column in columns if column.type == "bytea"]
        last, end = (0, self.rows) if numbers is None else (numbers.start - 1, numbers.stop - 1)
        while last < end:
            until = min(last + chunk, end)
            if raw:
                until = self._last_that_fits(raw, last, until)
            rows = f"{self._number} BETWEEN {last + 1} AND {until} ORDER BY {self._number}"
            yield from self._connection.execute(f"SELECT {picked} FROM {self._table} WHERE {rows}", casts=casts()).rows
            last = until

    def _last_that_fits(self, raw: Sequence[str], last: int, until: int) -> int:
        size = " + ".join(f"coalesce(octet_length({name}), 0)::bigint" for name in raw)
        ((fitting,),) = self._connection.values(
            f"SELECT count(*) FILTER (WHERE total <= {CHUNK_BYTES}) FROM (SELECT sum({size}) OVER (ORDER BY"
            f" {self._number}) AS total FROM {self._table} WHERE {self._number} BETWEEN {last + 1} AND {until}) sizes"
        )
        return last + max(int(fitting), 1)

    def write(self, columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> None:
        """Keep (row number, value, …) beside the snapshot, by COPY in chunks; `rows` may itself draw from `stream`.

        A row that is never written is NULL in these columns; writing more for the same columns adds to them.
        """
        columns = tuple(columns)
        table = self._written.get(columns)
        if table is None:
            for column in columns:
                if (fault := fault_of(column.name)) is not None:
                    raise ThanoSQLDataError(f"The column name {column.name!r} {fault}.")
            table = quoted("pg_temp", fresh("written"))
            defined = "".join(f", {quoted(column.name)} {column.type}" for column in columns)
            self._connection.execute(f"CREATE TEMP TABLE {table} ({self._number} bigint{defined})")
            self._written[columns] = table
        for data in chunks(rows, ["bigint", *(column.type for column in columns)]):
            # The server takes a chunk while the next one is made.
            self._connection.copy_ahead(table, data)
        self._connection.finish_copy()

    def frame(self, at_once: int | None = None) -> pd.DataFrame:
        """The query's columns with the written ones (a name that the query has is replaced in its place), in order.

        More rows than `at_once` stay with the server until the frame is used (`lazy_dataframe`).
        """
        self._index(*self._tables)
        query = f"SELECT {self._picked()} {self._joined()}"
        if at_once is not None and self.rows > at_once and not self._connection.in_transaction:
            from thanosql.engine.postgres.lazy_dataframe import LazyDataFrame
            from thanosql.engine.postgres.server_cursor import hold

            return LazyDataFrame(hold(self._connection, query))
        return as_frame(self._connection, self._connection.execute(query, casts=casts()))

    def into_temporary(self) -> str:
        """The same as a temporary table that outlives the snapshot; its name, quoted."""
        self._index(*self._tables)
        table = quoted("pg_temp", fresh("result"))
        self._connection.execute(f"CREATE TEMP TABLE {table} AS SELECT {self._picked()} {self._joined()}")
        return table

    def check_target(self, table: str) -> Target:
        """What `replace` would replace, read as `to_regclass` reads it, before any work.

        If the query read that very table, its state at the query's moment is remembered. Raises ThanoSQLOptionError for
        a name that cannot be one, ThanoSQLDatabaseError with the list of what stands in the way.
        """
        if self._connection.in_transaction:
            raise replacement.inside_transaction(table)
        if table in self._targets:
            return self._targets[table]
        with self._connection.turn:
            at_the_moment = self._connection.is_at_the_moment_of(self)
            try:
                target = self._look_at(table)
                self._connection.settle()
            except AlteredMeanwhile:
                # Made since. What the query read it keeps from being dropped until its moment ends.
                self._connection.settle()
                target, at_the_moment = find(self._connection, table), False
            if not at_the_moment and target.oid not in self._read:
                refuse_if_gone(self._connection, target, self._read)
        self._targets[table] = target
        return target

    def _look_at(self, table: str) -> Target:
        """The target as it was at the query's moment, its rows as well if the query read them."""
        with self._connection.same_moment():
            target = find(self._connection, table)
            if target.oid in self._read:
                if not self._connection.is_at_the_moment_of(self):
                    raise ThanoSQLInternalError(
                        f"The table {target} was looked at after the query's moment had passed."
                    )
                target = target.remembering(state_of(self._connection, target))
        return target

    def replacing(self, target: Target) -> replacement.Replacement:
        """The query's columns and the written ones, to be put in the target's place with `Database.replace`."""
        self._index(*self._tables)
        written = frozenset(column.name for columns in self._written for column in columns)
        source = replacement.Source(self._result_columns(), written, self._joined(), dict(self._pairs()))
        return replacement.Replacement(target, source)

    def replace(self, target: Target) -> int:
        """Put the query's columns and the written ones in the target's place in one transaction; rows written.

        Raises ThanoSQLDatabaseError: the lock was not to be had, the table was changed since, or a constraint refuses.
        """
        (count,) = replacement.replace(self._connection, self.replacing(target))
        return count

    def close(self) -> None:
        """Drop what was kept. Raises nothing, also when the connection has gone."""
        drops = (f"DROP TABLE IF EXISTS {table}" for table in self._tables)
        self._connection.attempt(*drops, *self._restore)
        self._written.clear()
        self._restore = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Each column of the result and the expression that it is."""
        written = {
            column.name: f"w{number}.{quoted(column.name)}"
            for number, columns in enumerate(self._written)
            for column in columns
        }
        for column in self.columns:
            yield column.name, written.pop(column.name, f"s.{quoted(column.name)}")
        yield from written.items()

    def _picked(self) -> str:
        return ", ".join(f"{expression} AS {quoted(name)}" for name, expression in self._pairs())

    def _joined(self) -> str:
        joins = [
            f" LEFT JOIN {table} w{number} ON w{number}.{self._number} = s.{self._number}"
            for number, table in enumerate(self._written.values())
        ]
        return f"FROM {self._table} s{''.join(joins)} ORDER BY s.{self._number}"

    def _result_columns(self) -> tuple[replacement.Piece, ...]:
        described = {name: of for table in (self._table, *self._written.values()) for name, of in self._pieces(table)}
        return tuple(described[name] for name, _ in self._pairs())

    def _pieces(self, table: str) -> Iterator[tuple[str, replacement.Piece]]:
        for piece in replacement.pieces(self._connection, table):
            if quoted(piece.name) != self._number:
                yield piece.name, piece

    @property
    def _tables(self) -> tuple[str, ...]:
        return self._table, *self._written.values()

    def _index(self, *tables: str) -> None:
        """Give each an index, once, so that joins walk them in order; two predictions for one row are found here. Made when all
        rows are in: that takes half the time of keeping it up to date while they come."""
        for table in tables:
            if table not in self._indexed:
                self._connection.execute(f"CREATE UNIQUE INDEX ON {table} ({self._number})")
                self.sample_numbers(table)
                self._indexed.add(table)

    def sample_numbers(self, table: str | None = None) -> None:
        """Let the planner know that rows stand in their order, and a number for one of them: a few rows show it."""
        for text in ("ALTER TABLE {} ALTER COLUMN {} SET STATISTICS 1", "ANALYZE {} ({})"):
            self._connection.execute(text.format(table or self._table, self._number))
