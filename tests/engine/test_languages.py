"""A model with adapters of several languages at every statement: the language is named, or said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models import multilingual
from thanosql.engine.prediction.cache_key import cache_key
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLModelError
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
    for options in ("", "OPTIONS (language='kor')"):
        with pytest.raises(
            ThanoSQLConnectionError,
            match=r"facebook/mms-1b-all \(3\.86 GB\) is not in the hub's cache(?s:.*)hf download facebook/mms-1b-all "
            r"--revision [0-9a-f]{40}, (?s:.*)THANOSQL_MMS",
        ):
            session.execute(
                f"EVALUATE USING MMS {options} AS SELECT '{fsdd}/0_jackson_0.wav' AS audio_path, '영' AS text"
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
