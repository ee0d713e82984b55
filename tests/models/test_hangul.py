from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from thanosql.models import hangul

KOREAN = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3) | st.sampled_from(" a.!"))


@given(KOREAN)
def test_letters_are_put_together_to_the_syllables_that_they_came_from(text: str) -> None:
    spelled = hangul.letters(text)
    assert not hangul.holds_syllables(spelled)
    assert hangul.syllables(spelled) == text


@given(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))
def test_a_syllable_has_the_letters_that_unicode_says(syllable: str) -> None:
    names = [unicodedata.name(part).rsplit(" ", 1)[1] for part in unicodedata.normalize("NFD", syllable)]
    assert [unicodedata.name(letter).rsplit(" ", 1)[1] for letter in hangul.letters(syllable)] == names


def test_letters_that_make_no_syllable_stay() -> None:
    assert hangul.syllables("ㅋㅋㅋ ㅠㅠ ㄱ ㅏ") == "ㅋㅋㅋ ㅠㅠ ㄱ ㅏ"
    assert hangul.letters("abc ㅋ 1") == "abc ㅋ 1"
