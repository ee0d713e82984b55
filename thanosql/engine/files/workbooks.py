"""A sheet of an xlsx file → typed columns and rows, as they were last computed. No formula is computed here."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql import confinement
from thanosql.engine.files.dialects import Said
from thanosql.engine.files.headers import Header, first_row
from thanosql.engine.files.records import infer
from thanosql.engine.files.tabular import Records, checked_names, refuse_missing
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.config import Settings

BLOCK = 1 << 16
HEADER_ROWS = 100
# A part of a workbook that is compressed more than any table is: it was made to fill the memory.
BOMB_BYTES = 64 << 20
BOMB_RATIO = 200
_MERGED = re.compile(rb'<mergeCell ref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')

Line = tuple[int, tuple[Any, ...]]  # its number in the sheet, and its cells


def open_xlsx(path: Path, sheet: str | None, said: Said, settings: Settings) -> Records:
    """One sheet of a workbook, the first unless named. Rows without anything are left out.

    Raises ThanoSQLDataError for a formula whose value the file does not hold, naming the line, and for what is no table.
    """
    _refuse_bomb(path)
    begin = said.header_row or 1
    merged: list[str] = []
    sheets: list[str] = []
    with closing(_lines(path, sheet, begin, merged, sheets)) as lines:
        first, *below = list(islice(lines, HEADER_ROWS + 1)) or [(begin, ())]
    line, head = first[0], _trimmed(first[1])
    if not head:
        raise ThanoSQLDataError(f"{path} is empty.", hint="A table has at least a line that names its columns.")
    width = max([len(head), *(len(_trimmed(cells)) for _, cells in below)])
    if len(head) < width:
        better = next(number for number, cells in below if len(_trimmed(cells)) == width)
        raise ThanoSQLDataError(
            f"{path.name}, line {line}: {len(head)} of {width} columns have a name.",
            hint=f"If the table begins below a title: OPTIONS (header_row={better}).",
        )
    header = _has_header(path, line, head, [cells for _, cells in below], said)
    if said.columns and len(said.columns) != width:
        raise ThanoSQLDataError(f"{path.name} has {width} columns, and the option columns names {len(said.columns)}.")
    given = list(said.columns) or (
        ["" if name is None else str(name) for name in head]
        if header
        else [f"column{number}" for number in range(1, width + 1)]
    )
    names = checked_names(given, path.name)
    empty = 0

    def rows() -> Iterator[tuple[int, Sequence[Any]]]:
        nonlocal empty
        empty, last = 0, line - (not header)
        inside = _lines(path, sheet, begin, merged, sheets)
        for number, cells in islice(inside, int(header), None):
            empty, last = empty + number - last - 1, number
            if any(value is not None for value in cells[width:]):
                raise ThanoSQLDataError(
                    f"{path.name}, line {number}: more values than the header has names.",
                    hint="If the table begins below a title: OPTIONS (header_row=…) names the line.",
                )
            yield number, cells[:width] + (None,) * (width - len(cells))

    def note() -> str:
        parts = [f"line {line} names the columns" if header else "no line names the columns"]
        if sheet is None and len(sheets) > 1:
            shown = ", ".join(sheets[1:4]) + (f" and {len(sheets) - 4:,} more" if len(sheets) > 4 else "")
            parts.append(f"the sheet {sheets[0]} of {len(sheets):,} was read (sheet='…' reads another: {shown})")
        if empty:
            parts.append(f"{empty:,} empty lines left out")
        if merged:
            shown = ", ".join(merged[:3]) + (f" and {len(merged) - 3:,} more" if len(merged) > 3 else "")
            parts.append(f"cells are merged ({shown}): the first of them has the value, the others are NULL")
        return ", ".join(parts)

    return infer(path, names, rows, "line", settings, note)


def _has_header(path: Path, line: int, head: Sequence[Any], below: Sequence[Sequence[Any]], said: Said) -> bool:
    if said.header is not None:
        return said.header
    texts = [None if value is None else str(value) for value in head]
    if said.columns and [(value or "").strip().lower() for value in texts] == [name.lower() for name in said.columns]:
        return True
    found = first_row(texts, [[None if value is None else str(value) for value in cells] for cells in below])
    if found is Header.UNCLEAR:
        shown = ", ".join(value or "" for value in texts)[:80]
        raise ThanoSQLDataError(
            f"{path.name}, line {line}: this may name the columns, or be the first row: {shown}.",
            hint="OPTIONS (header=True) or OPTIONS (header=False) says which.",
        )
    return found is Header.NAMES


def _lines(path: Path, sheet: str | None, begin: int, merged: list[str], sheets: list[str]) -> Generator[Line]:
    """The lines of a sheet that hold anything, from line `begin` on; `merged` gets its merged cells, `sheets` the names of
    all sheets."""
    try:
        import openpyxl
    except ImportError as error:
        refuse_missing("openpyxl", path, error)
    with ExitStack() as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions that hold no values
        files = [opened.enter_context(confinement.open_file(path)) for _ in range(2)]
        try:
            # One for the values as they were computed, one that knows which of them are formulas.
            books = [
                openpyxl.load_workbook(file, read_only=True, data_only=computed, keep_links=False)
                for computed, file in zip((True, False), files, strict=True)
            ]
        except Exception as error:  # a damaged workbook fails in the words of zip, XML or openpyxl
            raise ThanoSQLDataError(f"{path} cannot be read as xlsx: {error or type(error).__name__}") from error
        try:
            names = books[0].sheetnames
            if sheet is not None and sheet not in names:
                raise ThanoSQLDataError(f"{path} has no sheet '{sheet}'.", hint=f"It has: {', '.join(names)}.")
            pages = [book[sheet or names[0]] for book in books]
            for page in pages:
                if hasattr(page, "reset_dimensions"):
                    page.reset_dimensions()  # some writers state fewer rows than there are
            merged[:], sheets[:] = _merged(path, pages[0]), names
            both = zip(*(page.iter_rows(values_only=True, min_row=begin) for page in pages))
            for number, (cells, formulas) in enumerate(both, start=begin):
                for place, (value, formula) in enumerate(zip(cells, formulas), start=1):
                    if value is None and formula is not None:
                        raise ThanoSQLDataError(
                            f"{path.name}, line {number}, column {place}: a formula without its value ({str(formula)[:60]}).",
                            hint="What wrote the file computed nothing: open it in Excel or LibreOffice and save it.",
                        )
                if any(value is not None for value in cells):
                    yield number, tuple(cells)
        finally:
            for book in books:
                book.close()


def _merged(path: Path, page: Any) -> list[str]:
    """The merged cells of a sheet, which stand at the end of its XML; openpyxl does not keep them where it streams."""
    part = getattr(page, "_worksheet_path", None)
    found: list[str] = []
    if part is None:
        return found
    with confinement.open_file(path) as file, zipfile.ZipFile(file) as archive, archive.open(part) as xml:
        buffer = b""
        while block := xml.read(BLOCK):
            buffer = buffer[-64:] + block
            found.extend(match[1].decode() for match in _MERGED.finditer(buffer) if match[1].decode() not in found)
    return found


def _refuse_bomb(path: Path) -> None:
    """Raise ThanoSQLDataError for a workbook with a part that unpacks to far more than it can hold of a table."""
    with suppress(zipfile.BadZipFile), confinement.open_file(path) as file, zipfile.ZipFile(file) as archive:
        for part in archive.infolist():
            if part.file_size > max(BOMB_BYTES, BOMB_RATIO * part.compress_size):
                raise ThanoSQLDataError(
                    f"{path} is not read: its part {part.filename[:80]} would unpack from {part.compress_size:,} bytes to "
                    f"{part.file_size:,}, more than {BOMB_RATIO} times as many.",
                    hint="Save the sheet as csv, and COPY that.",
                )


def _trimmed(cells: Sequence[Any]) -> tuple[Any, ...]:
    last = max((place for place, value in enumerate(cells, start=1) if value is not None), default=0)
    return tuple(cells[:last])
