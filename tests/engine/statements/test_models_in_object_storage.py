"""Every statement that reads or writes models does so where the store is in object storage, from any machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thanosql
from tests.conftest import fill
from tests.object_storage import serving
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLModelError

BUCKET = "shop-statements"
URL = f"s3://{BUCKET}/models"
FEW = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 4"
SHORT = "max_epochs=1, batch_size=4"


@pytest.fixture
def s3() -> Iterator[Any]:
    with serving(BUCKET) as files:
        yield files


@pytest.fixture
def here(s3: Any, database_url: str, tmp_path: Path) -> Iterator[Session]:
    """A session with tables; its machine has a home of its own."""
    with thanosql.connect(database_url, home=tmp_path / "here", store=URL) as opened:
        fill(opened)
        yield opened


@pytest.fixture
def there(s3: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A second machine, whose statements may read no file outside of its workspace."""
    monkeypatch.setenv("THANOSQL_AUDIO_ROOTS", str(tmp_path / "there" / "workspace"))
    with thanosql.connect(database_url, home=tmp_path / "there", store=URL) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        yield opened


def test_the_statements_of_two_machines_share_the_models(here: Session, there: Session, tmp_path: Path) -> None:
    here.execute("GET THANOSQL MODEL Wav2Vec2Tiny OPTIONS (model_name='tiny')")
    assert there.execute("LIST MODEL").name.tolist() == ["tiny"]
    heard = there.execute(f"PREDICT USING tiny AS {FEW}")
    assert heard.predict_result.tolist() == here.execute(f"PREDICT USING tiny AS {FEW}").predict_result.tolist()

    report = here.execute(f"BUILD MODEL mine USING tiny OPTIONS ({SHORT}) AS {FEW}")
    assert Path(report.folder, "model.safetensors").is_file()
    there.execute(f"FIT MODEL mine USING mine OPTIONS ({SHORT}, overwrite=True) AS {FEW}")
    assert here.execute("LIST MODEL VERSIONS mine").version.tolist() == [1, 2]
    assert "mine" in str(here.execute(f"EXPLAIN PREDICT USING mine AS {FEW}").to_dict("list"))
    compared = here.execute(f"EVALUATE USING mine OPTIONS (text_col='text', against='tiny') AS {FEW}")
    assert len(compared) == 1
    there.execute(f"EVALUATE USING mine OPTIONS (text_col='text') AS {FEW}")
    evaluations = here.store.get("mine").card["evaluations"]
    assert len(evaluations) == 2, "one of each machine"
    described = there.execute("DESCRIBE MODEL mine")
    assert "1, 2" in described.value.tolist()

    there.execute("ROLLBACK MODEL mine")
    assert here.store.get("mine").version == 1
    here.execute("UPLOAD MODEL copied FROM :folder", {"folder": str(here.store.get("mine").folder)})
    there.execute("DROP MODEL mine")
    with pytest.raises(ThanoSQLModelError, match="There is no model or base mine"):
        here.execute(f"PREDICT USING mine AS {FEW}")
    assert sorted(here.execute("LIST MODEL").name) == ["copied", "tiny"]
    assert not (tmp_path / "here" / "models").exists()


def test_a_bucket_that_is_not_there_is_said_before_any_work_and_hinders_no_sql(
    s3: Any, database_url: str, tmp_path: Path
) -> None:
    with thanosql.connect(database_url, home=tmp_path / "home", store="S3://no-such-bucket/models") as session:
        with pytest.raises(ThanoSQLConnectionError, match="There is no bucket no-such-bucket"):
            session.execute("BUILD MODEL m USING Wav2Vec2Tiny AS SELECT 'gone.wav' AS audio_path, 'a' AS text")
        assert session.execute("SELECT 1 AS n").n.tolist() == [1]
