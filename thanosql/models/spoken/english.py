"""An English text in; the same with numbers, money, times, dates, units, signs and abbreviations in words out.

Whisper's normalizer goes the other way, from words to figures: it takes 'one two' for 12, which is twelve, and rewrites words
that are right. Here what stands in words already is left as it is. NeMo's grammars need a compiler of transducers (pynini).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from thanosql.models.spoken import english_signs, english_times, english_written
from thanosql.models.spoken.english_numbers import (
    cardinal,
    digits,
    fraction,
    integer,
    number,
    ordinal,
    pairs,
    plural,
)
from thanosql.models.spoken.readings import Readings, Rule, SpokenText, combined, cut, one_of

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|(?<![\d.])\.\d+"
_FRACTION = re.compile("[¼½¾⅐-⅞]")
_RAISED = {"²": " squared", "³": " cubed"}


def spoken(text: str) -> SpokenText:
    """The text with the readings of what is not in words.

    >>> spoken("Dr. Lee paid $5.50 for 12 apples at 3:30 p.m.").usual()
    'doctor Lee paid five dollars and fifty cents for twelve apples at three thirty p m'
    >>> spoken("twenty-one of them, isn't it?").usual()
    "twenty-one of them, isn't it?"
    """
    return cut(_unfolded(text), _rules(), gap=" ")


def _unfolded(text: str) -> str:
    """Full-width figures as plain ones, ½ as 1/2, a raised 2 as a word."""
    text = _FRACTION.sub(lambda match: " " + unicodedata.normalize("NFKC", match[0]).replace("\u2044", "/"), text)
    for sign, word in _RAISED.items():
        text = text.replace(sign, word)
    return "".join(
        unicodedata.normalize("NFKC", letter)
        if unicodedata.category(letter) in ("Nd", "So", "Po", "Sm", "Sc")
        else letter
        for letter in text
    )


@cache
def _rules() -> tuple[Rule, ...]:
    return (
        *english_written.FIRST,
        *english_times.RULES,
        (re.compile(r"(?<![\w.)])[-−](?=[$£€¥₩₹]?\.?\d)"), lambda _: ("minus", "negative")),
        *english_signs.MONEY,
        (re.compile(r"(?:\+?1[-. ])?(?:\(\d{3}\) ?|\b\d{3}[-. ])\d{3}[-.]\d{4}\b|\b\d{3}-\d{4}\b"), _telephone),
        (re.compile(r"(?<![\d/.])(?:(\d+) )?(\d{1,2})/(\d{1,2})(?![\d/])"), _fraction),
        (re.compile(r"\b(\d+(?:,\d{3})*)(?:st|nd|rd|th)\b", re.IGNORECASE), _ordinal),
        (re.compile(r"(?<!\w)['’]?(\d{2}|\d{3,4})['’]?s\b"), _decade),
        (re.compile(r"(?<!\w)['’](?=\d\d\b(?!['’]))"), lambda _: ("",)),  # the class of '21
        (re.compile(r"\b\d+(?:\.\d+){2,}\b"), _dotted),
        (
            re.compile(rf"(?<![\w.,])({NUMBER}) ?[-–] ?(?=({NUMBER})(?:%| ?(?:{english_signs.UNIT_NAMES})?(?![\w-])))"),
            _range,
        ),
        *english_signs.UNITS,
        (re.compile(NUMBER), lambda match: number(match[0])),
        *english_signs.ABBREVIATIONS,
        *english_written.LAST,
        *english_signs.SIGNS,
    )


def _telephone(match: re.Match[str]) -> Readings:
    figures = re.sub(r"\D", "", match[0])
    singly = digits(figures)
    return one_of(singly[:1], tuple(way.replace("eight zero zero", "eight hundred", 1) for way in singly[:1]), singly)


def _fraction(match: re.Match[str]) -> Readings:
    above, below = int(match[2]), int(match[3])
    if (match[1], above, below) == (None, 24, 7):
        return ("twenty four seven",)
    if below == 0 or (match[1] and above >= below):
        return ()
    read = fraction(above, below)
    return combined(cardinal(int(match[1]))[:1], ("and",), read) if match[1] else read


def _ordinal(match: re.Match[str]) -> Readings:
    figures = match[1].replace(",", "")
    return ordinal(int(figures)) if len(figures) <= 15 else ()


def _decade(match: re.Match[str]) -> Readings:
    figures = match[1]
    ways = one_of(pairs(figures), cardinal(int(figures))) if len(figures) > 2 else cardinal(int(figures))
    return tuple(plural(way) for way in ways)


def _dotted(match: re.Match[str]) -> Readings:
    parts = [integer(part) for part in match[0].split(".")]
    ways = (combined(*(x for part in parts for x in ((sign,), part[:2]))) for sign in ("point", "dot"))
    return tuple(way.split(" ", 1)[1] for some in ways for way in some)


def _range(match: re.Match[str]) -> Readings:
    """The first number and what is said for the dash; the second, which may have a unit, is read by itself."""
    return combined(number(match[1]), ("to", "", "through", "minus"))
