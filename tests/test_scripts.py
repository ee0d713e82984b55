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

from thanosql.models.ctc import Vocabulary
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
    pytest.importorskip("espeakng_loader", reason="makes speech with eSpeak NG: pip install thanosql[synthesis]")
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
