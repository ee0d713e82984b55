"""A table, or the columns of a query, and a name in; its columns, or the one of that name, out."""

from __future__ import annotations

from collections.abc import Sequence

from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.naming import Column, type_of
from thanosql.errors import ThanoSQLDataError, did_you_mean


def columns_of(connection: Connection, table: str) -> tuple[Column, ...]:
    """The columns of a table (its name quoted), in order."""
    found = connection.values(
        f"SELECT attname::text, {type_of('atttypid', 'atttypmod')} FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        table,
    )
    return tuple(Column(name, type_name) for name, type_name in found)


def find_column(columns: Sequence[Column], name: str, option: str) -> Column:
    """The column of this name, as written and then folded to lower case; ThanoSQLDataError if there is none."""
    by_name = {column.name: column for column in columns}
    for spelling in (name, name.lower()):
        if spelling in by_name:
            return by_name[spelling]
    listed = ", ".join(by_name) or "none"
    close = did_you_mean(name, by_name)
    hint = close if close and close.startswith("Did") else f"{option} = 'name' chooses one of them."
    raise ThanoSQLDataError(
        f"The query has no column '{name}' ({option}). Its columns: {listed}.", option=(option, name), hint=hint
    )
