"""A word in whose place the model hears another stands there, as one that fits badly: not nowhere beside audio without text."""

from __future__ import annotations

import pytest

from tests.models.ctc.test_letters_in_silence import VOCABULARY, heard
from tests.models.ctc.test_word_bounds import STEP, recording
from thanosql.models.ctc.checked_alignment import check_alignment
from thanosql.models.ctc.word_bounds import WordBounds
from thanosql.models.options import AlignmentOptions

AB, OTHER, CA = (
    [(0.56, "A"), (0.8, "B"), (0.9, "|")],
    [(1.56, "C"), (1.7, "C"), (1.8, "C"), (1.9, "|")],
    [(2.56, "C"), (2.8, "A")],
)
SOUND = recording((0.5, 1.0), (1.5, 2.0), (2.5, 3.0))


def items(text: str, *labels: tuple[float, str]) -> list[tuple[str, float, float, str | None]]:
    found = check_alignment(heard(4, *labels), text, VOCABULARY, AlignmentOptions(), bounds=WordBounds(SOUND))
    return [(word.text, word.start, word.end, word.problem) for word in found.words]


def test_a_misheard_word_stands_where_another_is_heard() -> None:
    one, word, other = items("AB ABAB CA", *AB, *OTHER, *CA)
    assert (one[0], one[3], other[0], other[3]) == ("AB", None, "CA", None)
    assert word == ("ABAB", pytest.approx(1.5, abs=STEP), pytest.approx(2.0, abs=STEP), "low score")


@pytest.mark.parametrize("place", [0, 2])
def test_so_does_the_first_and_the_last(place: int) -> None:
    """`place` is that of the word among three: the text's other words are those heard in the other places."""
    said = [AB, OTHER, CA] if place == 2 else [OTHER, AB, CA]
    shifted = [(time - first[0][0] + at, label) for at, first in zip((0.56, 1.56, 2.56), said) for time, label in first]
    if place == 2:
        shifted = [one for one in shifted if one[0] < 1.5] + [(1.56, "C"), (1.8, "A"), (1.9, "|")]
        shifted += [(2.56, "C"), (2.7, "C"), (2.8, "C")]
    found = items("ABAB AB CA" if place == 0 else "AB CA ABAB", *shifted)
    at = (0.5, 1.5, 2.5)[place]
    assert [word[0] for word in found] == (["ABAB", "AB", "CA"] if place == 0 else ["AB", "CA", "ABAB"])
    assert found[place][1:] == (pytest.approx(at, abs=STEP), pytest.approx(at + 0.5, abs=STEP), "low score")


def test_speech_much_longer_than_the_word_is_audio_without_text() -> None:
    sound = recording((0.5, 1.0), (1.5, 7.0), (7.5, 8.0), seconds=9)
    more = [(1.5 + number * 0.2, "C") for number in range(1, 27)]
    logs = heard(9, *AB, *more, (7.2, "|"), (7.56, "C"), (7.8, "A"))
    found = check_alignment(logs, "AB ABAB CA", VOCABULARY, AlignmentOptions(), bounds=WordBounds(sound)).words
    assert [(word.text, word.problem) for word in found] == [
        ("AB", None),
        ("ABAB", "no audio for it"),
        ("", "no text for it"),
        ("CA", None),
    ]


def test_a_word_that_the_text_lacks_and_one_that_the_audio_lacks_apart_stay_apart() -> None:
    found = items("AB CA ABAB", *AB, *OTHER, *CA)
    assert [(word[0], word[3]) for word in found] == [
        ("AB", None),
        ("", "no text for it"),
        ("CA", None),
        ("ABAB", "no audio for it"),
    ]
