"""A statement that PostgreSQL refused: the states of a refusal that may be a habit, and the cure as data."""

from __future__ import annotations

from typing import NamedTuple

# Syntax, and no such table, column, function, setting, schema or parameter.
SYNTAX, TABLE, COLUMN, FUNCTION, SETTING, SCHEMA, PARAMETER = "42601 42P01 42703 42883 42704 3F000 42P02".split()
# A file's name, its place and the right to it, of a COPY that the server does itself.
FILES = frozenset("42602 58P01 42501 42809".split())
STATES = FILES | {SYNTAX, TABLE, COLUMN, FUNCTION, SETTING, SCHEMA, PARAMETER}


class Cure(NamedTuple):
    """What to do, in one sentence with the statement to write, and where; `start` is None where PostgreSQL knows better."""

    hint: str
    start: int | None = None
    width: int = 1
