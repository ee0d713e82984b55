"""Every executor gives what the local one gives: the same rows, texts, numbers, failures and models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import thanosql
from thanosql import ThanoSQLDataError, ThanoSQLOptionError
from thanosql.engine.executors.base import EXECUTORS
from thanosql.engine.session import Session


@pytest.fixture(params=["local", "processes"])
def other(request: pytest.FixtureRequest, numbers: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A second session on the same database and home, with the executor under test; `numbers` has the local one."""
    monkeypatch.setitem(EXECUTORS, "processes", "tests.engine.executors.processes:ProcessExecutor")
    url = numbers.settings.database_url
    with thanosql.connect(url, home=numbers.settings.home, executor=request.param) as opened:
        yield opened


ROWS = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 12"


@pytest.mark.parametrize(
    "sql",
    [
        f"PREDICT USING Wav2Vec2Tiny OPTIONS (confidence=True, batch_size=3) AS {ROWS}",
        f"PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', timestamps='word', batch_size=5,"
        f" lm_query='SELECT text FROM librispeech_train') AS {ROWS}",
        f"PREDICT USING Wav2Vec2Tiny OPTIONS (on_error='null') AS SELECT * FROM ({ROWS}) q UNION ALL"
        " SELECT '/nowhere.wav', 'nine', 'x'",
        f"ALIGN USING Wav2Vec2Tiny OPTIONS (batch_size=4) AS {ROWS}",
        f"CHECK EVALUATE USING Wav2Vec2Tiny AS SELECT audio_path, text || ' ?7' AS text FROM ({ROWS}) q",
    ],
    ids=["transcripts", "beam", "failures", "alignment", "check"],
)
def test_the_rows_are_those_of_the_local_executor(numbers: Session, other: Session, sql: str) -> None:
    columns = numbers.execute("SELECT * FROM librispeech_test LIMIT 0").columns
    sql = sql.replace("SELECT '/nowhere.wav', 'nine', 'x'", _row(columns))
    pd.testing.assert_frame_equal(numbers.execute(sql), other.execute(sql))


def _row(columns: pd.Index) -> str:
    """A row of audio that is not there, for a table of these columns."""
    values = {"audio_path": "'/nowhere.wav'"}
    return "SELECT " + ", ".join(values.get(name, "NULL") for name in columns)


def test_the_figures_are_those_of_the_local_executor(numbers: Session, other: Session) -> None:
    sql = f"EVALUATE USING Wav2Vec2Tiny OPTIONS (group_by='speaker') AS {ROWS}"
    timed = ["seconds", "rtfx"]
    pd.testing.assert_frame_equal(numbers.execute(sql).drop(columns=timed), other.execute(sql).drop(columns=timed))


def test_the_trained_model_is_that_of_the_local_executor(numbers: Session, other: Session) -> None:
    rows = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8"
    options = "OPTIONS (max_epochs=1, batch_size=4, augment=False)"
    mine = numbers.execute(f"BUILD MODEL here USING Wav2Vec2Tiny {options} AS {rows}")
    steps: list[float] = []
    theirs = other.run(
        f"BUILD MODEL there USING Wav2Vec2Tiny {options} AS {rows}",
        progress=lambda progress: steps.append(progress.done) if "training" in progress.what else None,
    ).report
    assert steps == [1, 2]
    assert mine.loss == theirs.loss
    weights = [(Path(report.folder) / "model.safetensors").read_bytes() for report in (mine, theirs)]
    assert weights[0] == weights[1]


def test_an_error_comes_across_as_it_is(numbers: Session, other: Session, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio at all")
    with pytest.raises(ThanoSQLDataError, match=r"broken\.wav"):
        other.execute("PREDICT USING Wav2Vec2Tiny AS SELECT :path AS audio_path", {"path": str(broken)})


def test_an_executor_that_is_not_there_is_refused_with_those_there_are(database_url: str, tmp_path: Path) -> None:
    for name in ("nonsense", "nonsense://host:1"):
        with (
            thanosql.connect(database_url, home=tmp_path / "home", executor=name) as session,
            pytest.raises(ThanoSQLOptionError, match=r"no executor 'nonsense[\s\S]*local"),
        ):
            session.execute("PREDICT USING Wav2Vec2Tiny AS SELECT 'a.wav' AS audio_path")
    with (
        thanosql.connect(database_url, home=tmp_path / "home") as session,
        pytest.raises(ThanoSQLOptionError, match=r"no executor 'loca'[\s\S]*local"),
    ):
        session.execute("PREDICT USING Wav2Vec2Tiny OPTIONS (executor='loca') AS SELECT 'a.wav' AS audio_path")
