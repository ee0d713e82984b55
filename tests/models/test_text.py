from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.errors import ThanoSQLModelError
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.text import Normalizer

UPPER = Vocabulary(("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"))
LOWER = Vocabulary(("<pad>", "|", *"abcdefghijklmnopqrstuvwxyz"))
HANGUL = Vocabulary(("[PAD]", "|", *"안녕하세요이십"), pad="[PAD]", unk="[UNK]")
JAMO = Vocabulary(("<pad>", "|", *sorted(set(unicodedata.normalize("NFD", "안녕하세요이십")))))
LETTERS = Vocabulary(("[PAD]", "|", *"ㄱㄴㄷㄹㅂㅅㅇㅎㅋㅏㅓㅔㅕㅛㅣㅡㄺ", "[UNK]"), pad="[PAD]", unk="[UNK]")


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("It’s twenty-one.", "IT'S TWENTY ONE"),
        ("  hello,world …\tyes! ", "HELLO WORLD YES"),
        ("“Quoted” (twice)", "QUOTED TWICE"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "FULL WIDTH"),
        ("co\u00adop\u200b", "COOP"),
        ("", ""),
        ("?!", ""),
    ],
)
def test_an_english_text_is_fitted_to_upper_case_letters(text: str, normalized: str) -> None:
    assert Normalizer.for_vocabulary(UPPER).normalize(text) == normalized
    assert UPPER.missing(normalized) == ""


def test_case_follows_the_vocabulary() -> None:
    assert Normalizer.for_vocabulary(LOWER).normalize("It's ME") == "its me"
    mixed = Vocabulary(("<pad>", "|", *"aAbB"))
    assert Normalizer.for_vocabulary(mixed).normalize("aB") == "aB"


def test_signs_that_are_spoken_stay_and_are_missing() -> None:
    text = Normalizer.for_vocabulary(UPPER).normalize("5% of them & more")
    assert UPPER.missing(text) == "5%&"


def test_punctuation_that_the_vocabulary_has_is_kept() -> None:
    vocabulary = Vocabulary(("<pad>", "|", *"AB-."))
    assert Normalizer.for_vocabulary(vocabulary).normalize("a-b. a, b") == "A-B. A B"


def test_korean_is_syllables_or_jamo_as_the_vocabulary_has_them_and_comes_back_as_syllables() -> None:
    for written in (unicodedata.normalize(form, "안녕, 하세요!") for form in ("NFC", "NFD")):
        for vocabulary in (HANGUL, JAMO, LETTERS):
            text = Normalizer.for_vocabulary(vocabulary).normalize(written)
            assert vocabulary.missing(text) == ""
            assert vocabulary.spell(vocabulary.encode(text)) == "안녕 하세요"
    assert Normalizer.for_vocabulary(HANGUL).form == "NFC"
    assert Normalizer.for_vocabulary(JAMO).form == "NFD"
    assert Normalizer.for_vocabulary(LETTERS).form == "letters"


def test_single_letters_are_a_vocabularys_spelling_of_korean_only_where_it_has_no_syllables() -> None:
    assert LETTERS.encode("ㄴㅓ") == [LETTERS.ids["ㄴ"], LETTERS.ids["ㅓ"]]
    text = Normalizer.for_vocabulary(LETTERS).normalize("읽다, ㅋㅋ")
    assert text == "ㅇㅣㄺㄷㅏ ㅋㅋ"
    assert LETTERS.decode(LETTERS.encode("ㅇㅣㄺㄷㅏ ㅋ")) == "읽다 ㅋ"
    # A vocabulary of syllables that has ㅋ too, as people write when they laugh, stays one of syllables.
    laughing = Vocabulary(("[PAD]", "|", *"안녕하", "ㅋ", "ㅠ"), pad="[PAD]")
    assert Normalizer.for_vocabulary(laughing).form == "NFC"
    assert laughing.decode(laughing.encode("하 ㅋㅠ")) == "하 ㅋㅠ"


def test_letters_that_a_vocabulary_of_syllables_lacks_are_named() -> None:
    for typed in ("ㅋㅋ 안녕", unicodedata.normalize("NFD", "ㅋㅋ 안녕")):
        assert HANGUL.missing(Normalizer.for_vocabulary(HANGUL).normalize(typed)) == "ㅋ"
    assert JAMO.missing(Normalizer.for_vocabulary(JAMO).normalize("ㅋㅋ 안녕")) == "ㅋ"


@settings(deadline=None)
@given(st.text())
def test_to_normalize_twice_changes_nothing(text: str) -> None:
    for vocabulary in (UPPER, LOWER, HANGUL, JAMO, LETTERS):
        normalizer = Normalizer.for_vocabulary(vocabulary)
        once = normalizer.normalize(text)
        assert normalizer.normalize(once) == once


def test_a_saved_normalizer_is_read_again_and_stands_above_the_vocabulary(tmp_path: Path) -> None:
    assert Normalizer.read(tmp_path, UPPER) == Normalizer.for_vocabulary(UPPER)
    Normalizer(form="NFD", case="lower", keep="?").write(tmp_path)
    assert Normalizer.read(tmp_path, UPPER) == Normalizer(form="NFD", case="lower", keep="?")


@pytest.mark.parametrize("content", ["[]", "{", '{"form": "X"}', '{"colour": 1}'])
def test_a_damaged_normalizer_is_a_model_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "normalizer.json").write_text(content)
    with pytest.raises(ThanoSQLModelError, match="normalizer"):
        Normalizer.read(tmp_path, UPPER)
