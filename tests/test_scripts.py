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


def test_a_batch_on_a_gpu_gets_the_features_and_frames_of_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features within 1e-4; how many frames the encoder makes of them, for all lengths that differ."""
    import torch
    from transformers import ParakeetFeatureExtractor

    monkeypatch.syspath_prepend(SCRIPTS)
    parakeet = importlib.import_module("small_parakeet")
    random = np.random.default_rng(1)
    sound = [random.normal(size=size).astype(np.float32) for size in (3_333, 8_000, 16_001)]
    lengths = torch.tensor([len(one) for one in sound])
    waveforms = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(one) for one in sound], batch_first=True)
    features, mask = parakeet.Features(torch.device("cpu"))(waveforms, lengths)
    theirs = ParakeetFeatureExtractor()(sound, sampling_rate=16_000, return_tensors="pt")
    torch.testing.assert_close(features, theirs["input_features"], atol=1e-4, rtol=0)
    assert bool((mask == theirs["attention_mask"]).all())
    model = parakeet.new_model(1).eval()
    for mel in range(20, 29):
        valid = torch.ones(1, mel, dtype=torch.bool)
        with torch.inference_mode():
            hidden = model.encoder(input_features=torch.zeros(1, mel, parakeet.N_BINS), attention_mask=valid)
        assert int(parakeet.n_frames(torch.tensor([mel * 160]))) == hidden.last_hidden_state.shape[1]


def test_words_of_a_batch_are_said_after_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undistorted but for noise 35 dB below: each row is its words in their order, and nothing stands behind its end."""
    import torch

    monkeypatch.syspath_prepend(SCRIPTS)
    made = importlib.import_module("batch_augmentation")
    random = np.random.default_rng(2)
    words = [(random.normal(size=size) * 3000).astype(np.int16) for size in (4_000, 6_000, 5_000)]
    lengths = torch.tensor([len(word) for word in words])
    speech = made.Speech(torch.from_numpy(np.concatenate(words)), lengths.cumsum(0) - lengths, lengths)
    pieces = torch.tensor([[0, 1], [2, -1], [1, 2]])
    waveforms, ends = made.Augmentation(speech, 3)(pieces, strength=0.0, pause=0.0, silence=0.0)
    assert ends.tolist() == [10_000, 5_000, 11_000]
    for row, said in enumerate(([0, 1], [2], [1, 2])):
        assert not waveforms[row, ends[row] :].any()
        start = 0
        for word in said:  # each at a level of its own
            heard = waveforms[row, start : start + len(words[word])].numpy()
            assert np.corrcoef(heard, words[word])[0, 1] > 0.97
            start += len(words[word])


def test_a_tight_cut_takes_some_of_both_ends_and_fades_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.syspath_prepend(SCRIPTS)
    made = importlib.import_module("batch_augmentation")
    sound = (np.random.default_rng(4).normal(size=16_000) * 3000).astype(np.int16)
    speech = made.Speech(torch.from_numpy(sound), torch.tensor([0]), torch.tensor([len(sound)]))
    pieces = torch.zeros(64, 1, dtype=torch.int64)
    waveforms, ends = made.Augmentation(speech, 3)(pieces, strength=0.0, pause=0.0, silence=0.0, is_tight=True)
    lost = 16_000 - ends.numpy()
    assert 0 <= lost.min() < 500
    assert 1_300 < lost.max() <= 1_920
    middle = waveforms[:, 4_000:8_000].square().mean()
    firsts = waveforms[:, :80].square().mean()
    lasts = torch.stack([row[end - 80 : end] for row, end in zip(waveforms, ends, strict=True)]).square().mean()
    assert firsts < 0.3 * middle
    assert lasts < 0.3 * middle


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_share_of_tight_cuts_is_of_batches_of_single_words(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those batches have at most 20 ms of silence; batches of several words are never cut tightly."""
    import torch

    monkeypatch.syspath_prepend(SCRIPTS)
    made, corpora = importlib.import_module("train_on_gpu"), importlib.import_module("synthesize")
    texts = ["one", "two", "left", "one two", "two left"] * 4
    lengths = np.full(len(texts), 4_800)
    waveforms = np.random.default_rng(5).integers(-3000, 3000, lengths.sum()).astype(np.int16)
    corpus = corpora.Corpus(waveforms, lengths.cumsum() - lengths, lengths, texts, ["espeak:en+m1"] * len(texts))
    batches = made.Batches(corpus, torch.device("cpu"), 4.0, 1, 0, share)
    drawn = []
    batches.augmentation = lambda pieces, strength, pause, silence, tight: (
        drawn.append((pieces, pause, silence, tight)) or (torch.zeros(len(pieces), 4_000), torch.zeros(len(pieces)))
    )
    for step in range(40):
        batches(step)
    single = [texts[int(pieces[0, 0])].count(" ") == 0 and pieces.shape[1] == 1 for pieces, *_ in drawn]
    assert set(single) == {True, False}
    tight = [one for *_, one in drawn]
    assert tight == [share == 1.0 and word for word in single]
    assert all(silence == made.TIGHT_SILENCE for _, _, silence, one in drawn if one)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.25, 1.5), (1.0, 3.0)])
def test_weights_are_mixed_in_shares(
    share: float, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    monkeypatch.syspath_prepend(SCRIPTS)
    for name, value in (("before", 1.0), ("after", 3.0)):
        (tmp_path / name).mkdir()
        save_file({"weight": torch.full((2, 2), value)}, tmp_path / name / "model.safetensors")
        (tmp_path / name / "config.json").write_text(f'{{"name": "{name}"}}')
    importlib.import_module("mix_weights").mix(tmp_path / "before", tmp_path / "after", share, tmp_path / "out")
    weight = load_file(tmp_path / "out" / "model.safetensors")["weight"]
    assert weight.dtype == torch.float16
    assert weight.unique().tolist() == [expected]
    assert "after" in (tmp_path / "out" / "config.json").read_text()
