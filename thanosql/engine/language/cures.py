"""A statement that PostgreSQL refused: the states of a refusal that may be a habit, and the cure as data."""

from __future__ import annotations

import re
from typing import NamedTuple

# Syntax, and no such table, column, function, setting, schema or parameter.
SYNTAX, TABLE, COLUMN, FUNCTION, SETTING, SCHEMA, PARAMETER = "42601 42P01 42703 42883 42704 3F000 42P02".split()
# What is grouped or counted in the wrong place, and what PostgreSQL does not do, as to read another database.
GROUPING, NOT_SUPPORTED = "42803 0A000".split()
# A file's name, its place and the right to it, of a COPY that the server does itself.
FILES = frozenset("42602 58P01 42501 42809".split())
STATES = FILES | {SYNTAX, TABLE, COLUMN, FUNCTION, SETTING, SCHEMA, PARAMETER, GROUPING, NOT_SUPPORTED}


class Cure(NamedTuple):
    """What to do, in one sentence with the statement to write, and where; `start` is None where PostgreSQL knows better."""

    hint: str
    start: int | None = None
    width: int = 1


LONGEST_WRITTEN = 300  # characters of a statement that a cure repeats


def rewritten(text: str, *changes: tuple[int, int, str]) -> str:
    """A statement with stretches of it replaced, in one line; of a long one the last thing that was changed alone.

    >>> rewritten("SELECT n,\\n  FROM calls;", (8, 9, ""))
    'SELECT n FROM calls'
    """
    written = text
    for start, end, instead in sorted(changes, reverse=True):
        written = f"{written[:start]}{instead}{written[end:]}"
    if "--" not in written:  # a comment lasts to the end of its line
        written = re.sub(r"\s*\n\s*", " ", written)
    written = re.sub(r" {2,}", " ", written) if "'" not in written else written
    written = written.strip().rstrip("; ")
    return written if len(written) <= LONGEST_WRITTEN else f"… {max(changes)[2]} …"


def compiled(pattern: str) -> re.Pattern[str]:
    r"""A pattern over statements, in any case and over lines. White space that it has passed it does not give back: a blank
    of some thousand characters, met by two patterns of white space in a row, takes the square of its length, or the cube.

    >>> compiled(r"a\s+(.*?)\s*$").pattern
    'a\\s++(.*?)\\s*+$'
    """
    return re.compile(re.sub(r"\\s([+*])(?!\+)", r"\\s\1+", pattern), re.IGNORECASE | re.DOTALL)
