"""Versions of a model: listed, gone back to, and replaced only by a better one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import thanosql
from thanosql import ThanoSQLModelError, ThanoSQLOptionError
from thanosql.engine.session import Session

FEW = "SELECT * FROM train ORDER BY audio_path LIMIT 8"
VALID = "SELECT * FROM train ORDER BY audio_path DESC LIMIT 12"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        opened.execute("COPY train FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_train.csv'")
        for rate in ("1e-4", "2e-4"):
            opened.execute(
                f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1, learning_rate={rate}, overwrite=True) AS {FEW}"
            )
        yield opened


def test_versions_are_listed_with_what_made_them(session: Session) -> None:
    versions = session.execute("LIST MODEL VERSIONS m")
    assert list(versions.version) == [1, 2]
    assert list(versions.current) == [False, True]
    assert "learning_rate=1e-4" in versions.statement[0]
    assert session.execute("SELECT count(*) AS n FROM (LIST MODEL VERSIONS m) v").n[0] == 2


def test_a_model_is_rolled_back_and_forth(session: Session) -> None:
    heard = session.execute(f"PREDICT USING m AS {FEW}")
    session.execute("ROLLBACK MODEL m")
    assert session.store.get("m").version == 1
    session.execute("ROLLBACK MODEL m TO VERSION 2")
    assert session.store.get("m").version == 2
    assert list(session.execute(f"PREDICT USING m AS {FEW}").predict_result) == list(heard.predict_result)


def test_a_version_that_is_not_there_is_refused_with_those_that_are(session: Session) -> None:
    with pytest.raises(ThanoSQLModelError, match=r"no other version 9[\s\S]*saved versions: 1, 2"):
        session.execute("ROLLBACK MODEL m TO 9")
    with pytest.raises(ThanoSQLModelError, match="There is no model nothing"):
        session.execute("ROLLBACK MODEL nothing")


def test_a_version_that_is_not_better_is_kept_and_not_made_current(session: Session) -> None:
    session.execute(f"BUILD MODEL good USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS {FEW}")
    result = session.run(
        "FIT MODEL good USING good OPTIONS (max_epochs=1, learning_rate=0.9, warmup_ratio=0, "
        f"overwrite_if_better=True, valid_query='{VALID}') AS {FEW}"
    )
    assert "not made the current one" in result.note
    assert session.store.get("good").version == 1
    assert session.store.versions("good") == [1, 2]


def test_better_needs_rows_to_judge_by(session: Session) -> None:
    with pytest.raises(ThanoSQLOptionError, match="valid_query"):
        session.execute(f"FIT MODEL m USING m OPTIONS (overwrite_if_better=True) AS {FEW}")


def test_rows_to_validate_on_are_measured_in_every_epoch(session: Session) -> None:
    session.execute(f"BUILD MODEL watched USING Wav2Vec2Tiny OPTIONS (max_epochs=2, valid_query='{VALID}') AS {FEW}")
    history = session.store.get("watched").card["report"]["history"]
    assert len(history) == 2
    assert all(epoch["valid_wer"] is not None for epoch in history)
