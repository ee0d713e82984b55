"""A delimited file read once, whole → what stands in it: its rows by each way of enclosing, its line ends, its letters.

Nothing is decided here but what cannot be a table at all: a NUL, a byte that is not UTF-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thanosql.engine.files.encodings import OTHER_ENCODING, Encoding, Utf8Reader
from thanosql.engine.files.quoting import Enclosing, Marks, Skeleton, Widths, blocks
from thanosql.errors import ThanoSQLDataError

# Control characters that stand for "no quotation mark" where PostgreSQL must be told one: whichever the file lacks.
_FILLERS = bytes([*range(1, 9), *range(14, 32)])


@dataclass
class Survey:
    """What a file holds, for one delimiter: its rows where no mark encloses values, and where marks do."""

    path: Path
    encoding: Encoding
    skip: int
    delimiter: bytes
    newline: bytes
    plain: Enclosing
    enclosing: Enclosing
    lines: int = 0
    returns: int = 0  # carriage returns at the ends of lines
    fillers: bytes = _FILLERS
    backslashes: bool = False  # before a quotation mark
    dot: bool = False  # a line that is only "\.", which ends the data for PostgreSQL before version 18

    @property
    def blank(self) -> bool:
        return not self.plain.widths.rows

    @property
    def mixed(self) -> bool:
        """Lines that end in CR LF and others that end in LF."""
        return self.newline == b"\n" and 0 < self.returns < self.lines

    @property
    def quoted(self) -> bool:
        """Whether there is a quotation mark in the file."""
        return self.enclosing.widths is not self.plain.widths

    def add(self, block: bytes, found: Skeleton, line: int) -> None:
        self._check(block, line)
        self.fillers = bytes(byte for byte in self.fillers if byte not in block) if self.fillers else b""
        self.backslashes = self.backslashes or b"\\" + self.enclosing.marks.quote in block
        if not self.quoted and self.enclosing.marks.quote in block:
            # Until here both ways agreed.
            self.enclosing.widths = Widths(self.plain.widths.rows.copy(), dict(self.plain.widths.first))
            self.enclosing.throughout = self.plain.throughout
            self.enclosing.blank, self.enclosing.trailing = self.plain.blank, self.plain.trailing
        self.plain.add(block, (block, 0), line, self.newline)
        if self.quoted:
            self.enclosing.add(block, found, line, self.newline)
        self._count_lines(block, line)

    def _check(self, block: bytes, line: int) -> None:
        if b"\0" in block:
            raise ThanoSQLDataError(
                f"{self.path.name}, line {line + block.count(self.newline, 0, block.index(0))}: a NUL character, which a"
                " text of PostgreSQL cannot hold.",
                hint="Take it out of the file, or name the encoding if the file has one of two bytes a letter.",
            )
        try:
            block.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ThanoSQLDataError(
                f"{self.path.name}, line {line + block.count(self.newline, 0, error.start)}: a byte that is not UTF-8"
                f" (0x{block[error.start]:02x}).",
                hint=OTHER_ENCODING,
            ) from error

    def _count_lines(self, block: bytes, line: int) -> None:
        count = block.count(self.newline)
        if b"\\.\n" in block or b"\\.\r" in block:
            self.dot = True
        if self.newline == b"\n" and b"\r" in block:
            self.returns += block.count(b"\r\n")
        self.lines += count


def survey(path: Path, encoding: Encoding, skip: int, marks: Marks, *, whole: bool = True) -> Survey:
    """Read the file, or its first piece, as `marks` have it and as without them."""
    with Utf8Reader(path, encoding, skip=skip) as reader:
        head = reader.read()
        newline = b"\r" if b"\r" in head and b"\n" not in head else b"\n"
        plain, enclosing = Enclosing(Marks(marks.delimiter, b"")), Enclosing(marks)
        enclosing.widths = plain.widths
        found = Survey(path, encoding, skip, marks.delimiter, newline, plain, enclosing)
        line = skip + 1
        for block, (skeleton,) in blocks(_Again(head, reader), newline, marks):
            found.add(block, skeleton, line)
            line += block.count(newline)
            if not whole:
                break
    return found


class _Again:
    """A reader whose first piece was read already."""

    def __init__(self, head: bytes, rest: Utf8Reader) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        return self._rest.read()
