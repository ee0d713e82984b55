"""The Ray executor gives what the local one gives."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import thanosql
from thanosql.engine.session import Session

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

ROWS = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 12"


@pytest.fixture
def other(ray: Any, numbers: Session) -> Iterator[Session]:
    with thanosql.connect(
        numbers.settings.database_url, home=numbers.settings.home, executor="ray?workers=2&cpus=0.5"
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
def test_the_rows_are_those_of_the_local_executor(numbers: Session, other: Session, sql: str) -> None:
    pd.testing.assert_frame_equal(numbers.execute(sql), other.execute(sql))


def test_a_training_is_that_of_the_local_executor_though_its_worker_dies(
    ray: Any, numbers: Session, other: Session
) -> None:
    rows = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8"
    options = "max_epochs=2, batch_size=4, augment=False, freeze_feature_encoder=False"
    mine = numbers.execute(f"BUILD MODEL here USING Wav2Vec2Tiny OPTIONS ({options}) AS {rows}")
    steps: list[float] = []

    def heard(progress: Any) -> None:
        if "training" in progress.what:
            steps.append(progress.done)
            if progress.done == 2:
                workers = [actor for actor in list_actors() if actor["class_name"] == "RayTrainer"]
                assert workers
                os.kill(workers[0]["pid"], signal.SIGKILL)

    from ray._private.state import actors

    def list_actors() -> list[Any]:
        return [
            {"class_name": about["ActorClassName"], "pid": about["Pid"]}
            for about in actors().values()
            if about["State"] == "ALIVE"
        ]

    theirs = other.run(f"BUILD MODEL there USING Wav2Vec2Tiny OPTIONS ({options}) AS {rows}", progress=heard).report
    assert steps == [1, 2, 3, 4]
    weights = [(Path(report.folder) / "model.safetensors").read_bytes() for report in (mine, theirs)]
    assert weights[0] == weights[1]
