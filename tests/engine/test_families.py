"""Every type of model is taken by every statement, and is what plain transformers has from the same folder."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.models import checkpoints
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLModelError
from thanosql.models.audio import read
from thanosql.models.families.waveform_ctc.architectures import ARCHITECTURES
from thanosql.models.registry import FAMILIES

DIGITS = "zero one two three four five six seven eight nine".split()


@pytest.fixture
def speech(session: Session, fsdd: Path) -> Session:
    """A session with the table digits: ten recordings of people, their text in the capitals that the models have."""
    paths = sorted(fsdd.glob("[0-4]_*.wav"))[::110][:10]
    rows = ", ".join(f"('{path}', '{DIGITS[int(path.name[0])].upper()}')" for path in paths)
    session.execute("DROP TABLE IF EXISTS digits")
    session.execute(f"CREATE TABLE digits AS SELECT * FROM (VALUES {rows}) v (audio_path, text)")
    return session


def plain(folder: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCTC, Wav2Vec2Processor

    return Wav2Vec2Processor.from_pretrained(folder), AutoModelForCTC.from_pretrained(folder).eval()


def heard(folder: str, paths: list[str]) -> list[str]:
    """What transformers makes of each recording alone."""
    processor, model = plain(folder)
    found = []
    for path in paths:
        with torch.inference_mode():
            logits = model(**processor(read(path, ()), sampling_rate=16_000, return_tensors="pt")).logits
        found += processor.batch_decode(logits.argmax(-1))
    return found


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_statement_takes_every_type_of_model(kind: str, speech: Session, tmp_path: Path) -> None:
    sharpness = 100 if kind.startswith("sew") else 20
    folder = checkpoints.make(tmp_path / "theirs", model_type=kind, sharpness=sharpness)
    speech.execute("UPLOAD MODEL theirs FROM :folder", {"folder": folder})
    paths = speech.execute("SELECT audio_path FROM digits").audio_path.to_list()
    expected = heard(str(folder), paths)
    assert len(set(expected)) > 5, "equal transcripts would hide a wrong order"
    result = speech.execute("PREDICT USING theirs OPTIONS (timestamps='word', confidence=True) AS SELECT * FROM digits")
    assert result.predict_result.to_list() == expected
    for options in ("batch_size=1", "batch_size=3", "window_seconds=5"):
        again = speech.execute(f"PREDICT USING '{folder}' OPTIONS ({options}) AS SELECT * FROM digits ORDER BY 1 DESC")
        found = dict(zip(again.audio_path, again.predict_result, strict=True))
        assert [found[path] for path in paths] == expected
    beam = speech.execute("PREDICT USING theirs OPTIONS (decoder='beam', beam_width=4) AS SELECT * FROM digits")
    assert beam.predict_result.str.len().sum() > 0
    assert beam.predict_result.to_list() != expected, "a beam sums what a greedy decoder does not"
    assert len(speech.execute("ALIGN USING theirs AS SELECT * FROM digits").align_result.dropna()) == 10
    assert speech.execute("EVALUATE USING theirs AS SELECT * FROM digits").wer[0] > 0
    assert speech.execute("CHECK BUILD MODEL ours USING theirs AS SELECT * FROM digits") is not None
    assert speech.execute("EXPLAIN BUILD MODEL ours USING theirs AS SELECT * FROM digits") is not None
    speech.settings = dataclasses.replace(speech.settings, base_models={"HubertEn": str(folder)})
    speech.execute("GET THANOSQL MODEL HubertEn OPTIONS (model_name='got')")
    assert speech.execute("PREDICT USING got AS SELECT * FROM digits").predict_result.to_list() == expected
    speech.execute(
        "BUILD MODEL ours USING theirs OPTIONS (max_epochs=1, batch_size=4, learning_rate=1e-3) AS SELECT * FROM digits"
    )
    report = speech.execute("FIT MODEL ours USING ours OPTIONS (max_epochs=1, overwrite=True) AS SELECT * FROM digits")
    assert plain(str(report.folder))[1].config.model_type == kind
    result = speech.execute("PREDICT USING ours AS SELECT * FROM digits")
    assert result.predict_result.to_list() == heard(str(report.folder), paths)
    described = speech.execute("DESCRIBE MODEL ours")
    assert "family" in described.name.to_list()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_long_recordings_go_in_windows(kind: str, tmp_path: Path) -> None:
    from thanosql.models.families import waveform_ctc
    from thanosql.models.options import TranscribeOptions

    folder = checkpoints.make(tmp_path / "m", model_type=kind, sharpness=100 if kind.startswith("sew") else 20)
    recognizer = waveform_ctc.load(str(folder), TranscribeOptions(device="cpu"))
    wave = (np.random.default_rng(1).normal(size=160_123) * 0.1).astype(np.float32)
    (whole,) = recognizer.log_probabilities([wave])
    (joined,) = recognizer.log_probabilities([wave], window_seconds=4)
    assert joined.shape == whole.shape
    assert not torch.equal(joined, whole), "no windows were made"
    assert float((joined.argmax(-1) == whole.argmax(-1)).float().mean()) > 0.75


def test_the_registry_knows_every_architecture() -> None:
    assert [kind for kind, module in FAMILIES.items() if module.endswith("waveform_ctc")] == list(ARCHITECTURES)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("ALIGN USING {} AS {}", "ALIGN"),
        ("EVALUATE USING {} AS {}", "EVALUATE"),
        ("PREDICT USING {} OPTIONS (decoder='beam') AS {}", "decoder='beam'"),
        ("PREDICT USING {} OPTIONS (timestamps='word') AS {}", "timestamps"),
        ("PREDICT USING {} OPTIONS (words_table='w') AS {}", "words_table"),
    ],
)
def test_what_needs_ctc_is_refused_before_any_work(
    statement: str, what: str, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ModuleType("tests_listener")
    package.capabilities = frozenset()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests_listener", package)
    monkeypatch.setitem(FAMILIES, "listener", "tests_listener")
    (tmp_path / "config.json").write_text('{"model_type": "listener"}')
    query = "SELECT 'nowhere.wav' AS audio_path, 'a' AS text"
    for before in ("", "EXPLAIN ", "CHECK "):
        with pytest.raises(ThanoSQLModelError, match=rf"^{what} needs a CTC model; .* is a listener model"):
            session.execute(before + statement.format(f"'{tmp_path}'", query))
