"""Decoders: the text, its confidence and its words, in every way of decoding; and of a text that is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.errors import ThanoSQLOptionError
from thanosql.models.ctc.alignment import AlignmentError
from thanosql.models.ctc.checked_alignment import check_alignment
from thanosql.models.ctc.decoder import decoder
from thanosql.models.ctc.greedy import greedy
from thanosql.models.ctc.ngram import NGram
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.options import AlignmentOptions, DecodeOptions

LETTERS = Vocabulary(("<pad>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
LOWERED = Vocabulary(LETTERS.tokens, lower_case=True)
WHOLE = AlignmentOptions(gaps=False, unknown="error")


def spoken(text: str, sure: float = 0.99) -> np.ndarray:
    """Two frames a letter: the letter, then the blank."""
    rows = []
    for letter in text:
        for label in (LETTERS.ids["|" if letter == " " else letter], LETTERS.blank):
            row = np.full(len(LETTERS.tokens), (1 - sure) / (len(LETTERS.tokens) - 1))
            row[label] = sure
            rows.append(row)
    return np.log(np.array(rows).reshape(-1, len(LETTERS.tokens)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 20), st.sampled_from(["none", "word", "char", "segment"]))
def test_greedy_text_and_confidence_stay_what_they_are(seed: int, frames: int, level: str) -> None:
    logits = np.random.default_rng(seed).normal(size=(frames, len(LETTERS.tokens)), scale=3)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    heard = decoder(LETTERS, DecodeOptions(), str.upper, level=level)(logs)
    assert (heard.text, heard.confidence) == (greedy(logs, LETTERS).text, greedy(logs, LETTERS).confidence)
    assert " ".join(word.text for word in heard.words if level in ("word", "segment")) == (
        " ".join(heard.text.split()) if level in ("word", "segment") else ""
    )


def test_a_beam_times_its_words_as_greedy_does_where_the_model_is_sure() -> None:
    logs = spoken("CALL ME")
    beam = decoder(LETTERS, DecodeOptions(decoder="beam"), str.upper)(logs)
    plain = decoder(LETTERS, DecodeOptions(), str.upper)(logs)
    assert beam.text == plain.text == "CALL ME"
    assert [(word.text, word.start) for word in beam.words] == [("CALL", 0.0), ("ME", 0.2)]
    assert beam.confidence == pytest.approx(plain.confidence)


def test_a_word_that_the_beam_put_in_is_unsure() -> None:
    options = DecodeOptions(decoder="beam", hotwords=["refund"])
    heard = decoder(LETTERS, options, str.upper)(spoken("A REFOND", sure=0.9))
    assert heard.text == "A REFUND"
    sure, unsure = heard.words
    assert sure.confidence == pytest.approx(0.9)
    assert unsure.confidence < 0.5


def test_a_language_models_words_are_taken_in_the_vocabularys_letters() -> None:
    model = NGram.of_texts([("three", 1), ("twenty-one", 1), ("naïve", 1)])
    options = DecodeOptions(decoder="beam")
    logs = spoken("THRES", sure=0.8)
    assert decoder(LETTERS, options, str.upper)(logs).text == "THRES"
    assert decoder(LETTERS, options, str.upper, model)(logs).text == "THREE"
    assert decoder(LOWERED, options, str.upper, model)(logs).text == "three"


@pytest.mark.parametrize(("word", "said"), [("50%", "its vocabulary lacks 5, 0, %"), (" ", "has no letters")])
def test_a_hot_word_that_cannot_be_spelled_is_refused(word: str, said: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match=said):
        decoder(LETTERS, DecodeOptions(decoder="beam", hotwords=["CALL", word]), lambda text: text.upper().strip())


def test_a_known_text_is_found_where_it_stands() -> None:
    heard = check_alignment(spoken("CALL ME"), "CALL ME", LETTERS, WHOLE)
    assert heard.text == "CALL ME"
    assert [(word.text, word.start, word.end) for word in heard.words] == [("CALL", 0.0, 0.14), ("ME", 0.2, 0.26)]
    assert heard.confidence == pytest.approx(0.99)
    assert check_alignment(spoken("CALL ME"), "FALL ME", LETTERS, WHOLE).words[0].confidence < 0.2


def test_a_text_that_cannot_be_aligned_says_why() -> None:
    with pytest.raises(AlignmentError, match="the model has no '4', '2'"):
        check_alignment(spoken("CALL ME"), "CALL 42", LETTERS, WHOLE)
    with pytest.raises(AlignmentError, match="needs 12 frames, and the audio has 2"):
        check_alignment(spoken("A"), "CALL ME BACK"[:11], LETTERS, WHOLE)


def test_no_audio_is_no_text() -> None:
    for options in (DecodeOptions(), DecodeOptions(decoder="beam")):
        heard = decoder(LETTERS, options, str.upper)(np.empty((0, len(LETTERS.tokens)), dtype=np.float32))
        assert (heard.text, heard.confidence, heard.words) == ("", 0.0, ())
