"""What is written in a way of its own in Korean (years of games, floors, sums, addresses, telephones, dates) in, the ways to
say it out."""

from __future__ import annotations

import re
from itertools import product

from thanosql.models.spoken.korean_numbers import DIGITS, chinese, counted, digits, number
from thanosql.models.spoken.readings import MOST_READINGS, Readings, Rule, one_of

_NUMBER = r"((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
_ENGLISH = dict(zip("0123456789", "제로 원 투 쓰리 포 파이브 식스 세븐 에이트 나인".split(), strict=True))
_SUMS = {
    "+": "더하기",
    "-": "빼기",
    "−": "빼기",
    "–": "빼기",
    "×": "곱하기",
    "*": "곱하기",
    "÷": "나누기",
    "/": "나누기",
}
_GRADES = {"A": "에이", "B": "비", "C": "시", "D": "디", "F": "에프"}
_OFFERS = "행사|이벤트|할인|증정|상품|세일|구매|판매|쿠폰"
_GREAT = (
    "강|양|주|보험|궁|악|명절|광역시|의무|종교|문명|일간지|도시|대회|금기|원칙|요소|성인|천왕|정당"  # 4대강, 4대 보험
)


def _singly(figures: str) -> str:
    return "".join(DIGITS[int(figure)] for figure in figures)


def _has_final(word: str) -> bool:
    """Whether the last syllable ends in a consonant.

    >>> _has_final("삼"), _has_final("사")
    (True, False)
    """
    return bool((ord(word[-1]) - 0xAC00) % 28)


def _sum(match: re.Match[str]) -> Readings:
    """
    >>> _sum(re.match(f"{_NUMBER}(.){_NUMBER}=?(.*)", "1+1=2"))[:2]
    ('일 더하기 일은 이', '일 플러스 일은 이')
    """
    first, sign, second, result = match.groups()
    names = one_of((_SUMS[sign],), {"+": ("플러스",), "-": ("마이너스",)}.get(sign, ()))
    left, right = number(first)[0], number(second)[0]
    if not result:
        return tuple(f"{left} {name} {right}" for name in names)
    topic = "은" if _has_final(right) else "는"
    return tuple(f"{left} {name} {right}{topic} {number(result)[0]}" for name in names)


def _plus(match: re.Match[str]) -> Readings:
    """1+1: an offer or a sum; which of them comes first, what follows tells."""
    first, second, offer = match.groups()
    offered = (f"{_ENGLISH[first]} 플러스 {_ENGLISH[second]}", f"{_ENGLISH[first]}플러스{_ENGLISH[second]}")
    added = tuple(f"{chinese(first)[0]} {name} {chinese(second)[0]}" for name in ("더하기", "플러스"))
    return one_of(offered, added) if offer is not None else one_of(added, offered)


def _floor(match: re.Match[str]) -> Readings:
    below, named = chinese(match[1])[0], "층" in match[0]
    floors = (f"지하 {below} 층", f"지하 {below}층")
    letters = (f"비 {below} 층", f"비 {below}층", f"비{below} 층", f"비{below}층")
    if named:
        return (*floors, *letters)
    short = tuple(f"비{way}" for way in (_ENGLISH.get(match[1], below), below))
    return one_of(short, floors)


def _plot(match: re.Match[str]) -> Readings:
    first, second = chinese(match[1])[0], chinese(match[2])[0]
    return tuple(f"{first}{way} {second}{space}번지" for way in (" 다시", "의", "에") for space in (" ", ""))


def _telephone(match: re.Match[str]) -> Readings:
    """
    >>> _telephone(re.match(".+", "+82-10-1234-5678"))[0], _telephone(re.match(".+", "010.1234.5678"))[0]
    ('플러스 팔이 일공 일이삼사 오육칠팔', '공일공 일이삼사 오육칠팔')
    """
    parts = [digits(part)[:2] for part in re.split(r"[-). ]+", match[0].lstrip("+("))]
    ways = [" ".join(way) for way in product(*parts)]
    spoken = dict.fromkeys([*ways, *(way.replace(" ", "") for way in ways), *(way.replace(" ", "에 ") for way in ways)])
    return tuple(f"플러스 {way}" for way in spoken) if match[0].startswith("+") else tuple(spoken)


def month_name(month: int) -> Readings:
    return {6: ("유",), 10: ("시",)}.get(month, chinese(str(month))[:1])


def in_step(parts: list[Readings]) -> Readings:
    """All ways of all parts, spaced throughout before those that are not."""
    ways = [" ".join(way) for way in product(*parts)]
    return tuple(dict.fromkeys([*ways, *(way.replace(" ", "") for way in ways)]))[:MOST_READINGS]


def date(year: str | None, month: str, day: str) -> Readings:
    """
    >>> date("2024", "6", "03")[0], date(None, "13", "1")
    ('이천이십사년 유월 삼일', ())
    """
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return ()
    parts = [] if year is None else [counted(year, "년", native=False)]
    parts.append(tuple(f"{name}월" for name in month_name(int(month))))
    return in_step([*parts, counted(str(int(day)), "일", native=False)])


def _weekday(match: re.Match[str]) -> Readings:
    return (f" {match[1]}요일", f" {match[1]}", "")


def _dotted(match: re.Match[str]) -> Readings:
    """24.5.3 is a day, or a version of something."""
    parts = match[0].rstrip(".").split(".")
    version = (" 점 ".join(chinese(part)[0] for part in parts), "점".join(chinese(part)[0] for part in parts))
    day = date(parts[0], parts[1], parts[2]) if len(parts) == 3 and len(parts[0]) == 2 else ()
    return one_of(day, version) if day and int(parts[0]) >= 10 else one_of(version, day)


def _game(match: re.Match[str]) -> Readings:
    """88올림픽: the year's two figures, each by itself."""
    ways = one_of((_singly(match[1]),), chinese(match[1]))
    return tuple(f"{way}{space}" for way in ways for space in ("", " "))


def _generation(match: re.Match[str]) -> Readings:
    ways = one_of((digits(match[1])[0],), chinese(match[1]))
    return tuple(f"{way}{space}" for way in ways for space in ("", " "))


def _half_hour(match: re.Match[str]) -> Readings:
    ways = counted(match[1], match[2], native=match[2] == "시간" or 0 < int(match[1]) <= 12)
    return tuple(f"{way}{space}반" for way in ways for space in (" ", ""))


def _small(match: re.Match[str]) -> Readings:
    """05초: the zero only fills the place."""
    return one_of(
        counted(match[1].lstrip("0"), match[2], native=match[2] == "시"), (f"공{chinese(match[1][1:])[0]} {match[2]}",)
    )


def _great(match: re.Match[str]) -> Readings:
    said = chinese(match[1])[0]
    return (f"{said}대", f"{said} 대")


def _clause(match: re.Match[str]) -> Readings:
    first, second = chinese(match[1])[0], chinese(match[2])[0]
    return tuple(f"{first}{one}조 {second}{two}항" for one in ("", " ") for two in ("", " "))


def _verse(match: re.Match[str]) -> Readings:
    first, second = chinese(match[1])[0], chinese(match[2])[0]
    return tuple(f"{first}{space}장 {second}{space}절" for space in (" ", ""))


def _mixed(match: re.Match[str]) -> Readings:
    """2½ comes here as 2 1/2."""
    whole, above, below = (chinese(figures)[0] for figures in match.groups())
    return tuple(f"{whole}{'과' if _has_final(whole) else '와'} {below}{space}분의 {above}" for space in ("", " "))


def _group(match: re.Match[str]) -> Readings:
    """G7 and G20: English up to ten, Chinese above."""
    own, english = chinese(match[1])[0], _ENGLISH.get(match[1])
    return one_of((f"지{english}",) if english else (), (f"지{own}", f"지 {own}"))


def _countdown(match: re.Match[str]) -> Readings:
    days = chinese(match[1])[0]
    return (f"디 마이너스 {days}", f"디 {days}", f"디{days}", f"디데이 {days} 일 전")


FIRST: tuple[Rule, ...] = (
    (re.compile(r"(?<![\w])\+82[-. ]?\(?0?\)?\d{1,2}[-. ]\d{3,4}[-. ]\d{4}(?!\d)"), _telephone),
    (
        re.compile(
            r"(?<![\d.,])(?:\d{2,4}-\d{3,4}-\d{4}|0\d{1,2}\) ?\d{3,4}[-. ]\d{4}|1\d{3}-\d{4}"
            r"|0\d{1,2}\.\d{3,4}\.\d{4}|0\d{1,2} \d{3,4} \d{4})(?!\d)"
        ),
        _telephone,
    ),
    (re.compile(r"(?<!\d)(\d{4})\. ?(\d{1,2})\. ?(\d{1,2})(?!\d)\.?"), lambda match: date(*match.groups())),
    (re.compile(r"(?<!\d)(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)"), lambda match: date(*match.groups())),
    (re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})(?= ?\([월화수목금토일]\))"), lambda match: date(None, *match.groups())),
    (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){2,}(?![\d])\.?"), _dotted),
    (re.compile(r" ?\(([월화수목금토일])(?:요일)?\)"), _weekday),
    (re.compile(r"(?<![A-Za-z])(?:AM|am|A\.M\.|a\.m\.) ?(?=\d)"), lambda _: ("오전 ",)),
    (re.compile(r"(?<![A-Za-z])(?:PM|pm|P\.M\.|p\.m\.) ?(?=\d{1,2}(?::|시))"), lambda _: ("오후 ",)),
    (re.compile(r"(?<![\d:])(0[1-9])(시|분|초)"), _small),
    (re.compile(r"(?<![\d.,])(\d{1,2})(시간|시) ?반(?![가-힣])"), _half_hour),
    (re.compile(r"(?<![\d'’])(\d\d) ?(?=(?:서울 ?)?(?:올림픽|아시안게임|학번))"), _game),
    (re.compile(r"(?<!\d)([3-9]86|[1-9]0[1-9]0)(?= ?(?:세대|콘서트|음악|가요|감성))"), _generation),
    (re.compile(rf"(?<![\d.,])([2-9]|1\d)대(?= ?(?:{_GREAT}))"), _great),
    (re.compile(r"(?<![A-Za-z\d])B([1-9])(?: ?층|(?= ?주차장| ?출구))"), _floor),
    (re.compile(r"(?<![\d-])(\d+)-(\d+) ?번지"), _plot),
    (re.compile(r"(?<![\d.,])(\d+)조 ?제?(\d+)항"), _clause),
    (re.compile(r"(?<![\d.,])(\d+)장 ?(\d+)절"), _verse),
    (
        re.compile(r"(?<=제)(\d+) ?(장|권|번|대|병|판|줄|방)(?!째)"),
        lambda match: counted(match[1], match[2], native=False),
    ),
    (re.compile(rf"(?<![\d.,+])([1-9])\+([1-9])(?![\d.,+=])(?! ?=)(?=( ?(?:{_OFFERS}))?)"), _plus),
    (re.compile(rf"(?<![\d.,/-]){_NUMBER} ?([-−–/×*÷+]) ?{_NUMBER} ?= ?{_NUMBER}"), _sum),
    (re.compile(rf"(?<![\d.,]){_NUMBER} ?([×÷+]) ?{_NUMBER}(?![\d=])()"), _sum),
    (re.compile(r"(?<!\d)(\d{1,2}) (\d{1,2})/(\d{1,2})(?![\d/])"), _mixed),
    (re.compile(r"(?<![A-Za-z\d])H2O(?![A-Za-z\d])"), lambda _: ("에이치투오",)),
    (re.compile(r"(?<![A-Za-z])(?:No|NO|no)\. ?(?=\d)"), lambda _: ("넘버 ", "넘버")),
    (re.compile(r"(?<![A-Za-z])G(7|8|20)(?![A-Za-z\d])"), _group),
    (
        re.compile(r"(?<![A-Za-z])([A-DF])\+(?![A-Za-z\d+])"),
        lambda match: (f"{_GRADES[match[1]]} 플러스", f"{_GRADES[match[1]]}플러스"),
    ),
    (
        re.compile(r"(?<![A-Za-z])([A-DF])[-−](?=[\s,.)]|\Z)"),
        lambda match: (f"{_GRADES[match[1]]} 마이너스", f"{_GRADES[match[1]]}마이너스"),
    ),
    (re.compile(r"(?<![A-Za-z])D-(\d{1,3})(?![\d.])"), _countdown),
    (re.compile(r"(?<![\d,.])(\d{1,4}(?:,\d{4})+)(?![\d,.])"), lambda match: chinese(match[1])),
)
