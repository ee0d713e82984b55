"""A delimited file and what the options say of it in, how it is read out: each choice with its evidence, or refused.

A delimiter is right where every row has as many values as the first. Quotation marks enclose values where they do so
throughout the file; beside tabs and bars, where text stands as it is (Common Voice, LJSpeech), only where they are needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn

from thanosql import confinement
from thanosql.engine.files.encodings import Encoding, Utf8Reader, find_encoding
from thanosql.engine.files.quoting import Enclosing, Marks, blocks
from thanosql.engine.files.survey import Survey, survey
from thanosql.errors import ThanoSQLDataError

DELIMITERS = {b",": "commas", b";": "semicolons", b"\t": "tabs", b"|": "bars"}
LITERAL = (b"\t", b"|")  # beside these a quotation mark is a letter, unless it is needed
SAMPLE = 1000  # rows
_SEP = re.compile(rb"\"?sep=([^\r\n])\"?\r?", re.IGNORECASE)


@dataclass(frozen=True)
class Said:
    """What the options say of a delimited file; None where the file decides."""

    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    columns: tuple[str, ...] = ()
    null: tuple[str, ...] = ()
    encoding: str | None = None
    header_row: int | None = None
    date_order: str | None = None


@dataclass(frozen=True)
class Dialect:
    """How a file is read. `strays` says that marks stand in it which enclose nothing; `rows` counts the first row too."""

    encoding: Encoding
    skip: int  # lines before the table
    newline: bytes
    marks: Marks
    rows: int
    width: int
    strays: bool
    lines: int
    empty: int
    filler: bytes | None  # a character that the file lacks
    rewritten: bool  # rows are taken apart here, since PostgreSQL would read them otherwise

    def records(self, path: Path) -> Iterator[list[str | None]]:
        """The file's rows; None is a value of which nothing stands there, "" one that is enclosed and empty."""
        with Utf8Reader(path, self.encoding, skip=self.skip) as reader:
            marks = [self.marks] if self.marks.quote else []
            empty = 0  # rows of one column without anything: at the end of the file they are none
            for block, _ in blocks(reader, self.newline, *marks):
                for row in _rows(block, self):
                    if row == [None]:
                        empty += 1
                        continue
                    for _ in range(empty):
                        yield [None]
                    empty = 0
                    yield row


def _rows(block: bytes, dialect: Dialect) -> Iterator[list[str | None]]:
    delimiter = dialect.marks.delimiter.decode()
    text = block.decode("utf-8")
    newline = dialect.newline.decode()
    if not dialect.marks.quote or dialect.marks.quote not in block:
        for line in text.split(newline)[:-1]:
            line = line.removesuffix("\r")
            if line or dialect.width == 1:
                yield [value or None for value in line.split(delimiter)]
        return
    quote, escape = dialect.marks.quote.decode(), dialect.marks.escape.decode()
    inside = re.escape(quote)
    body = rf"(?:[^{inside}]++|{inside}{inside})*+" if escape == quote else rf"(?:[^{inside}\\]++|\\.)*+"
    end = re.escape(delimiter) + r"\r\n"
    one = re.compile(
        rf"(?:{inside}({body}){inside}(?=[{end}])|([^{end}]*+))({re.escape(delimiter)}|\r?\n|\r)", re.DOTALL
    )
    row: list[str | None] = []
    for found in one.finditer(text):
        enclosed, bare, after = found.groups()
        if enclosed is None:
            row.append(bare or None)
        elif escape == quote:
            row.append(enclosed.replace(quote * 2, quote))
        else:
            row.append(re.sub(r"\\(.)", r"\1", enclosed, flags=re.DOTALL))
        if after != delimiter:
            if row != [None] or dialect.width == 1:
                yield row
            row = []


def find_dialect(path: Path, usual: bytes, said: Said) -> Dialect:
    """How the file is read. Raises ThanoSQLDataError naming the line where no reading gives a table, or two do."""
    encoding = find_encoding(path, said.encoding)
    skip = (said.header_row or 1) - 1
    delimiter = said.delimiter.encode() if said.delimiter else None
    with Utf8Reader(path, encoding) as reader:
        first, _, rest = reader.read()[:64].partition(b"\n")
    if skip == 0 and rest and (named := _SEP.fullmatch(first)):
        # Excel writes the delimiter so into the first line.
        skip, delimiter = 1, delimiter or named[1]
    quote = b'"' if said.quote is None else said.quote.encode()
    if delimiter is None:
        delimiter = _delimiter(path, encoding, skip, usual, quote)
    found = survey(path, encoding, skip, Marks(delimiter, quote, quote))
    if found.backslashes and not found.enclosing.strict and said.quote != "":
        # A backslash before a mark may make it a letter, as MySQL writes.
        other = survey(path, encoding, skip, Marks(delimiter, quote, b"\\"))
        found = other if other.enclosing.strict else found
    if found.blank:
        raise ThanoSQLDataError(f"{path} is empty.", hint="A table has at least a line that names its columns.")
    chosen = _enclosing(found, said)
    (width,) = chosen.widths.rows
    several = width > 1 and chosen.blank > 0
    if chosen.inner_return is not None:
        raise ThanoSQLDataError(
            f"{path.name}, line {chosen.inner_return}: a carriage return within the line.",
            hint="Put values that hold line ends in quotation marks, or take it out.",
        )
    rewritten = (
        several
        or found.dot
        or found.mixed
        or (chosen.marks.quote != b"" and chosen.strays > 0)
        or (not chosen.marks.quote and not found.fillers)
    )
    return Dialect(
        encoding=encoding,
        skip=skip,
        newline=found.newline,
        marks=chosen.marks,
        rows=chosen.widths.rows[width] + (chosen.blank if width == 1 else 0),
        width=width,
        strays=chosen.strays > 0 or (not chosen.marks.quote and found.quoted),
        lines=found.lines,
        empty=chosen.blank if several else 0,
        filler=found.fillers[:1] or None,
        rewritten=rewritten,
    )


def _delimiter(path: Path, encoding: Encoding, skip: int, usual: bytes, quote: bytes) -> bytes:
    """The usual one where it divides all rows alike; else the one that does."""
    fitting, uneven, one_column = [], [], True
    for delimiter in (usual, *(other for other in DELIMITERS if other != usual)):
        sample = survey(path, encoding, skip, Marks(delimiter, quote, quote), whole=False)
        if any(one.widths.uniform and max(one.widths.rows) > 1 for one in (sample.enclosing, sample.plain)):
            fitting.append(delimiter)
            if delimiter == usual:
                return usual
        if delimiter == usual:
            one_column = set(sample.plain.widths.rows) <= {1}
        elif _divides_most(sample.enclosing):
            uneven.append(sample)
    if len(fitting) > 1:
        names = " and ".join(DELIMITERS[delimiter] for delimiter in fitting)
        raise ThanoSQLDataError(
            f"{path.name}: {names} divide all its lines into as many values each.",
            hint=f"OPTIONS (delimiter={shown(fitting[0])}) says which one is meant.",
        )
    if not fitting and uneven and one_column:
        _refuse_uneven(uneven[0], usual)
    return fitting[0] if fitting else usual


def _divides_most(reading: Enclosing) -> bool:
    """Whether the first row has several values, and so many have half of the rows and more."""
    widths = reading.widths
    first = min(widths.first, key=lambda width: widths.first[width], default=1)
    return first > 1 and 2 * widths.rows[first] >= sum(widths.rows.values())


def _refuse_uneven(found: Survey, usual: bytes) -> NoReturn:
    """Of a file of one column, if another delimiter did not divide most of its lines."""
    widths = found.enclosing.widths
    first = min(widths.first, key=lambda width: widths.first[width])
    odd = widths.odd(first)
    assert odd is not None
    line, values = odd
    name = DELIMITERS[found.delimiter]
    raise ThanoSQLDataError(
        f"{found.path.name}, line {line}: {_values(values)} divided by {name}, where line {widths.first[first]} has {first}.",
        hint=f"Mend the line. If the file has one column, in which {name} are text: OPTIONS (delimiter={shown(usual)}).",
    )


def _enclosing(found: Survey, said: Said) -> Enclosing:
    plain, enclosing = found.plain, found.enclosing
    if not found.quoted or said.quote == "":
        candidates = [plain]
    elif said.quote is not None:
        candidates = [enclosing]
    elif found.delimiter in LITERAL:
        needed = enclosing.strict and (enclosing.proven or not plain.widths.uniform or _whole_columns(found))
        candidates = [enclosing, plain] if needed else [plain, enclosing]
    else:
        candidates = [enclosing, plain] if enclosing.values else [plain]
    chosen = next((entry for entry in candidates if entry.widths.uniform), None)
    if said.quote and enclosing.opened is not None:
        _refuse_open(found, enclosing.opened)
    if said.quote is None and found.quoted:
        _refuse_unclear(found, chosen)
    if chosen is None:
        _refuse_ragged(found, candidates[0])
    return chosen


def _refuse_open(found: Survey, line: int) -> NoReturn:
    raise ThanoSQLDataError(
        f"{found.path.name}, line {line}: a quotation mark begins a value and none ends it.",
        hint="OPTIONS (quote='') takes quotation marks as text.",
    )


def _refuse_unclear(found: Survey, chosen: Enclosing | None) -> None:
    enclosing = found.enclosing
    literal = found.delimiter in LITERAL
    if enclosing.opened is not None and not literal:
        _refuse_open(found, enclosing.opened)
    # Beside tabs a mark that encloses nothing shows that they are text; elsewhere it makes the others doubtful.
    if not enclosing.widths.uniform or (chosen is found.plain and not enclosing.strict):
        return
    (width,) = enclosing.widths.rows
    if enclosing.proven and not enclosing.strays:
        return
    line = enclosing.joining.get(width)
    if line is not None:
        raise ThanoSQLDataError(
            f"{found.path.name}, line {line}: there are line ends between two quotation marks, and nothing shows whether"
            " that is one value or several rows.",
            hint="OPTIONS (quote='\"') reads one value, OPTIONS (quote='') several rows.",
        )


def _refuse_ragged(found: Survey, reading: Enclosing) -> NoReturn:
    first = min(reading.widths.first, key=lambda width: reading.widths.first[width])
    odd = reading.widths.odd(first)
    assert odd is not None
    line, values = odd
    hint = None
    usual = reading.widths.rows.most_common(1)[0][0]
    start = reading.widths.first[usual]
    if usual > 1 and usual != first and start <= 20:
        hint = f"If the table begins below a title: OPTIONS (header_row={start})."
    elif first == 1 and (other := _other(found)):
        hint = f"OPTIONS (delimiter={shown(other)}) divides by {DELIMITERS[other]}."
    elif found.quoted:
        hint = "If quotation marks are text here: OPTIONS (quote='')."
    raise ThanoSQLDataError(
        f"{found.path.name}, line {line}: {_values(values)}, where line {reading.widths.first[first]} has {first}.",
        hint=hint or "Every line has as many values as the first.",
    )


def _values(count: int) -> str:
    return f"{count} value" + ("" if count == 1 else "s")


def _other(found: Survey) -> bytes | None:
    with confinement.open_file(found.path) as file:
        head = file.readline(1 << 16)
    return next((other for other in DELIMITERS if other != found.delimiter and other in head), None)


def _whole_columns(found: Survey) -> bool:
    """Whether a column whose values stand in marks has no other value, as one who encloses all texts writes, or nothing
    but empty values stands in marks."""
    dialect = Dialect(
        found.encoding, found.skip, found.newline, found.plain.marks, 0, 2, False, 0, 0, filler=None, rewritten=True
    )
    enclosed: dict[int, bool] = {}
    mark = found.enclosing.marks.quote.decode()
    for row in islice(dialect.records(found.path), 1, SAMPLE):
        for place, value in enumerate(row):
            if value and value != mark * 2:
                whole = len(value) > 1 and value.startswith(mark) and value.endswith(mark)
                enclosed[place] = enclosed.get(place, True) and whole
    return any(enclosed.values()) or found.enclosing.empty == found.enclosing.values


def shown(delimiter: bytes) -> str:
    """A delimiter as an option's value is written."""
    return "E'\\t'" if delimiter == b"\t" else f"'{delimiter.decode()}'"
