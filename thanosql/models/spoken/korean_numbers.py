"""Numbers in figures in, the ways to say them in Korean out: Chinese numerals (일, 이, 삼) and Korean ones (하나, 둘, 셋).

The Chinese numerals are num2words'; it has the Korean ones for ordinals only, so that their eighteen words stand here.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from thanosql.models.spoken.readings import Readings, one_of

DIGITS = "영일이삼사오육칠팔구"
LONGEST = 15  # figures that are said as one number; longer ones are said figure by figure
DATED = ("년", "월", "일")
# Before a thing that is counted, and alone.
_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_ONES_ALONE = {"한": "하나", "두": "둘", "세": "셋", "네": "넷"}
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")


@cache
def _words() -> Any:
    from num2words.lang_KO import Num2Word_KO

    return Num2Word_KO()


@lru_cache(4096)
def chinese(figures: str) -> Readings:
    """
    >>> chinese("12"), chinese("12345678"), chinese("10000")
    (('십이',), ('천이백삼십사만 오천육백칠십팔', '천이백삼십사만오천육백칠십팔'), ('만', '일만'))
    """
    figures = figures.replace(",", "")
    if len(figures) > LONGEST or (figures[0] == "0" and len(figures) > 1):
        return digits(figures)
    said = str(_words().to_cardinal(int(figures)))
    ways = [said, said.replace(" ", "")]
    if said in ("만", "천", "백"):
        ways.append("일" + said)
    return tuple(dict.fromkeys(ways))


def digits(figures: str) -> Readings:
    """Figure by figure, as telephone numbers are said.

    >>> digits("010")
    ('공일공', '영일영', '공 일 공')
    """
    named = "".join(DIGITS[int(figure)] for figure in figures)
    ways = (named.replace("영", "공"), named)
    return tuple(dict.fromkeys((*ways, " ".join(ways[0]))))


def decimal(figures: str) -> Readings:
    """
    >>> decimal("3.14")
    ('삼 점 일사', '삼점 일사', '삼점일사', '삼 점 일 사')
    """
    whole, _, part = figures.partition(".")
    said, after = chinese(whole or "0")[0], "".join(DIGITS[int(figure)] for figure in part)
    ways = (f"{said} 점 {after}", f"{said}점 {after}", f"{said}점{after}", f"{said} 점 {' '.join(after)}")
    zero = (ways[0].replace("영", "공", 1),) if said == "영" else ()
    return tuple(dict.fromkeys((*ways, *zero)))


def number(figures: str) -> Readings:
    """Figures with or without commas and a point, in Chinese numerals."""
    return decimal(figures) if "." in figures else chinese(figures)


def korean(value: int) -> Readings:
    """Korean numerals before what they count, up to 99; beyond it a hundred is Chinese.

    >>> korean(1), korean(20), korean(21), korean(101)
    (('한',), ('스무',), ('스물한',), ('백한',))
    """
    if value == 0 or value > 999:
        return ()
    hundreds, rest = value - value % 100, value % 100
    said = "스무" if rest == 20 else _TENS[rest // 10] + _ONES[rest % 10]
    if hundreds and not rest:
        return ()
    return ((chinese(str(hundreds))[0] if hundreds else "") + said,)


def korean_alone(value: int) -> Readings:
    """
    >>> korean_alone(1), korean_alone(20), korean_alone(23)
    (('하나',), ('스물',), ('스물셋',))
    """
    return tuple(_alone(said) for said in korean(value))


def _alone(said: str) -> str:
    if said.endswith("스무"):
        return said[:-1] + "물"
    return said[:-1] + _ONES_ALONE[said[-1]] if said[-1] in _ONES_ALONE else said


def bare(figures: str) -> Readings:
    """A number of which nothing says what it counts."""
    plain = figures.replace(",", "")
    if "." in figures:
        return decimal(figures)
    if len(plain) > 6 and "," not in figures and plain.strip("0") != plain[0]:
        return one_of(digits(plain), chinese(plain))
    singly = digits(plain) if len(plain) > 1 else ("공",) if plain == "0" else ()
    return one_of(chinese(figures), korean_alone(int(plain)), korean(int(plain)), singly)


def counted(figures: str, unit: str, *, native: bool) -> Readings:
    """A number and what it counts, with a space between them and without one; dates are written without.

    >>> counted("3", "시", native=True), counted("30", "분", native=False), counted("10", "일", native=False)[0]
    (('세 시', '세시', '삼 시', '삼시'), ('삼십 분', '삼십분'), '십일')
    """
    sino = number(figures)
    whole = figures.replace(",", "")
    own = korean(int(whole)) if whole.isdigit() and len(whole) <= 3 else ()
    ways = one_of(own, sino) if native else sino
    spaces = ("", " ") if unit in DATED else (" ", "")
    return tuple(f"{way}{space}{unit}" for way in ways[:4] for space in spaces)
