"""The first row of a table and some below it in, whether it names the columns out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from thanosql.engine.files.recordings import SUFFIXES

Row = Sequence[str | None]

KNOWN = frozenset(
    """path audio_path audio audio_filepath audio_file file file_name filename wav wav_filename clip text sentence
    transcript transcription transcript_text label id utt_id utterance_id client_id speaker speaker_id spk_id start end
    begin offset duration seconds channel language locale gender age split name""".split()
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d([ T].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|/|~/|\./|[A-Za-z]:\\")
_SAMPLE_OF_WORDS = 3


class Header(Enum):
    """What the first row is."""

    NAMES = "names"
    VALUES = "values"
    UNCLEAR = "unclear"


def first_row(first: Row, rows: Sequence[Row]) -> Header:
    """Whether `first` names the columns of `rows`.

    It holds values where one of them is an audio file, an address, an identifier built as those below it (LJ001-0001), or
    where all are numbers. It names columns where one of them is a usual name, or stands above numbers, dates or truth
    values and is none itself. Where nothing speaks for either, it names the columns, unless a value below repeats it.

    >>> first_row(["a.wav", "one two"], [["b.wav", "three"]])
    <Header.VALUES: 'values'>
    >>> first_row(["path", "sentence"], [["b.wav", "three"]])
    <Header.NAMES: 'names'>
    """
    cells = [(value or "").strip() for value in first]
    if any(cell.lower() in KNOWN for cell in cells):
        return Header.NAMES
    columns = [[row[place] for row in rows if place < len(row) and row[place]] for place in range(len(cells))]
    names = any(cell and not _typed(cell) and _all_typed(below) for cell, below in zip(cells, columns))
    values = all(_NUMBER.fullmatch(cell) for cell in cells if cell) or any(
        _is_file(cell) or _built_alike(cell, below) for cell, below in zip(cells, columns)
    )
    if names and values:
        return Header.UNCLEAR
    if values:
        return Header.VALUES
    if names:
        return Header.NAMES
    repeated = any(cell and cell in below for cell, below in zip(cells, columns))
    doubled = len(set(filter(None, cells))) < len(list(filter(None, cells))) and any(
        len(cell.split()) > _SAMPLE_OF_WORDS for cell in cells
    )
    return Header.VALUES if repeated or doubled else Header.NAMES


def _typed(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DAY.fullmatch(cell)) or cell.lower() in ("true", "false")


def _all_typed(below: Sequence[str | None]) -> bool:
    return bool(below) and all(_typed((value or "").strip()) for value in below)


def _is_file(cell: str) -> bool:
    return cell.lower().endswith(tuple(SUFFIXES)) or _ADDRESS.match(cell) is not None


def _built_alike(cell: str, below: Sequence[str | None]) -> bool:
    """An identifier of letters and digits, of the same build as all those below it."""
    if not below or not re.search(r"\d", cell) or not re.search(r"[^\W\d_]", cell):
        return False
    build = re.sub(r"\d", "9", cell)
    return all(re.sub(r"\d", "9", (value or "").strip()) == build for value in below)
