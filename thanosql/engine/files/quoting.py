"""Lines of a delimited file in, what quotation marks do in it out: which values they enclose, and which are text.

A quotation mark encloses a value where it stands at the value's beginning and another one at its end, as in RFC 4180;
any other is a letter. PostgreSQL and most readers toggle at every mark instead, and join rows that way. What is counted
here follows the sniffers of DuckDB (the same number of values in every row) and clevercsv (marks that are needed are
evidence, marks that are not are none).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import methodcaller
from typing import Protocol

LONGEST_VALUE = 32 << 20  # bytes in which a value in quotation marks must end
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_NUMBERS = b"0123456789.+-eE"


class Reader(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Marks:
    """How values are enclosed: `quote` is b"" where no mark encloses; inside, `escape` makes a quote a letter."""

    delimiter: bytes
    quote: bytes = b'"'
    escape: bytes = b'"'

    def __post_init__(self) -> None:
        object.__setattr__(self, "enclosed", _enclosed(self) if self.quote else None)

    enclosed: re.Pattern[bytes] | None = field(init=False, compare=False, repr=False)


def _enclosed(marks: Marks) -> re.Pattern[bytes]:
    """A whole value in marks, or one that is still open at the end."""
    quote, end = re.escape(marks.quote), re.escape(marks.delimiter) + rb"\r\n"
    inside = (
        rb"(?:[^%b]++|%b%b)*+" % (quote, quote, quote)
        if marks.escape == marks.quote
        else rb"(?:[^%b\\]++|\\.)*+" % quote
    )
    return re.compile(rb"(?<![^%b])%b%b(?:%b(?=[%b])|\Z)" % (end, quote, inside, quote, end), re.DOTALL)


Skeleton = tuple[bytes, int]  # a block with a NUL for each enclosed value, and their number


def blocks(reader: Reader, newline: bytes, *marks: Marks) -> Iterator[tuple[bytes, tuple[Skeleton, ...]]]:
    """Pieces of whole lines in which no value is open at the end, each with its skeleton by each of `marks`.

    A value that is longer than LONGEST_VALUE, or that nothing ends, stays open: its skeleton ends with its NUL.
    """
    buffer = b""
    ended = False
    wanted = 1
    while not ended:
        more = reader.read()
        ended = not more
        buffer += more
        if len(buffer) < wanted and not ended:
            continue
        end = buffer.rfind(newline) + 1
        if ended and buffer:
            buffer += b"" if buffer.endswith(newline) else newline
            end = len(buffer)
        block = buffer[:end]
        if not block:
            continue
        skeletons = tuple(_skeleton(block, mark) for mark in marks)
        # The block ends with a line's end, so that only a value that is open reaches its end.
        if any(skeleton.endswith(b"\0") for skeleton, _ in skeletons) and not ended and len(block) < LONGEST_VALUE:
            wanted = 2 * len(buffer)
            continue
        buffer, wanted = buffer[end:], 1
        yield block, skeletons


def _skeleton(block: bytes, marks: Marks) -> Skeleton:
    return marks.enclosed.subn(b"\0", block) if marks.enclosed is not None and marks.quote in block else (block, 0)


@dataclass
class Widths:
    """How many rows have how many values, and the line of the first of each."""

    rows: Counter[int] = field(default_factory=Counter)
    first: dict[int, int] = field(default_factory=dict)

    @property
    def uniform(self) -> bool:
        return len(self.rows) == 1

    def odd(self, width: int) -> tuple[int, int] | None:
        """Line and number of values of the first row that has not `width`."""
        return min(((line, values) for values, line in self.first.items() if values != width), default=None)


@dataclass
class Enclosing:
    """What one way of enclosing makes of a file."""

    marks: Marks
    widths: Widths = field(default_factory=Widths)
    values: int = 0  # enclosed
    empty: int = 0  # of these, without anything in them
    strays: int = 0  # marks that enclose nothing
    opened: int | None = None  # line of a value that never ends
    escaped: bool = False  # a mark inside of a value stands there escaped
    needed: bool = False  # a value on one line holds a delimiter, so that only the marks make the row right
    throughout: bool = True  # whatever is no number is enclosed
    blank: int = 0  # lines without anything, where another line follows
    trailing: int = 0  # and where none has followed yet
    inner_return: int | None = None  # line of a carriage return within a line, outside of enclosed values
    joining: dict[int, int] = field(default_factory=dict)  # values a line → line of rows that may be several

    @property
    def strict(self) -> bool:
        return self.strays == 0 and self.opened is None and self.widths.uniform and self.values > 0

    @property
    def proven(self) -> bool:
        return self.escaped or self.needed or (self.throughout and self.values > 0)

    def add(self, block: bytes, found: Skeleton, line: int, newline: bytes) -> None:
        """Count one block, whose first line has that number."""
        marks = self.marks
        skeleton, values = found
        if self.inner_return is None and newline == b"\n" and skeleton.count(b"\r") != skeleton.count(b"\r\n"):
            at = next(found.start() for found in _LONE_RETURN.finditer(skeleton))
            self.inner_return = line + skeleton.count(b"\n", 0, at)
        if marks.enclosed is None or (not values and marks.quote not in block):
            rows = block.split(newline)[:-1]
            self._count_blank(rows)
            _count(self.widths, rows, marks.delimiter, line)
            self.throughout = self.throughout and not _words(block, marks)
            return
        if skeleton.endswith(b"\0"):
            start = [one.start() for one in marks.enclosed.finditer(block)][-1]
            self.opened = self.opened or line + block.count(newline, 0, start)
            skeleton = marks.enclosed.sub(b"\0", block[:start]) + block[start:]
            values -= 1
        self.values += values
        if marks.quote * 2 in block:
            self.empty += sum(one[0] == marks.quote * 2 for one in marks.enclosed.finditer(block))
        strays = skeleton.count(marks.quote)
        self.strays += strays
        rows = skeleton.split(newline)[:-1]
        self._count_blank(rows)
        several = block.count(newline) != len(rows)
        _count(self.widths, rows, marks.delimiter, line, (block, marks, newline) if several else None)
        self.throughout = self.throughout and not _words(skeleton, marks)
        if several:
            self._look_at_lines(block, line, newline)
            return
        # What is left of the marks, and of the delimiters, stands inside of values.
        self.escaped = self.escaped or block.count(marks.quote) > 2 * values + strays
        self.needed = self.needed or block.count(marks.delimiter) != skeleton.count(marks.delimiter)

    def _count_blank(self, rows: list[bytes]) -> None:
        blank = rows.count(b"") + rows.count(b"\r")
        if blank == len(rows):
            self.trailing += blank
            return
        at_end = next(place for place, row in enumerate(reversed(rows)) if row not in (b"", b"\r")) if blank else 0
        self.blank += self.trailing + blank - at_end
        self.trailing = at_end

    def _look_at_lines(self, block: bytes, line: int, newline: bytes) -> None:
        marks = self.marks
        assert marks.enclosed is not None
        counted, at = line, 0
        for found in marks.enclosed.finditer(block):
            if newline not in found[0]:
                # Only what stands on one line shows that marks enclose: one that goes on may be no value at all.
                self.needed = self.needed or marks.delimiter in found[0]
                self.escaped = self.escaped or found[0].count(marks.quote) > 2
                continue
            begin = block.rfind(newline, 0, found.start()) + 1
            pieces = block[begin : block.find(newline, found.end())].split(newline)
            widths = {piece.count(marks.delimiter) + 1 for piece in pieces}
            counted, at = counted + block.count(newline, at, begin), begin
            if len(widths) == 1:
                self.joining.setdefault(widths.pop(), counted)


def _count(
    widths: Widths,
    rows: list[bytes],
    delimiter: bytes,
    line: int,
    several: tuple[bytes, Marks, bytes] | None = None,
) -> None:
    counts = list(map(methodcaller("count", delimiter), rows))
    found = Counter(counts)
    if blank := rows.count(b"") + rows.count(b"\r"):
        found[0] -= blank
    for count, number in found.items():
        if number <= 0:
            continue
        widths.rows[count + 1] += number
        if count + 1 not in widths.first:
            at = next(index for index, there in enumerate(counts) if there == count and rows[index] not in (b"", b"\r"))
            widths.first[count + 1] = line + (at if several is None else _line_of_row(at, *several))


def _line_of_row(row: int, block: bytes, marks: Marks, newline: bytes) -> int:
    """The line, from 0, on which that row of a block begins, from 0, where rows may have several lines."""
    assert marks.enclosed is not None
    outside = re.compile(rb"%b|%b" % (marks.enclosed.pattern, newline), re.DOTALL)
    for found in outside.finditer(block):
        if row == 0:
            break
        if found[0] == newline:
            row -= 1
            end = found.end()
            if row == 0:
                return block.count(newline, 0, end)
    return 0


def _words(skeleton: bytes, marks: Marks) -> bool:
    """Whether a value that is no number stands without marks."""
    return bool(skeleton.translate(None, b"\0\r\n" + marks.delimiter + _NUMBERS))
