"""The spreadsheet that the guide to your own recordings speaks of."""

from __future__ import annotations

from pathlib import Path


def sheet_of_calls(folder: Path) -> None:
    """`calls.xlsx` with texts of files in `recordings/`: two as they are called, one written otherwise, one that is missing."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in (
        ["file", "text"],
        ["0001.flac", "eight seven five four"],
        ["0002.flac", "one hundred and eighty six"],
        ["0003.FLAC", "minus sixty one"],
        ["0009.flac", "nowhere"],
    ):
        book.active.append(row)
    book.save(folder / "calls.xlsx")
