"""Times and dates in figures in, the ways to say them in English out."""

from __future__ import annotations

import re

from thanosql.models.spoken.english_numbers import cardinal, integer, number, ordinal
from thanosql.models.spoken.readings import Readings, Rule, combined, one_of

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
# 'may' and 'march' are other words where they are small.
_MONTH = r"(?-i:(?!may\b|march\b))(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|" + "|".join(MONTHS) + r")\b\.?"
_DAY = r"(0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_HALF = r"([ap])\.? ?m\b\.?"


def _clock(match: re.Match[str]) -> Readings:
    return _time(int(match[1]), int(match[2]), match[3], match[4])


def _time(hour: int, minute: int, second: str | None, half: str | None) -> Readings:
    """
    >>> _time(3, 30, None, "p"), _time(10, 5, None, None)[:2]
    (('three thirty p m', 'three thirty pm', 'half past three p m', 'half past three pm'), ('ten oh five', 'ten o five'))
    """
    said = cardinal(hour)[:1]
    if minute == 0:
        ways = one_of(said, ("zero hundred" if hour == 0 else f"{said[0]} hundred",)) if half else _whole(hour)
    elif minute < 10:
        one = cardinal(minute)[0]
        ways = one_of(combined(said, (f"oh {one}", f"o {one}", f"zero {one}")), _past(hour, minute))
    else:
        ways = one_of(combined(said, cardinal(minute)), _past(hour, minute))
    if second is not None:
        ways = combined(ways[:3], one_of(cardinal(int(second)), (f"and {cardinal(int(second))[0]} seconds",)))
    return combined(ways, _halves(half))


def _whole(hour: int) -> Readings:
    said = cardinal(hour)[0]
    if hour > 12 or hour == 0:
        return (f"{said} hundred", said, f"{said} zero zero", f"{said} o'clock")
    return (f"{said} o'clock", said, f"{said} hundred")


def _past(hour: int, minute: int) -> Readings:
    """
    >>> _past(3, 45), _past(3, 30)
    (('quarter to four', 'a quarter to four', 'quarter of four'), ('half past three',))
    """
    this, following = cardinal(hour)[0], cardinal(hour % 12 + 1)[0]
    if minute == 30:
        return (f"half past {this}",)
    if minute == 15:
        return (f"quarter past {this}", f"a quarter past {this}", f"quarter after {this}")
    if minute == 45:
        return (f"quarter to {following}", f"a quarter to {following}", f"quarter of {following}")
    early = cardinal(minute)[0]
    return (f"{early} past {this}",) if minute < 30 else (f"{cardinal(60 - minute)[0]} to {following}",)


def _halves(letter: str | None) -> Readings:
    """The half of the day: 'p m'; nothing where none is written."""
    return ("",) if letter is None else (f"{letter.lower()} m", f"{letter.lower()}m")


def _hour(match: re.Match[str]) -> Readings:
    return combined((cardinal(int(match[1]))[0], f"{cardinal(int(match[1]))[0]} o'clock"), _halves(match[2]))


def _ratio(match: re.Match[str]) -> Readings:
    return combined(number(match[1])[:2], ("to", ""), number(match[2])[:2])


def _month(name: str) -> str:
    return next(month for month in MONTHS if month.startswith(name.lower()[:3]))


def _month_day(match: re.Match[str]) -> Readings:
    return _date(_month(match[1]), int(match[2]), match[3])


def _day_month(match: re.Match[str]) -> Readings:
    return _date(_month(match[2]), int(match[1]), match[3], day_first=True)


def _iso(match: re.Match[str]) -> Readings:
    month, day = int(match[2]), int(match[3])
    return _date(MONTHS[month - 1], day, match[1]) if 1 <= month <= 12 and 1 <= day <= 31 else ()


def _slashes(match: re.Match[str]) -> Readings:
    """1/5/2024: the month first, as in America, where it can be; the other way after it."""
    first, second, year = int(match[1]), int(match[2]), match[3]
    ways: list[Readings] = []
    if 1 <= first <= 12 and 1 <= second <= 31:
        ways.append(_date(MONTHS[first - 1], second, year))
    if 1 <= second <= 12 and 1 <= first <= 31:
        ways.append(_date(MONTHS[second - 1], first, year, day_first=True))
    return one_of(*ways)


def _date(month: str, day: int, year: str | None, *, day_first: bool = False) -> Readings:
    nth, plain = ordinal(day)[0], cardinal(day)[0]
    american = (f"{month} {nth}", f"{month} {plain}", f"{month} the {nth}")
    british = (f"{nth} of {month}", f"the {nth} of {month}", f"{plain} {month}", f"{nth} {month}")
    ways = one_of(*((british, american) if day_first else (american, british)))
    return ways if year is None else combined(ways, integer(year)[:4])


RULES: tuple[Rule, ...] = (
    (re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b"), _iso),
    (re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)(?![\d/])"), _slashes),
    (re.compile(rf"\b{_MONTH} {_DAY}\b(?!:)(?:,? (\d{{4}})\b)?", re.IGNORECASE), _month_day),
    (re.compile(rf"\b{_DAY} (?:of )?{_MONTH}(?: (\d{{4}})\b)?", re.IGNORECASE), _day_month),
    (re.compile(rf"\b([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?!\d)(?: ?{_HALF})?", re.IGNORECASE), _clock),
    (
        re.compile(rf"\b(0?[1-9]|1[0-2])\.([0-5]\d) ?{_HALF}", re.IGNORECASE),
        lambda match: _time(int(match[1]), int(match[2]), None, match[3]),
    ),
    (re.compile(rf"\b(0?[1-9]|1[0-2]) ?{_HALF}", re.IGNORECASE), _hour),
    (re.compile(r"\b(\d+):(\d+)\b"), _ratio),
    # A month alone is written short with its point only.
    (
        re.compile(r"\b(Jan|Feb|Aug|Sept?|Oct|Nov|Dec)\.", re.IGNORECASE),
        lambda match: (_month(match[1]),),
    ),
)
