"""Numbers in figures in, the ways to say them in English out, the usual one first.

The words are num2words' (kept since 2003, light, and it has Korean too); what it does not have is said here: that one number
is said in several ways.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from thanosql.models.spoken.readings import Readings, combined, one_of

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LONGEST = 15  # figures that are said as one number; longer ones are said figure by figure
_LIKELY_YEARS = (range(1100, 2000), range(2010, 2100))
_LIKELY_CODE = 7  # so many figures without commas are a telephone number or a code


@cache
def _words() -> Any:
    from num2words.lang_EN import Num2Word_EN

    return Num2Word_EN()


def _plain(text: str) -> str:
    return text.replace(",", "").replace("-", " ")


def _with_and(text: str) -> Readings:
    """A number without the British 'and', with it, and with 'a' for a leading 'one'."""
    spelled = _plain(text)
    short = spelled.replace(" and ", " ")
    ways = [short, spelled]
    if re.match(r"one (hundred|thousand|million|billion|trillion)", short):
        ways += ["a" + way[3:] for way in (short, spelled)]
    return tuple(dict.fromkeys(ways))


def cardinal(number: int) -> Readings:
    """
    >>> cardinal(105)
    ('one hundred five', 'one hundred and five', 'a hundred five', 'a hundred and five')
    """
    return _with_and(_words().to_cardinal(number))


def digits(figures: str) -> Readings:
    """
    >>> digits("205")
    ('two zero five', 'two oh five')
    """
    named = " ".join(DIGITS[int(figure)] for figure in figures)
    return tuple(dict.fromkeys((named, named.replace("zero", "oh"), named.replace("zero", "o"))))[:2]


def pairs(figures: str) -> Readings:
    """Three or four figures as years, rooms and flights are said; nothing for others.

    >>> pairs("1984"), pairs("1905"), pairs("205"), pairs("1900"), pairs("2005")
    (('nineteen eighty four',), ('nineteen oh five', 'nineteen zero five'), ('two oh five', 'two zero five'),
     ('nineteen hundred',), ('twenty oh five', 'twenty zero five'))
    """
    if not 3 <= len(figures) <= 4 or figures[0] == "0" or figures.endswith("000"):
        return ()
    high, low = int(figures[:-2]), int(figures[-2:])
    if low == 0:
        return () if len(figures) == 3 else (f"{cardinal(high)[0]} hundred",)
    lows = cardinal(low) if low > 9 else (f"oh {DIGITS[low]}", f"zero {DIGITS[low]}")
    return combined(cardinal(high)[:1], lows)


@lru_cache(4096)
def integer(figures: str) -> Readings:
    """Figures, with or without commas.

    >>> integer("1984")[:2], integer("1,984")[0], integer("007")[:2], integer("12")
    (('nineteen eighty four', 'one thousand nine hundred eighty four'), 'one thousand nine hundred eighty four',
     ('zero zero seven', 'oh oh seven'), ('twelve', 'one two'))
    """
    grouped = "," in figures
    figures = figures.replace(",", "")
    number, count = int(figures), len(figures)
    if count > LONGEST or (figures[0] == "0" and count > 1):
        return one_of(digits(figures), cardinal(number) if count <= LONGEST else ())
    if grouped:
        return one_of(cardinal(number), pairs(figures))
    singly = digits(figures) if count > 1 else ()
    if count >= _LIKELY_CODE and figures.strip("0") != figures[0]:
        return one_of(singly, cardinal(number))
    if count == 4 and any(number in years for years in _LIKELY_YEARS):
        return one_of(pairs(figures), cardinal(number), singly)
    zero = ("oh",) if figures == "0" else ()
    return one_of(cardinal(number), zero, pairs(figures), singly)


def decimal(figures: str) -> Readings:
    """
    >>> decimal("3.14"), decimal("0.5")
    (('three point one four', 'three point fourteen'), ('zero point five', 'point five', 'oh point five'))
    """
    whole, _, part = figures.partition(".")
    wholes = cardinal(int(whole.replace(",", "") or "0")) if len(whole) <= LONGEST else digits(whole.replace(",", ""))
    if int(whole.replace(",", "") or "0") == 0:
        wholes = ("zero", "", "oh") if whole else ("", "zero", "oh")
    together = cardinal(int(part))[:1] if len(part) == 2 and part[0] != "0" else ()
    return combined(wholes, ("point",), one_of(digits(part), together))


def number(figures: str) -> Readings:
    """Figures with or without commas and a point."""
    return decimal(figures) if "." in figures else integer(figures)


def quantity(figures: str) -> Readings:
    """A number of things, which is no year and no code: '1984 dollars'."""
    if "." in figures:
        return decimal(figures)
    bare = figures.replace(",", "")
    return one_of(cardinal(int(bare)), integer(figures)) if len(bare) <= LONGEST else digits(bare)


@lru_cache(1024)
def ordinal(value: int) -> Readings:
    """
    >>> ordinal(21), ordinal(105)[:2]
    (('twenty first',), ('one hundred fifth', 'one hundred and fifth'))
    """
    return _with_and(_words().to_ordinal(value))


def plural(spelled: str) -> str:
    """
    >>> plural("nineteen eighty"), plural("six"), plural("seven")
    ('nineteen eighties', 'sixes', 'sevens')
    """
    if spelled.endswith("y"):
        return spelled[:-1] + "ies"
    return spelled + ("es" if spelled.endswith("x") else "s")


def fraction(above: int, below: int) -> Readings:
    """
    >>> fraction(3, 4), fraction(1, 2)[:2]
    (('three quarters', 'three fourths', 'three over four', 'three slash four', 'three out of four'), ('one half', 'a half'))
    """
    names = {2: ("half",), 4: ("quarter", "fourth")}.get(below, ordinal(below))
    if above != 1:
        names = tuple({"half": "halves"}.get(name, plural(name)) for name in names)
    counts = ("one", "a") if above == 1 else cardinal(above)[:1]
    rest = combined(cardinal(above)[:1], ("over", "slash", "out of"), cardinal(below)[:1])
    return one_of(combined(counts, names), ("half",) if (above, below) == (1, 2) else (), rest)
