"""The Ray executor gives what the local one gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

import thanosql
from tests.conftest import fill
from thanosql.engine.session import Session

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

ROWS = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 12"


@pytest.fixture(scope="module")
def local(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session with the data set that its statements read."""
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        fill(opened)
        yield opened


@pytest.fixture(scope="module")
def other(ray: Any, local: Session) -> Iterator[Session]:
    """The same on Ray; its workers stay from one statement to the next."""
    with thanosql.connect(
        local.settings.database_url, home=local.settings.home, executor="ray?workers=2&cpus=0.5"
    ) as opened:
        yield opened


@pytest.mark.parametrize(
    "sql",
    [
        f"PREDICT USING Wav2Vec2Tiny OPTIONS (confidence=True, batch_size=3) AS {ROWS}",
        f"PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', timestamps='word', batch_size=5,"
        f" lm_query='SELECT text FROM librispeech_train') AS {ROWS}",
        f"PREDICT USING Wav2Vec2Tiny OPTIONS (on_error='null') AS SELECT audio_path FROM ({ROWS}) q UNION ALL"
        " SELECT '/nowhere.wav'",
        f"ALIGN USING Wav2Vec2Tiny OPTIONS (batch_size=4) AS {ROWS}",
        f"CHECK EVALUATE USING Wav2Vec2Tiny AS SELECT audio_path, text || ' ?7' AS text FROM ({ROWS}) q",
    ],
    ids=["transcripts", "beam", "failures", "alignment", "check"],
)
def test_the_rows_are_those_of_the_local_executor(local: Session, other: Session, sql: str) -> None:
    pd.testing.assert_frame_equal(local.execute(sql), other.execute(sql))
