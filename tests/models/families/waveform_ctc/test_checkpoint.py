from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models import checkpoints
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLModelError
from thanosql.models import checkpoint_files
from thanosql.models.ctc.vocabulary import Vocabulary, read_vocabulary
from thanosql.models.families.waveform_ctc import checkpoint
from thanosql.models.text import Normalizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.make(tmp_path_factory.mktemp("base"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def plain(folder: Path) -> dict[str, torch.Tensor]:
    from transformers import Wav2Vec2ForCTC

    return Wav2Vec2ForCTC.from_pretrained(folder).state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_folder_is_loaded_with_the_weights_that_transformers_finds_in_it(folder: Path) -> None:
    model = checkpoint.load_model(checkpoint_files.open(str(folder)).folder)
    assert same(model.state_dict(), plain(folder))
    assert not model.training


@pytest.mark.parametrize("old_names", [True, False])
def test_a_folder_with_only_a_pickle_of_weights_is_loaded(folder: Path, copy: Path, old_names: bool) -> None:
    checkpoints.only_pickled(copy, old_names)
    assert same(checkpoint.load_model(copy).state_dict(), plain(folder))


@pytest.mark.parametrize("read", ["weights", "shapes", "import"])
def test_of_weights_in_several_files_the_missing_ones_are_named(copy: Path, tmp_path: Path, read: str) -> None:
    from transformers import Wav2Vec2ForCTC

    from thanosql.models import weights
    from thanosql.models.families import waveform_ctc

    whole = plain(copy)
    Wav2Vec2ForCTC.from_pretrained(copy).save_pretrained(copy, max_shard_size="40KB")
    (copy / "model.safetensors").unlink(missing_ok=True)
    assert same(checkpoint.load_model(copy).state_dict(), whole)
    parts = sorted(copy.glob("model-*.safetensors"))
    assert len(parts) > 2
    for path in parts[1:3]:
        path.unlink()
    taken = tmp_path / "taken"
    work = {
        "weights": lambda: weights.read_weights(copy),
        "shapes": lambda: weights.tensor_shapes(copy),
        "import": lambda: waveform_ctc.import_checkpoint(str(copy), taken),
    }[read]
    with pytest.raises(ThanoSQLModelError) as refused:
        work()
    assert f"of the {len(parts)} files" in str(refused.value)
    assert f"2 are missing: {parts[1].name}, {parts[2].name}." in str(refused.value)
    assert "damaged" not in str(refused.value)
    assert not taken.exists()


def test_a_pickle_that_holds_more_than_weights_is_refused_and_never_run(copy: Path, tmp_path: Path) -> None:
    class Run:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return os.mkdir, (str(tmp_path / "run"),)

    (copy / "model.safetensors").unlink()
    with open(copy / "pytorch_model.bin", "wb") as file:
        pickle.dump({"weight": Run()}, file)
    with pytest.raises(ThanoSQLModelError, match=r"pytorch_model\.bin"):
        checkpoint.load_model(copy)
    assert not (tmp_path / "run").exists()


def test_the_encoder_alone_gets_a_head_for_a_given_vocabulary(folder: Path, tmp_path: Path) -> None:
    from transformers import Wav2Vec2ForCTC

    Wav2Vec2ForCTC.from_pretrained(folder).wav2vec2.save_pretrained(tmp_path)
    with pytest.raises(ThanoSQLModelError, match="without a CTC head"):
        checkpoint.load_model(tmp_path)
    model = checkpoint.load_model(tmp_path, vocabulary=Vocabulary(("<pad>", "|", "A")))
    assert model.lm_head.weight.shape == (3, 48)
    assert torch.equal(model.wav2vec2.masked_spec_embed, plain(folder)["wav2vec2.masked_spec_embed"])


def test_a_new_vocabulary_keeps_the_rows_of_the_letters_it_shares(folder: Path) -> None:
    model = checkpoint.load_model(folder, vocabulary=Vocabulary(("Ä", "[PAD]", "E"), pad="[PAD]"))
    old = plain(folder)["lm_head.weight"]
    assert torch.equal(model.lm_head.weight[1], old[0])
    assert torch.equal(model.lm_head.weight[2], old[checkpoints.LETTERS.index("E")])
    blank, letters = old[checkpoints.LETTERS.index("<pad>")], old[checkpoints.LETTERS.index("E") :]
    assert torch.allclose(model.lm_head.weight[0], (blank + letters.mean(0)) / 2)
    assert (model.config.vocab_size, model.config.pad_token_id) == (3, 1)


def test_what_is_saved_opens_in_plain_transformers_with_the_same_answers(folder: Path, tmp_path: Path) -> None:
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    model = checkpoint.load_model(folder)
    vocabulary = read_vocabulary(folder)
    normalizer = Normalizer.for_vocabulary(vocabulary)
    checkpoint.save(tmp_path / "saved", model, vocabulary, normalizer, checkpoint.read_features(folder))

    saved = tmp_path / "saved"
    wave = np.random.default_rng(0).normal(size=8000).astype(np.float32)
    answers = []
    for place in (folder, saved):
        processor = Wav2Vec2Processor.from_pretrained(place)
        inputs = processor(wave, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            logits = Wav2Vec2ForCTC.from_pretrained(place).eval()(**inputs).logits
        answers.append((logits, processor.batch_decode(logits.argmax(-1)), sorted(inputs)))
    assert torch.equal(answers[0][0], answers[1][0])
    assert answers[0][1:] == answers[1][1:]
    assert Vocabulary.read(saved) == vocabulary
    assert Normalizer.read(saved, vocabulary) == normalizer
    assert not list(saved.glob("*.bin"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "noise"])
def test_damaged_files_are_a_model_error_that_names_them(copy: Path, name: str, damage: str) -> None:
    path = copy / name
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:50])
    else:
        path.write_bytes(bytes(range(256)) * 4)
    read = read_vocabulary if name == "vocab.json" else checkpoint.load_model
    with pytest.raises(ThanoSQLModelError, match=name.partition(".")[0]):
        read(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "whisper"}, "is not a CTC model that takes raw waveforms"),
        ({"hidden_size": 64}, "do not fit"),
        ({"num_hidden_layers": 3}, "incomplete"),
        ({"feat_extract_norm": "batch"}, "config.json"),
        ({"conv_dim": [1, 2]}, "config.json"),
        ({"hidden_size": "wide"}, "config.json"),
    ],
)
def test_a_config_that_does_not_fit_is_a_model_error(copy: Path, change: dict[str, object], message: str) -> None:
    content = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(content | change))
    with pytest.raises(ThanoSQLModelError, match=message):
        checkpoint.load_model(copy)


def test_another_sampling_rate_is_refused(copy: Path) -> None:
    (copy / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 8000}))
    with pytest.raises(ThanoSQLModelError, match="8000 Hz"):
        checkpoint.read_features(copy)


def test_a_folder_that_is_not_there_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ThanoSQLModelError, match="There is no folder"):
        checkpoint_files.open(str(tmp_path / "nothing"))


CACHE = """
import sys
from thanosql.models import checkpoint_files
from thanosql.models.families.waveform_ctc import checkpoint
found = checkpoint_files.open("facebook/wav2vec2-base-960h")
checkpoint.load_model(found.folder)
print(found.revision, found.folder)
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_hub_s_cache_is_used_offline_and_its_commit_is_recorded(folder: Path, tmp_path: Path) -> None:
    snapshot = checkpoints.into_cache(folder, tmp_path, "facebook/wav2vec2-base-960h")
    done = run(CACHE, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert done.stdout.split() == [snapshot.name, str(snapshot)], done.stderr


@pytest.mark.parametrize(
    ("name", "size", "variable"),
    [
        ("facebook/wav2vec2-base-960h", "378 MB", "THANOSQL_WAV2VEC2EN"),
        ("kresnik/wav2vec2-large-xlsr-korean", "1.27 GB", "THANOSQL_WAV2VEC2KO"),
    ],
)
def test_offline_the_error_says_what_was_wanted_how_large_and_how_to_get_it(
    name: str, size: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ThanoSQLConnectionError) as caught:
        checkpoint_files.open(name)
    for part in (name, size, f"hf download {name}", variable):
        assert part in str(caught.value)


def test_a_hub_that_does_not_answer_is_a_connection_error(tmp_path: Path) -> None:
    code = """
from thanosql.errors import ThanoSQLConnectionError
from thanosql.models import checkpoint_files
from thanosql.models.families.waveform_ctc import checkpoint
try:
    checkpoint_files.open("somebody/something")
except ThanoSQLConnectionError as error:
    print(error)
"""
    done = run(code, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
    assert "somebody/something is not in the hub's cache" in done.stdout, done.stderr


def test_a_cache_with_a_config_but_no_weights_is_not_taken_for_the_model(
    folder: Path, copy: Path, tmp_path: Path
) -> None:
    (copy / "model.safetensors").unlink()
    checkpoints.into_cache(copy, tmp_path / "home", "facebook/wav2vec2-base-960h")
    done = run(CACHE, HF_HOME=str(tmp_path / "home"), HF_HUB_OFFLINE="1")
    assert "ThanoSQLConnectionError" in done.stderr


def test_a_model_that_cannot_be_written_is_an_error_with_its_place(tmp_path: Path) -> None:
    folder = checkpoints.make(tmp_path / "base")
    model, vocabulary = checkpoint.load_model(folder), read_vocabulary(folder)
    (tmp_path / "full" / "model.safetensors" / "in the way").mkdir(parents=True)
    with pytest.raises(ThanoSQLModelError, match="cannot be written to"):
        checkpoint.save(tmp_path / "full", model, vocabulary, Normalizer(), checkpoint.Features())


@pytest.mark.parametrize("error", ["OSError", "RuntimeError"])
def test_a_torchaudio_that_does_not_load_is_kept_out_of_sight_and_named_once(
    folder: Path, tmp_path: Path, error: str
) -> None:
    package = tmp_path / "torchaudio"
    package.mkdir()
    (package / "__init__.py").write_text(f"raise {error}('libcudart.so.13: cannot open shared object file')")
    (tmp_path / "torchaudio-2.11.0.dist-info").mkdir()
    (tmp_path / "torchaudio-2.11.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchaudio\nVersion: 2.11.0\n"
    )
    code = f"""
import logging
logging.basicConfig(level=logging.WARNING)
from thanosql.models import checkpoint_files
from thanosql.models.families.waveform_ctc import checkpoint
from thanosql.models.families.imports import transformers
checkpoint.load_model(checkpoint_files.open({str(folder)!r}).folder)
transformers().Wav2Vec2Processor.from_pretrained({str(folder)!r})
print("loaded")
try:
    import torchaudio
except {error}:
    print("its own words")
"""
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = run(code, PYTHONPATH=path)
    assert done.stdout.split("\n")[:2] == ["loaded", "its own words"], done.stderr
    lines = [line for line in done.stderr.splitlines() if "torchaudio" in line]
    assert len(lines) == 1
    assert "torchaudio 2.11.0 does not load" in lines[0]
    assert "pip uninstall torchaudio" in lines[0]
    if error == "OSError":
        plain = run("import transformers.models.wav2vec2.modeling_wav2vec2", PYTHONPATH=path)
        assert error in plain.stderr, "the broken torchaudio would not have been in the way at all"
