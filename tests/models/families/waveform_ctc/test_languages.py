"""Checkpoints with adapters of several languages: each heard as transformers hears it once load_adapter was called."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.models import checkpoints, multilingual
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLModelError
from thanosql.models.families import waveform_ctc
from thanosql.models.model import Model
from thanosql.models.model_cache import ModelCache
from thanosql.models.model_language import in_language, takes_language
from thanosql.models.options import TranscribeOptions

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def waves() -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    return [(generator.normal(size=size) * 0.1).astype(np.float32) for size in (9_000, 16_000, 23_456)]


def ours(folder: Path | str, language: str | None) -> list[str]:
    recognizer = waveform_ctc.load(str(folder), TranscribeOptions(device="cpu", language=language))
    return [found.text for found in recognizer.transcribe(waves(), TranscribeOptions(device="cpu"))]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot of `meta/mms` in the hub's cache, with the adapter of Korean and no other; the hub is switched off."""
    cache = tmp_path / "hub"
    folder = cache / "models--meta--mms" / "snapshots" / COMMIT
    multilingual.make(folder, adapters=("kor",))
    (cache / "models--meta--mms" / "refs").mkdir()
    (cache / "models--meta--mms" / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return folder


@pytest.mark.parametrize("language", multilingual.LANGUAGES)
def test_a_language_is_heard_as_transformers_hears_it(language: str, tmp_path: Path) -> None:
    folder = multilingual.make(tmp_path / "mms")
    expected = multilingual.theirs(folder, language, waves())
    assert len(set(expected)) == 3
    assert all(expected)
    assert ours(folder, language) == expected
    multilingual.set_to(folder, language)
    assert ours(folder, None) == expected, "the language that the tokenizer is set to holds where none is named"


def test_the_language_of_the_weights_needs_no_file_of_its_own(tmp_path: Path) -> None:
    folder = multilingual.make(tmp_path / "mms", adapters=("kor",))
    assert ours(folder, "eng") == ours(folder, None) != ours(folder, "kor")


def test_a_language_that_is_not_there_names_the_closest(tmp_path: Path) -> None:
    folder = multilingual.make(tmp_path / "mms", adapters=("kor",))
    model = Model("mms", str(folder), "wav2vec2", "mms")
    for code in ("ko", "KOR", "korr"):
        for ask in (lambda code=code: in_language(model, code), lambda code=code: ours(folder, code)):
            with pytest.raises(ThanoSQLModelError, match=r"no vocabulary of the language.*\nDid you mean kor\?"):
                ask()
    for ask in (lambda: in_language(model, "deu"), lambda: ours(folder, "deu")):
        with pytest.raises(
            ThanoSQLModelError, match=r"no adapter of the language 'deu'.*\nPut adapter\.deu\.safetensors"
        ):
            ask()
    for code in ("../kor", "kor/../eng", "k" * 5_000, ""):
        with pytest.raises(ThanoSQLModelError, match="no vocabulary of the language"):
            in_language(model, code)


def test_a_model_of_one_language_cannot_be_set_to_another(tmp_path: Path) -> None:
    folder = checkpoints.make(tmp_path / "plain")
    model = Model("plain", str(folder), "wav2vec2", "plain")
    assert not takes_language(model)
    assert in_language(model, None) == model
    for ask in (lambda: in_language(model, "kor"), lambda: ours(folder, "kor")):
        with pytest.raises(ThanoSQLModelError, match="plain has no adapters of languages"):
            ask()
    bert = Model("bert", str(folder), "wav2vec2-bert", "bert")
    with pytest.raises(ThanoSQLModelError, match="language needs a model with adapters; bert is a wav2vec2-bert model"):
        in_language(bert, "kor")


def test_weights_of_a_language_that_lack_some_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = multilingual.make(tmp_path / "mms")
    weights = load_file(folder / "adapter.kor.safetensors")
    weights.pop(next(name for name in weights if "adapter_layer" in name))
    save_file(weights, folder / "adapter.kor.safetensors")
    with pytest.raises(ThanoSQLModelError, match=r"adapter\.kor\.safetensors is incomplete"):
        ours(folder, "kor")


def test_what_is_known_of_a_language_without_loading_it(tmp_path: Path) -> None:
    folder = multilingual.make(tmp_path / "mms")
    model = in_language(Model("mms", str(folder), "wav2vec2", "mms"), None)
    assert (model.language, model.languages) == ("eng", 3)
    korean = in_language(model, "kor")
    assert korean.key != model.key
    facts = waveform_ctc.facts(str(folder), "kor")
    assert facts is not None
    assert facts.vocabulary is not None
    assert facts.vocabulary.tokens == tuple(multilingual.LANGUAGES["kor"])
    assert waveform_ctc.normalizer(str(folder), "eng").case == "upper"
    assert waveform_ctc.normalizer(str(folder), "deu").case == "lower"


def test_loaded_models_of_two_languages_are_kept_apart(tmp_path: Path) -> None:
    folder = multilingual.make(tmp_path / "mms")
    cache = ModelCache()
    options = TranscribeOptions(device="cpu")
    model = Model("mms", str(folder), "wav2vec2", "mms")
    recognizers = {code: cache.recognizer(in_language(model, code), options) for code in multilingual.LANGUAGES}
    for code, recognizer in recognizers.items():
        assert [one.text for one in recognizer.transcribe(waves(), options)] == ours(folder, code)
        assert cache.recognizer(in_language(model, code), options) is recognizer


def test_a_hub_base_takes_the_adapter_from_the_cache_and_says_what_is_missing_off_line(hub: Path) -> None:
    assert ours("meta/mms", "kor") == multilingual.theirs(hub, "kor", waves())
    assert ours("meta/mms", None) == ours("meta/mms", "eng") == ours(hub, "eng")
    model = Model("meta/mms", "meta/mms", "", "meta/mms")
    assert in_language(model, "deu").languages == 3, "it may still be fetched"
    for ask in (lambda: ours("meta/mms", "deu"), lambda: waveform_ctc.normalizer("meta/mms", "deu")):
        with pytest.raises(
            ThanoSQLConnectionError,
            match=r"adapter\.deu\.safetensors of the model meta/mms is not in the hub's cache.*\n"
            r".*hf download meta/mms adapter\.deu\.safetensors",
        ):
            ask()
    with pytest.raises(ThanoSQLModelError, match=r"\nDid you mean deu\?"):
        in_language(model, "ddeu")


def test_a_hub_base_fetches_the_adapter_at_the_commit_of_the_others(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = multilingual.make(tmp_path / "elsewhere")
    asked = []

    def download(name: str, file: str, *, revision: str, **_: object) -> str:
        asked.append((name, file, revision))
        return str(shutil.copyfile(elsewhere / file, hub / file))

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert ours("meta/mms", "deu") == multilingual.theirs(elsewhere, "deu", waves())
    assert asked == [("meta/mms", "adapter.deu.safetensors", COMMIT)]
