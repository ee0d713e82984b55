"""A file's content → a table, in one transaction: typed, streamed by COPY, all of it or nothing.

A delimited file goes as text into a temporary table; its types are found there, over all its rows, and it is cast into
the table. What is typed already (parquet, xlsx, json, a folder of audio) goes straight in.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from thanosql.engine.files import written_dates
from thanosql.engine.files.column_types import find_types
from thanosql.engine.files.delimited import Delimited, FileStream, copy_options
from thanosql.engine.files.tabular import Records, RowStream
from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.json_values import json_text
from thanosql.engine.postgres.naming import quoted, type_of
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLDataError, did_you_mean

if TYPE_CHECKING:
    from thanosql.engine.postgres.connection import Connection
    from thanosql.engine.postgres.database import Database

STAGING = "pg_temp.thanosql_copy_lines"
CONTENT = "pg_temp.thanosql_copy_rows"
NOT_OF_A_LINE = ("53", "57", "58")  # classes of errors: a full disk, a timeout, the operating system

Source = Delimited | Records
Reporter = Callable[[int], None]  # takes bytes read


@dataclass(frozen=True)
class Loaded:
    """How many rows went in, the types of the file's columns in that table, and remarks on some of them."""

    rows: int
    columns: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...] = ()


def create(database: Database, source: Source, table: str, progress: Reporter) -> Loaded:
    """A new table with the file's content; `table` is a name as SQL has it."""
    with database.connection.transaction():
        return _create(database.connection, source, table, progress)


def replace(database: Database, source: Source, table: str, progress: Reporter) -> Loaded:
    """The table's content replaced by the file's, in one step, as a PREDICT replaces its table."""
    connection = database.connection
    try:
        with connection.transaction():
            loaded = _create(connection, source, CONTENT, progress)
        with database.snapshot(SQL.of(f"SELECT * FROM {CONTENT}")) as snapshot:
            snapshot.replace(snapshot.check_target(table))
        return loaded
    finally:
        if connection.open:
            connection.execute(f"DROP TABLE IF EXISTS {CONTENT}")


def append(database: Database, source: Source, table: str, progress: Reporter) -> Loaded:
    """The file's rows put after the table's own; its columns must be among the table's, in any order.

    Raises ThanoSQLDataError for a column that the table lacks and for a value that does not fit its type.
    """
    connection = database.connection
    with connection.transaction():
        there = dict(
            connection.values(
                f"SELECT attname::text, {type_of('atttypid', 'atttypmod')} FROM pg_attribute"
                " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                table,
            )
        )
        given = source.names if isinstance(source, Delimited) else tuple(name for name, _ in source.columns)
        names = tuple(_column(name, there, table, source) for name in given)
        columns = tuple((name, there[name]) for name in names)
        if isinstance(source, Records):
            source = _fitted(source, [type_ for _, type_ in columns])
        rows = _copy(connection, source, table, columns, progress)
    return Loaded(rows, columns)


def _fitted(source: Records, types: Sequence[str]) -> Records:
    """The source with lists where the table has an array and the source json; and with json where both have it, in which a
    text is "text"."""
    pairs = [(given, wanted) for (_, given), wanted in zip(source.columns, types, strict=True)]
    lists = [place for place, (given, wanted) in enumerate(pairs) if given == "jsonb" and wanted.endswith("[]")]
    texts = [place for place, (_, wanted) in enumerate(pairs) if source.items and wanted in ("json", "jsonb")]
    if not lists and not texts:
        return source

    def rows() -> Iterator[Sequence[Any]]:
        items = source.items() if source.items and texts else repeat(())
        for row, item in zip(source.rows(), items):
            changed = list(row)
            for place in lists:
                if isinstance(changed[place], str):
                    changed[place] = json.loads(changed[place], parse_float=Decimal)
            for place in texts:
                changed[place] = json_text(item[place])
            yield changed

    return dataclasses.replace(source, rows=rows)


def _column(name: str, there: dict[str, str], table: str, source: Source) -> str:
    for candidate in (name, name.lower()):
        if candidate in there:
            return candidate
    raise ThanoSQLDataError(
        f"{source.path.name} has a column '{name}', and the table {table} has none.", hint=did_you_mean(name, there)
    )


def _create(connection: Connection, source: Source, table: str, progress: Reporter) -> Loaded:
    kind = "TEMP TABLE" if table == CONTENT else "TABLE"
    name = table.removeprefix("pg_temp.")
    if isinstance(source, Records):
        declared = ", ".join(f"{quoted(column)} {type_}" for column, type_ in source.columns)
        connection.execute(f"CREATE {kind} {name} ({declared})")
        return Loaded(_copy(connection, source, table, source.columns, progress), source.columns)
    lines = tuple((column, source.types.get(column, "text")) for column in source.names)
    declared = ", ".join(f"{quoted(column)} {type_}" for column, type_ in lines)
    connection.execute(f"CREATE TEMP TABLE {STAGING.removeprefix('pg_temp.')} ({declared}) ON COMMIT DROP")
    _copy(connection, source, STAGING, lines, progress)
    unknown = tuple(name for name in source.names if name not in source.types)
    thousands = source.dialect.marks.delimiter == b";"
    found = find_types(connection, STAGING, unknown, order=source.date_order, thousands=thousands)
    columns = tuple((column, found.types.get(column, type_)) for column, type_ in lines)
    readings = {column: found.readings.get(column, f"CAST({quoted(column)} AS {type_})") for column, type_ in columns}
    cast_ = ", ".join(f"{reading} AS {quoted(column)}" for column, reading in readings.items())
    answer = connection.execute(f"CREATE {kind} {name} AS SELECT {cast_} FROM {STAGING}")
    return Loaded(answer.count, columns, tuple(found.remarks.values()))


def _copy(
    connection: Connection, source: Source, table: str, columns: tuple[tuple[str, str], ...], progress: Reporter
) -> int:
    names = ", ".join(quoted(name) for name, _ in columns)
    stream: FileStream | RowStream
    _set_date_order(connection, source, columns)
    if isinstance(source, Delimited) and not source.rewritten:
        how = copy_options(source)
        stream = FileStream(source, progress=progress)
    else:
        how = "(FORMAT text, ENCODING 'UTF8')"
        rows = source.rows() if isinstance(source, Records) else source.records()
        stream = RowStream(rows, [type_ for _, type_ in columns])
    with stream, _line_named(source, stream):
        count = connection.copy_stream(f"COPY {table} ({names}) FROM STDIN WITH {how}", cast("BinaryIO", stream))
        if isinstance(source, Delimited) and count != source.rows:
            raise ThanoSQLDataError(
                f"{source.path.name} has {source.rows:,} rows below its header, and PostgreSQL read {count:,}.",
                hint="OPTIONS (quote='') or (quote='\"') says what quotation marks are; please report the file's shape.",
            )
        return count


def _set_date_order(connection: Connection, source: Source, columns: tuple[tuple[str, str], ...]) -> None:
    """Let PostgreSQL read days in figures as they are meant, for this transaction; it would take the month first."""
    texts = {name for name, type_ in source.columns if type_ == "text"} if isinstance(source, Records) else None
    given = source.names if isinstance(source, Delimited) else tuple(name for name, _ in source.columns)
    dated = {
        place: name
        for place, (name, (_, type_)) in enumerate(zip(given, columns, strict=True))
        if type_ in written_dates.DATED and (texts is None or name in texts)
    }
    if not dated:
        return
    order = source.date_order if isinstance(source, Delimited) else None
    if order is None:
        rows = source.rows() if isinstance(source, Records) else source.records()
        order = written_dates.order_of(rows, dated, source.path.name)
    if order is not None:
        connection.execute(f"SET LOCAL datestyle = '{written_dates.STYLES[order]}'")


@contextmanager
def _line_named(source: Source, stream: FileStream | RowStream) -> Iterator[None]:
    try:
        yield
    except ThanoSQLDatabaseError as error:
        if stream.failure is not None:
            raise stream.failure from error
        diagnosis = getattr(error.__cause__, "diag", None)
        context = (getattr(diagnosis, "context", None) or "").splitlines()
        where = next((line for line in context if line.startswith("COPY ") and ", line " in line), "")
        if not where or (error.sqlstate or "")[:2] in NOT_OF_A_LINE:
            raise
        place, _, content = where.partition(", line ")[2].partition(": ")
        number, _, column = place.partition(", ")
        in_file = isinstance(source, Delimited) and not source.rewritten
        if isinstance(source, Delimited) and in_file:
            number = str(int(number) + source.dialect.skip)
        place = f"{'line' if in_file else 'row'} {number}" + (f", {column}" if column else "")
        if error.sqlstate in ("22021", "22P05") and (
            "0x00" in error.message or "\\u0000" in f"{error.message} {content} {context}"
        ):
            raise ThanoSQLDataError(
                f"{source.path.name}, {place}: a NUL character, which a text of PostgreSQL cannot hold.",
                hint="Take it out of the file.",
            ) from error
        shown = f" in: {content[:200]}" if content else ""
        raise ThanoSQLDataError(f"{source.path.name}, {place}: {error.message}{shown}", hint=error.hint) from error
