"""The words that the bundled Korean model knows, random texts made of them, and how they are said.

In: a `numpy.random.Generator`. Out: texts in Hangul syllables (NFC) such as "삼백이십오", "스물세 개" or
"공일공 이삼사오". A number is one word up to each 만, a Sino-Korean unit is written onto its number (오백원), a counter
of native numbers stands by itself (다섯 개); digits read out one by one are groups of three or four.
"""

import unicodedata

import numpy as np

from thanosql.models import hangul

DIGITS = tuple("영일이삼사오육칠팔구")
DIALLED = ("공", *DIGITS[1:])  # a zero among digits read out one by one
NATIVE_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
BEFORE_COUNTERS = {"하나": "한", "둘": "두", "셋": "세", "넷": "네", "스물": "스무"}
COUNTERS = ("개", "명", "살", "번", "잔", "마리")
UNITS = ("원", "원", "퍼센트", "분", "초", "도", "년", "층", "호", "번")
_COMMANDS = """
    네 아니요 안녕하세요 감사합니다 미안합니다 여보세요 좋아요 도와줘 시작 정지 계속 취소 확인 다시 더 빨리 천천히 지금
    오늘 내일 어제 오전 오후 아침 저녁 시간 위 아래 앞 뒤 왼쪽 오른쪽 문 불 창문 음악 전화 물 집 학교 사람
    켜 꺼 열어 닫아 올려 내려 걸어 주세요
"""
COMMANDS = tuple(_COMMANDS.split())
_PHRASES = (
    *("불 켜 주세요", "불 꺼", "창문 열어 주세요", "문 닫아", "음악 {c}", "{c} 주세요", "{c} {c}"),
    *("전화 걸어 주세요", "오전 {h}", "오후 {h} {m}", "오늘 {h}", "내일 {h} {m}", "지금 {h} {m}"),
    *("더 {c}", "물 한 잔 주세요", "영하 {n}도", "마이너스 {n}", "{n}번 {c}", "사람 {k}"),
)


def number(n: int) -> str:
    """The Sino-Korean name of n, 0 <= n < 1,000,000,000, with a space after 만 and 억.

    >>> number(325), number(12_016), number(100_000_000)
    ('삼백이십오', '만 이천십육', '일억')
    """
    if n == 0:
        return DIGITS[0]
    words = []
    for size, name in ((100_000_000, "억"), (10_000, "만"), (1, "")):
        group = n // size % 10_000
        if group:
            words.append(("" if group == 1 and name == "만" and not words else _below_ten_thousand(group)) + name)
    return " ".join(words)


def _below_ten_thousand(n: int) -> str:
    parts = []
    for unit, name in ((1000, "천"), (100, "백"), (10, "십"), (1, "")):
        digit = n // unit % 10
        if digit:
            parts.append(("" if digit == 1 and name else DIGITS[digit]) + name)
    return "".join(parts)


def native(n: int) -> str:
    """The native name of n, 1 <= n <= 99.

    >>> native(20), native(38)
    ('스물', '서른여덟')
    """
    return NATIVE_TENS[n // 10] + NATIVE_ONES[n % 10]


def counted(n: int) -> str:
    """The native name of n as it stands before a counter.

    >>> counted(3), counted(20), counted(21), counted(15)
    ('세', '스무', '스물한', '열다섯')
    """
    if n == 20:
        return BEFORE_COUNTERS["스물"]
    ones = NATIVE_ONES[n % 10]
    return NATIVE_TENS[n // 10] + BEFORE_COUNTERS.get(ones, ones)


def dialled(rng: np.random.Generator, n_groups: int) -> str:
    """Groups of three or four digits."""
    return " ".join("".join(rng.choice(DIALLED, rng.integers(3, 5))) for _ in range(n_groups))


def hour(rng: np.random.Generator) -> str:
    return f"{counted(int(rng.integers(1, 13)))} 시"


def minute(rng: np.random.Generator) -> str:
    return f"{number(int(rng.integers(1, 60)))}분"


def date(rng: np.random.Generator) -> str:
    """A day of the year: the sixth and the tenth month lose their last consonant."""
    month = int(rng.integers(1, 13))
    return f"{ {6: '유', 10: '시'}.get(month, number(month)) }월 {number(int(rng.integers(1, 32)))}일"


def counting(rng: np.random.Generator) -> str:
    return f"{counted(int(rng.integers(1, 100)))} {rng.choice(COUNTERS)}"


def random_number(rng: np.random.Generator) -> str:
    """A number of one to six digits; short ones are as many as long ones."""
    return number(int(rng.integers(0, 10 ** rng.integers(1, 7))))


def one_word(rng: np.random.Generator) -> str:
    """One word: a digit in 30% of all draws, else a native number, a number of two digits, a unit or a command."""
    kind = rng.random()
    if kind < 0.30:
        return str(rng.choice((*DIGITS, "공")))
    if kind < 0.50:
        return native(int(rng.integers(1, 100 if rng.random() < 0.5 else 11)))
    if kind < 0.68:
        return number(int(rng.integers(10, 100)))
    if kind < 0.78:
        return str(rng.choice(("십", "백", "천", "만", "억", "점", "한", "두", "세", "스무", *UNITS, *COUNTERS)))
    return str(rng.choice(COMMANDS))


def over_the_telephone(rng: np.random.Generator) -> str:
    """A telephone number, a number, an amount, a percentage, a temperature, a time, a date, a count."""
    kind = rng.random()
    if kind < 0.34:
        return dialled(rng, int(rng.integers(1, 3)))
    if kind < 0.50:
        return random_number(rng)
    if kind < 0.62:
        return f"{random_number(rng)}원"
    if kind < 0.70:
        return f"{number(int(rng.integers(2, 100)))}퍼센트"
    if kind < 0.78:
        return f"영하 {number(int(rng.integers(1, 40)))}도"
    if kind < 0.86:
        return f"{hour(rng)} {minute(rng)}"
    if kind < 0.92:
        return date(rng)
    return counting(rng)


def some_words(rng: np.random.Generator) -> str:
    """One to about six words: what is heard over the telephone, other numbers, decimals, amounts, counts, commands."""
    kind = rng.random()
    if kind < 0.40:
        return over_the_telephone(rng)
    if kind < 0.52:
        return dialled(rng, int(rng.integers(1, 4)))
    if kind < 0.62:
        return random_number(rng)
    if kind < 0.67:
        return f"{number(int(rng.integers(0, 100)))}점{''.join(rng.choice(DIGITS, rng.integers(1, 4)))}"
    if kind < 0.75:
        return random_number(rng) + str(rng.choice(UNITS))
    if kind < 0.78:
        return counting(rng)
    if kind < 0.80:
        return f"{number(int(rng.integers(1, 1000)) * 100_000)}원"
    if kind < 0.87:
        return " ".join(one_word(rng) for _ in range(rng.integers(2, 5)))
    phrase = str(rng.choice(_PHRASES))
    while "{" in phrase:
        phrase = phrase.replace("{c}", str(rng.choice(COMMANDS)), 1).replace(
            "{n}", number(int(rng.integers(1, 100))), 1
        )
        phrase = phrase.replace("{h}", hour(rng), 1).replace("{m}", minute(rng), 1).replace("{k}", counting(rng), 1)
    return phrase


# Final consonants as they sound: at the end of a syllable, and before ㄴ or ㅁ.
_FINALS = {"ㄱ": "ㅇ", "ㄲ": "ㅇ", "ㄷ": "ㄴ", "ㅅ": "ㄴ", "ㅆ": "ㄴ", "ㅂ": "ㅁ", "ㅍ": "ㅁ"}


def said(text: str) -> str:
    """`text` spelled as it sounds, for a synthesizer that reads syllables one by one.

    Standard pronunciation in so far as the words here need it: the ㄴ that 육, 여섯 and 여덟 take after a consonant,
    ㄱ, ㄷ and ㅂ before nasals, ㄴ beside ㄹ, a final consonant carried over to a vowel. A pause parts groups of digits.

    >>> said("십육 백만 여덟"), said("이십이"), said("열여섯"), said("공일공 이삼사오")
    ('심뉵 뱅만 여덜', '이시비', '열려섯', '공일공, 이삼사오')
    """
    text = text.replace("여덟", "여덜").replace("좋아요", "조아요").replace("앞", "압")
    words = text.split()
    groups = len(words) > 1 and all(set(word) <= set(DIALLED) and len(word) > 2 for word in words)
    return (", " if groups else " ").join(map(_said_word, words))


def _said_word(word: str) -> str:
    syllables = [[*hangul.letters(syllable), ""][:3] for syllable in word]  # lead, vowel, tail
    for index, (here, there) in enumerate(zip(syllables, syllables[1:], strict=False)):
        if here[2] and word[index + 1 :].startswith(("육", "여섯", "여덜")):
            there[0] = "ㄴ"
        if there[0] in "ㄴㅁ":
            here[2] = _FINALS.get(here[2], here[2])
        if {here[2], there[0]} == {"ㄹ", "ㄴ"}:
            here[2] = there[0] = "ㄹ"
        if there[0] == "ㅇ" and here[2] and here[2] != "ㅇ":
            there[0], here[2] = here[2], ""
    return "".join(hangul.syllables("".join(parts)) for parts in syllables)


def syllables() -> tuple[str, ...]:
    """Every syllable that a text here may hold, in order."""
    numbers = "".join((*DIGITS, "공십백천만억점", *NATIVE_ONES, *NATIVE_TENS, *BEFORE_COUNTERS.values()))
    others = "".join((*COUNTERS, *UNITS, *COMMANDS, *_PHRASES, "유시월일분"))
    letters = {letter for letter in numbers + others if "가" <= letter <= "힣"}
    assert all(unicodedata.is_normalized("NFC", letter) for letter in letters)
    return tuple(sorted(letters))
