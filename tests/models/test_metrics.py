"""Error rates are jiwer's, whatever the texts."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanosql.models.metrics import confusions, score, score_each, total

WORDS = st.lists(st.sampled_from(["one", "two", "three", "하나", "둘", "a", "ab"]), max_size=6).map(" ".join)
SPOKEN = WORDS.filter(bool)


@given(st.lists(st.tuples(SPOKEN, WORDS), min_size=1, max_size=6))
def test_the_figures_are_jiwers(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [list(side) for side in zip(*pairs)]
    found, expected = score(references, hypotheses), jiwer.process_words(references, hypotheses)
    assert found.wer == pytest.approx(expected.wer)
    assert found.cer == pytest.approx(jiwer.cer(references, hypotheses))
    assert (found.substitutions, found.deletions, found.insertions, found.hits) == (
        expected.substitutions,
        expected.deletions,
        expected.insertions,
        expected.hits,
    )


@given(st.lists(st.tuples(SPOKEN, WORDS), min_size=1, max_size=6))
def test_an_utterance_alone_has_jiwers_rates(pairs: list[tuple[str, str]]) -> None:
    for (reference, hypothesis), found in zip(pairs, score_each(*[list(side) for side in zip(*pairs)])):
        assert found.wer == pytest.approx(jiwer.wer(reference, hypothesis))
        assert found.cer == pytest.approx(jiwer.cer(reference, hypothesis))


@given(st.lists(st.tuples(WORDS, WORDS), max_size=6))
def test_an_alignment_spells_both_sides(pairs: list[tuple[str, str]]) -> None:
    scores = score_each([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    for (reference, hypothesis), found in zip(pairs, scores):
        assert [edit.reference for edit in found.edits if edit.reference] == reference.split()
        assert [edit.hypothesis for edit in found.edits if edit.hypothesis] == hypothesis.split()
    assert sum(confusions(scores).values()) == sum(found.errors for found in scores)


def test_an_empty_reference_counts_what_was_heard_as_insertions() -> None:
    found = score(["", "one two"], ["three four", "one two"])
    assert (found.words, found.insertions, found.hits, found.wer) == (2, 2, 2, 1.0)
    assert score([""], ["three four"]).wer == jiwer.wer("", "three four") == 2


def test_nothing_to_score_is_all_zero() -> None:
    assert total([]) == score([], [])
    assert score([], []).utterances == 0


def test_a_korean_syllable_is_one_character_however_it_is_written() -> None:
    import unicodedata

    found = score(["삼십이"], [unicodedata.normalize("NFD", "삼십일")])
    assert (found.characters, found.cer) == (3, pytest.approx(1 / 3))


def test_white_space_alone_is_no_error() -> None:
    assert score(["one  two "], ["one two"]).cer == 0.0


def test_sides_of_unequal_length_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="1 references, but 2 hypotheses"):
        score(["a"], ["a", "b"])
