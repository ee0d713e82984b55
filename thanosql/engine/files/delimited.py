"""A csv or tsv file → its columns, and its rows for COPY: as bytes that PostgreSQL parses, or taken apart here.

PostgreSQL parses what it reads as the file means it, so that an empty field and an empty string in quotes stay apart (NULL
and '') at its speed. Where it would read otherwise (marks that enclose nothing, empty lines, mixed line ends), rows are
taken apart here and sent as text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.engine.files import beside, corpora
from thanosql.engine.files.dialects import DELIMITERS, Dialect, Said, find_dialect
from thanosql.engine.files.encodings import Utf8Reader
from thanosql.engine.files.headers import Header, first_row
from thanosql.engine.files.tabular import checked_names
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

HEADER_ROWS = 100  # below the first row, that tell whether it is a header


@dataclass(frozen=True)
class Delimited:
    """A csv or tsv file: `rows` is how many it holds below its header; `types` are those that the user names."""

    path: Path
    dialect: Dialect
    names: tuple[str, ...]
    header: bool
    null: frozenset[str] = frozenset()
    types: dict[str, str] = field(default_factory=dict)
    unnamed: bool = False
    folders: Mapping[int, str] = field(default_factory=dict)  # column → where its relative paths lie
    date_order: str | None = None  # in which days in figures are written
    ljspeech: bool = False  # it is LJSpeech's metadata.csv, and nothing was said of its columns

    @property
    def rewritten(self) -> bool:
        """Whether rows are taken apart here, and not by PostgreSQL."""
        return self.dialect.rewritten or bool(self.null or self.folders)

    @property
    def rows(self) -> int:
        return self.dialect.rows - self.header

    def records(self) -> Iterator[list[str | None]]:
        """The rows below the header; None is NULL."""
        for row in islice(self.dialect.records(self.path), int(self.header), None):
            if self.null:
                row = [None if value in self.null else value for value in row]
            yield beside.moved(row, self.folders) if self.folders else row

    def said(self) -> str:
        """What was found out of the file itself, for the note."""
        dialect = self.dialect
        divided = DELIMITERS.get(dialect.marks.delimiter, repr(dialect.marks.delimiter.decode()))
        parts = [f"{dialect.width} columns divided by {divided}" if dialect.width > 1 else "1 column"]
        if dialect.width == 1 and (
            held := [name for mark, name in DELIMITERS.items() if mark.decode() in self.names[0]]
        ):
            parts.append(f"although {' and '.join(held)} stand in its name")
        if dialect.strays:
            parts.append(
                "quotation marks enclose values where they begin and end one, and are text elsewhere"
                if dialect.marks.quote
                else "quotation marks are text"
            )
        if self.unnamed:
            parts.append(f"no line names the columns: they are {self.names[0]} and so on, columns=['…'] names them")
        elif self.header:
            parts.append(f"line {dialect.skip + 1} names the columns")
        if dialect.encoding.said:
            parts.append(dialect.encoding.said)
        if dialect.empty:
            parts.append(f"{dialect.empty:,} empty lines left out")
        if self.folders:
            parts.append(beside.said(self.names, self.folders))
        return ", ".join(parts)


def open_delimited(path: Path, usual: str, said: Said, types: dict[str, str], settings: Settings) -> Delimited:
    """The file's columns, found by reading it once. Raises ThanoSQLDataError when it is no table, naming the line."""
    dialect = find_dialect(path, usual.encode(), said)
    rows = list(islice(dialect.records(path), HEADER_ROWS + 1))
    first = rows[0] if rows else []
    header = said.header
    if header is None:
        header = _has_header(path, dialect, first, rows[1:], said)
    if said.columns and len(said.columns) != dialect.width:
        raise ThanoSQLDataError(
            f"{path.name} has {dialect.width} columns, and the option columns names {len(said.columns)}."
        )
    unnamed = not header and not said.columns
    given = [f"column{number}" for number in range(1, dialect.width + 1)] if unnamed else list(said.columns)
    names = checked_names(given or [value or "" for value in first], path.name)
    for name in types:
        if name not in names:
            raise ThanoSQLDataError(f"{path.name} has no column '{name}', which the option types names.")
    folders = beside.folders_of(rows[int(header) :], path, settings)
    lj = unnamed and not types and corpora.is_ljspeech(path, names, header, dialect.marks.delimiter, rows)
    return Delimited(path, dialect, names, header, frozenset(said.null), types, unnamed, folders, said.date_order, lj)


def _has_header(
    path: Path, dialect: Dialect, first: list[str | None], rows: list[list[str | None]], said: Said
) -> bool:
    if said.columns and [(value or "").strip().lower() for value in first] == [name.lower() for name in said.columns]:
        return True
    found = first_row(first, rows)
    if found is Header.UNCLEAR:
        shown = ", ".join(value or "" for value in first)[:80]
        raise ThanoSQLDataError(
            f"{path.name}, line {dialect.skip + 1}: this may name the columns, or be the first row: {shown}.",
            hint="OPTIONS (header=True) or OPTIONS (header=False) says which.",
        )
    return found is Header.NAMES


class FileStream(io.RawIOBase):
    """The file's bytes in UTF-8 without empty lines at its end, which would be rows too short."""

    def __init__(self, source: Delimited, *, progress: Callable[[int], None]) -> None:
        self._reader = Utf8Reader(source.path, source.dialect.encoding, skip=source.dialect.skip, progress=progress)
        self._rest = b""
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._next()
        except BaseException as failure:
            self.failure = failure
            raise

    def _next(self) -> bytes:
        while block := self._reader.read():
            block = self._rest + block
            body = block.rstrip(b"\r\n")
            self._rest = block[len(body) :]
            if body:
                return body
        last, self._rest = self._rest, b""
        # One line end of the kind the file has.
        return b"\r\n" if last.startswith(b"\r\n") else last[:1]

    def close(self) -> None:
        self._reader.close()
        super().close()


def copy_options(source: Delimited) -> str:
    """How PostgreSQL is told to read the file's bytes."""
    dialect = source.dialect
    marks = dialect.marks
    quote = marks.quote or dialect.filler or b"\1"
    escape = marks.escape if marks.quote else quote
    values = {"DELIMITER": marks.delimiter, "QUOTE": quote, "ESCAPE": escape}
    written = ", ".join(f"{name} {_literal(value)}" for name, value in values.items())
    return f"(FORMAT csv, HEADER {str(source.header).lower()}, {written}, ENCODING 'UTF8')"


def _literal(value: bytes) -> str:
    return "E'" + "".join(f"\\x{byte:02x}" for byte in value) + "'"
