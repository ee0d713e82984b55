"""Hangul syllables in, the letters on a keyboard (Unicode's compatibility jamo) out, and back.

Some vocabularies spell Korean in these letters; Unicode's normal forms know the conjoining jamo alone. The arithmetic of
the syllables is that of the Unicode Standard, section 3.12.
"""

from __future__ import annotations

import re

LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
TAILS: tuple[str, ...] = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
FIRST, LAST = "가", "힣"

_SYLLABLE = re.compile(f"[{FIRST}-{LAST}]")
# A consonant before a vowel begins the next syllable.
_SPELLED = re.compile(f"([{LEADS}])([{VOWELS}])([{''.join(TAILS)}](?![{VOWELS}]))?")


def holds_syllables(text: str) -> bool:
    return _SYLLABLE.search(text) is not None


def letters(text: str) -> str:
    """Each syllable as its two or three letters; all else stays.

    >>> letters("한글 a")
    'ㅎㅏㄴㄱㅡㄹ a'
    """
    return _SYLLABLE.sub(lambda found: _parted(found[0]), text)


def syllables(text: str) -> str:
    """Letters put together to syllables where they make one: what `letters` takes apart; others stay.

    >>> syllables("ㅎㅏㄴㅏ ㅎㅏㄴ ㅋㅋ")
    '하나 한 ㅋㅋ'
    """
    return _SPELLED.sub(lambda found: _joined(found[1], found[2], found[3] or ""), text)


def _parted(syllable: str) -> str:
    lead, rest = divmod(ord(syllable) - ord(FIRST), len(VOWELS) * len(TAILS))
    vowel, tail = divmod(rest, len(TAILS))
    return LEADS[lead] + VOWELS[vowel] + TAILS[tail]


def _joined(lead: str, vowel: str, tail: str) -> str:
    number = (LEADS.index(lead) * len(VOWELS) + VOWELS.index(vowel)) * len(TAILS) + TAILS.index(tail)
    return chr(ord(FIRST) + number)
