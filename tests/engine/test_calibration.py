"""Confidence of a model that was trained with a validation set: calibrated, on its card; others say that they are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import thanosql
from thanosql.engine.session import Session
from thanosql.models.ctc.calibration import Calibration
from thanosql.notebook import cards

SOME = "SELECT * FROM numbers ORDER BY audio_path LIMIT 12"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        opened.execute("COPY numbers FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'")
        opened.execute(
            "FIT MODEL told USING Wav2Vec2Tiny OPTIONS (max_epochs=1, learning_rate=1e-30, valid_split=0.5, batch_size=32)"
            " AS SELECT * FROM numbers"
        )
        yield opened


def said(session: Session, model: str, options: str) -> str:
    return session.run(f"PREDICT USING {model} OPTIONS ({options}) AS {SOME}").note or ""


def test_the_validation_set_calibrates_confidence(session: Session) -> None:
    card = session.store.get("told").card
    found = Calibration.of_card(card)
    assert found is not None
    assert found.words >= 300, "three times the words of 45 rows"
    assert found.error <= 0.1
    assert "calibration" not in card["report"]
    options = "confidence=True, timestamps='word'"
    plain, told = (
        session.execute(f"PREDICT USING {model} OPTIONS ({options}) AS {SOME}") for model in ("Wav2Vec2Tiny", "told")
    )
    # A learning rate of almost nothing left the model as it was: the confidence alone is another.
    assert list(plain.predict_result) == list(told.predict_result)
    for before, after in zip(plain.predict_result_words, told.predict_result_words, strict=True):
        for one, other in zip(before, after, strict=True):
            assert other["confidence"] == pytest.approx(found.chance(one["confidence"]), abs=1e-4)
    for one, other in zip(plain.predict_result_confidence, told.predict_result_confidence, strict=True):
        assert other == pytest.approx(found.chance(one), abs=1e-6)
    assert told.predict_result_confidence.mean() < plain.predict_result_confidence.mean(), "it was too sure"


def test_a_model_that_is_not_calibrated_says_so_once(database_url: str, session: Session) -> None:
    with thanosql.connect(database_url, home=session.settings.home) as fresh:
        assert "not calibrated" not in said(fresh, "Wav2Vec2Tiny", "batch_size=8")
        assert "The confidence of Wav2Vec2Tiny is not calibrated" in said(fresh, "Wav2Vec2Tiny", "confidence=True")
        assert "not calibrated" not in said(fresh, "Wav2Vec2Tiny", "confidence=True")
        assert "not calibrated" not in said(fresh, "told", "confidence=True")


def test_an_evaluation_whose_table_has_confidence_says_what_it_means(database_url: str, session: Session) -> None:
    with thanosql.connect(database_url, home=session.settings.home) as fresh:
        evaluate = f"EVALUATE USING {{}} OPTIONS ({{}}) AS {SOME}"
        plain, tabled, told = (
            fresh.run(evaluate.format(*one)).note or ""
            for one in (
                ("Wav2Vec2Tiny", "seed=1"),
                ("Wav2Vec2Tiny", "table_name='scored'"),
                ("told", "table_name='scored'"),
            )
        )
        assert "calibrated" not in plain
        assert "The confidence of Wav2Vec2Tiny is not calibrated" in tabled
        assert "calibrated" not in told


def test_a_description_and_a_card_say_what_confidence_means(session: Session) -> None:
    said = {
        name: session.execute(f"DESCRIBE MODEL {name}").set_index("name").value["confidence"]
        for name in ("told", "Wav2Vec2Tiny", "Wav2Vec2TinyKo")
    }
    assert said["told"].startswith("calibrated on ")
    assert all(said[name].startswith("not calibrated: ") for name in ("Wav2Vec2Tiny", "Wav2Vec2TinyKo"))
    found = session.store.get("told")
    assert f"Its confidence is {said['told']}." in cards.model(found.card, 1)
    never = {**found.card, "calibration": None}
    assert "Its confidence is not calibrated" in cards.model(never, 1)
