"""Audio on other machines: fetched where the statement and the settings allow it, as it is read ahead; refused otherwise."""

from __future__ import annotations

import functools
import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from thanosql import ThanoSQLDataError
from thanosql.engine.session import Session

pytest.importorskip("aiohttp", reason='http:// needs the extra: pip install "thanosql[remote]"')

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
    assert not list(allowed.settings.home.glob("fetched-*"))


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
