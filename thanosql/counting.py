"""A number and a noun in, the two as one says them out."""

from __future__ import annotations


def counted(number: int, noun: str, verbs: tuple[str, str] | None = None) -> str:
    """The number with the noun in its form for it, and after them the verb's: (for one, for several).

    >>> counted(1, "row"), counted(1200, "row"), counted(0, "row"), counted(1, "row", ("was", "were"))
    ('1 row', '1,200 rows', '0 rows', '1 row was')
    """
    said = f"{number:,} {noun}{'' if number == 1 else 's'}"
    return said if verbs is None else f"{said} {verbs[number != 1]}"
