"""A model's fingerprint follows what its files hold, and neither its name, its version's number nor where it lies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from thanosql.config import Settings
from thanosql.models import checkpoint_files, registry
from thanosql.models.model import Model
from thanosql.models.model_content import content_of
from thanosql.models.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, audio_roots=())


def save(store: Store, name: str, weights: bytes) -> None:
    with store.writing(name, overwrite=True) as draft:
        (draft.folder / "config.json").write_text(json.dumps({"model_type": "wav2vec2"}))
        (draft.folder / "model.safetensors").write_bytes(weights)
        # What a card says of the moment has no more than seconds.
        draft.commit({"created": "2026-11-26T00:00:00+00:00"})


def resolved(store: Store, name: str, settings: Settings) -> Model:
    return registry.resolve(name, False, store, settings)


def test_a_model_that_is_dropped_and_built_again_is_another_one(tmp_path: Path, settings: Settings) -> None:
    store = Store(tmp_path / "models")
    save(store, "mine", b"one")
    old = resolved(store, "mine", settings)
    store.drop("mine")
    save(store, "mine", b"two")
    new = resolved(store, "mine", settings)
    assert (old.version, new.version) == (1, 1)
    assert old.key != new.key  # what the prediction cache tells models apart by
    assert content_of(old) != content_of(new)


def test_a_copy_on_another_machine_is_the_same_one(tmp_path: Path, settings: Settings) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    save(here, "mine", b"one")
    save(there, "filler", b"zero")
    save(there, "yours", b"two")
    save(there, "yours", b"one")
    mine, yours = resolved(here, "mine", settings), resolved(there, "yours", settings)
    assert yours.version == 2
    assert content_of(mine) == content_of(yours)


def test_a_version_without_the_fingerprint_on_its_card_gets_it_from_its_files(
    tmp_path: Path, settings: Settings
) -> None:
    store = Store(tmp_path / "models")
    save(store, "mine", b"one")
    new = resolved(store, "mine", settings)
    path = Path(new.checkpoint) / checkpoint_files.CARD_FILE
    card = {name: value for name, value in json.loads(path.read_text()).items() if name != "content"}
    path.write_text(json.dumps(card))
    old = resolved(store, "mine", settings)
    assert old.card is not None
    assert "content" not in old.card
    assert content_of(old) == content_of(new)


def test_a_folder_is_fingerprinted_by_what_it_holds(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "wav2vec2"}')
    (folder / "model.safetensors").write_bytes(b"one")
    store = Store(tmp_path / "models")

    def found(place: Path) -> str | None:
        return content_of(registry.resolve(str(place), True, store, settings))

    first = found(folder)
    shutil.copytree(folder, tmp_path / "copy")
    assert found(tmp_path / "copy") == first
    (folder / "model.safetensors").write_bytes(b"two")  # as long as before
    assert found(folder) != first
    (folder / "model.safetensors").write_bytes(b"one")
    (folder / "vocab.json").write_text("{}")
    assert found(folder) != first


def test_a_hub_id_that_is_not_here_has_none(tmp_path: Path) -> None:
    assert content_of(Model("m", "nobody/no-such-model", "wav2vec2", "m")) is None
