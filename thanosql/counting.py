"""A number and a noun in, the two as one says them out."""

from __future__ import annotations


def counted(number: int, noun: str, verbs: tuple[str, str] | None = None) -> str:
    """The number with the noun in its form for it, and after them the verb's: (for one, for several).

    >>> counted(1, "row"), counted(1200, "row"), counted(0, "row"), counted(1, "row", ("was", "were"))
    ('1 row', '1,200 rows', '0 rows', '1 row was')
    """
    said = f"{number:,} {noun}{'' if number == 1 else 's'}"
    return said if verbs is None else f"{said} {verbs[number != 1]}"


def part_of(number: int, total: int, noun: str, verbs: tuple[str, str]) -> str:
    """So many of all, with the verb's form for them: (for one, for several).

    >>> part_of(1, 32, "row", ("has", "have")), part_of(2, 1200, "row", ("has", "have"))
    ('1 of 32 rows has', '2 of 1,200 rows have')
    """
    return f"{number:,} of {counted(total, noun)} {verbs[number != 1]}"
