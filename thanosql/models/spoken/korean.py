"""A Korean text in; the same with numbers, money, times, units, signs and abbreviations in Hangul out.

Which numerals are said depends on what is counted: 3시 30분 is 세 시 삼십 분. Spaces are put as the rules of spelling ask, and
the readings without them stand behind, as most people write.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from thanosql.models.spoken import korean_latin, korean_ranges, korean_written
from thanosql.models.spoken.korean_numbers import DIGITS, bare, chinese, counted, korean, number
from thanosql.models.spoken.korean_units import UNITS
from thanosql.models.spoken.korean_written import in_step, month_name
from thanosql.models.spoken.readings import Readings, Rule, SpokenText, cut, one_of

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
# Counted in Korean numerals; the rest, and whatever follows a number that is not here, in Chinese ones.
_NATIVE = (
    "개 명 사람 살 시간 시 마리 잔 병 권 대 장 번째 가지 달 켤레 그루 송이 채 벌 곳 군데 쌍 통 줄 자루 배 판 조각 그릇 접시 "
    "봉지 상자 방울 번 끼"
).split()
_CHINESE = (
    "년 월 일 분 초 원 층 호선 호실 호 회 도 세 인분 주년 주 개월 개국 학년 반 과 쪽 페이지 점 위 등급 등 차 단계 인 평 킬로 "
    "미터 달러 엔 유로 위안 퍼센트 프로 년대 세기 박 교시 번지 동 부 편 화 기 리터 그램 톤 급 학기 루 할 남매 형제"
).split()
_UNIT_ENDS = frozenset(unit[-1] for unit in (*_NATIVE, *_CHINESE))
_EVENTS = "운동|만세|혁명|광복|의거|항쟁|전쟁|사태|사변|선언|정신|민주|절|대책|조치|테러|사건|계엄|비상계엄|참사|지진|학살|항거"
_NUMBERED = (
    "출구|버스|국도|고속|타자|선수|문제|트랙|홀|채널|후보|게이트|플랫폼|승강장|마을버스|염색체|교향곡|시드|답|줄|방|창구|좌석|자리|차량|도로|척추|"
    "문항|항목|그림|손님|고객|환자|학생|주자|말|카드|각주|트럭|칸|레인|척수"
)
_LARGE = "만억조천백"
# What may stand behind a unit that has a space before it; other syllables make another word of it: 2002 월드컵.
_AFTER = (
    "[을를이가은는의도만에로와과]|으로|까지|부터|쯤|씩|정도|이나|간|동안|넘|전|후|뒤|짜리|마다|당|하고|"
    "이며|이고|이다|입니|인 |이었|였|말|초"
)
_MONEY = {"$": "달러", "₩": "원", "￦": "원", "€": "유로", "¥": "엔", "£": "파운드"}
_NAMES = "에이 비 씨 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 아르 에스 티 유 브이 더블유 엑스 와이 지"
_LETTERS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _NAMES.split(), strict=True))
_INITIALS = {"TV": ("티브이", "티비"), "PC": ("피시", "피씨"), "OK": ("오케이",), "IMF": ("아이엠에프",)}
_ENGLISH = "제로 원 투 쓰리 포 파이브 식스 세븐 에이트 나인".split()
_OTHER_LETTERS = {"R": "알", "Z": "제트", "C": "시"}


def spoken(text: str) -> SpokenText:
    """The text with the readings of what is not in Hangul.

    >>> spoken("3시 30분에 사과 12개를 5,000원에 샀다").usual()
    '세 시 삼십 분에 사과 열두 개를 오천 원에 샀다'
    >>> spoken("오늘은 비가 온다").usual()
    '오늘은 비가 온다'
    """
    return cut("".join(map(_plain, unicodedata.normalize("NFC", text))), _rules())


def _plain(letter: str) -> str:
    """Figures of any kind as plain ones: full width, in a circle, as a fraction, Roman. What is raised is of a unit (m²).

    >>> _plain("①"), _plain("½"), _plain("Ⅳ"), _plain("²")
    ('1', ' 1/2', '4', '²')
    """
    kind = unicodedata.category(letter)
    if kind == "Nl" and unicodedata.normalize("NFKC", letter).isascii():
        return f"{unicodedata.numeric(letter):.0f}"
    if kind == "Nd" or (kind == "No" and letter not in "²³¹"):
        plain = unicodedata.normalize("NFKC", letter)
        return f" {plain.replace(chr(0x2044), '/')}" if "\u2044" in plain else plain
    return letter


@cache
def _rules() -> tuple[Rule, ...]:
    money, units, joined = "".join(map(re.escape, _MONEY)), _names(UNITS), _names([*_CHINESE, *_NATIVE])
    return (
        *korean_written.FIRST,
        *korean_latin.RULES,
        (re.compile(r"(?<!\d)([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?!\d)"), _clock),
        (re.compile(r"(?<![\d.])(\d{1,2})[·ㆍ‧](\d{1,2})(?![\d.])"), _day_of_events),
        (re.compile(rf"(?<![\d.])(\d{{1,2}})\.(\d{{1,2}})(?= ?(?:{_EVENTS}))"), _day_of_events),
        (re.compile(r"(?<![\d:])(\d+):(\d+)(?![\d:])|(?<!\d)(\d+)대(\d+)(?!\d| ?[명개살세])"), _score),
        (re.compile(rf"(?<!\d)(\d+)번(?= ?(?:{_NUMBERED}))"), lambda match: counted(match[1], "번", native=False)),
        (
            re.compile(
                r"(?<![\d.,-])(11[2-9]|120|182|911)(?=번|에(?!서)|로|를|을|,|\s*\Z| 신고| 구급| 구조| 상담| 전화)"
            ),
            _called,
        ),
        (
            re.compile(r"(?<![A-Za-z\d.])(?:([A-Z]{1,4})-?(\d)|(\d)(?![GMT]B)([A-Z]{1,2}))(?![A-Za-z\d.,%])"),
            _english_name,
        ),
        (re.compile(rf"([{money}]) ?({NUMBER})((?:[{_LARGE}])?)"), _money_before),
        (
            re.compile(
                rf"(?<![\d.])({NUMBER}) ?(천?[{_LARGE}])(?: ?({NUMBER})(천?[{_LARGE}])?)?(?: ?(원|달러|명|개))?"
            ),
            _large,
        ),
        *korean_ranges.rules(_NATIVE, _CHINESE, NUMBER),
        (re.compile(r"(?<!\d)(\d{1,2})/(\d{1,2})(?![\d/])"), _fraction),
        (re.compile(rf"(?<![\w.)])[-−](?={NUMBER})"), lambda _: ("마이너스 ", "영하 ")),
        (re.compile(rf"({NUMBER})\s?[~∼～-]\s?(?={NUMBER})"), _range),
        (re.compile(r"(?<!\d)(1[0-2]|0?[1-9])월"), _month),
        (re.compile(rf"({NUMBER}) ?(?:km/h|㎞/h)"), _speed),
        (re.compile(rf"({NUMBER})(?:({joined})| ({joined})(?=[^가-힣]|\Z|{_AFTER}))"), _counted),
        (re.compile(rf"({NUMBER}) ?({units})(?![A-Za-z/])"), _unit),
        (re.compile(rf"(?<=[가-힣])({NUMBER})"), lambda match: _behind_a_name(match[0])),
        (re.compile(NUMBER), _bare),
        (re.compile(r"\A\s?[~∼～-]\s?\Z"), lambda _: ("에서 ", " 내지 ", " ")),  # between two times
        (re.compile("㈜|\\(주\\)"), lambda _: ("주식회사 ", "주식회사")),
        (re.compile(r"(?<![A-Za-z])[A-Z]{1,6}(?![A-Za-z])"), _initials),
        *(_sign(sign, said) for sign, said in _SIGNS.items()),
    )


_SIGNS: dict[str, Readings] = {
    "&": ("앤드", " 앤 ", "앤"),
    "+": (" 더하기 ", "플러스"),
    "№": ("넘버 ",),
    "=": ("는 ", "은 ", " 이퀄 "),
    "×": (" 곱하기 ", "엑스"),
    "÷": (" 나누기 ",),
    "%": ("퍼센트", "프로"),
    "℃": ("도",),
    "@": ("골뱅이", " 골뱅이 ", "앳"),
    "#": ("샵", "샾", "우물 정"),
    "/": (" ", "슬래시"),
    "*": ("별표", "곱하기"),
}


def _sign(sign: str, said: Readings) -> Rule:
    return re.compile(re.escape(sign)), lambda _: said


def _names(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))


def _day_of_events(match: re.Match[str]) -> Readings:
    """
    >>> _day_of_events(re.match("(.+)·(.+)", "6·25")), _day_of_events(re.match("(.+)·(.+)", "12·12"))
    (('육이오', '육이십오'), ('십이십이', '십이일이'))
    """
    return _month_and_day(match[1], match[2])


def _month_and_day(first: str, second: str) -> Readings:
    month, day = chinese(first)[0], chinese(second)[0]
    singly = "".join(DIGITS[int(figure)] for figure in second)
    return one_of(
        (month + day, month + singly) if len(first) > 1 and first == second else (month + singly, month + day)
    )


def _score(match: re.Match[str]) -> Readings:
    """
    >>> _score(re.match("(.+):(.+)", "3:2"))
    ('삼 대 이', '삼대이', '삼 대이')
    """
    first, second = (chinese(figures)[0] for figures in match.groups() if figures)
    return (f"{first} 대 {second}", f"{first}대{second}", f"{first} 대{second}")


def _behind_a_name(figures: str) -> Readings:
    """코로나19, 아이폰15: many write a space there."""
    ways = bare(figures)
    return (*ways, *(f" {way}" for way in ways))


def _bare(match: re.Match[str]) -> Readings:
    """A number alone; 6.25 may be a day as well."""
    ways, (month, _, day) = bare(match[0]), match[0].partition(".")
    if not (day and len(month) <= 2 and len(day) <= 2):
        return ways
    return one_of(ways, _month_and_day(month, day), korean_written.date(None, month, day))


def _called(match: re.Match[str]) -> Readings:
    """Numbers for help are said figure by figure."""
    return one_of(("".join(DIGITS[int(figure)] for figure in match[1]),), bare(match[1]))


def _english_name(match: re.Match[str]) -> Readings:
    """
    >>> _english_name(re.match("(?:([A-Z]+)(.)|(.)([A-Z]+))$", "MP3"))[:2]
    ('엠피쓰리', '엠피삼')
    """
    letters = "".join(_LETTERS[letter] for letter in match[1] or match[4])
    figure = match[2] or match[3]
    said = one_of((_ENGLISH[int(figure)],), (DIGITS[int(figure)],), chinese(figure))
    return tuple(letters + one if match[1] else one + letters for one in said)


def _month(match: re.Match[str]) -> Readings:
    """
    >>> _month(re.match("(.+)월", "6월"))
    ('유월',)
    """
    return tuple(f"{name}월" for name in month_name(int(match[1])))


def _clock(match: re.Match[str]) -> Readings:
    hour, minute, second = int(match[1]), match[2].lstrip("0"), match[3]
    parts = [counted(str(hour), "시", native=0 < hour <= 12)]
    if minute:
        parts.append(one_of(counted(minute, "분", native=False), ("반",) if minute == "30" else ()))
    if second is not None:
        parts.append(counted(str(int(second)), "초", native=False))
    return in_step(parts)


def _money_before(match: re.Match[str]) -> Readings:
    return counted(match[2], f"{match[3]} {_MONEY[match[1]]}".strip(), native=False)


def _large(match: re.Match[str]) -> Readings:
    """3만 5천 원: Chinese numerals, joined to 만 and 천."""
    first, large, second, after, unit = match.groups()
    if second is not None and after is None and "." in first:
        return ()
    one = "" if first == "1" and large in ("천", "백", "만", "천만") else number(first)[0]
    ways = [f"{one}{large}", f"{number(first)[0]}{large}"]
    if second is not None:
        more = f"{'' if second == '1' and after in ('천', '백') else number(second)[0]}{after or ''}"
        spaces = ("", " ") if large in ("천", "백") else (" ", "")  # what is below 만 is one word
        ways = [f"{way}{space}{more}" for space in spaces for way in ways]
    if unit is not None:
        ways = [f"{way}{space}{unit}" for space in (" ", "") for way in ways]
    elif second is not None and match[0].endswith(second) and match.string[match.end() : match.end() + 1].isalnum():
        return ()  # '1만 2시': the second number counts something else
    return tuple(dict.fromkeys(ways))


def _fraction(match: re.Match[str]) -> Readings:
    above, below = chinese(match[1])[0], chinese(match[2])[0]
    days = (
        counted(match[2].lstrip("0"), "일", native=False) if 1 <= int(match[1]) <= 12 and 0 < int(match[2]) < 32 else ()
    )
    dates = [f"{name}월 {day}" for name in month_name(int(match[1])) for day in days]
    parts = (f"{below}분의 {above}", f"{below} 분의 {above}", f"{above} 슬래시 {below}")
    return one_of(dates, parts) if dates and int(match[1]) > int(match[2]) else one_of(parts, dates)


def _range(match: re.Match[str]) -> Readings:
    return tuple(
        f"{way}{word}" for word in ("에서 ", " 내지 ", " ", "") for way in one_of(number(match[1]), bare(match[1]))
    )


def _counted(match: re.Match[str]) -> Readings:
    figures, unit = match[1], match[2] or match[3]
    if (figures, unit) == ("1", "번째"):
        return ("첫 번째", "첫번째", "한 번째")
    hours = unit != "시" or (figures.isdigit() and 0 < int(figures) <= 12)
    aged = unit == "대" and figures.endswith("0")  # 20대: in one's twenties
    native = unit in _NATIVE and hours and not aged and (not figures.isdigit() or int(figures) < 100)
    ways = one_of(counted(figures, unit, native=native), _either(figures, unit))
    joined = match.start() and match.string[match.start() - 1] in _UNIT_ENDS
    return (*(f" {way}" for way in ways[:16]), *ways[:16]) if joined else ways  # 10시10분


def _either(figures: str, unit: str) -> Readings:
    """The other numerals: 번 counts times (한 번) and names numbers (일 번)."""
    own = korean(int(figures)) if figures.isdigit() and len(figures) <= 2 else ()
    return tuple(f"{way}{space}{unit}" for way in own for space in (" ", ""))


def _speed(match: re.Match[str]) -> Readings:
    ways = counted(match[1], "킬로미터", native=False)
    ways += counted(match[1], "킬로", native=False)
    return one_of(tuple(f"시속 {way}" for way in ways), ways)


def _unit(match: re.Match[str]) -> Readings:
    names = UNITS[match[2]]
    celsius = ("섭씨 ",) if match[2] in ("℃", "°C") else ()
    ways = tuple(way for name in names for way in counted(match[1], name, native=False))
    return one_of(ways, tuple(f"{prefix}{way}" for prefix in celsius for way in ways))


def _initials(match: re.Match[str]) -> Readings:
    """
    >>> _initials(re.match(".+", "KBS"))[0]
    '케이비에스'
    """
    first = "".join(_LETTERS[letter] for letter in match[0])
    other = "".join(_OTHER_LETTERS.get(letter, _LETTERS[letter]) for letter in match[0])
    return tuple(
        dict.fromkeys((*_INITIALS.get(match[0], ()), first, other, " ".join(_LETTERS[letter] for letter in match[0])))
    )
