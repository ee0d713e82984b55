"""What a file holds, as COPY takes it: typed columns and rows; column names that a table can have."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from thanosql.engine.parameters.tables import Table
from thanosql.engine.postgres.copying import chunks
from thanosql.engine.postgres.naming import fault_of
from thanosql.errors import ThanoSQLDataError
from thanosql.version import DISTRIBUTION


@dataclass(frozen=True)
class Records:
    """Typed columns, and their rows from the beginning each time `rows` is called; `said` goes into the note. `items` are
    the rows as json has them, where the file is of json."""

    path: Path
    columns: tuple[tuple[str, str], ...]  # name, PostgreSQL's type
    rows: Callable[[], Iterator[Sequence[Any]]] = field(repr=False)
    said: Callable[[], str] = lambda: ""
    items: Callable[[], Iterator[Sequence[Any]]] | None = None


def table_records(name: Path, table: Table) -> Records:
    """A given table as COPY takes it; `name` is what it is called in messages."""
    return Records(name, tuple((column.name, column.type) for column in table.columns), table.rows, table.said)


def checked_names(given: Sequence[str], what: str) -> tuple[str, ...]:
    """Column names fit for a table: none empty, none twice, none too long, without spaces or byte order marks around
    them. Raises ThanoSQLDataError naming the column.

    >>> checked_names(["audio_path", " text "], "x.csv")
    ('audio_path', 'text')
    """
    names = tuple(name.strip("\ufeff \t\u00a0").strip() for name in given)
    for number, name in enumerate(names, start=1):
        if not name:
            raise ThanoSQLDataError(
                f"{what}: column {number} of {len(names)} has no name.",
                hint="The first line must name every column.",
            )
        if (fault := fault_of(name)) is not None:
            raise ThanoSQLDataError(
                f"{what}: the name of column {number} {fault}: {name[:80]!r}.",
                hint="The first line must name the columns.",
            )
        if names.index(name) != number - 1:
            raise ThanoSQLDataError(
                f"{what}: columns {names.index(name) + 1} and {number} are both named '{name}'.",
                hint="Give each column a name of its own.",
            )
    return names


def refuse_missing(package: str, path: Path, error: ImportError, *, extra: str = "files") -> NoReturn:
    """Say which package reads such a file, and how it comes."""
    raise ThanoSQLDataError(
        f"{path.suffix} files need the package {package}, which is not installed.",
        hint=f'pip install "{DISTRIBUTION}[{extra}]" brings it.',
    ) from error


class RowStream(io.RawIOBase):
    """Rows as the bytes of COPY's text format, made as they are read. What goes wrong with a row is kept in `failure`:
    the driver would report it in words of its own."""

    def __init__(self, rows: Iterator[Sequence[Any]], types: Sequence[str]) -> None:
        self._chunks = chunks(rows, types)
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return next(self._chunks, b"")
        except UnicodeEncodeError as error:
            self.failure = ThanoSQLDataError(f"A text that holds half a surrogate pair: {error.object[:80]!r}.")
            raise self.failure from error
        except BaseException as failure:
            self.failure = failure
            raise
