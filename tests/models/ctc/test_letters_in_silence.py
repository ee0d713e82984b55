"""A letter that stands in silence, seconds before the rest of its word, belongs to the sound that follows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models.ctc.test_word_bounds import STEP, recording
from thanosql.models.ctc.alignment import spans
from thanosql.models.ctc.checked_alignment import check_alignment
from thanosql.models.ctc.decoder import decoder
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.ctc.word_bounds import WordBounds
from thanosql.models.options import AlignmentOptions, DecodeOptions

VOCABULARY = Vocabulary(("<pad>", "|", "A", "B", "C"), bos=None, eos=None)


def heard(seconds: float, *labels: tuple[float, str]) -> np.ndarray:
    """Log-probabilities of a model that is sure of one label each at a time in seconds, and of the blank else."""
    path = np.zeros(int(seconds / 0.02), dtype=np.int64)
    for time, label in labels:
        path[round(time / 0.02)] = VOCABULARY.ids[label]
    logs = np.full((len(path), len(VOCABULARY.tokens)), np.log(1e-5))
    logs[np.arange(len(path)), path] = np.log(1 - 4e-5)
    assert len(spans(logs, path, VOCABULARY.blank)) == len(labels)
    return logs


@pytest.mark.parametrize("noise", [0.0, 1e-3])
@pytest.mark.parametrize("decode", ["greedy", "beam"])
@pytest.mark.parametrize("silence", [0.4, 0.8, 2.0, 5.0])
def test_a_letter_at_the_first_frame_belongs_to_the_word_after_the_silence(
    silence: float, decode: str, noise: float
) -> None:
    sound = recording((silence, silence + 0.6), seconds=silence + 2, noise=noise)
    logs = heard(silence + 2, (0.0, "A"), (silence + 0.14, "B"), (silence + 0.3, "C"))
    found = decoder(VOCABULARY, DecodeOptions(decoder=decode), str, None)(logs, WordBounds(sound))
    assert found.text == "ABC"
    (word,) = found.words
    assert (word.text, word.start, word.end) == (
        "ABC",
        pytest.approx(silence, abs=STEP),
        pytest.approx(silence + 0.6, abs=STEP),
    )


def test_so_does_one_in_a_silence_between_words() -> None:
    sound = recording((0.5, 1.0), (3.0, 3.6), seconds=5)
    logs = heard(5, (0.56, "A"), (0.8, "B"), (0.9, "|"), (2.0, "C"), (3.14, "A"), (3.3, "B"))
    one, other = decoder(VOCABULARY, DecodeOptions(), str, None)(logs, WordBounds(sound)).words
    assert (one.text, one.end) == ("AB", pytest.approx(1.0, abs=STEP))
    assert (other.text, other.start) == ("CAB", pytest.approx(3.0, abs=STEP))


def test_one_with_a_sound_of_its_own_is_a_word_of_its_own() -> None:
    sound = recording((0.5, 0.7), (2.0, 2.6))
    logs = heard(4, (0.56, "A"), (2.14, "B"), (2.3, "C"))
    words = decoder(VOCABULARY, DecodeOptions(), str, None)(logs, WordBounds(sound)).words
    assert [word.text for word in words] == ["A", "BC"]
    assert words[1].start == pytest.approx(2.0, abs=STEP)


@pytest.mark.parametrize("gaps", [True, False])
def test_a_known_word_is_not_too_long_for_it(gaps: bool) -> None:
    sound = recording((3.0, 3.6), seconds=5)
    logs = heard(5, (0.0, "A"), (3.14, "B"), (3.3, "C"))
    found = check_alignment(logs, "ABC", VOCABULARY, AlignmentOptions(gaps=gaps), bounds=WordBounds(sound))
    (word,) = found.words
    assert (word.start, word.problem, found.problem) == (pytest.approx(3.0, abs=STEP), None, None)


def test_one_whose_letters_have_sounds_seconds_apart_is() -> None:
    sound = recording((0.2, 0.4), (3.0, 3.6), seconds=5)
    logs = heard(5, (0.24, "A"), (3.14, "B"), (3.3, "C"))
    found = check_alignment(logs, "ABC", VOCABULARY, AlignmentOptions(gaps=False), bounds=WordBounds(sound))
    assert [word.problem for word in found.words] == ["too long"]
