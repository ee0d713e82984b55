from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models import checkpoints
from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError, ThanoSQLResourceError
from thanosql.models.ctc.recognizer import _batches
from thanosql.models.families import waveform_ctc
from thanosql.models.options import TrainOptions, TranscribeOptions

OPTIONS = TranscribeOptions(device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("base"))


def waves(*samples: int) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [(random.normal(size=count) * 0.1).astype(np.float32) for count in samples]


def test_transcripts_are_those_of_the_pipeline_one_by_one(folder: Path) -> None:
    from transformers import pipeline

    waveforms = waves(16_000, 4_000, 20_000, 9_000)
    plain = pipeline("automatic-speech-recognition", str(folder))
    expected = [plain(wave.copy())["text"] for wave in waveforms]
    found = waveform_ctc.load(str(folder), OPTIONS).transcribe(waveforms, OPTIONS)
    assert [one.text for one in found] == expected
    assert len(set(expected)) == 4, "equal transcripts would hide a wrong order"


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_neither_batch_size_nor_order_changes_an_answer(folder: Path, batch_size: int) -> None:
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    waveforms = waves(16_000, 4_000, 20_000, 100, 9_000)
    expected = recognizer.transcribe(waveforms, OPTIONS)
    options = dataclasses.replace(OPTIONS, batch_size=batch_size)
    assert recognizer.transcribe(waveforms[::-1], options) == expected[::-1]


def test_audio_too_short_to_be_heard_gives_an_empty_transcript(folder: Path) -> None:
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    found = recognizer.transcribe(waves(0, 399), OPTIONS)
    assert [(one.text, one.confidence) for one in found] == [("", 0.0)] * 2
    assert recognizer.transcribe([], OPTIONS) == []


@pytest.mark.parametrize("changes", [checkpoints.BASE, checkpoints.LARGE], ids=["group", "layer"])
def test_windows_of_long_audio_are_joined_to_what_the_whole_gives(tmp_path: Path, changes: dict[str, Any]) -> None:
    recognizer = waveform_ctc.load(str(checkpoints.make(tmp_path / "m", **changes)), OPTIONS)
    (whole,) = recognizer.log_probabilities(waves(160_123))
    (joined,) = recognizer.log_probabilities(waves(160_123), window_seconds=4)
    assert joined.shape == whole.shape
    assert float((joined.argmax(-1) == whole.argmax(-1)).float().mean()) > 0.9
    assert not torch.equal(joined, whole), "no windows were made"


def test_long_audio_is_heard_in_windows_of_the_option(folder: Path) -> None:
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    longest: list[int] = []
    forward = recognizer.forward

    class Watched:
        frames, geometry, windowed, squeeze = forward.frames, forward.geometry, True, 1

        def __call__(self, waveforms: list[np.ndarray]) -> list[torch.Tensor]:
            longest.extend(map(len, waveforms))
            return forward(waveforms)

    recognizer.forward = Watched()  # type: ignore[assignment]
    recognizer.transcribe(waves(200_000), dataclasses.replace(OPTIONS, window_seconds=3))
    assert max(longest) <= 3 * 16_000 + 400
    assert len(longest) > 4


def test_out_of_memory_halves_the_batch_and_says_so(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    waveforms = waves(4_000, 5_000, 6_000, 7_000, 8_000)
    expected = recognizer.transcribe(waveforms, OPTIONS)
    forward = recognizer.forward

    class Small:
        frames, geometry, windowed, squeeze = forward.frames, forward.geometry, True, 1

        def __call__(self, waveforms: list[np.ndarray]) -> list[torch.Tensor]:
            if sum(map(len, waveforms)) > 9_000:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(waveforms)

    recognizer.forward = Small()  # type: ignore[assignment]
    assert recognizer.transcribe(waveforms, OPTIONS) == expected
    assert "Out of memory with 5 utterances at once; continuing with 2" in caplog.text
    with pytest.raises(ThanoSQLResourceError, match=r"There is not enough memory for 0\.6 s"):
        recognizer.transcribe(waves(10_000), OPTIONS)


def test_a_model_that_gives_no_numbers_is_a_model_error(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = checkpoints.make(tmp_path / "broken") / "model.safetensors"
    weights = load_file(path)
    weights["lm_head.bias"][3] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ThanoSQLModelError, match="NaN"):
        waveform_ctc.load(str(tmp_path / "broken"), OPTIONS).transcribe(waves(4_000), OPTIONS)


def test_the_loss_of_a_reference_is_that_of_transformers(folder: Path) -> None:
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    wave = waves(16_000)
    processor, model = Wav2Vec2Processor.from_pretrained(folder), Wav2Vec2ForCTC.from_pretrained(folder).eval()
    model.config.ctc_loss_reduction = "sum"
    heard = recognizer.assess(wave, ["HELLO WORLD"], OPTIONS)[0]
    for text, found in (("HELLO WORLD", heard.reference_loss), (heard.transcript.text, heard.hypothesis_loss)):
        inputs = processor(wave[0], sampling_rate=16_000, return_tensors="pt")
        if "<" not in text:
            labels = processor.tokenizer(text, return_tensors="pt").input_ids
            assert found == pytest.approx(float(model(**inputs, labels=labels).loss.detach()), rel=1e-4)
    assert heard.transcript == recognizer.transcribe(wave, OPTIONS)[0]


def test_a_reference_that_cannot_be_spelt_has_no_loss_and_one_that_cannot_fit_an_infinite_one(folder: Path) -> None:
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    losses = [
        one.reference_loss
        for one in recognizer.assess(waves(2_000, 2_000, 10, 10), ["5", "LONG" * 9, "A", ""], OPTIONS)
    ]
    assert math.isnan(losses[0])
    assert losses[1:] == [math.inf, math.inf, 0.0]


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 0.02),
        ({"add_adapter": True, "num_adapter_layers": 1}, 0.04),
        ({"add_adapter": True, "num_adapter_layers": 2, "adapter_stride": 3}, 0.18),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, 0.01),
    ],
)
def test_frames_are_as_long_as_the_model_makes_them(tmp_path: Path, changes: dict[str, Any], seconds: float) -> None:
    folder = checkpoints.make(tmp_path / "m", **checkpoints.LARGE | changes)
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    assert recognizer.frame_seconds == pytest.approx(seconds)
    (logs,) = recognizer.log_probabilities(waves(64_000))
    assert len(logs) * seconds == pytest.approx(4.0, abs=2 * seconds + 0.02)


def test_words_of_a_model_that_shortens_time_are_timed_over_the_whole_audio(tmp_path: Path) -> None:
    from thanosql.models.ctc import decoder
    from thanosql.models.options import DecodeOptions

    folder = checkpoints.make(tmp_path / "m", **checkpoints.LARGE, add_adapter=True, num_adapter_layers=1)
    recognizer = waveform_ctc.load(str(folder), OPTIONS)
    (logs,) = recognizer.log_probabilities(waves(64_000))
    decode = decoder.decoder(
        recognizer.vocabulary, DecodeOptions(), str, level="char", frame_seconds=recognizer.frame_seconds
    )
    words = decode(logs.numpy()).words
    assert 3.0 < words[-1].end <= 4.0 + recognizer.frame_seconds


def test_a_confidence_is_between_0_and_1(folder: Path) -> None:
    for one in waveform_ctc.load(str(folder), OPTIONS).transcribe(waves(16_000, 4_000), OPTIONS):
        assert 0 < one.confidence < 1


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cpu:1"])
def test_a_device_that_is_not_there_is_an_option_error(folder: Path, device: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match=device):
        waveform_ctc.load(str(folder), TranscribeOptions(device=device))


def test_float16_on_a_cpu_is_an_option_error(folder: Path) -> None:
    with pytest.raises(ThanoSQLOptionError, match="needs a GPU"):
        waveform_ctc.load(str(folder), TranscribeOptions(device="cpu", precision="float16"))


def test_a_vocabulary_that_does_not_fit_the_head_is_a_model_error(tmp_path: Path) -> None:
    checkpoints.make(tmp_path / "odd")
    checkpoints.write_processor(tmp_path / "odd", ["A", "B", "C"])
    with pytest.raises(ThanoSQLModelError, match="blank"):
        waveform_ctc.load(str(tmp_path / "odd"), OPTIONS)


def test_batches_hold_every_utterance_once_longest_first_and_are_bounded() -> None:
    samples = [16_000 * seconds for seconds in (1, 400, 30, 2, 200, 30)]
    batches = _batches(samples, 3)
    assert sorted(index for batch in batches for index in batch) == list(range(6))
    assert batches == [[1], [4, 2], [5, 3, 0]]


def test_texts_that_the_vocabulary_cannot_spell_are_listed_with_their_characters(folder: Path) -> None:
    with pytest.raises(ThanoSQLDataError) as caught:
        waveform_ctc.prepare(str(folder), [(1, "It's fine."), (2, "5 apples"), (3, "Ünder 5%")], TrainOptions())
    assert [(row["row"], row["characters"]) for row in caught.value.rows] == [(2, "'5'"), (3, "'Ü5%'")]
    waveform_ctc.prepare(str(folder), [(1, "It’s fine — REALLY!")], TrainOptions())


def test_the_normalizer_of_a_checkpoint_needs_no_torch(folder: Path) -> None:
    assert waveform_ctc.normalizer(str(folder)).normalize("it’s ok!") == "IT'S OK"
    assert torch.is_tensor(torch.zeros(1))
