"""Parakeet and Wav2Vec2-BERT, tiny and random: heard as plain transformers hears them, one by one, at every statement."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.log_mel import KINDS, PIECES, extractor, parakeet
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLModelError, ThanoSQLOptionError
from thanosql.models.families import log_mel_ctc
from thanosql.models.families.log_mel_ctc import checkpoint
from thanosql.models.options import TranscribeOptions

OPTIONS = TranscribeOptions(device="cpu")
# What torch says of LASR's convolutions of an even number of frames.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")


@pytest.fixture(scope="module", params=KINDS, ids=lambda name: name.replace(", ", "-").replace(" ", "-"))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[request.param](tmp_path_factory.mktemp("mel") / "model")


def waves(*lengths: int) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [(random.normal(size=count) * random.uniform(0.01, 0.3)).astype(np.float32) for count in lengths]


LENGTHS = (16_000, 1_000, 5_321, 31_234, 8_000, 12_160, 12_161, 20_480, 9_999, 24_001)


def theirs(folder: Path, wave: np.ndarray) -> tuple[torch.Tensor, str]:
    """What plain transformers makes of an utterance alone, the frames behind its end left out as its `generate` does."""
    from transformers import AutoModelForCTC, AutoTokenizer

    model = AutoModelForCTC.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = extractor(folder)(wave, sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        logs = model(**inputs).logits[0].log_softmax(-1)
        best = model.generate(**inputs)[0] if hasattr(model, "ctc_head") else logs.argmax(-1)
    return logs, tokenizer.decode(best)


def test_log_probabilities_and_transcripts_are_those_of_transformers_one_by_one(folder: Path) -> None:
    recognizer = log_mel_ctc.load(str(folder), OPTIONS)
    sound = waves(*LENGTHS)
    found = recognizer.log_probabilities(sound)
    heard = recognizer.transcribe(sound, OPTIONS)
    for wave, logs, transcript in zip(sound, found, heard, strict=True):
        if recognizer.forward.frames(len(wave)) == 0:  # transformers' own convolutions refuse it
            assert (len(logs), transcript.text) == (0, "")
            continue
        expected, text = theirs(folder, wave)
        assert len(expected) - len(logs) in (0, 1)
        assert float((expected[: len(logs)] - logs).abs().max()) < 1e-4
        assert transcript.text == text.strip()
    assert len({one.text for one in heard}) > 5, "equal transcripts would hide a wrong order"


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_neither_batch_size_nor_order_changes_an_answer(folder: Path, batch_size: int) -> None:
    recognizer = log_mel_ctc.load(str(folder), OPTIONS)
    sound = waves(*LENGTHS)
    expected = recognizer.transcribe(sound, OPTIONS)
    assert recognizer.transcribe(sound[::-1], replace(OPTIONS, batch_size=batch_size)) == expected[::-1]


def test_long_audio_goes_in_windows_whose_frames_are_those_of_the_whole(folder: Path) -> None:
    recognizer = log_mel_ctc.load(str(folder), OPTIONS)
    for samples in (160_000, 160_123, 163_999):
        (whole,) = recognizer.log_probabilities(waves(samples))
        (joined,) = recognizer.log_probabilities(waves(samples), window_seconds=4)
        assert joined.shape == whole.shape
        # Each window is normalized by itself, so that its frames are near those of the whole; a frame off, they are farther.
        near = float((joined - whole).abs().mean())
        later, earlier = (joined[1:] - whole[:-1]).abs().mean(), (joined[:-1] - whole[1:]).abs().mean()
        assert near < 0.85 * min(float(later), float(earlier))
    assert torch.equal(joined, whole) is not recognizer.forward.windowed


@pytest.mark.parametrize("samples", [0, 1, 159, 319])
def test_audio_too_short_for_a_frame_is_an_empty_transcript(folder: Path, samples: int) -> None:
    (found,) = log_mel_ctc.load(str(folder), OPTIONS).transcribe(waves(samples), OPTIONS)
    assert found.text == ""


def test_facts_need_no_loading_and_count_its_frames(folder: Path) -> None:
    facts = log_mel_ctc.facts(str(folder))
    recognizer = log_mel_ctc.load(str(folder), OPTIONS)
    assert facts is not None
    stored = checkpoint.load_model(folder).state_dict().values()
    assert facts.parameters == sum({weight.data_ptr(): weight.numel() for weight in stored}.values())
    assert [facts.geometry.frames(count) for count in LENGTHS] == [
        recognizer.forward.frames(count) for count in LENGTHS
    ]
    buffers = sum(buffer.nbytes for buffer in checkpoint.load_model(folder).buffers())
    assert 4 * facts.parameters - buffers <= recognizer.nbytes <= 4 * facts.parameters
    heard = [len(logs) for logs in recognizer.log_probabilities(waves(*LENGTHS))]
    assert [facts.frames(count) for count in LENGTHS] == heard
    assert facts.flops_per_second > 0


def test_pieces_of_words_are_spelled_and_read() -> None:
    from thanosql.models.ctc.vocabulary import Vocabulary

    vocabulary = Vocabulary(tuple(PIECES), unk="<unk>", bos=None, eos=None, delimiter=None, pieces=True)
    ids = vocabulary.encode("the nest on a hill")
    assert [vocabulary.tokens[number] for number in ids][:3] == ["▁the", "▁", "n"]
    assert vocabulary.spell(ids) == "the nest on a hill"
    assert vocabulary.missing("the quest") == "qu"


def test_every_statement_that_trains_nothing_takes_them(folder: Path, session: Session, fsdd: Path) -> None:
    paths = sorted(fsdd.glob("*.wav"))[::200][:8]
    rows = ", ".join(f"('{path}', 'tea')" for path in paths)
    session.execute("DROP TABLE IF EXISTS said")
    session.execute(f"CREATE TABLE said AS SELECT * FROM (VALUES {rows}) v (audio_path, text)")
    session.execute("UPLOAD MODEL mel FROM :folder", {"folder": folder})
    found = session.execute("PREDICT USING mel OPTIONS (timestamps='word') AS SELECT * FROM said")
    from thanosql.models.audio import read

    assert found.predict_result.to_list() == [theirs(folder, read(str(path), ()))[1].strip() for path in paths]
    assert session.execute("EVALUATE USING mel AS SELECT * FROM said").wer[0] > 0
    said = "'the'" if "arakeet" in (folder / "config.json").read_text() else "'THE'"
    aligned = session.execute(f"ALIGN USING mel AS SELECT audio_path, {said} AS text FROM said LIMIT 2")
    assert all(len([word for word in words if word["word"]]) == 1 for words in aligned.align_result)
    beam = session.execute("PREDICT USING mel OPTIONS (decoder='beam', beam_width=4) AS SELECT * FROM said")
    assert beam.predict_result.str.len().sum() > 0
    for before in ("EXPLAIN PREDICT", "CHECK PREDICT", "EXPLAIN EVALUATE", "CHECK ALIGN"):
        assert session.execute(f"{before} USING mel AS SELECT * FROM said") is not None
    session.settings = replace(session.settings, base_models={"ParakeetEn": str(folder)})
    session.execute("GET THANOSQL MODEL ParakeetEn OPTIONS (model_name='got')")
    got = session.execute("PREDICT USING got AS SELECT * FROM said")
    assert got.predict_result.to_list() == found.predict_result.to_list()


def test_hot_words_and_language_models_are_refused_for_pieces(tmp_path: Path, session: Session, fsdd: Path) -> None:
    folder = parakeet(tmp_path / "m")
    path = min(fsdd.glob("*.wav"))
    query = f"SELECT '{path}' AS audio_path"
    assert len(session.execute(f"PREDICT USING '{folder}' OPTIONS (decoder='beam', beam_width=4) AS {query}")) == 1
    with pytest.raises(ThanoSQLOptionError, match="parts of words"):
        session.execute(f"PREDICT USING '{folder}' OPTIONS (decoder='beam', hotwords=['the']) AS {query}")


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("encoder_config", {"num_hidden_layers": 1_000_000}),
        ("encoder_config", {"subsampling_factor": 0}),
        ("encoder_config", {"hidden_size": "48"}),
        ("encoder_config", {"num_labels": 10**9}),
        (None, {"vocab_size": 10**12}),
        (None, {"num_labels": 10**9}),
        (None, {"vocab_size": 10**12, "encoder_config": {"vocab_size": 5}}),
    ],
)
def test_sizes_that_no_model_has_are_refused(tmp_path: Path, place: str | None, change: dict[str, Any]) -> None:
    folder = parakeet(tmp_path / "m")
    content = json.loads((folder / "config.json").read_text())
    (content[place] if place else content).update(change)
    (folder / "config.json").write_text(json.dumps(content))
    for ask in (
        lambda: log_mel_ctc.facts(str(folder)),
        lambda: log_mel_ctc.load(str(folder), OPTIONS),
        lambda: log_mel_ctc.import_checkpoint(str(folder), tmp_path / "taken"),
    ):
        with pytest.raises(ThanoSQLModelError, match=r"config\.json"):
            ask()


ATTENTION = ("someone/evil-kernel", "kernels-community/flash-attn", {"": "someone/evil-kernel"}, "flash_attention_2", 7)


@pytest.mark.parametrize("said", ATTENTION, ids=str)
@pytest.mark.parametrize("place", ["encoder_config", None])
def test_no_code_that_a_configuration_names_computes_the_attention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None, said: object
) -> None:
    """transformers fetches such code from the hub, and runs it, where the package `kernels` is installed."""
    from transformers import modeling_utils

    asked: list[object] = []
    monkeypatch.setattr(modeling_utils, "lazy_import_flash_attention", lambda *given, **_: asked.append(given))
    folder = parakeet(tmp_path / "m")
    content = json.loads((folder / "config.json").read_text())
    (content[place] if place else content).update(attn_implementation=said, _attn_implementation=said)
    (folder / "config.json").write_text(json.dumps(content))
    log_mel_ctc.load(str(folder), OPTIONS)
    assert asked == []


def test_code_beside_a_model_is_neither_run_nor_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("builtins.input", lambda *given: asked.append(given) or "y")
    folder = parakeet(tmp_path / "m")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    remote = {"feature_extractor_type": "Evil", "auto_map": {"AutoFeatureExtractor": "evil.Evil"}}
    (folder / "preprocessor_config.json").write_text(json.dumps(remote))
    with pytest.raises(ThanoSQLModelError, match="code of its own, and such code is never run"):
        log_mel_ctc.load(str(folder), OPTIONS)
    assert asked == []
    assert not (tmp_path / "ran").exists()


def test_features_that_this_transformers_cannot_compute_name_what_is_wanted(tmp_path: Path) -> None:
    """As Parakeet's were before transformers 5.23, which took librosa for them: nothing is damaged."""
    made = parakeet(tmp_path / "model")
    wants_more = {"feature_extractor_type": "Pop2PianoFeatureExtractor"}  # takes packages that nothing here installs
    (made / "preprocessor_config.json").write_text(json.dumps(wants_more))
    with pytest.raises(ThanoSQLModelError, match="cannot compute the features that model hears") as raised:
        log_mel_ctc.load(str(made), OPTIONS)
    assert "damaged" not in str(raised.value)
    assert "requires" in str(raised.value)
    assert "pip install -U transformers" in str(raised.value)
