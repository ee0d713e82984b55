"""Where secrets could stay or show beside messages: child processes, the embedded server's log, variables of tracebacks."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

import thanosql
from tests.waiting import until
from thanosql.engine.postgres import embedded
from thanosql.models import datasets
from thanosql.models.audio import reading
from thanosql.models.audio.decoder_pool import POOL

PASSWORD = "hunter2-Pl4nted"
AUDIO = datasets.DATASETS["spoken_numbers"].folder / "train" / "0001.flac"


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that the embedded server's own user may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="thanosql-secrets-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    folder.chmod(0o711)
    yield folder
    embedded.stop(folder / "postgres")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A password in the environment under the names of programs that read it from there."""
    for name in ("THANOSQL_DATABASE_URL_OF_ANOTHER", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "PGPASSWORD", "ANY_NAME"):
        monkeypatch.setenv(name, PASSWORD)
    POOL.close()
    yield
    POOL.close()


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="what a process was started with is read from /proc")
def test_processes_that_decode_get_no_secret_of_the_environment(planted: None) -> None:
    reading.read(str(AUDIO), processes=1)
    assert POOL.processes
    for process in POOL.processes:
        assert PASSWORD.encode() not in Path(f"/proc/{process}/environ").read_bytes()


@pytest.mark.skipif(
    not os.path.isdir("/proc") or embedded.programs.installed() is None, reason="the embedded PostgreSQL, and /proc"
)
def test_neither_the_embedded_server_nor_its_watcher_gets_one_and_its_log_holds_none(home: Path, planted: None) -> None:
    with thanosql.connect(home=home) as session:
        backend = int(session.execute("SELECT pg_backend_pid() AS n").n[0])
        server = psutil.Process(backend).parent()
        for process in (server, server.parent()):
            assert PASSWORD.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
        wrong = [
            "SELECT :secret::int",
            "SELECT 1 / (CASE WHEN :secret = '' THEN 1 ELSE 0 END)",
            "SELECT :secret, no_such",
        ]
        wrong += [f"CREATE ROLE ann PASSWORD '{PASSWORD}' NO_SUCH_WORD", "DO $$ BEGIN RAISE WARNING :secret; END $$"]
        wrong.append("PREDICT USING Wav2Vec2Tiny AS SELECT :secret::int AS audio_path")
        for sql in wrong:
            with contextlib.suppress(thanosql.ThanoSQLError):
                session.execute(sql, {"secret": PASSWORD})
        # A server says at which statement one of its processes died.
        with pytest.raises(thanosql.ThanoSQLConnectionError):
            session.execute(
                "COPY (SELECT :secret) TO PROGRAM 'cat >/dev/null; kill -9 $PPID; sleep 1'", {"secret": PASSWORD}
            )
        log = home / ".postgres" / "log"
        until(lambda: "was terminated by signal 9" in log.read_text())  # the server notices it by and by
        until(lambda: "ready to accept connections" in log.read_text().rpartition("was terminated by signal 9")[2])
        assert session.execute("SELECT 1 AS n").n[0] == 1
    assert PASSWORD not in log.read_text()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{PASSWORD}@127.0.0.1:9/x",
        f"postgresql://ann@127.0.0.1:9/x?sslpassword={PASSWORD}",
        f"postgresql://ann@127.0.0.1:9/x?no_such_word={PASSWORD}",
        f"postgresql://ann:{PASSWORD}@127.0.0.1:notaport/x",
        f"mysql://ann:{PASSWORD}@127.0.0.1/x",
        f"host=127.0.0.1 port=9 password={PASSWORD}",
    ],
)
def test_a_traceback_that_shows_variables_shows_no_password_of_the_database(url: str, tmp_path: Path) -> None:
    session = thanosql.connect(url, home=tmp_path)
    with pytest.raises(thanosql.ThanoSQLConnectionError) as raised:
        session.execute("SELECT 1")
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    theirs, variables = [shown], 0
    while theirs:
        one = theirs.pop()
        theirs += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
        for frame in one.stack:
            if frame.filename == __file__:
                continue
            for name, value in (frame.locals or {}).items():
                variables += 1
                assert PASSWORD not in value, f"{frame.filename}: {frame.name}: {name}"
    assert variables > 20


def test_what_a_statement_runs_in_does_not_show_its_parameters(tmp_path: Path) -> None:
    session = thanosql.connect(home=tmp_path)
    with pytest.raises(thanosql.ThanoSQLError) as raised:
        session.execute("COPY t FROM :path", {"path": "/nowhere", "secret": PASSWORD})
    frames = traceback.TracebackException.from_exception(raised.value, capture_locals=True).stack
    shown = [frame.locals["environment"] for frame in frames if frame.locals and "environment" in frame.locals]
    assert shown
    assert not any(PASSWORD in one for one in shown)
