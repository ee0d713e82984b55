"""A store's folder in; nothing out, or the refusal of one that a newer ThanoSQL has written.

The number stands in the folder's file `.format`. A store without one is of the time before there were numbers, whose layout
is that of 1; it gets its number when something is next written to it.
"""

from __future__ import annotations

from pathlib import Path

from thanosql import private
from thanosql.errors import ThanoSQLModelError
from thanosql.models.json_file import read_text

FORMAT = 1  # a layout that an older ThanoSQL would misread gets the next number
FILE = ".format"


def check(folder: Path) -> None:
    """Raise ThanoSQLModelError for a store of a newer format, and for one whose number cannot be read."""
    path = folder / FILE
    try:
        number = int(read_text(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise ThanoSQLModelError(
            f"The format of the store {folder} cannot be told: {path} is damaged ({error}).",
            hint=f"Written by this ThanoSQL, it holds the number {FORMAT}.",
        ) from error
    if number > FORMAT:
        raise ThanoSQLModelError(
            f"The store {folder} was written by a newer ThanoSQL: its format is {number}, and this one knows those up to "
            f"{FORMAT}. Nothing in it was touched.",
            hint="Use that version, or another home (THANOSQL_HOME).",
        )


def mark(folder: Path) -> None:
    """Give a store that is about to be written to its number, where it has none. Raises OSError."""
    path = folder / FILE
    if not path.exists():
        # Cut short by a power cut, the number would make the whole store a damaged one.
        private.replace(path, f"{FORMAT}\n", durable=True)
