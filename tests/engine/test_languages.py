"""A model with adapters of several languages at every statement: the language is named, or said."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.models import multilingual
from thanosql.engine.prediction.cache_key import cache_key, result_fingerprint
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLModelError, ThanoSQLOptionError
from thanosql.models.audio import read
from thanosql.models.model import Model
from thanosql.models.model_language import in_language
from thanosql.models.options import TranscribeOptions

DIGITS = ["영", "일", "이", "삼", "사"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return multilingual.make(tmp_path / "mms")


@pytest.fixture
def speech(session: Session, fsdd: Path, folder: Path) -> Session:
    """A session with the table digits, Korean texts, and the model `mms` in its store."""
    paths = sorted(fsdd.glob("[0-4]_*.wav"))[::110][:10]
    rows = ", ".join(f"('{path}', '{DIGITS[int(path.name[0])]}')" for path in paths)
    session.execute("DROP TABLE IF EXISTS digits")
    session.execute(f"CREATE TABLE digits AS SELECT * FROM (VALUES {rows}) v (audio_path, text)")
    session.execute("UPLOAD MODEL mms FROM :folder", {"folder": folder})
    return session


def heard(session: Session, folder: Path, language: str) -> list[str]:
    paths = session.execute("SELECT audio_path FROM digits").audio_path.to_list()
    return multilingual.theirs(folder, language, [read(path, ()) for path in paths])


@pytest.mark.parametrize("language", multilingual.LANGUAGES)
def test_predict_hears_the_language_that_is_named(language: str, speech: Session, folder: Path) -> None:
    expected = heard(speech, folder, language)
    assert len(set(expected)) > 3
    for model in ("mms", f"'{folder}'"):
        result = speech.run(f"PREDICT USING {model} OPTIONS (language='{language}') AS SELECT * FROM digits")
        assert result.rows.predict_result.to_list() == expected
        assert "language" not in result.note
        beam = f"PREDICT USING {model} OPTIONS (language='{language}', timestamps='word') AS SELECT * FROM digits"
        assert speech.execute(beam).predict_result.to_list() == expected


def test_without_the_option_the_models_own_language_holds_and_is_said(speech: Session, folder: Path) -> None:
    said = "language eng, which mms is set to; language='…' names another of its 3"
    result = speech.run("PREDICT USING mms AS SELECT * FROM digits")
    assert result.rows.predict_result.to_list() == heard(speech, folder, "eng")
    assert said in result.note
    english = "SELECT audio_path, 'ZERO' AS text FROM digits"
    for statement in ("ALIGN USING mms", "EVALUATE USING mms", "CHECK PREDICT USING mms", "BUILD MODEL more USING mms"):
        options = " OPTIONS (max_epochs=1)" if statement.startswith("BUILD") else ""
        assert said in speech.run(f"{statement}{options} AS {english}").note, statement
    explained = speech.execute(f"EXPLAIN EVALUATE USING mms AS {english}").set_index("item").value
    assert explained["language"] == said.removeprefix("language ")
    explained = (
        speech.execute(f"EXPLAIN EVALUATE USING mms OPTIONS (language='kor') AS {english}").set_index("item").value
    )
    assert explained["language"] == "kor"


def test_every_statement_takes_the_language(speech: Session) -> None:
    options = "OPTIONS (language='kor')"
    aligned = speech.execute(f"ALIGN USING mms {options} AS SELECT * FROM digits")
    assert [words[0]["word"] for words in aligned.align_result] == speech.execute(
        "SELECT text FROM digits"
    ).text.to_list()
    found = speech.execute(f"EVALUATE USING mms {options} AS SELECT * FROM digits")
    assert (found.words[0], found.characters[0]) == (len(aligned), len(aligned)), (
        "the texts are Korean, and none is lost"
    )
    assert speech.execute(f"CHECK EVALUATE USING mms {options} AS SELECT * FROM digits").empty
    problems = speech.execute("CHECK EVALUATE USING mms AS SELECT * FROM digits").problem
    assert set(problems) == {"unknown characters"}, "English has no Hangul"


def test_the_base_of_many_languages_is_listed_with_its_license_and_says_off_line_how_to_get_it(
    session: Session, fsdd: Path
) -> None:
    bases = session.execute("LIST THANOSQL MODEL").set_index("name")
    assert bases.license["MMS"] == "CC BY-NC 4.0: not for commercial use"
    assert "@" in bases.checkpoint["MMS"]
    assert bases.megabytes["MMS"] > 3_000
    for statement, options in (("EVALUATE", ""), ("EVALUATE", "OPTIONS (language='kor')"), ("PREDICT", "")):
        with pytest.raises(
            ThanoSQLConnectionError,
            match=r"facebook/mms-1b-all \(3\.86 GB\) is not in the hub's cache(?s:.*)hf download facebook/mms-1b-all "
            r"--revision [0-9a-f]{40}, (?s:.*)THANOSQL_MMS",
        ):
            session.execute(
                f"{statement} USING MMS {options} AS SELECT '{fsdd}/0_jackson_0.wav' AS audio_path, '영' AS text"
            )


def test_a_wrong_language_is_refused_at_its_place_before_any_work(speech: Session) -> None:
    for statement in ("PREDICT", "EVALUATE", "ALIGN", "BUILD MODEL ours", "EXPLAIN PREDICT", "CHECK PREDICT"):
        sql = f"{statement} USING mms OPTIONS (language='korr') AS SELECT * FROM digits"
        with pytest.raises(ThanoSQLModelError, match=r"Did you mean kor\?") as caught:
            speech.execute(sql)
        assert caught.value.position is not None
        assert sql[caught.value.position.column - 1 :].startswith("'korr'")
    with pytest.raises(ThanoSQLModelError, match="Wav2Vec2Tiny has no adapters of languages"):
        speech.execute("PREDICT USING Wav2Vec2Tiny OPTIONS (language='kor') AS SELECT * FROM digits")


def test_a_model_with_adapters_is_compared_with_one_without(speech: Session) -> None:
    for model, against in (("mms", "Wav2Vec2Tiny"), ("Wav2Vec2Tiny", "mms")):
        result = speech.run(
            f"EVALUATE USING {model} OPTIONS (language='kor', against='{against}', normalizer='none') AS SELECT * FROM digits"
        )
        assert "is set to" not in result.note
        alone = speech.execute(
            "EVALUATE USING mms OPTIONS (language='kor', normalizer='none') AS SELECT * FROM digits"
        ).wer[0]
        assert result.rows.loc[0, "wer" if model == "mms" else "wer_against"] == alone
    with pytest.raises(ThanoSQLModelError, match="has no adapters of languages"):
        speech.execute(
            "EVALUATE USING Wav2Vec2Tiny OPTIONS (language='kor', against='Wav2Vec2TinyKo') AS SELECT * FROM digits"
        )


def test_saved_predictions_of_one_language_are_no_other_languages(folder: Path) -> None:
    model = Model("mms", str(folder), "wav2vec2", "mms", key="1")
    keys = {
        cache_key(in_language(model, code), TranscribeOptions(language=code))
        for code in (*multilingual.LANGUAGES, None)
    }
    assert len(keys) == len(multilingual.LANGUAGES) + 1
    written = {
        result_fingerprint("wav2vec2", "1", TranscribeOptions(language=code))
        for code in (*multilingual.LANGUAGES, None)
    }
    assert len(written) == len(multilingual.LANGUAGES) + 1, "what mode='update' tells predictions by"


BUILD = "OPTIONS (language='kor', max_epochs=2, batch_size=4, learning_rate=0.01{}) AS SELECT * FROM digits"


def joined(folder: Path, base: Path, language: str, session: Session) -> list[str]:
    """What plain transformers hears with the base, and the trained adapters and tokenizer from `folder`."""
    paths = session.execute("SELECT audio_path FROM digits").audio_path.to_list()
    return multilingual.theirs(base, language, [read(path, ()) for path in paths], adapters=folder)


def test_training_a_language_saves_its_adapters_and_head_alone(speech: Session, folder: Path) -> None:
    from safetensors.torch import load_file

    speech.execute(f"EXPLAIN BUILD MODEL ours USING mms {BUILD.format('')}")
    report = speech.execute(f"BUILD MODEL ours USING '{folder}' {BUILD.format('')}")
    saved = Path(report.folder)
    assert not (saved / "model.safetensors").exists()
    assert json.loads((saved / "base.json").read_text())["checkpoint"] == str(folder)
    trained, before = (load_file(one / "adapter.kor.safetensors") for one in (saved, folder))
    assert trained.keys() == before.keys()
    assert all(not trained[name].equal(before[name]) for name in before)
    found = speech.run("PREDICT USING ours AS SELECT * FROM digits")
    heard_now = found.rows.predict_result.to_list()
    assert heard_now == joined(saved, folder, "kor", speech) != heard(speech, folder, "kor")
    assert "is set to" not in found.note, "it has one language"
    again = speech.execute(
        "FIT MODEL more USING ours OPTIONS (max_epochs=1, batch_size=4, learning_rate=0.01) AS SELECT * FROM digits"
    )
    assert json.loads((Path(again.folder) / "base.json").read_text())["checkpoint"] == str(folder)
    heard_more = speech.execute("PREDICT USING more AS SELECT * FROM digits").predict_result.to_list()
    assert heard_more == joined(Path(again.folder), folder, "kor", speech) != heard_now
    speech.execute("UPLOAD MODEL whole FROM :folder", {"folder": again.folder})
    assert speech.execute("PREDICT USING whole AS SELECT * FROM digits").predict_result.to_list() == heard_more
    described = speech.execute("DESCRIBE MODEL more")
    assert ("options", "language", "kor") not in described.itertuples(index=False, name=None)  # FIT named none
    assert "kor" in speech.execute("DESCRIBE MODEL ours").value.to_list()


def test_all_of_a_model_with_adapters_is_trained_where_that_is_asked(speech: Session, folder: Path) -> None:
    from safetensors.torch import load_file
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

    all_of_it = ", train='all'"
    report = speech.execute(f"BUILD MODEL ours USING mms {BUILD.format(all_of_it)}")
    before, after = (load_file(one / "model.safetensors") for one in (folder, Path(report.folder)))
    name = "wav2vec2.encoder.layers.0.attention.k_proj.weight"
    assert not before[name].equal(after[name])
    model, info = Wav2Vec2ForCTC.from_pretrained(report.folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert model.config.vocab_size == len(Wav2Vec2CTCTokenizer.from_pretrained(report.folder))
    with pytest.raises(ThanoSQLOptionError, match="Wav2Vec2Tiny has none"):
        speech.execute("BUILD MODEL no USING Wav2Vec2Tiny OPTIONS (train='adapter') AS SELECT * FROM digits")


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_model_of_adapters_says_that_its_base_is_gone_or_changed(what: str, speech: Session, folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    speech.execute(f"BUILD MODEL ours USING '{folder}' {BUILD.format('')}")
    weights = load_file(folder / "model.safetensors")
    if what == "gone":
        shutil.rmtree(folder)
        said = f"holds adapters alone, for the base {folder}.* That base is gone: there is no {folder}"
    else:
        weights["lm_head.bias"] += 1
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        said = "That base has changed since"
    statements = ("PREDICT", "EVALUATE", "FIT MODEL more", "EXPLAIN PREDICT")
    for statement in statements:
        with pytest.raises(ThanoSQLModelError, match=said):
            speech.execute(f"{statement} USING ours AS SELECT * FROM digits")
    assert speech.execute("LIST MODEL").set_index("name").loc["ours", "status"] == "ready"
    described = speech.execute("DESCRIBE MODEL ours").set_index("name").value
    assert "That base" in described["problem"]
    assert described["statement"].startswith("BUILD MODEL ours")
    speech.execute("DROP MODEL ours")


def test_a_base_that_was_only_touched_is_the_same(speech: Session, folder: Path) -> None:
    speech.execute(f"BUILD MODEL ours USING '{folder}' {BUILD.format('')}")
    expected = joined(
        Path(speech.execute("FIT MODEL o2 USING ours AS SELECT * FROM digits").folder), folder, "kor", speech
    )
    os.utime(folder / "model.safetensors", (1, 1))
    assert speech.execute("PREDICT USING o2 AS SELECT * FROM digits").predict_result.to_list() == expected


def test_a_run_of_another_language_is_not_resumed(speech: Session, folder: Path) -> None:
    from tests.models.in_memory import task
    from thanosql.models.options import TrainOptions
    from thanosql.models.training.run_identity import run_identity

    plain = task(folder, [], TrainOptions(), folder, lambda audio: None)
    korean, german = (run_identity(folder, TrainOptions(language=code), [], [], plain.audio) for code in ("kor", "deu"))
    changed = {name for name in korean if korean[name] != german[name]}
    assert changed == {"option language", "base"}
