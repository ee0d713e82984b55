"""What is counted in Korean, in; rules for what a text says of about how many, out: 3~4명, 30~40대, 10여 년, 9시 30분."""

from __future__ import annotations

import re
from collections.abc import Iterable

from thanosql.models.spoken.korean_numbers import chinese, counted, number
from thanosql.models.spoken.readings import Readings, Rule, one_of

# Two numbers that follow each other, said as one word. 한두 and 두세 are made of the two words as they are.
_ABOUT = {
    3: ("서너", "세네"),
    4: ("네다섯", "너댓", "네댓"),
    5: ("대여섯",),
    6: ("예닐곱",),
    7: ("일고여덟",),
    8: ("여덟아홉",),
}
_SINO = " 일 이 삼 사 오 육 칠 팔 구".split(" ")


def rules(native: Iterable[str], sino: Iterable[str], figures: str) -> tuple[Rule, ...]:
    """The rules, of those of all Korean texts the ones that go first; `figures` is the pattern of a number."""
    korean, both = _names(native), _names([*native, *sino])
    to = r"\s?[~∼～-]\s?"
    return (
        (re.compile(rf"(?<![\d.,])([3-8]){to}([4-9]) ?({korean})"), _about),
        (re.compile(rf"(?<![\d.,])([1-9])0?{to}([2-9])0 ?({both})"), _about_tens),
        (re.compile(rf"({figures})여 ?({both})"), _and_more),
        (re.compile(r"(?<![\d:])(1[0-2]|0?[1-9])시 ?30분(?!\d)"), _half_past),
    )


def _names(units: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(units, key=len, reverse=True)))


def _spaced(ways: Iterable[str], unit: str) -> Readings:
    return tuple(f"{way}{space}{unit}" for way in ways for space in (" ", ""))


def _about(match: re.Match[str]) -> Readings:
    """
    >>> pattern = "(.)~(.)(.+)"
    >>> _about(re.match(pattern, "3~4명"))[:5]
    ('세 명에서 네 명', '서너 명', '서너명', '세네 명', '세네명')
    >>> _about(re.match(pattern, "3~5명"))
    ()
    """
    first, second, unit = int(match[1]), int(match[2]), match[3]
    if second != first + 1:
        return ()
    low, high = (counted(str(value), unit, native=True)[:2] for value in (first, second))
    own = high[0].rpartition(unit)[0].rstrip()
    start = low[0].rpartition(unit)[0].rstrip()
    through = (f"{start}에서 {own}", f"{_SINO[first]}에서 {own}", f"{_SINO[first]}에서 {_SINO[second]}")
    joined = _spaced((*_ABOUT[first], f"{_SINO[first]}{_SINO[second]}", *through), unit)
    return tuple(dict.fromkeys((f"{low[0]}에서 {high[0]}", *joined)))


def _about_tens(match: re.Match[str]) -> Readings:
    """
    >>> _about_tens(re.match("(.)0?~(.)0(.)", "50~60명"))[:3]
    ('오십에서 육십 명', '오십에서 육십명', '오륙십 명')
    """
    first, second, unit = int(match[1]), int(match[2]), match[3]
    if second != first + 1 or ("0" not in match[0].split(match[2] + "0")[0] and first == 1):
        return ()
    low, high = chinese(f"{first}0")[0], chinese(f"{second}0")[0]
    own = counted(f"{second}0", unit, native=True)[0].rpartition(unit)[0].rstrip()
    through = [f"{low}에서 {high}", f"{_SINO[first]}{'륙' if second == 6 else _SINO[second]}십"]
    return _spaced([*through, f"{low}에서 {own}", f"{low} {high}"], unit)


def _and_more(match: re.Match[str]) -> Readings:
    """
    >>> _and_more(re.match("(.+)여(.+)", "10여년"))
    ('십여 년', '십여년')
    """
    return _spaced([f"{number(match[1])[0]}여"], match[2])


def _half_past(match: re.Match[str]) -> Readings:
    """
    >>> _half_past(re.match("(.+)시", "9시 30분"))[::16]
    ('아홉 시 삼십 분', '아홉 시 반')
    """
    hours = counted(str(int(match[1])), "시", native=True)
    whole = tuple(f"{hour}{space}{half}" for hour in hours for space in (" ", "") for half in ("삼십 분", "삼십분"))
    return one_of(whole, tuple(f"{hour}{space}반" for hour in hours for space in (" ", "")))
