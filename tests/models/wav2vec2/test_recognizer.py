from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models import checkpoints
from thanosql.config import Settings
from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError
from thanosql.models import wav2vec2
from thanosql.models.base import TranscribeOptions
from thanosql.models.wav2vec2.recognizer import _batches

OPTIONS = TranscribeOptions(device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("base"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, audio_roots=())


def waves(*samples: int) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [(random.normal(size=count) * 0.1).astype(np.float32) for count in samples]


def test_transcripts_are_those_of_the_pipeline_one_by_one(folder: Path, settings: Settings) -> None:
    from transformers import pipeline

    waveforms = waves(16_000, 4_000, 20_000, 9_000)
    plain = pipeline("automatic-speech-recognition", str(folder))
    expected = [plain(wave.copy())["text"] for wave in waveforms]
    found = wav2vec2.load(str(folder), settings, OPTIONS).transcribe(waveforms, OPTIONS)
    assert [one.text for one in found] == expected
    assert len(set(expected)) == 4, "equal transcripts would hide a wrong order"


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_neither_batch_size_nor_order_changes_an_answer(folder: Path, settings: Settings, batch_size: int) -> None:
    recognizer = wav2vec2.load(str(folder), settings, OPTIONS)
    waveforms = waves(16_000, 4_000, 20_000, 100, 9_000)
    expected = recognizer.transcribe(waveforms, OPTIONS)
    options = dataclasses.replace(OPTIONS, batch_size=batch_size)
    assert recognizer.transcribe(waveforms[::-1], options) == expected[::-1]


def test_audio_too_short_to_be_heard_gives_an_empty_transcript(folder: Path, settings: Settings) -> None:
    recognizer = wav2vec2.load(str(folder), settings, OPTIONS)
    found = recognizer.transcribe(waves(0, 399), OPTIONS)
    assert [(one.text, one.confidence) for one in found] == [("", 0.0)] * 2
    assert recognizer.transcribe([], OPTIONS) == []


def test_a_confidence_is_between_0_and_1(folder: Path, settings: Settings) -> None:
    for one in wav2vec2.load(str(folder), settings, OPTIONS).transcribe(waves(16_000, 4_000), OPTIONS):
        assert 0 < one.confidence < 1


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cpu:1"])
def test_a_device_that_is_not_there_is_an_option_error(folder: Path, settings: Settings, device: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match=device):
        wav2vec2.load(str(folder), settings, TranscribeOptions(device=device))


def test_float16_on_a_cpu_is_an_option_error(folder: Path, settings: Settings) -> None:
    with pytest.raises(ThanoSQLOptionError, match="needs a GPU"):
        wav2vec2.load(str(folder), settings, TranscribeOptions(device="cpu", precision="float16"))


def test_a_vocabulary_that_does_not_fit_the_head_is_a_model_error(tmp_path: Path, settings: Settings) -> None:
    checkpoints.make(tmp_path / "odd")
    checkpoints.write_processor(tmp_path / "odd", ["A", "B", "C"])
    with pytest.raises(ThanoSQLModelError, match="blank"):
        wav2vec2.load(str(tmp_path / "odd"), settings, OPTIONS)


def test_batches_hold_every_utterance_once_longest_first_and_are_bounded() -> None:
    samples = [16_000 * seconds for seconds in (1, 400, 30, 2, 200, 30)]
    batches = _batches(samples, 3)
    assert sorted(index for batch in batches for index in batch) == list(range(6))
    assert batches == [[1], [4, 2], [5, 3, 0]]


def test_texts_that_the_vocabulary_cannot_spell_are_listed_with_their_characters(
    folder: Path, settings: Settings
) -> None:
    with pytest.raises(ThanoSQLDataError) as caught:
        wav2vec2.prepare(str(folder), settings, [(1, "It's fine."), (2, "5 apples"), (3, "Ünder 5%")])
    assert [(row["row"], row["characters"]) for row in caught.value.rows] == [(2, "'5'"), (3, "'Ü5%'")]
    wav2vec2.prepare(str(folder), settings, [(1, "It’s fine — REALLY!")])


def test_the_normalizer_of_a_checkpoint_needs_no_torch(folder: Path, settings: Settings) -> None:
    assert wav2vec2.normalizer(str(folder), settings).normalize("it’s ok!") == "IT'S OK"
    assert torch.is_tensor(torch.zeros(1))
