"""What Granite Speech alone has: its features, computed without torchaudio; pieces in bytes; a vocabulary that stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from tests.models.log_mel import granite
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLModelError
from thanosql.models.ctc.vocabulary import read_vocabulary
from thanosql.models.families import log_mel_ctc
from thanosql.models.families.log_mel_ctc import granite_features
from thanosql.models.families.log_mel_ctc.granite_features import GraniteFeatures
from thanosql.models.options import TranscribeOptions

LENGTHS = (1_120, 1_121, 1_279, 5_000, 16_000, 24_001)


def waves() -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [(random.normal(size=count) * 0.1).astype(np.float32) for count in LENGTHS]


def triangles(bands: int, size: int) -> np.ndarray:
    """Filters `(frequencies, bands)`: triangles between points that are evenly apart in mel (O'Shaughnessy 1987)."""
    points = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8_000 / 700), bands + 2) / 2595) - 1)
    frequencies = np.linspace(0, 8_000, size // 2 + 1)
    return np.stack([np.interp(frequencies, points[band : band + 3], [0.0, 1.0, 0.0]) for band in range(bands)], axis=1)


def by_scipy(wave: np.ndarray) -> np.ndarray:
    """The same features in float64 by scipy: `(frames, 320)`."""
    count = 2 * -(-(len(wave) // 160) // 2)
    wave = np.pad(wave.astype(np.float64), (0, max(0, (count - 1) * 160 + 1 - len(wave))))
    window = np.pad(scipy.signal.get_window("hann", 400), 56)
    padded = np.pad(wave, 256, mode="reflect")
    power = np.stack([np.abs(np.fft.rfft(padded[at * 160 :][:512] * window)) ** 2 for at in range(count)])
    logs = np.log10(np.maximum(power @ triangles(80, 512), 1e-10))
    logs = np.maximum(logs, logs.max() - 8) / 4 + 1
    ends = np.pad(logs, ((1, 1), (0, 0)), mode="edge")
    return np.concatenate([logs, (ends[2:] - ends[:-2]) / 2], axis=1).reshape(count // 2, -1)


def test_the_features_are_those_that_scipy_computes() -> None:
    extractor = GraniteFeatures({}, Path("preprocessor_config.json"))
    for wave in waves():
        found = extractor(wave)
        assert found["attention_mask"].shape == found["input_features"].shape[:2]
        assert np.abs(found["input_features"][0].numpy() - by_scipy(wave)).max() < 1e-4


def test_the_features_are_those_of_transformers_where_torchaudio_loads() -> None:
    try:
        from transformers import GraniteSpeech5FeatureExtractor

        theirs: Any = GraniteSpeech5FeatureExtractor()
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"torchaudio does not load here ({type(error).__name__})")
    for wave in waves():
        expected = theirs(wave, sampling_rate=16_000, return_tensors="pt")
        found = GraniteFeatures({}, Path("preprocessor_config.json"))(wave)
        assert torch.equal(found["attention_mask"], expected["attention_mask"])
        assert (found["input_features"] - expected["input_features"]).abs().max() < 1e-5


def test_the_extractor_is_read_from_either_file_and_written_again(tmp_path: Path) -> None:
    folder = granite(tmp_path / "m")
    said = json.loads((folder / "preprocessor_config.json").read_text()) | {"logmel_floor_db": 6.0}
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": said}))
    extractor = granite_features.read(folder)
    assert extractor is not None
    extractor.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "preprocessor_config.json").read_text()) == said


@pytest.mark.parametrize(
    "change",
    [{"hop_length": 80}, {"n_fft": 10**9}, {"win_length": 513}, {"num_mel_bins": "80"}, {"logmel_floor_db": None}],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = granite(tmp_path / "m")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ThanoSQLModelError, match=r"preprocessor_config\.json is damaged: "):
        granite_features.read(folder)


@pytest.mark.parametrize("said", [5, "ab", [0.5], [*range(9)], {"a": 1}], ids=str)
def test_layers_that_cannot_halve_are_refused(tmp_path: Path, said: object) -> None:
    folder = granite(tmp_path / "m")
    content = json.loads((folder / "config.json").read_text())
    content["encoder_config"]["subsample_layers"] = said
    (folder / "config.json").write_text(json.dumps(content))
    for ask in (log_mel_ctc.facts, lambda path: log_mel_ctc.load(path, TranscribeOptions(device="cpu"))):
        with pytest.raises(ThanoSQLModelError, match="subsample_layers"):
            ask(str(folder))


def test_pieces_in_bytes_are_spelled_as_their_tokenizer_spells_them(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = granite(tmp_path / "m")
    vocabulary, tokenizer = read_vocabulary(folder), AutoTokenizer.from_pretrained(folder)
    half, other = len(vocabulary.tokens) - 2, len(vocabulary.tokens) - 1
    for ids in ([4, 9, half, other, 2], [half, 4], [4, other]):
        assert vocabulary.spell(ids) == tokenizer.decode(ids).strip()
    assert vocabulary.spell([4, half, other]).endswith("é")
    assert vocabulary.spell([4, half]).endswith("\N{REPLACEMENT CHARACTER}")
    assert vocabulary.encode("the nest") == tokenizer(" the nest", add_special_tokens=False).input_ids


@pytest.mark.parametrize("way", ["rebuild", "extend"])
def test_its_vocabulary_stays(tmp_path: Path, session: Session, way: str) -> None:
    folder = granite(tmp_path / "m")
    soundfile.write(tmp_path / "a.wav", waves()[-1], 16_000)
    with pytest.raises(ThanoSQLModelError, match=r"keeps its vocabulary\.(?s:.)*\nLeave the option vocabulary out"):
        session.execute(
            f"BUILD MODEL ours USING '{folder}' OPTIONS (vocabulary='{way}') AS "
            f"SELECT '{tmp_path / 'a.wav'}' AS audio_path, 'a' AS text"
        )
