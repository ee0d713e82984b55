"""A csv or tsv file → its column names and its bytes for COPY, and the SQL that finds the types of its columns.

PostgreSQL parses the file, so an empty field and an empty string in quotes stay apart (NULL and ''), and a line that is
too short is named by the server that read it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from thanosql.engine.files.tabular import Delimited, checked_names
from thanosql.errors import ThanoSQLDataError

BLOCK = 1 << 20
HEADER_LIMIT = 1 << 20  # bytes in which the header must end
BOM = b"\xef\xbb\xbf"
NOT_UTF8 = "It must be UTF-8: save it again with that encoding."


def open_delimited(path: Path, delimiter: str) -> Delimited:
    """The file's header, read. Raises ThanoSQLDataError when it is empty, not UTF-8, or its names cannot be used."""
    with path.open("rb") as file:
        head = file.read(HEADER_LIMIT)
    if not head.removeprefix(BOM).strip():
        raise ThanoSQLDataError(f"{path} is empty.", hint="Its first line must name the columns.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ThanoSQLDataError(f"{path} is encoded in UTF-16.", hint=NOT_UTF8)
    text = head.decode("utf-8-sig", "surrogateescape")
    try:
        # A quoted name may hold a line break.
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ThanoSQLDataError(f"{path}, line 1: the header cannot be read: {error}.") from error
    if any("\udc80" <= letter <= "\udcff" for name in first for letter in name):
        raise ThanoSQLDataError(f"{path}, line 1: a byte that is not UTF-8.", hint=NOT_UTF8)
    if len(first) == 1:
        _refuse_other_delimiter(first[0], delimiter, path)
    return Delimited(path, delimiter, checked_names(first, path.name))


def _refuse_other_delimiter(header: str, delimiter: str, path: Path) -> None:
    for other, name in ((",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if other != delimiter and other in header:
            shown = "E'\\t'" if other == "\t" else f"'{other}'"
            raise ThanoSQLDataError(
                f"{path}: the header is one column, with {name} in it: {header[:80]!r}.",
                hint=f"OPTIONS (delimiter={shown}) divides by {name}.",
            )


class FileStream(io.RawIOBase):
    """The file's bytes without byte order mark and without empty lines at its end, which would be rows too short."""

    def __init__(self, path: Path, *, dot_ends: bool, progress: Callable[[int], None]) -> None:
        self._file = path.open("rb")
        if self._file.read(len(BOM)) != BOM:
            self._file.seek(0)
        self._path = path
        self._dot_ends = dot_ends
        self._progress = progress
        self._held = b""
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
        while block := self._file.read(BLOCK):
            self._progress(self._file.tell())
            block = self._held + block
            body = block.rstrip(b"\r\n")
            self._held = block[len(body) :]
            if self._dot_ends and (b"\n\\.\n" in block or b"\n\\.\r" in block):
                # Before version 18 the server takes this line for the end, and would leave out the rest unsaid.
                raise ThanoSQLDataError(f"{self._path}: a line that is only '\\.' cannot be read by this PostgreSQL.")
            if body:
                return body
        last, self._held = self._held, b""
        # One line end of the kind the file has.
        return b"\r\n" if last.startswith(b"\r\n") else last[:1]

    def close(self) -> None:
        self._file.close()
        super().close()


# Narrowest first. Each is an SQL expression over {c}, a text that is not NULL: whether the type holds it without loss.
_NUMBER = r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{{1,2}})?"
_DAY = r"[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,6}}0*)?)?"
_ZONE = r" ?(Z|z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_REAL_DAY = (
    "left({c}, 4) <> '0000' AND substr({c}, 9, 2)::int <= extract(day FROM make_date(left({c}, 4)::int, "
    "substr({c}, 6, 2)::int, 1) + interval '1 month' - interval '1 day')"
)


def _when(pattern: str, then: str = "true") -> str:
    return f"CASE WHEN {{c}} ~ '^({pattern})$' THEN {then} ELSE false END"


CANDIDATES: dict[str, str] = {
    "boolean": "lower({c}) IN ('true', 'false')",
    # A number with a leading zero or plus is a name for something (0123, +82), and stays as it is written.
    "bigint": _when(
        "0|-?[1-9][0-9]{{0,18}}",
        "CASE WHEN length({c}) < 19 THEN true"
        " ELSE {c}::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 END",
    ),
    "double precision": _when(
        _NUMBER,
        "CASE WHEN length({c}) <= 15 THEN true WHEN length({c}) > 40 THEN false"
        " ELSE {c}::double precision::text::numeric = {c}::numeric END",
    ),
    "numeric": _when(_NUMBER, "length({c}) <= 1000"),
    "date": _when(_DAY, _REAL_DAY),
    "timestamp without time zone": _when(f"{_DAY}([ T]{_CLOCK})?", _REAL_DAY),
    "timestamp with time zone": _when(f"{_DAY}[ T]{_CLOCK}{_ZONE}", _REAL_DAY),
}


def holds(kind: str, column: str) -> str:
    """SQL for whether every value of a text column (quoted name) fits a type; NULL when the column is empty."""
    return f"bool_and(CASE WHEN {column} IS NOT NULL THEN {CANDIDATES[kind].format(c=column)} END)"
