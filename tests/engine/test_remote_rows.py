"""Audio on other machines: fetched where the statement and the settings allow it, as it is read ahead; refused otherwise."""

from __future__ import annotations

import functools
import http.server
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from thanosql import ThanoSQLDataError
from thanosql.engine.session import Session

pytest.importorskip("aiohttp", reason='http:// needs the extra: pip install "thanosql-speech[remote]"')

DIGITS = [f"{digit}_jackson_{take}.wav" for digit in (1, 2) for take in (0, 1)]


class Quiet(http.server.SimpleHTTPRequestHandler):
    asked: Counter[str]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        super().do_GET()


@pytest.fixture
def asked() -> Counter[str]:
    return Counter()


@pytest.fixture
def url(fsdd: Path, asked: Counter[str]) -> Iterator[str]:
    """A server of the recordings on this machine."""
    handler = type("Handler", (Quiet,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(fsdd))) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def allowed(session: Session) -> Session:
    session.settings = replace(session.settings, remote_hosts=("127.0.0.1",))
    return session


def rows(prefix: str, names: list[str] = DIGITS) -> str:
    listed = ", ".join(f"('{prefix}/{name}', 'one')" for name in names)
    return f"SELECT * FROM (VALUES {listed}) v(audio_path, text)"


def test_without_allow_remote_a_url_is_refused_with_the_cure(allowed: Session, url: str, asked: Counter[str]) -> None:
    for statement in ("PREDICT", "EVALUATE"):
        with pytest.raises(ThanoSQLDataError, match=r"http:// audio is not fetched without allow_remote=True"):
            allowed.execute(f"{statement} USING Wav2Vec2Tiny AS {rows(url)}")
    assert not asked


def test_a_private_address_is_refused_unless_the_settings_name_it(
    session: Session, url: str, asked: Counter[str]
) -> None:
    with pytest.raises(ThanoSQLDataError, match=r"127\.0\.0\.1, which is not a public address"):
        session.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS (allow_remote=True) AS {rows(url)}")
    assert not asked


def test_a_url_is_heard_as_its_file_is_and_is_fetched_once(
    allowed: Session, url: str, fsdd: Path, asked: Counter[str]
) -> None:
    local = allowed.execute(f"PREDICT USING Wav2Vec2Tiny AS {rows(str(fsdd))}")
    twice = f"SELECT * FROM ({rows(url)}) q, generate_series(1, 2) AS again"
    result = allowed.run(f"PREDICT USING Wav2Vec2Tiny OPTIONS (allow_remote=True) AS {twice} ORDER BY again")
    assert list(result.value.predict_result) == 2 * list(local.predict_result)
    assert asked == {f"/{name}": 1 for name in DIGITS}
    figures = allowed.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS (allow_remote=True) AS {rows(url)}")
    expected = allowed.execute(f"EVALUATE USING Wav2Vec2Tiny AS {rows(str(fsdd))}")
    assert figures.wer[0] == expected.wer[0]
    assert figures.hours[0] == pytest.approx(expected.hours[0], rel=1e-3)  # as read, not as assumed


def test_what_cannot_be_fetched_is_the_rows_own_failure(allowed: Session, url: str) -> None:
    query = rows(url, [DIGITS[0], "nowhere.wav"])
    with pytest.raises(ThanoSQLDataError, match=r"row 2[\s\S]*HTTP 404"):
        allowed.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS (allow_remote=True) AS {query}")
    heard = allowed.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS (allow_remote=True, on_error='null') AS {query}")
    assert heard.predict_result.notna().tolist() == [True, False]
    assert "HTTP 404" in heard.predict_result_error[1]


def test_training_fetches_each_file_once_for_all_its_epochs(allowed: Session, url: str, asked: Counter[str]) -> None:
    allowed.execute(
        f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (allow_remote=True, max_epochs=2, batch_size=4) AS {rows(url)}"
    )
    assert asked == {f"/{name}": 1 for name in DIGITS}


KILLED = """
import os, signal, sys
import thanosql
from dataclasses import replace
url, home, sql = sys.argv[1:]
with thanosql.connect(url, home=home) as session:
    session.settings = replace(session.settings, remote_hosts=("127.0.0.1",))
    session.run(sql, progress=lambda one: one.what != "checking" and os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_a_kill_leaves_nothing_of_what_was_fetched(
    allowed: Session, database_url: str, url: str, asked: Counter[str]
) -> None:
    home = allowed.settings.home
    sql = f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (allow_remote=True, max_epochs=2, batch_size=4) AS {rows(url)}"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, database_url, str(home), sql], capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sum(asked.values()) == len(DIGITS)
    held = [path for path in home.rglob("*") if path.is_file() and b"RIFF" in path.read_bytes()[:16]]
    assert held == []
    assert not list(home.glob("fetched-*")) + list(home.glob("tmp*"))


@pytest.fixture
def bucket(fsdd: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A local S3 with the recordings, known to this process as a store is known anywhere: by the environment."""
    s3fs = pytest.importorskip("s3fs", reason='s3:// needs the extra: pip install "thanosql-speech[remote]"')
    pytest.importorskip("flask", reason="moto's server needs flask: pip install 'moto[server]'")
    moto = pytest.importorskip("moto.server", reason="the local S3 is moto's: pip install 'moto[server]'")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    for key, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(key, value)
    s3fs.S3FileSystem.clear_instance_cache()
    store = s3fs.S3FileSystem()
    store.mkdir("conversations")  # moto keeps the buckets of one process together, whichever server they came by
    for name in DIGITS:
        store.pipe(f"conversations/day 1/{name}", (fsdd / name).read_bytes())
    yield "s3://conversations/day 1"
    s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


def test_rows_of_an_object_store_are_heard_as_files_are(session: Session, bucket: str, fsdd: Path) -> None:
    predict = "PREDICT USING Wav2Vec2Tiny OPTIONS ({}) AS {}"
    with pytest.raises(ThanoSQLDataError, match=r"s3:// audio is not fetched without allow_remote=True") as refused:
        session.execute(predict.format("table_name='from_store'", rows(bucket)))
    assert "4 of 4 rows" in str(refused.value)
    local = session.execute(predict.format("", rows(str(fsdd))).replace("OPTIONS () ", ""))
    session.execute(predict.format("allow_remote=True, table_name='from_store'", rows(bucket)))
    stored = session.execute("SELECT * FROM from_store")
    assert list(stored.audio_path) == [f"{bucket}/{name}" for name in DIGITS]
    assert list(stored.predict_result) == list(local.predict_result)
    missing = session.execute(
        predict.format("allow_remote=True, on_error='null'", rows(bucket, [*DIGITS, "nowhere.wav"]))
    )
    assert missing.predict_result.notna().tolist() == [True] * 4 + [False]
    assert missing.predict_result_error[4] == f"no such file: {bucket}/nowhere.wav"


def test_explain_fetches_nothing_and_check_what_it_checks(allowed: Session, url: str, asked: Counter[str]) -> None:
    statement = f"PREDICT USING Wav2Vec2Tiny OPTIONS (allow_remote=True) AS {rows(url, [*DIGITS, 'nowhere.wav'])}"
    allowed.execute(f"EXPLAIN {statement}")
    assert not asked
    found = allowed.execute(f"CHECK {statement}")
    assert [reason for reason in found.reason if "HTTP 404" in reason]


def test_folders_that_were_set_confine_local_audio(session: Session, fsdd: Path, tmp_path: Path) -> None:
    inside = tmp_path / "calls"
    inside.mkdir()
    (inside / "one.wav").write_bytes((fsdd / DIGITS[0]).read_bytes())
    (inside / "link.wav").symlink_to(fsdd / DIGITS[0])
    session.settings = replace(session.settings, audio_roots=(inside,), confined=True)
    predict = "PREDICT USING Wav2Vec2Tiny AS SELECT :path AS audio_path"
    assert len(session.execute(predict, {"path": "one.wav"})) == 1
    for path in (str(fsdd / DIGITS[0]), "link.wav", f"file://{fsdd / DIGITS[0]}"):
        with pytest.raises(ThanoSQLDataError, match="outside of the folders that audio may be read from"):
            session.execute(predict, {"path": path})


@pytest.mark.parametrize("statement", ["PREDICT USING Wav2Vec2Tiny", "BUILD MODEL m USING Wav2Vec2Tiny"])
def test_a_message_repeats_no_password_and_no_signature_of_a_url(session: Session, statement: str) -> None:
    url = "https://me:hunter2@127.0.0.1:9/a.wav?X-Amz-Signature=hunter2"
    with pytest.raises(ThanoSQLDataError) as refused:
        session.execute(f"{statement} AS SELECT :url AS audio_path, 'one' AS text", {"url": url})
    assert "https://127.0.0.1:9/a.wav" in str(refused.value)
    assert "hunter2" not in str(refused.value)
