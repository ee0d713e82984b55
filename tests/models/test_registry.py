from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import thanosql
from tests.models import checkpoints
from thanosql.config import Settings
from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files, json_file, registry
from thanosql.models.base import Capability
from thanosql.models.bases import BASES
from thanosql.models.model_cache import ModelCache
from thanosql.models.options import TranscribeOptions
from thanosql.models.store import Store

TINY = Path(thanosql.__file__).parent / "models" / "assets" / "Wav2Vec2Tiny"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, audio_roots=())


def save(store: Store, name: str, overwrite: bool = False) -> None:
    with store.writing(name, overwrite=overwrite) as draft:
        (draft.folder / "config.json").write_text('{"model_type": "wav2vec2"}')
        draft.commit({"family": "wav2vec2", "base": "Wav2Vec2Tiny"})


@pytest.mark.parametrize(
    ("name", "checkpoint"),
    [("Wav2Vec2En", "facebook/wav2vec2-base-960h"), ("Wav2Vec2Ko", "kresnik/wav2vec2-large-xlsr-korean")],
)
def test_the_two_bases_are_their_hub_ids(name: str, checkpoint: str, store: Store, settings: Settings) -> None:
    found = registry.resolve(name, False, store, settings)
    assert (found.checkpoint, found.base, found.family, found.version) == (checkpoint, name, "wav2vec2", None)


def test_the_configuration_points_a_base_elsewhere(store: Store, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, audio_roots=(), base_models={"Wav2Vec2En": str(tmp_path), "Ours": "we/ours"})
    assert registry.resolve("Wav2Vec2En", False, store, settings).checkpoint == str(tmp_path)
    assert registry.resolve("Ours", False, store, settings).checkpoint == "we/ours"


def test_the_configuration_points_a_base_at_another_base(store: Store, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, audio_roots=(), base_models={"Wav2Vec2Ko": "Wav2Vec2TinyKo"})
    found = registry.resolve("Wav2Vec2Ko", False, store, settings)
    assert (found.checkpoint, found.base) == (BASES["Wav2Vec2TinyKo"].checkpoint, "Wav2Vec2Ko")
    assert found.key == registry.resolve("Wav2Vec2TinyKo", False, store, settings).key


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Wav2Vec2Eng", "Wav2Vec2En"), ("wav2vec2ko", "Wav2Vec2Ko"), ("wav2vec2_tiny", "Wav2Vec2Tiny")],
)
def test_a_misspelt_base_gets_the_closest_one(written: str, meant: str, store: Store, settings: Settings) -> None:
    with pytest.raises(ThanoSQLModelError, match=rf"Did you mean {meant}\?"):
        registry.resolve(written, False, store, settings)


def test_a_model_of_the_store_is_its_folder_and_each_version_has_its_own_key(store: Store, settings: Settings) -> None:
    save(store, "digits")
    first = registry.resolve("digits", False, store, settings)
    save(store, "digits", overwrite=True)
    second = registry.resolve("digits", False, store, settings)
    assert (first.version, second.version, second.base) == (1, 2, "Wav2Vec2Tiny")
    assert second.checkpoint == str(store.folder / "digits" / "2")
    assert first.key != second.key
    assert registry.train_defaults(second) == BASES["Wav2Vec2Tiny"].train_defaults != {}


def test_a_string_is_a_folder_or_a_hub_id(store: Store, settings: Settings, tmp_path: Path) -> None:
    assert registry.resolve("owner/name", True, store, settings).checkpoint == "owner/name"
    (tmp_path / "mine").mkdir()
    with pytest.raises(ThanoSQLModelError, match="no config.json"):
        registry.resolve(str(tmp_path / "mine"), True, store, settings)
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "wav2vec2"}')
    before = registry.resolve(str(tmp_path / "mine"), True, store, settings)
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "wav2vec2", "a": 1}')
    assert registry.resolve(str(tmp_path / "mine"), True, store, settings).key != before.key


def test_a_new_name_is_checked_before_anything_is_trained(store: Store, settings: Settings) -> None:
    save(store, "digits")
    with pytest.raises(ThanoSQLModelError, match="exists already"):
        registry.check_new_name("digits", store, settings, overwrite=False)
    registry.check_new_name("digits", store, settings, overwrite=True)


@pytest.mark.parametrize("name", ["Wav2Vec2En", "ours"])
def test_a_bases_name_is_no_name_for_a_new_model(store: Store, settings: Settings, name: str) -> None:
    settings = replace(settings, base_models={"ours": "Wav2Vec2Tiny"})
    with pytest.raises(ThanoSQLModelError, match=f"{name} is the name of a base"):
        registry.check_new_name(name, store, settings, overwrite=True)
    save(store, name)  # as GET does
    registry.check_new_name(name, store, settings, overwrite=True)


def test_a_model_that_is_replaced_while_it_is_resolved_is_looked_for_once_more(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        save(store, "digits", overwrite=True)
    look = checkpoint_files.model_type

    def replaced(folder: Path) -> str:
        monkeypatch.setattr(checkpoint_files, "model_type", look)
        for _ in range(3):  # the version that was found goes: three are kept
            save(store, "digits", overwrite=True)
        return look(folder)

    monkeypatch.setattr(checkpoint_files, "model_type", replaced)
    assert registry.resolve("digits", False, store, settings).version == 6


def test_a_model_that_is_dropped_while_it_is_used_is_said_to_be_gone(store: Store, settings: Settings) -> None:
    save(store, "digits")
    model = registry.resolve("digits", False, store, settings)
    store.drop("digits")
    for read in (
        registry.normalizer,
        registry.facts,
        lambda found: ModelCache().recognizer(found, TranscribeOptions()),
    ):
        with pytest.raises(ThanoSQLModelError, match="another statement has replaced or dropped it"):
            read(model)


def test_to_resolve_and_to_open_the_family_imports_neither_torch_nor_transformers(tmp_path: Path) -> None:
    code = f"""
import sys
from dataclasses import replace
from pathlib import Path
from thanosql.config import Settings
from thanosql.models import checkpoint_files, json_file, registry
from thanosql.models.store import Store
home = Path({str(tmp_path)!r})
found = registry.resolve("Wav2Vec2En", False, Store(home / "models"), Settings(home=home, audio_roots=()))
registry.family(found.family)
print(sorted({{"torch", "transformers", "numpy", "huggingface_hub"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def folder_of(tmp_path: Path, **config: object) -> Path:
    (tmp_path / "mine").mkdir(exist_ok=True)
    (tmp_path / "mine" / "config.json").write_text(json.dumps(config))
    return tmp_path / "mine"


def test_a_model_type_that_nobody_registered_is_refused_with_those_there_are(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ThanoSQLModelError, match=r"of the type 'ears'[^.]*\.\nTake .* types .*, wav2vec2"):
        registry.resolve(str(folder_of(tmp_path, model_type="ears")), True, store, settings)
    with pytest.raises(ThanoSQLModelError, match="has no model_type"):
        registry.resolve(str(folder_of(tmp_path)), True, store, settings)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("whisper", "Whisper model, which writes its text with a decoder"),
        ("moonshine", "Moonshine model, which writes its text with a decoder"),
        ("parakeet_rnnt", "Parakeet RNN-T model, a transducer"),
    ],
)
def test_a_model_without_a_ctc_head_is_refused_with_what_it_is_and_what_would_do(
    store: Store, settings: Settings, tmp_path: Path, kind: str, said: str
) -> None:
    folder = folder_of(tmp_path, model_type=kind)
    for ask in (
        lambda: registry.resolve(str(folder), True, store, settings),
        lambda: registry.import_checkpoint(str(folder), tmp_path / "taken"),
    ):
        with pytest.raises(ThanoSQLModelError, match=f"{said}.*no CTC head.*\\nTake a checkpoint with a CTC head"):
            ask()


def test_an_adapter_without_its_model_is_refused_with_its_cure(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "lora"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    for ask in (
        lambda: registry.resolve(str(folder), True, store, settings),
        lambda: registry.import_checkpoint(str(folder), tmp_path / "taken"),
    ):
        with pytest.raises(ThanoSQLModelError, match=r"an adapter \(LoRA\).*\nMerge it"):
            ask()


def test_what_a_family_cannot_do_is_refused_in_one_sentence(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ModuleType("tests_whisper")
    package.capabilities = frozenset[Capability]()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests_whisper", package)
    monkeypatch.setitem(registry.FAMILIES, "whisper", "tests_whisper")
    model = registry.resolve(str(folder_of(tmp_path, model_type="whisper")), True, store, settings)
    with pytest.raises(ThanoSQLModelError, match=r"^ALIGN needs a CTC model; .* is a whisper model, which gives no "):
        registry.require(model, Capability.CTC, "ALIGN")
    with pytest.raises(ThanoSQLModelError, match=r"^BUILD needs a model that can be trained; .* is a whisper model, "):
        registry.trainable_family_of(model, "BUILD")
    known = registry.resolve("Wav2Vec2Tiny", False, store, settings)
    registry.require(known, Capability.CTC, "ALIGN")


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "tokenizer_config.json", "model.safetensors"])
def test_a_pipe_in_a_models_folder_is_an_error_and_no_wait(name: str, tmp_path: Path) -> None:
    folder = checkpoints.make(tmp_path / "m")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    # The minute counts once everything is imported, which on a machine that does much else takes longer itself.
    code = f"""
import signal, torch, transformers
from thanosql.errors import ThanoSQLModelError
from thanosql.models.families import waveform_ctc
from thanosql.models.options import TranscribeOptions
signal.alarm(60)
for ask in (waveform_ctc.facts, lambda folder: waveform_ctc.load(folder, TranscribeOptions(device="cpu"))):
    try:
        ask({str(folder)!r})
    except ThanoSQLModelError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    # A tokenizer's settings may be missing, and so may weights where only facts are asked for.
    assert done.stdout or name == "tokenizer_config.json"


def test_a_name_of_a_million_letters_is_a_short_error(store: Store, settings: Settings) -> None:
    for literal in (False, True):
        with pytest.raises(ThanoSQLModelError) as caught:
            registry.resolve("a" * 1_000_000, literal, store, settings)
        assert len(str(caught.value)) < 500


def test_an_import_parses_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, asked = json_file.read_text, []
    monkeypatch.setattr(json_file, "read_text", lambda path: (asked.append(path), read(path))[1])
    registry.import_checkpoint(str(TINY), tmp_path / "taken")
    assert TINY / "vocab.json" in asked
    assert sorted(set(asked)) == sorted(asked)
    asked.clear()
    registry.import_checkpoint(str(TINY), tmp_path / "again")
    assert TINY / "vocab.json" in asked  # of another import it is read anew: it may have changed


@pytest.mark.parametrize("name", ["HubertEn", "ParakeetEn", "MMS"])
def test_a_base_of_the_hub_stays_what_it_is(name: str) -> None:
    checkpoint = BASES[name].checkpoint
    assert re.fullmatch(r"[\w-]+/[\w.-]+@[0-9a-f]{40}", checkpoint), checkpoint
