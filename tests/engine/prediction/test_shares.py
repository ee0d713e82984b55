"""Several processes that run one statement recognize each row once between them, and none of them is needed for the end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.engine.databases import Peer
from tests.engine.prediction.test_cache import times_heard
from tests.models.recordings import wav
from thanosql import ThanoSQLOptionError
from thanosql.engine.session import Session

ROWS = 60
SQL = (
    "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard', mode='update', row_key='id', share_rows=4, batch_size=2)"
    " AS SELECT * FROM calls"
)
SHARES = "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
PROGRAM = """
import json, sys, time
from pathlib import Path
import thanosql
from tests.engine.prediction.test_cache import Counting, Loaded

url, home, log, calls, ready, go, sql = json.loads(sys.argv[1])
others = [Path(go).with_name(f"{name}.log") for name in "abc" if name != Path(log).stem]

class Waiting(Counting):
    # Each goes on when the others have begun, so that each has a part; and two of them when the third has been killed.
    def transcribe(self, waveforms, options, *rest):
        said = super().transcribe(waveforms, options, *rest)
        while not all(other.exists() for other in others):
            time.sleep(0.01)
        while calls is None and not Path(go).with_name("killed").exists():
            time.sleep(0.01)
        return said

with thanosql.connect(url, home=home) as session:
    session.__dict__["loaded"] = Loaded(Waiting(Path(log), calls))
    session.execute("SELECT 1")
    Path(ready).touch()
    while not Path(go).exists():
        time.sleep(0.01)
    print(session.run(sql).status)
"""


@pytest.fixture
def calls(session: Session) -> Session:
    folder = session.settings.workspace
    folder.mkdir(parents=True)
    for number in range(1, ROWS + 1):
        (folder / f"{number}.wav").write_bytes(wav(np.full((1600, 1), number / 100), 8000, 16))
    session.execute(
        "DROP TABLE IF EXISTS calls, heard; CREATE TABLE calls AS SELECT i AS id, i || '.wav' AS audio_path"
        f" FROM generate_series(1, {ROWS}) i"
    )
    return session


def start(session: Session, url: str, tmp_path: Path, name: str, dies_at: int | None = None) -> subprocess.Popen[str]:
    """The statement in a process that waits for the file `go`; it kills itself in the recognizer's call `dies_at`."""
    given = [url, str(session.settings.home), str(tmp_path / f"{name}.log"), dies_at]
    given += [str(tmp_path / f"{name}.ready"), str(tmp_path / "go"), SQL]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(given)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
    )


@pytest.mark.parametrize("there", [False, True])
def test_three_processes_share_the_rows_and_one_may_be_killed(
    calls: Session, database_url: str, tmp_path: Path, peer: Peer, there: bool
) -> None:
    if there:
        calls.execute("CREATE TABLE heard (id int, predict_result text, note text DEFAULT 'mine')")
    running = {
        name: start(calls, database_url, tmp_path, name, dies_at)
        for name, dies_at in (("a", None), ("b", None), ("c", 3))
    }
    while not all((tmp_path / f"{name}.ready").exists() for name in running):
        assert all(one.poll() is None for one in running.values())
        time.sleep(0.05)
    (tmp_path / "go").touch()
    running["c"].wait(300)
    (tmp_path / "killed").touch()
    said = {name: one.communicate(timeout=300) for name, one in running.items()}
    assert running["c"].returncode == -signal.SIGKILL, said["c"]
    statuses = {name: said[name][0].strip() for name in ("a", "b")}
    assert all(status.startswith("PREDICT ") for status in statuses.values()), said
    found = calls.execute("SELECT id, predict_result FROM heard ORDER BY id")
    assert list(found.itertuples(index=False, name=None)) == [
        (number, f"{number / 100:.3f}") for number in range(1, ROWS + 1)
    ]
    logs = {name: times_heard(tmp_path / f"{name}.log") for name in running}
    assert min(len(log) for log in logs.values()) > 0  # each had its part
    done = logs["a"] + logs["b"]
    assert max(done.values()) == 1  # no row twice
    # What the killed one had written stays written; what it held and had not was recognized by another.
    assert sum((done + logs["c"]).values()) <= ROWS + 4
    assert len(done + logs["c"]) == ROWS
    assert sum(int(status.split()[1]) for status in statuses.values()) == len(done)
    assert calls.execute(f"SELECT count(*) AS n FROM pg_locks WHERE {SHARES}").n[0] == 0
    assert calls.run(SQL).status == "PREDICT 0"


@pytest.mark.parametrize("options", ["share_rows=4", "share_rows=4, mode='update', row_key='id', prune=True"])
def test_shares_are_of_an_update_without_prune(calls: Session, options: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match="share_rows needs mode='update', without prune"):
        calls.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard', {options}) AS SELECT * FROM calls")


def test_a_share_that_fails_is_let_go(calls: Session, peer: Peer) -> None:
    (calls.settings.workspace / "7.wav").write_bytes(b"RIFF")
    with pytest.raises(Exception, match="cannot be read") as failed:
        calls.execute(SQL)
    assert failed.value.rows[0]["row"] == 7  # type: ignore[attr-defined]
    assert peer(f"SELECT count(*) FROM pg_locks WHERE {SHARES}") == [(0,)]
