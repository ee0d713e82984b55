"""What is written in a way of its own in English (numbered kings, initials, scores, addresses) in, the ways to say it out."""

from __future__ import annotations

import re

from thanosql.models.spoken.english_numbers import cardinal, digits, number, ordinal, quantity
from thanosql.models.spoken.readings import Readings, Rule, combined

_NUMBER = r"((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
# From two letters on: one letter is a word or a name. Those that are words or initials as well (MIX, CD, DI) are not here.
_ROMAN = {
    "II": 2, "III": 3, "IV": 4, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "XI": 11, "XII": 12, "XIII": 13, "XIV": 14, "XV": 15,
    "XVI": 16, "XVII": 17, "XVIII": 18, "XIX": 19, "XX": 20, "XXI": 21, "XXII": 22, "XXIII": 23,
}  # fmt: skip
# World War two; but Henry the eighth.
_COUNTED = frozenset(
    (
        "war chapter part volume vol book act scene phase type class grade stage level section article title appendix figure "
        "table bowl division group unit episode round schedule category mark apollo rocky amendment"
    ).split()
)
_PER = {
    "mo": "month", "yr": "year", "wk": "week", "hr": "hour", "h": "hour", "min": "minute", "sec": "second", "s": "second",
    "kg": "kilogram", "lb": "pound", "gal": "gallon", "km": "kilometer",
    **{name: name for name in "month year week day hour minute second person night gallon mile pound unit share item".split()},
}  # fmt: skip
_DOMAINS = "com|org|net|edu|gov|io|co\\.uk|co\\.kr|kr|info|tv"


def _roman(match: re.Match[str]) -> Readings:
    """
    >>> _roman(re.match("(.+) (.+)", "War II"))[0], _roman(re.match("(.+) (.+)", "Henry VIII"))
    ('War two', ('Henry the eighth', 'Henry eight', 'Henry eighth'))
    """
    before, value = match[1], _ROMAN[match[2]]
    nth, plain = ordinal(value)[0], cardinal(value)[0]
    ways = (plain, f"the {nth}", nth) if before.lower() in _COUNTED else (f"the {nth}", plain, nth)
    return tuple(f"{before} {way}" for way in ways)


def _initials(match: re.Match[str]) -> Readings:
    """
    >>> _initials(re.match(".+", "U.S.A."))
    ('U S A', 'USA')
    """
    letters = match[0].replace(".", "")
    return (" ".join(letters), letters)


def _address(match: re.Match[str]) -> Readings:
    """
    >>> _address(re.match(".+", "www.example.com"))
    ('w w w dot example dot com',)
    """
    return (match[0].replace("www.", "w w w.").replace(".", " dot "),)


def _out_of(match: re.Match[str]) -> Readings:
    return combined(number(match[1])[:2], ("out of", "over", "slash"), cardinal(int(match[2]))[:1])


def _times(match: re.Match[str]) -> Readings:
    return combined(quantity(match[1])[:3], ("by", "times", "x") if match[2] else ("times", "x"))


def _feet(match: re.Match[str]) -> Readings:
    feet, inches = cardinal(int(match[1]))[0], cardinal(int(match[2]))[0]
    foot, inch = ("foot" if match[1] == "1" else "feet"), ("inch" if match[2] == "1" else "inches")
    return (f"{feet} {foot} {inches} {inch}", f"{feet} {foot} {inches}", f"{feet} foot {inches}", f"{feet} {inches}")


def _rate(match: re.Match[str]) -> Readings:
    unit = _PER[match[1].lower()]
    return (f"per {unit}", f"{'an' if unit == 'hour' or unit[0] in 'iu' else 'a'} {unit}", unit)


# Before all others, which would cut what these take together.
FIRST: tuple[Rule, ...] = (
    (re.compile(rf"\b(?:[A-Za-z][A-Za-z-]*\.)+(?:{_DOMAINS})\b", re.IGNORECASE), _address),
    (re.compile(r"(?<![\w-])\d(?:-\d){2,}(?![\w-])"), lambda match: digits(match[0].replace("-", ""))),  # 9-1-1
    (re.compile(r"(?<![\d/.])9/11(?![\d/])"), lambda _: ("nine eleven", "nine elevenths", "september eleventh")),
    (re.compile(r"(?<![\d/.,])(50|20)/\1(?![\d/])"), lambda match: (f"{cardinal(int(match[1]))[0]} " * 2,)),
    (re.compile(r"(?<![\d/.,])(\d+\.\d+) ?/ ?(\d{1,3})(?![\d/.])"), _out_of),
    (re.compile(r"(?<![\w.])(\d{1,2}) ?(?:ft|feet)\.? ?(\d{1,2}) ?in(?:ch(?:es)?)?\b\.?"), _feet),
    (re.compile(rf"(?<![\w.,]){_NUMBER} ?[x×](?:(?=( ?\d))|\b(?![\w-]))"), _times),
    (re.compile(rf"\b([A-Z][A-Za-z]+) ({'|'.join(sorted(_ROMAN, key=len, reverse=True))})\b"), _roman),
)
# Behind the others: what is left between two readings, or behind one, is cut off by then.
LAST: tuple[Rule, ...] = (
    (re.compile(r"\A(?:[-–—]| [-–—] )\Z"), lambda _: ("to", "", "through")),  # 9:00-10:30, $5-$10
    (re.compile(rf"\A ?/ ?({'|'.join(sorted(_PER, key=len, reverse=True))})\b", re.IGNORECASE), _rate),
    (re.compile(r"\A (?:St|st)\b\.?(?! [a-z])"), lambda _: ("street",)),  # 2nd St.
    (re.compile(r"\A Ave\b\.?"), lambda _: ("avenue",)),
    (re.compile(r"\b(?:[A-Za-z]\.){2,}(?:[A-Z]\b)?|\b[A-Z]\.[A-Z]\b"), _initials),
)
