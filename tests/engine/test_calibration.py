"""Confidence of a model that was trained with a validation set: calibrated, on its card; others say that they are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import thanosql
from thanosql.engine.session import Session
from thanosql.models.ctc.calibration import Calibration

SOME = "SELECT * FROM numbers ORDER BY audio_path LIMIT 12"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        opened.execute("COPY numbers FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'")
        opened.execute(
            "FIT MODEL told USING Wav2Vec2Tiny OPTIONS (max_epochs=1, learning_rate=1e-9, valid_split=0.5, batch_size=32)"
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
