from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models import checkpoints
from thanosql.errors import ThanoSQLModelError
from thanosql.models.ctc.greedy import greedy
from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.families.waveform_ctc.convolutions import frames

ABC = Vocabulary(("<pad>", "|", "A", "B", "C"))
BASE = ((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2))


def sure(*ids: int, of: int = 5, probability: float = 0.9) -> np.ndarray:
    rest = (1 - probability) / (of - 1)
    return np.log(np.where(np.eye(of)[list(ids)] == 1, probability, rest))


@pytest.mark.parametrize("lower", [False, True])
@settings(deadline=None)
@given(ids=st.lists(st.integers(0, 31), max_size=60))
def test_decoding_is_that_of_transformers(
    ids: list[int], lower: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"decoding-{lower}"
    if not folder.exists():
        folder.mkdir()
        Vocabulary(tuple(checkpoints.LETTERS), lower_case=lower).write(folder)
    assert Vocabulary.read(folder).decode(ids) == _tokenizer(folder).decode(ids)


_TOKENIZERS: dict[Path, object] = {}


def _tokenizer(folder: Path):  # type: ignore[no-untyped-def]
    if folder not in _TOKENIZERS:
        from transformers import Wav2Vec2CTCTokenizer

        _TOKENIZERS[folder] = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    return _TOKENIZERS[folder]


def test_encoding_is_that_of_transformers(tmp_path: Path) -> None:
    vocabulary = Vocabulary(tuple(checkpoints.LETTERS))
    vocabulary.write(tmp_path)
    text = "IT'S A FOX"
    assert vocabulary.encode(text) == _tokenizer(tmp_path)(text).input_ids


@settings(deadline=None)
@given(st.text(alphabet="ABC ", max_size=30))
def test_a_text_survives_encoding_and_decoding_with_blanks_between(text: str) -> None:
    text = " ".join(text.split())
    with_blanks = [number for letter in ABC.encode(text) for number in (letter, ABC.blank)]
    assert ABC.decode(with_blanks) == text


def test_what_the_vocabulary_lacks_is_listed_once_and_special_tokens_are_no_text() -> None:
    vocabulary = Vocabulary(tuple(checkpoints.LETTERS))
    assert vocabulary.missing("A|B5<unk>5") == "|5<unk>"


def test_words_are_divided_by_one_delimiter_and_none_stands_at_the_ends() -> None:
    assert ABC.words([1, 2, 1, 1, 3, 3, 1]) == [2, 1, 3, 3]
    assert ABC.words([1, 1]) == ABC.words([]) == []
    assert ABC.words([2]) == [2]


def test_a_vocabulary_without_word_breaks_misses_the_space() -> None:
    assert Vocabulary(("<pad>", "A")).missing("A A") == " "


@pytest.mark.parametrize("samples", [0, 1, 399, 400, 719, 720, 16_000, 123_457])
def test_frames_are_what_the_convolutions_leave(samples: int) -> None:
    import torch

    left = torch.zeros(1, 1, samples)
    for kernel, stride in zip(*BASE, strict=True):
        if left.shape[-1] < kernel:
            left = left[..., :0]
            break
        left = torch.nn.functional.conv1d(left, torch.ones(1, 1, kernel), stride=stride)
    assert frames(samples, *BASE) == left.shape[-1]


def test_the_confidence_is_the_geometric_mean_of_the_letters_best_frames() -> None:
    logs = np.concatenate([sure(2, probability=0.5), sure(2, probability=0.8), sure(0), sure(3, probability=0.4)])
    found = greedy(logs, ABC)
    assert found.text == "AB"
    assert found.confidence == pytest.approx(math.sqrt(0.8 * 0.4))


def test_the_confidence_of_silence_is_that_of_its_blanks() -> None:
    assert greedy(sure(0, 0, probability=0.7), ABC).confidence == pytest.approx(0.7)
    assert greedy(sure(0, 0), ABC).text == ""


def test_no_frames_are_an_empty_transcript_without_confidence() -> None:
    found = greedy(np.empty((0, 5)), ABC)
    assert (found.text, found.confidence) == ("", 0.0)


def test_a_vocabulary_of_several_languages_is_read_in_the_one_it_is_set_to(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({"eng": {"<pad>": 0, "A": 1}, "kor": {"<pad>": 0, "가": 1}}))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"target_lang": "kor", "pad_token": {"content": "<pad>"}})
    )
    assert Vocabulary.read(tmp_path).tokens == ("<pad>", "가")


def test_tokens_past_the_head_are_left_out_and_gaps_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({"<pad>": 0, "A": 2, "<unk>": 3, "<s>": 4}))
    vocabulary = Vocabulary.read(tmp_path, 4)
    assert vocabulary.tokens == ("<pad>", "<unk>", "A", "<unk>")


def test_a_vocabulary_without_a_blank_is_refused() -> None:
    with pytest.raises(ThanoSQLModelError, match="blank"):
        Vocabulary(("A", "B"))


@pytest.mark.parametrize("name", ["unk_token", "pad_token", "bos_token", "word_delimiter_token"])
@pytest.mark.parametrize("value", [[-1], 7, True, {"content": ["<pad>"]}, {"content": 1.5}])
def test_a_token_that_is_no_text_is_damage(tmp_path: Path, name: str, value: object) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({"<pad>": 0, "a": 1}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({name: value}))
    with pytest.raises(ThanoSQLModelError, match=f"damaged: {name} is"):
        Vocabulary.read(tmp_path)
