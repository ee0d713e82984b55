"""Words become segments: cut at pauses, none too long, and nothing is lost or heard twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.models.ctc.segments import MARGIN_SECONDS, TOO_LONG, Segment, Word, cut


def said(*times: tuple[float, float]) -> list[Word]:
    return [Word(f"w{number}", start, end, 0.9) for number, (start, end) in enumerate(times)]


def segments(words: list[Word], *, end: float = 100.0, min_pause: float = 0.3, longest: float = 15.0) -> list[Segment]:
    return list(cut(words, begin=0.0, end=end, min_pause=min_pause, longest=longest))


def test_a_pause_divides_and_a_shorter_one_does_not() -> None:
    words = said((1.0, 1.4), (1.69, 2.0), (2.3, 2.6))
    assert [(one.text, one.start, one.end) for one in segments(words)] == [("w0 w1", 0.85, 2.15), ("w2", 2.15, 2.75)]
    assert len(segments(words, min_pause=0.29)) == 3
    assert len(segments(words, min_pause=0.31)) == 1


def test_a_segment_begins_and_ends_in_the_recording() -> None:
    (one,) = segments(said((0.05, 0.4), (0.5, 0.98)), end=1.0)
    assert (one.start, one.end) == (0.0, 1.0)
    (part,) = cut(said((5.02, 5.5)), begin=5.0, end=5.6, min_pause=0.3, longest=15.0)
    assert (part.start, part.end) == (5.0, 5.6)


def test_what_is_too_long_is_cut_at_its_longest_pause() -> None:
    # Words of 0.4 s and pauses of 0.1 s, but one of 0.2 s behind the seventh.
    times = [
        (0.5 * place + (0.1 if place > 6 else 0), 0.5 * place + 0.4 + (0.1 if place > 6 else 0)) for place in range(12)
    ]
    found = segments(said(*times), longest=5.0)
    assert [one.text.count("w") for one in found] == [7, 5]
    assert all(one.end - one.start <= 5.0 for one in found)


def test_one_long_word_is_left_and_marked() -> None:
    first, second = segments(said((0.0, 9.0), (9.1, 9.5)), longest=5.0)
    assert (first.problem, second.problem) == (TOO_LONG, None)


def test_a_segment_has_its_words_first_problem_and_mean_confidence() -> None:
    words = [Word("ab", 0.0, 0.5, 1.0), Word("cd", 0.6, 1.0, 0.25, "low score"), Word("e", 1.1, 1.2, 1.0, "too long")]
    (one,) = segments(words)
    assert one.problem == "low score"
    assert one.confidence == pytest.approx(0.25 ** (2 / 5), abs=1e-6)
    assert segments([]) == []


TIMES = st.lists(st.tuples(st.floats(0.0, 2.0), st.floats(0.02, 3.0)), min_size=1, max_size=60)


@given(TIMES, st.floats(0.0, 1.0), st.floats(1.0, 20.0))
@settings(max_examples=300, deadline=None)
def test_whatever_was_said_stands_in_one_segment_each(
    gaps: list[tuple[float, float]], min_pause: float, longest: float
) -> None:
    words, at = [], 0.0
    for number, (pause, length) in enumerate(gaps):
        words.append(Word(f"w{number}", round(at + pause, 3), round(at + pause + length, 3), 0.5))
        at = words[-1].end
    found = segments(words, end=at + 0.05, min_pause=min_pause, longest=longest)
    assert " ".join(one.text for one in found) == " ".join(word.text for word in words)
    before, place = 0.0, 0
    for one in found:
        inside = words[place : place + len(one.text.split())]
        place += len(inside)
        assert before - 0.0011 <= one.start <= inside[0].start + 0.0011
        assert inside[-1].end - 0.0011 <= one.end <= at + 0.0511
        assert one.end - one.start <= longest + 0.0011 or (len(inside) == 1 and one.problem == TOO_LONG)
        assert all(
            right.start - left.end < min_pause + 1e-3 for left, right in zip(inside, inside[1:], strict=False)
        ), "no pause within"
        assert one.start >= inside[0].start - MARGIN_SECONDS - 0.0011
        before = one.end
