"""A DataFrame (pandas, polars) or an Arrow table in; its columns as PostgreSQL's, and its rows, out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from thanosql.engine.postgres.copying import chunks
from thanosql.engine.postgres.naming import Column, fault_of
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLOptionError
from thanosql.imported import imported

if TYPE_CHECKING:
    import pandas as pd

    from thanosql.engine.postgres.database import Database

NUL_REFUSED = ("22021", "22P05")  # SQLSTATEs of a NUL in a text, and in JSON
CHUNK_ROWS = 10_000  # turned into values at a time
# The types of PostgreSQL whose arrays a column of lists becomes; lists of anything else are jsonb.
ELEMENTS = {bool: "boolean", int: "bigint", float: "double precision", str: "text"}


@dataclass(frozen=True)
class Table:
    """A table of the caller's: columns with PostgreSQL's types, and the rows from the beginning each time `rows` is called;
    what is missing in a row is None. `typeless` names the columns that hold no value and say no type of their own. `said` is
    what COPY is to say of the values."""

    columns: tuple[Column, ...]
    rows: Callable[[], Iterator[tuple[Any, ...]]] = field(repr=False)
    typeless: frozenset[str] = frozenset()
    said: Callable[[], str] = lambda: ""

    def taking(self, types: Mapping[str, str]) -> Table:
        """The table with these types for those of the named columns that have none of their own; the same one where
        nothing changes.

        >>> empty = Table((Column("audio_path", "double precision"),), lambda: iter(()), frozenset({"audio_path"}))
        >>> empty.taking({"audio_path": "text"}).columns
        (Column(name='audio_path', type='text'),)
        """
        columns = tuple(
            Column(column.name, types.get(column.name, column.type) if column.name in self.typeless else column.type)
            for column in self.columns
        )
        return self if columns == self.columns else replace(self, columns=columns)


def as_table(value: Any) -> Table | None:
    """The table that a pandas DataFrame is, or anything that speaks Arrow's protocol of tables: a polars DataFrame, a
    pyarrow Table, a relation of DuckDB. None for anything else. Raises ThanoSQLOptionError for one that PostgreSQL cannot
    have. An index is no column."""
    pandas = imported("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return _from_pandas(value)
    if type(value).__name__ == "LazyFrame" and hasattr(value, "collect"):
        raise ThanoSQLOptionError("A LazyFrame of polars has no rows yet.", hint="Give what its collect() returns.")
    if not hasattr(value, "__arrow_c_stream__") or not hasattr(value, "columns"):
        return None  # a Series of polars speaks it too
    return _from_arrow(value)


def identity(value: Any) -> Any:
    """What tells a parameter's value from any other: of a table, which is shown in part, a digest of all of it."""
    table = as_table(value)
    if table is None:
        return value
    digest = hashlib.sha256(repr(table.columns).encode(errors="surrogatepass"))
    with _named_characters():
        for data in chunks(table.rows(), [column.type for column in table.columns]):
            digest.update(data)
    return digest.hexdigest()


def temporary_table(database: Database, table: Table) -> str:
    """A temporary table of these columns and rows, in their order, its statistics known; its name, quoted."""
    with _named_characters():
        name = database.temporary(table.columns, table.rows())
    database.connection.execute(f"ANALYZE {name}")
    return name


@contextmanager
def _named_characters() -> Iterator[None]:
    """Raise ThanoSQLDataError for a text in a table with a character that PostgreSQL does not take."""
    try:
        yield
    except UnicodeEncodeError as error:
        text = error.object[max(error.start - 20, 0) : error.end + 20]
        raise ThanoSQLDataError(
            f"A text in the table holds half a surrogate pair: {text!r}.", hint="Take it out of the table."
        ) from error
    except ThanoSQLDatabaseError as error:
        if error.sqlstate not in NUL_REFUSED:
            raise
        raise ThanoSQLDataError(
            "A text in the table holds a NUL character, which a text of PostgreSQL cannot hold.",
            hint="Take it out of the table.",
        ) from error


def _from_pandas(frame: pd.DataFrame) -> Table:
    from thanosql.engine.postgres.dataframe_columns import column_type, values_of

    names = _checked([str(name) for name in frame.columns])
    series = [frame.iloc[:, number] for number in range(len(names))]
    types = [_array_type(one) or column_type(one) for one in series]
    columns = tuple(Column(name, type_) for name, type_ in zip(names, types, strict=True))

    def rows() -> Iterator[tuple[Any, ...]]:
        for begin in range(0, len(frame), CHUNK_ROWS):
            yield from values_of(frame.iloc[begin : begin + CHUNK_ROWS], columns)

    def said() -> str:
        from thanosql.engine.parameters.arrow import said_of_finer_values

        return said_of_finer_values({name: _finer_values(one) for name, one in zip(names, series, strict=True)})

    typeless = frozenset(name for name, one in zip(names, series, strict=True) if _typeless(one))
    return Table(columns, rows, typeless, said)


def _finer_values(series: pd.Series[Any]) -> int:
    """How many values have nanoseconds, which PostgreSQL does not keep."""
    known = series.dtype.kind in "mM" and "[ns" in str(series.dtype)
    there = series.dropna() if known else None
    return 0 if there is None else int((there.astype("int64") % 1000 != 0).sum())


def _typeless(series: pd.Series[Any]) -> bool:
    # pandas gives `[]` and `[nan]` the type of its missing value: float64.
    return (series.dtype == object or series.dtype == "float64") and not series.notna().any()


def _from_arrow(value: Any) -> Table:
    try:
        import pyarrow
    except ImportError as error:
        raise ThanoSQLOptionError(
            f"A table of {type(value).__module__.partition('.')[0]} is read by pyarrow, which is not installed.",
            hint="pip install pyarrow, or give its to_pandas().",
        ) from error
    from thanosql.engine.parameters.arrow import (
        arrow_type,
        finer_values,
        holds_bytes,
        nested_values,
        plain_values,
        said_of_finer_values,
    )

    table = pyarrow.table(value)
    names = _checked(table.column_names)
    columns = tuple(Column(name, arrow_type(entry.type)) for name, entry in zip(names, table.schema, strict=True))
    for column, entry in zip(columns, table.schema, strict=True):
        if column.type == "jsonb" and holds_bytes(entry.type):
            raise ThanoSQLOptionError(
                f"The column {column.name} ({entry.type}) holds bytes within other values, which jsonb cannot.",
                hint="Give the bytes as a column of their own.",
            )

    def rows() -> Iterator[tuple[Any, ...]]:
        read = [nested_values if column.type == "jsonb" else plain_values for column in columns]
        for batch in table.to_batches(CHUNK_ROWS):
            yield from zip(*(values(array) for values, array in zip(read, batch.columns, strict=True)), strict=True)

    def said() -> str:
        return said_of_finer_values(
            {name: sum(map(finer_values, table.column(place).chunks)) for place, name in enumerate(names)}
        )

    typeless = frozenset(entry.name for entry in table.schema if pyarrow.types.is_null(entry.type))
    return Table(columns, rows, typeless, said)


def _checked(names: Sequence[str]) -> Sequence[str]:
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ThanoSQLOptionError(
            f"It has two columns of the name {doubled[0]!r}.", hint="Give one of them another name."
        )
    if not names:
        raise ThanoSQLOptionError("It has no columns.", hint="frame.reset_index() makes columns of an index.")
    for name in names:
        if (fault := fault_of(name)) is not None:
            raise ThanoSQLOptionError(f"The column name {name[:80]!r} {fault}.", hint="Give it another name.")
    return names


def _array_type(series: pd.Series[Any]) -> str | None:
    """The array that a column of lists, or of NumPy arrays, is; None where it is none."""
    import numpy

    if series.dtype != object:
        return None
    there = series[series.notna()].tolist()
    if not there or not all(isinstance(value, list | tuple | numpy.ndarray) for value in there):
        return None
    kinds: set[type] = set()
    for value in there:
        items = value.tolist() if isinstance(value, numpy.ndarray) else value
        kinds.update(map(type, items))
    kinds.discard(type(None))
    if kinds == {int, float}:
        kinds = {float}
    element = ELEMENTS.get(kinds.pop()) if len(kinds) == 1 else None
    return f"{element}[]" if element is not None else None
