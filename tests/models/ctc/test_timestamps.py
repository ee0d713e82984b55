"""Timestamps: seconds of words, characters and segments, held against what transformers' tokenizer gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.models.ctc.alignment import Span, spans
from thanosql.models.ctc.greedy import greedy
from thanosql.models.ctc.timestamps import confidence, timed
from thanosql.models.ctc.vocabulary import Vocabulary

LETTERS = Vocabulary(("<pad>", "<unk>", "|", "A", "B", "C"), bos=None, eos=None)


def of(path: list[int]) -> tuple[Span, ...]:
    logs = np.full((len(path), len(LETTERS.tokens)), -5.0)
    logs[np.arange(len(path)), path] = -0.1
    return spans(logs, np.array(path, dtype=np.int64), LETTERS.blank)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> object:
    from transformers import Wav2Vec2CTCTokenizer

    folder: Path = tmp_path_factory.mktemp("tokenizer")
    LETTERS.write(folder)
    return Wav2Vec2CTCTokenizer.from_pretrained(folder)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 2, 3, 4, 5]), max_size=30))
def test_words_and_their_frames_are_those_of_transformers(tokenizer: object, path: list[int]) -> None:
    theirs = tokenizer.decode(path, output_word_offsets=True).word_offsets if path else []  # type: ignore[attr-defined]
    ours = timed(of(path), LETTERS, "word", frame_seconds=1.0)
    assert [(word.text, word.start, word.end) for word in ours] == [
        (word["word"], word["start_offset"], word["end_offset"]) for word in theirs
    ]


def test_a_frame_is_20_ms() -> None:
    (word,) = timed(of([0, 0, 3, 3, 0, 4]), LETTERS, "word")
    assert (word.text, word.start, word.end) == ("AB", 0.04, 0.12)


def test_characters_are_timed_each_without_word_breaks() -> None:
    found = timed(of([3, 0, 3, 2, 4, 4]), LETTERS, "char")
    assert [(one.text, one.start, one.end) for one in found] == [("A", 0.0, 0.02), ("A", 0.04, 0.06), ("B", 0.08, 0.12)]


def test_a_segment_ends_at_a_pause_of_half_a_second() -> None:
    path = [3, 2, 4, *[0] * 24, 2, 5, *[0] * 23, 2, 3]
    found = timed(of(path), LETTERS, "segment")
    assert [(one.text, one.start, one.end) for one in found] == [("A B", 0.0, 0.06), ("C A", 0.56, 1.08)]


def test_a_long_pause_ends_a_word_where_the_model_missed_its_end() -> None:
    found = [Span(1, 0, 2, 0.0, 0.0), Span(2, 28, 29, 0.0, 0.0), Span(1, 54, 55, 0.0, 0.0)]
    vocabulary = Vocabulary(("<pad>", "A", "B", "|"))
    assert [word.text for word in timed(found, vocabulary, "word", 0.02)] == ["ABA"]
    words = timed(found, vocabulary, "word", 0.02, longest_gap=0.5)
    assert [(word.text, word.start, word.end) for word in words] == [("A", 0.0, 0.04), ("BA", 0.56, 1.1)]


def test_a_word_is_as_sure_as_its_characters_are_at_their_best_on_the_mean() -> None:
    found = [Span(3, 0, 2, np.log(0.9), np.log(0.5)), Span(4, 2, 3, np.log(0.6), np.log(0.6)), Span(2, 3, 4, 0, 0)]
    (word,) = timed(found, LETTERS, "word")
    assert word.confidence == pytest.approx((0.9 * 0.6) ** 0.5)
    (segment,) = timed(found, LETTERS, "segment")
    assert (segment.text, segment.confidence) == (word.text, word.confidence)
    assert [one.confidence for one in timed(found, LETTERS, "char")] == pytest.approx([0.9, 0.6])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12))
def test_the_confidence_of_the_best_path_is_that_of_the_greedy_transcript(seed: int, frames: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(frames, len(LETTERS.tokens)), scale=3)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    found = spans(logs, logs.argmax(axis=-1), LETTERS.blank)
    assert confidence(found, logs, LETTERS.blank) == pytest.approx(greedy(logs, LETTERS).confidence)


def test_jamo_come_as_syllables_in_words() -> None:
    korean = Vocabulary(("<pad>", "|", "\u1112", "\u1161", "\u11ab"))
    logs = np.zeros((3, 5))
    (word,) = timed(spans(logs, np.array([2, 3, 4]), 0), korean, "word")
    assert word.text == "한"


def test_no_labels_have_no_words() -> None:
    assert timed((), LETTERS, "segment") == ()
    with pytest.raises(ValueError):
        timed((), LETTERS, "sentence")
