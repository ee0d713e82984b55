"""Models that hear log-mel frames are trained: their loss is transformers' own, and what is saved it reads again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.log_mel import KINDS, PIECES, bert, extractor, parakeet
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLModelError
from thanosql.models.ctc.loss import ctc_losses
from thanosql.models.families.log_mel_ctc import granite_features
from thanosql.models.families.log_mel_ctc.training import LogMelCheckpoint, LogMelModel
from thanosql.models.options import TrainOptions

# What torch says of LASR's convolutions of an even number of frames.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
LABELS = [[5, 6, 7, 7], [8], [9, 4, 10, 11, 12, 4, 5], [13, 14]]
LENGTHS = (9_000, 12_345, 24_001, 16_000)
DIGITS = "zero one two three four five six seven eight nine".split()


@pytest.fixture(params=KINDS, ids=lambda name: name.replace(", ", "-"))
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return KINDS[request.param](tmp_path / "model")


def waves() -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [(random.normal(size=count) * random.uniform(0.01, 0.3)).astype(np.float32) for count in LENGTHS]


def loaded(folder: Path) -> LogMelModel:
    """In training mode without dropout, so that two forward passes are one; its head as flat as a new one's."""
    model = LogMelCheckpoint(folder, TrainOptions()).load(None, freeze_feature_encoder=True).train()
    for module in model.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "dropout_positions", "layerdrop", "activation_dropout", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    for config in (model.model.config, getattr(model.model.config, "encoder_config", None)):
        for name in ("layerdrop", "mask_time_prob", "mask_feature_prob"):
            if hasattr(config, name):
                setattr(config, name, 0.0)
    model.model.config.ctc_loss_reduction, model.model.config.ctc_zero_infinity = "mean", True
    return model


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    return found


def test_loss_and_gradients_are_those_of_transformers_with_labels(folder: Path) -> None:
    model = loaded(folder)
    # The labels' padding is what transformers leaves out: Parakeet's the blank, Wav2Vec2-BERT's -100.
    empty = model.model.config.pad_token_id if hasattr(model.model, "ctc_head") else -100
    labels = torch.full((len(LABELS), max(map(len, LABELS))), empty)
    for row, label in enumerate(LABELS):
        labels[row, : len(label)] = torch.tensor(label)
    asked = {"sampling_rate": 16_000, "return_tensors": "pt", "return_attention_mask": True}
    if getattr(model.model.config, "add_adapter", False) or granite_features.read(folder):
        # An adapter's convolutions, and the mel frames that Granite hears, reach into the padding: the loss is that of each
        # utterance alone.
        parts = [extractor(folder)(wave, **asked) for wave in waves()]
        loss = sum(model.model(**part, labels=labels[row : row + 1]).loss for row, part in enumerate(parts)) / 4
    else:
        loss = model.model(**extractor(folder)(waves(), **asked, padding=True), labels=labels).loss
    loss.backward()
    wanted = gradients(model.model)
    logits, lengths = model.logits(model.encode([torch.from_numpy(wave) for wave in waves()]))
    blank = model.model.config.pad_token_id
    found = ctc_losses(logits, lengths, LABELS, blank).mean()
    found.backward()
    assert float(found.detach()) == pytest.approx(float(loss.detach()), abs=1e-4)
    got = gradients(model.model)
    assert got.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert (got[name] - gradient).abs().max() < 1e-4 * max(1.0, float(gradient.abs().max())), name


def test_an_utterance_has_the_logits_that_it_has_alone_whatever_it_is_padded_to(folder: Path) -> None:
    model = loaded(folder).eval()
    features = model.encode([torch.from_numpy(wave) for wave in waves()])
    with torch.inference_mode():
        together, lengths = model.logits(features)
        for row, feature in enumerate(features):
            alone, (length,) = model.logits([feature])
            assert lengths[row] == length
            assert (together[row, :length] - alone[0, :length]).abs().max() < 1e-3
    base = LogMelCheckpoint(folder, TrainOptions())
    assert [base.frames(count) for count in LENGTHS] == lengths.tolist()
    for frames in (1, 2, 7, 50):
        needed = base.samples_needed(frames)
        assert base.frames(needed) >= frames > base.frames(needed - 1)


@pytest.fixture
def digits(session: Session, fsdd: Path) -> Session:
    paths = sorted(fsdd.glob("[0-4]_*.wav"))[::110][:10]
    rows = ", ".join(f"('{path}', '{DIGITS[int(path.name[0])]}')" for path in paths)
    session.execute("DROP TABLE IF EXISTS digits")
    session.execute(f"CREATE TABLE digits AS SELECT * FROM (VALUES {rows}) v (audio_path, text)")
    return session


def theirs(folder: str, session: Session) -> list[str]:
    """What plain transformers makes of each recording alone."""
    from transformers import AutoModelForCTC, AutoTokenizer

    from thanosql.models.audio import read

    model = AutoModelForCTC.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for path in session.execute("SELECT audio_path FROM digits").audio_path:
        inputs = extractor(Path(folder))(read(path, ()), sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**inputs).logits[0]
            best = model.generate(**inputs)[0] if hasattr(model, "ctc_head") else logits.argmax(-1)
        found.append(tokenizer.decode(best).strip())
    return found


@pytest.mark.parametrize("kind", ["parakeet", "lasr", "granite", "bert", "bert, adapter"])
def test_build_and_fit_leave_what_transformers_reads(kind: str, digits: Session, tmp_path: Path) -> None:
    folder = KINDS[kind](tmp_path / "theirs")
    digits.execute("UPLOAD MODEL mel FROM :folder", {"folder": folder})
    query = "SELECT * FROM digits" if "bert" in kind else "SELECT audio_path, 'the' AS text FROM digits"
    options = "batch_size=4, learning_rate=1e-3, max_epochs=2"
    assert digits.execute(f"EXPLAIN BUILD MODEL ours USING mel OPTIONS ({options}) AS {query}") is not None
    assert digits.execute(f"CHECK BUILD MODEL ours USING mel OPTIONS ({options}) AS {query}") is not None
    report = digits.execute(f"BUILD MODEL ours USING mel OPTIONS ({options}) AS {query}")
    heard = digits.execute("PREDICT USING ours AS SELECT * FROM digits").predict_result.to_list()
    assert heard == theirs(report.folder, digits) != theirs(str(folder), digits)
    again = digits.execute(f"FIT MODEL more USING ours OPTIONS ({options}) AS {query}")
    heard = digits.execute("PREDICT USING more AS SELECT * FROM digits").predict_result.to_list()
    assert heard == theirs(again.folder, digits)
    assert json.loads((Path(again.folder) / "config.json").read_text())["model_type"] == folder_type(folder)


def folder_type(folder: Path) -> str:
    return str(json.loads((folder / "config.json").read_text())["model_type"])


@pytest.mark.parametrize("kind", ["parakeet", "lasr", "bert"])
def test_a_vocabulary_is_made_from_the_texts(kind: str, digits: Session, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = KINDS[kind](tmp_path / "theirs")
    report = digits.execute(
        f"BUILD MODEL ours USING '{folder}' OPTIONS (vocabulary='rebuild', normalizer='lower', max_epochs=40, "
        "batch_size=4, learning_rate=3e-3, augment=False) AS SELECT * FROM digits"
    )
    letters = set(AutoTokenizer.from_pretrained(report.folder).get_vocab())
    assert set("".join(DIGITS[:5])) <= letters
    heard = digits.execute("PREDICT USING ours AS SELECT * FROM digits").predict_result.to_list()
    assert heard == theirs(report.folder, digits)
    assert report.loss < 3.5, "it learns"


def test_texts_are_learned_in_the_pieces_that_the_tokenizer_writes(tmp_path: Path) -> None:
    """BPE joins pieces in the order of its merges, which is not always the longest piece from the left."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    from thanosql.models.ctc.vocabulary import read_vocabulary

    folder = parakeet(tmp_path / "m")
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["merges"] = [["t", "h"], ["▁", "a"]]
    content["model"]["vocab"] |= {"th": content["model"]["vocab"].pop("ing")}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert Tokenizer.from_file(str(folder / "tokenizer.json"))
    vocabulary = read_vocabulary(folder)
    for text in ("the nest on a hill", "a", "tooth ant"):
        expected = AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False).input_ids
        assert vocabulary.encode(text) == expected
        assert vocabulary.spell(expected) == text
    assert vocabulary.encode("the nest") != replace(vocabulary, tokenizer=None).encode("the nest")
    with pytest.raises(KeyError):
        vocabulary.encode("quest")


def test_single_letters_are_not_added_to_pieces_of_words(digits: Session, tmp_path: Path) -> None:
    folder = parakeet(tmp_path / "m")
    with pytest.raises(ThanoSQLModelError, match=r"parts of words(?s:.*)\nSay vocabulary='rebuild'"):
        digits.execute(
            f"BUILD MODEL ours USING '{folder}' OPTIONS (vocabulary='extend') AS SELECT audio_path, 'quest' AS text FROM digits"
        )
    assert "q" not in PIECES


def test_a_pretrained_model_gets_a_head(digits: Session, tmp_path: Path) -> None:
    """facebook/w2v-bert-2.0 has no head and no vocabulary."""
    from safetensors.torch import load_file, save_file

    folder = bert(tmp_path / "m")
    weights = {
        name.removeprefix("wav2vec2_bert."): value
        for name, value in load_file(folder / "model.safetensors").items()
        if not name.startswith("lm_head.")
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": None}))
    for name in ("vocab.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ThanoSQLModelError):
        digits.execute(f"PREDICT USING '{folder}' AS SELECT * FROM digits")
    report = digits.execute(
        f"BUILD MODEL ours USING '{folder}' OPTIONS (vocabulary='rebuild', max_epochs=1) AS SELECT * FROM digits"
    )
    heard = digits.execute("PREDICT USING ours AS SELECT * FROM digits").predict_result.to_list()
    assert heard == theirs(report.folder, digits)
