"""What is counted in Korean, in; rules for what a text says of about how many, out: 3~4명, 30~40대, 10여 년, 9시 30분."""

from __future__ import annotations

import re
from collections.abc import Iterable

from thanosql.models.spoken.korean_numbers import chinese, counted, number
from thanosql.models.spoken.readings import Readings, Rule, one_of

# Two numbers that follow each other, said as one word.
_ABOUT = {
    1: ("한두",),
    2: ("두세",),
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
    sinos = "일|년|주|개월|월|층|차|회|도|세|인분|분|초|점|위|등|학년|호|박|교시"
    to = r"\s?[~∼～-]\s?"
    return (
        (re.compile(rf"(?<![\d.,])([1-8])(?:{to}|,)([2-9]) ?(시간|{sinos})"), _about_sino),
        (re.compile(rf"(?<![\d.,])([1-8])(?:{to}|, ?)([2-9]) ?({korean})"), _about),
        (re.compile(rf"(?<![\d.,])([1-9])0?{to}([2-9])0 ?({both})"), _about_tens),
        (re.compile(rf"(?<![\d.,])(\d{{1,2}}){to}(\d{{1,2}}) ?({korean})"), _from_to),
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
    whole = (f"{low[0]}에서 {high[0]}",)
    return one_of(joined, whole, (f"{low[0]} {high[0]}",)) if "," in match[0] else one_of(whole, joined)


def _about_sino(match: re.Match[str]) -> Readings:
    """
    >>> _about_sino(re.match("(.)~(.)(.+)", "2~3일"))[:2]
    ('이삼 일', '이삼일')
    """
    first, second, unit = int(match[1]), int(match[2]), match[3]
    if second != first + 1 or unit in ("시간",):
        return ()
    one, two = _SINO[first], _SINO[second]
    joined = "육칠" if first == 6 else one + two
    if unit == "월":
        return _spaced([joined], unit)[::-1]
    return _spaced([joined, f"{one}에서 {two}", f"{one}{unit}에서 {two}"], unit)


def _from_to(match: re.Match[str]) -> Readings:
    """
    >>> _from_to(re.match("(.)~(.)(.+)", "2~4시"))[0]
    '두 시에서 네 시'
    """
    first, second, unit = match.groups()
    if int(first) >= int(second) or (unit in ("시", "대") and int(second) > 12):
        return ()
    low, high = (counted(figures, unit, native=True) for figures in (first, second))
    own, sino = low[0].rpartition(unit)[0].rstrip(), chinese(first)[0]
    ends = one_of(high[:2], (f"{chinese(second)[0]} {unit}",))
    starts = (f"{low[0]}에서", f"{low[0]}부터", own + "에서", sino + "에서", f"{low[0]}")
    return tuple(f"{start} {end}" for start in starts for end in ends)


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
