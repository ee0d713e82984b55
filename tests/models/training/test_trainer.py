from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models import checkpoints
from tests.models.in_memory import task, train
from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError, ThanoSQLResourceError
from thanosql.models.audio import AudioError
from thanosql.models.families.waveform_ctc.checkpoint import load_model
from thanosql.models.options import TrainOptions
from thanosql.models.results import TrainingProgress, TrainingReport, TrainingUtterance
from thanosql.models.training import precision
from thanosql.models.training.doubts import doubts
from thanosql.models.training.epoch_metrics import Best
from thanosql.models.training.seeding import generator

PITCHES = {"E": 300.0, "T": 700.0, "A": 1_500.0, "O": 3_000.0}  # Hz: a language of whistles
OPTIONS = TrainOptions(batch_size=4, max_epochs=2, learning_rate=1e-3, max_seconds=30, precision="float32")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("base"), **checkpoints.LARGE, mask_time_prob=0.05, layerdrop=0.1)


def utterances(count: int = 10) -> list[TrainingUtterance]:
    draw = generator("whistles", 0)
    texts = ["".join(draw.choice(list(PITCHES), int(draw.integers(1, 4)))) for _ in range(count)]
    return [TrainingUtterance(row, f"{row}.wav", text, 0.2 * len(text)) for row, text in enumerate(texts, 1)]


def whistle(text: str) -> np.ndarray:
    time = np.arange(int(0.2 * 16_000)) / 16_000
    return np.concatenate([0.5 * np.sin(2 * np.pi * PITCHES[letter] * time) for letter in text]).astype(np.float32)


def run(
    base: Path,
    folder: Path,
    options: TrainOptions = OPTIONS,
    rows: list[TrainingUtterance] | None = None,
    progress: Callable[[TrainingProgress], None] = lambda step: None,
    read: Callable[[str | bytes], np.ndarray] | None = None,
) -> TrainingReport:
    rows = rows or utterances()
    texts = {row.audio: row.text for row in rows}
    return train(task(base, rows, options, folder, read or (lambda audio: whistle(texts[audio]))), progress)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in load_model(folder).state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_whistled_language_is_learned(base: Path, tmp_path: Path) -> None:
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    options = replace(OPTIONS, max_epochs=20, learning_rate=1e-2, batch_size=8, augment=False, seed=1)
    heard: list[TrainingProgress] = []
    report = run(base, tmp_path / "model", options, utterances(64), heard.append)
    assert report.history[-1].loss < 0.3 * report.history[0].loss
    assert report.loss == report.history[-1].loss
    assert (report.steps, report.epochs, report.utterances) == (160, 20, 64)
    assert [step.step for step in heard] == list(range(1, 161))
    assert not report.warnings
    model = Wav2Vec2ForCTC.from_pretrained(tmp_path / "model")
    processor = Wav2Vec2Processor.from_pretrained(tmp_path / "model")
    right = 0
    for text in ("EAT", "TO", "A", "OAT", "TEA"):
        values = processor(whistle(text), sampling_rate=16_000, return_tensors="pt").input_values
        with torch.no_grad():
            right += processor.batch_decode(model(values).logits.argmax(-1)) == [text]
    assert right >= 4


def test_one_seed_gives_one_model_to_the_last_bit_and_another_seed_another(base: Path, tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    reports = [run(base, first), run(base, again), run(base, other, replace(OPTIONS, seed=1))]
    assert same(weights(first), weights(again))
    assert [epoch.loss for epoch in reports[0].history] == [epoch.loss for epoch in reports[1].history]
    assert not same(weights(first), weights(other))


def test_the_feature_encoder_stays_as_it_is_unless_it_is_let_go(base: Path, tmp_path: Path) -> None:
    before = weights(base)
    for frozen in (True, False):
        run(base, tmp_path / str(frozen), replace(OPTIONS, freeze_feature_encoder=frozen))
        after = weights(tmp_path / str(frozen))
        encoder = {name for name in before if name.startswith("wav2vec2.feature_extractor")}
        assert all(torch.equal(before[name], after[name]) for name in encoder) is frozen
        assert not torch.equal(before["lm_head.weight"], after["lm_head.weight"])


def test_a_step_split_by_max_seconds_is_the_same_step(tmp_path: Path) -> None:
    base = checkpoints.make(
        tmp_path / "base",
        **checkpoints.LARGE,
        **dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout"), 0.0),
        **dict.fromkeys(("feat_proj_dropout", "final_dropout", "layerdrop", "mask_time_prob"), 0.0),
    )
    losses = []
    for max_seconds in (30.0, 1.0):
        options = replace(OPTIONS, max_seconds=max_seconds, augment=False)
        report = run(base, tmp_path / str(max_seconds), options)
        losses.append([epoch.loss for epoch in report.history])
        assert report.steps == 6
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_callers_random_numbers_go_on_as_if_nothing_had_been_trained(base: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    expected = float(torch.rand(())), float(np.random.rand())
    torch.manual_seed(5)
    np.random.seed(5)
    run(base, tmp_path / "model")
    assert (float(torch.rand(())), float(np.random.rand())) == expected


def test_rows_that_cannot_be_learned_from_are_left_out_and_listed(base: Path, tmp_path: Path) -> None:
    rows = [
        *utterances(4),
        TrainingUtterance(5, "5.wav", "...", 0.4),
        TrainingUtterance(6, "6.wav", "ETAOETAOETAO", 0.1),
        TrainingUtterance(7, "7.wav", "EAT", 31.0),
    ]
    report = run(base, tmp_path / "model", replace(OPTIONS, max_epochs=1), rows)
    assert report.utterances == 4
    assert report.learned == (1, 2, 3, 4)
    assert [row["row"] for row in report.skipped] == [5, 6, 7]
    assert "normalization" in report.skipped[0]["reason"]
    assert "frames" in report.skipped[1]["reason"]
    assert "max_seconds" in report.skipped[2]["reason"]


def test_a_row_as_long_as_max_seconds_is_learned_from(base: Path, tmp_path: Path) -> None:
    rows = [TrainingUtterance(1, "1.wav", "TEATEA", float(np.float32(1.2)))]
    options = replace(OPTIONS, max_epochs=1, max_seconds=1.2)
    assert run(base, tmp_path / "model", options, rows).utterances == 1
    with pytest.raises(ThanoSQLDataError, match="None of the 1 rows"):
        run(base, tmp_path / "longer", options, [replace(rows[0], seconds=1.2001)])


def test_when_no_row_is_left_nothing_is_trained(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ThanoSQLDataError, match="None of the 1 rows") as caught:
        run(base, tmp_path / "model", rows=[TrainingUtterance(1, "1.wav", "!", 1.0)])
    assert caught.value.rows[0]["row"] == 1
    assert not (tmp_path / "model").exists()


def test_characters_outside_the_vocabulary_are_named_with_their_rows(base: Path, tmp_path: Path) -> None:
    rows = [*utterances(3), TrainingUtterance(4, "4.wav", "eat 5", 1.0)]
    with pytest.raises(ThanoSQLDataError) as caught:
        run(base, tmp_path / "model", rows=rows)
    assert caught.value.rows == [{"row": 4, "text": "eat 5", "characters": "5"}]


def test_audio_that_cannot_be_read_is_named_with_its_row(base: Path, tmp_path: Path) -> None:
    def read(audio: str | bytes) -> np.ndarray:
        if audio == "3.wav":
            raise AudioError("empty file: 3.wav")
        return whistle("TEA")

    with pytest.raises(ThanoSQLDataError) as caught:
        run(base, tmp_path / "model", read=read)
    assert caught.value.rows == [{"row": 3, "audio": "3.wav", "reason": "empty file: 3.wav"}]


def test_a_loss_that_is_not_finite_stops_the_run_and_says_what_to_change(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ThanoSQLModelError, match="no longer finite at step 1 of 6") as caught:
        run(base, tmp_path / "model", read=lambda audio: np.full(9_600, np.nan, np.float32))
    assert "learning_rate" in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_a_run_whose_outputs_are_all_blank_says_so(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    deaf = Path(shutil.copytree(base, tmp_path / "deaf"))
    content = load_file(deaf / "model.safetensors")
    content["lm_head.bias"][0] = 1e4
    save_file(content, deaf / "model.safetensors", metadata={"format": "pt"})
    report = run(deaf, tmp_path / "model", replace(OPTIONS, max_epochs=1))
    assert len(report.warnings) == 1
    assert "blank" in report.warnings[0]


def test_a_run_that_fell_silent_after_an_epoch_that_spoke_is_not_called_blank() -> None:
    run = SimpleNamespace(spoken=0, steps=6, best=Best(epoch=1))
    assert doubts(run, OPTIONS, 0.2) == []  # type: ignore[arg-type]
    assert "blank" in doubts(run, OPTIONS, 1.0)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "rows"), [(0.0, "training rows"), (0.3, "validation set")])
def test_a_run_that_ends_no_better_than_silence_says_so_with_the_likely_cause(
    base: Path, tmp_path: Path, share: float, rows: str
) -> None:
    report = run(base, tmp_path / "model", replace(OPTIONS, max_epochs=1, learning_rate=1e-9, valid_split=share))
    (warning,) = report.warnings
    assert f"The WER on the {rows} is" in warning
    assert "learning_rate (1e-09)" in warning


def test_an_interrupt_passes_through_and_leaves_no_thread_and_no_model(base: Path, tmp_path: Path) -> None:
    def interrupt(step: TrainingProgress) -> None:
        if step.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "model", progress=interrupt)
    assert not (tmp_path / "model").exists()
    assert not any(thread.name.startswith("thanosql-read-ahead") for thread in threading.enumerate())


def test_a_base_that_was_only_pretrained_is_refused_in_plain_words(base: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(base, tmp_path / "bare"))
    (bare / "vocab.json").unlink()
    weights = {
        name: value for name, value in load_file(bare / "model.safetensors").items() if not name.startswith("lm_head")
    }
    save_file(weights, bare / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ThanoSQLModelError, match="pretrained"):
        run(bare, tmp_path / "model")


def test_memory_that_does_not_suffice_is_an_error_with_its_cure(base: Path, tmp_path: Path) -> None:
    def read(audio: str | bytes) -> np.ndarray:
        torch.empty(1 << 50)
        return whistle("TEA")

    with pytest.raises(ThanoSQLResourceError, match="not enough memory for one forward") as caught:
        run(base, tmp_path / "model", read=read)
    assert "max_seconds below 30" in str(caught.value)


def test_a_device_that_is_not_there_is_an_option_error(base: Path, tmp_path: Path) -> None:
    for name in ("tpu9", "cuda:77"):
        with pytest.raises(ThanoSQLOptionError, match=name):
            run(base, tmp_path / "model", replace(OPTIONS, device=name))


def test_frames_of_a_frozen_encoder_are_computed_once_where_the_audio_is_not_varied(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thanosql.models.families.waveform_ctc import training_forward

    passes: list[int] = []
    encode: Callable[..., Any] = training_forward.encode

    def counted(model: Any, waveforms: Any, *folded: Any) -> Any:
        passes.append(len(waveforms))
        return encode(model, waveforms, *folded)

    monkeypatch.setattr(training_forward, "encode", counted)
    run(base, tmp_path / "kept", replace(OPTIONS, augment=False))
    asked = 10  # once it is done, the model is asked for its rows
    assert sum(passes) == 10 + asked
    passes.clear()
    run(base, tmp_path / "varied")
    assert sum(passes) == 20 + asked


@pytest.mark.parametrize("augment", [True, False])
def test_a_row_of_ten_minutes_among_short_ones_makes_no_forward_pass_longer(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augment: bool
) -> None:
    from thanosql.models.families.waveform_ctc import training_forward

    passes: list[float] = []
    logits: Callable[..., Any] = training_forward.frame_logits

    def padded(model: Any, features: Any, *masks: Any, **how: Any) -> Any:
        passes.append(len(features) * max(map(len, features)) / 50)
        return logits(model, features, *masks, **how)

    monkeypatch.setattr(training_forward, "frame_logits", padded)
    rows = [
        *utterances(10),
        TrainingUtterance(11, "11.wav", "TEA", 600.0),
        TrainingUtterance(12, "12.wav", "A" * 9, 1.8),
    ]
    texts = {row.audio: row.text for row in rows}

    def read(audio: str | bytes) -> np.ndarray:
        assert audio != "11.wav"
        return whistle(texts[audio])

    report = run(base, tmp_path / "model", replace(OPTIONS, max_seconds=2.5, augment=augment), rows, read=read)
    assert [row["row"] for row in report.skipped] == [11]
    assert "600.0 s long" in report.skipped[0]["reason"]
    assert report.utterances == 11
    assert max(passes) <= 2.5


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"_is_avx512_bf16_supported": True}, "bfloat16"),
        ({"_is_amx_tile_supported": True}, "bfloat16"),
        ({}, "float32"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], expected: str
) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: found.get(name, False), raising=False)
    assert precision.of_training("auto", torch.device("cpu")) == expected
    assert precision.of_training("float32", torch.device("cpu")) == "float32"


def test_bfloat16_trains_to_about_the_same_loss(base: Path, tmp_path: Path) -> None:
    exact, rough = (
        run(base, tmp_path / precision, replace(OPTIONS, precision=precision)) for precision in ("float32", "bfloat16")
    )
    assert rough.loss == pytest.approx(exact.loss, rel=0.05)
    assert all(value.dtype == torch.float32 for value in weights(tmp_path / "bfloat16").values())
    assert (exact.precision, rough.precision) == ("float32", "bfloat16")
