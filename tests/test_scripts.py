"""The scripts that made what the package carries: their examples hold, and they make it again."""

from __future__ import annotations

import doctest
import filecmp
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from thanosql.models.ctc.vocabulary import Vocabulary
from thanosql.models.datasets import ASSETS

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@pytest.mark.parametrize("name", ["spoken_texts", "korean_texts"])
def test_the_examples_in_a_script_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 0) == (0, True)


def test_every_korean_text_can_be_spelled_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    texts = importlib.import_module("korean_texts")
    vocabulary = Vocabulary.read(ASSETS / "Wav2Vec2TinyKo")
    rng = np.random.default_rng(7)
    for make in (texts.one_word, texts.some_words, texts.over_the_telephone):
        for text in (make(rng) for _ in range(2000)):
            assert vocabulary.missing(text) == "", text
            assert len(texts.said(text).replace(",", "")) == len(text)


def test_the_korean_data_set_is_made_again(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="makes speech with eSpeak NG: pip install thanosql-speech[synthesis]")
    shipped = ASSETS / "spoken_numbers_ko"
    command = [sys.executable, SCRIPTS / "make_spoken_numbers.py", "--language", "ko", "--out", tmp_path / "again"]
    subprocess.run(command, check=True, capture_output=True)
    files = sorted(path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.*"))
    assert len(files) == 300 + 90 + 3
    for name in files:
        if name.suffix == ".flac":  # other processors may round otherwise: a step of the 11 bits
            samples = [soundfile.read(folder / name, dtype="float32")[0] for folder in (shipped, tmp_path / "again")]
            np.testing.assert_allclose(samples[0], samples[1], atol=1.5 / 1024)
        else:
            assert filecmp.cmp(shipped / name, tmp_path / "again" / name, shallow=False), name


def test_what_espeak_says_is_written_in_kokoros_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("espeakng_loader", reason="makes speech with eSpeak NG: pip install thanosql-speech[synthesis]")
    monkeypatch.syspath_prepend(SCRIPTS)
    voices, kokoro = importlib.import_module("voices"), importlib.import_module("kokoro")
    engine = voices._espeak_engine()
    said = {}
    for accent, british in (("en-us", False), ("en-gb-x-rp", True)):
        engine.set_voice(accent)
        words = ("one", "four", "nine", "thirteen", "go")
        said[british] = [kokoro._letters(engine.phonemes(word, ipa=True, tied=True), british) for word in words]
    assert said[False] == ["wˈʌn", "fˈɔɹ", "nˈIn", "θˈɜɹtin", "ɡˈO"]
    assert said[True] == ["wˈʌn", "fˈɔː", "nˈIn", "θˈɜːtiːn", "ɡˈQ"]


def test_two_of_kokoros_speakers_make_a_third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.setenv("KOKORO_SPEAKERS", str(tmp_path))
    kokoro = importlib.import_module("kokoro")
    for name, value in (("am_adam", 1.0), ("bf_emma", 3.0)):
        np.full((510, 256), value, np.float32).tofile(tmp_path / f"{name}.bin")
    assert kokoro._style("am_adam", 4).shape == (1, 256)
    assert set(kokoro._style("am_adam+bf_emma*0.25", 4).ravel()) == {1.5}
    drawn = [kokoro.random_speaker(np.random.default_rng(seed)) for seed in range(50)]
    assert all(name.split("+")[0] in kokoro.ENGLISH for name in drawn)
    assert {"+" in name for name in drawn} == {True, False}
