from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models import checkpoints
from thanosql.config import Settings
from thanosql.models import registry
from thanosql.models.model_cache import ModelCache
from thanosql.models.options import TranscribeOptions
from thanosql.models.store import Store

OPTIONS = TranscribeOptions(device="cpu")


def save(store: Store, name: str, seed: int) -> None:
    with store.writing(name, overwrite=True) as draft:
        checkpoints.make(draft.folder, seed=seed)
        draft.commit({"family": "wav2vec2", "base": "Wav2Vec2Tiny"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, audio_roots=())


def test_a_model_stays_loaded_until_a_new_version_of_it_comes(store: Store, settings: Settings) -> None:
    loaded = ModelCache()
    save(store, "mine", seed=1)
    model = registry.resolve("mine", False, store, settings)
    first = loaded.recognizer(model, OPTIONS)
    assert loaded.recognizer(registry.resolve("mine", False, store, settings), OPTIONS) is first

    save(store, "mine", seed=2)
    second = loaded.recognizer(registry.resolve("mine", False, store, settings), OPTIONS)
    wave = [np.random.default_rng(0).normal(size=16_000).astype(np.float32)]
    assert second.transcribe(wave, OPTIONS) != first.transcribe(wave, OPTIONS)
    assert len(loaded) == 1


def test_past_the_limit_the_least_recently_used_is_let_go_of(store: Store, settings: Settings) -> None:
    for number, name in enumerate("abc"):
        save(store, name, seed=number)
    models = {name: registry.resolve(name, False, store, settings) for name in "abc"}
    first = ModelCache().recognizer(models["a"], OPTIONS)
    loaded = ModelCache(limit_bytes=int(2.5 * first.nbytes))
    kept = {name: loaded.recognizer(models[name], OPTIONS) for name in "ab"}
    loaded.recognizer(models["a"], OPTIONS)
    loaded.recognizer(models["c"], OPTIONS)
    assert len(loaded) == 2
    assert loaded.recognizer(models["a"], OPTIONS) is kept["a"]
    assert loaded.recognizer(models["b"], OPTIONS) is not kept["b"]
