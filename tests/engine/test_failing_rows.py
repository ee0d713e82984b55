"""Rows whose audio cannot be used: all of them are named before any work, or each is NULL with its own reason."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests import handles
from tests.models.recordings import by_av, by_soundfile, eight_channels, sweep, wav
from thanosql import ThanoSQLDataError, ThanoSQLResourceError
from thanosql.engine.session import Session
from thanosql.models.audio.decoder_pool import POOL

TONE = wav(sweep(16000), 16000, 16)


def damaged() -> bytes:
    """A FLAC file whose header and end are right."""
    data = bytearray(by_soundfile(np.random.default_rng(6).uniform(-0.5, 0.5, 64000), 16000, "FLAC"))
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    return bytes(data)


def not_a_number() -> bytes:
    samples = np.stack([sweep(16000)], axis=1)
    samples[8000] = np.nan
    return wav(samples, 16000, "f4")


# What a header shows, and what only decoding does: content, and what is said of it.
BY_HEADER: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "(0 bytes)"),
    "header": (by_soundfile(np.zeros(0, np.float32), 16000, "WAV"), "no samples"),
    "cut_header": (TONE[:20], "truncated: the file ends inside the WAV header"),
    "cut": (TONE[:-32000], "truncated: its header promises 64,000 bytes"),
    "text": (b"hello, world\n" * 50, "text, not audio"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(300), "a PNG picture, not audio"),
    "noise": (b"fLaC" + bytes(range(256)) * 9, "damaged: it begins like FLAC"),
}
BY_DECODING: dict[str, tuple[bytes, str]] = {
    "nan": (not_a_number(), "NaN or infinite samples, the first at 0.500 s"),
    "damaged": (damaged(), "damaged: decoding fails after"),
}
REFERENCES: dict[str | None, str] = {
    None: "no audio (NULL)",
    "": "an empty path",
    "nowhere.wav": "no such file: nowhere.wav",
    "folder": "a directory, not a file",
    "file://elsewhere/a.wav": "a file:// URL of another host",
    "https://example.org/a.wav?token=s3cret": "https:// audio is not fetched without allow_remote=True",
    "ftp://example.org/a.wav": "ftp:// audio is not fetched",
}


@pytest.fixture
def calls(session: Session) -> Session:
    """The table `calls` of a good row, one of every bad kind, and a good one."""
    folder = session.settings.workspace
    (folder / "folder").mkdir(parents=True)
    (folder / "good.flac.mp3").write_bytes(TONE)  # the content counts, not the extension
    for name, (content, _) in (BY_HEADER | BY_DECODING).items():
        (folder / f"{name}.wav").write_bytes(content)
    session.execute("DROP TABLE IF EXISTS calls, raw, heard; CREATE TABLE calls (id int, kind text, audio_path text)")
    session.execute("CREATE TABLE raw (id int, kind text, audio_path bytea)")
    names = [f"{name}.wav" for name in BY_HEADER | BY_DECODING]
    for number, path in enumerate(["good.flac.mp3", *names, *REFERENCES, "good.flac.mp3"]):
        session.execute("INSERT INTO calls VALUES (:n, :path, :path)", {"n": number, "path": path})
    for number, (name, (content, _)) in enumerate(({"good": (TONE, "")} | BY_HEADER | BY_DECODING).items()):
        session.execute("INSERT INTO raw VALUES (:n, :name, :content)", {"n": number, "name": name, "content": content})
    session.execute("INSERT INTO raw VALUES (99, 'null', NULL)")
    return session


def reasons(frame: pd.DataFrame) -> dict[str | None, str]:
    return {None if pd.isna(row.kind) else row.kind: row.predict_result_error for row in frame.itertuples()}


PREDICT = "PREDICT USING Wav2Vec2Tiny OPTIONS ({}) AS SELECT * FROM {} ORDER BY id"


def test_with_null_every_kind_of_failing_row_is_null_with_its_own_reason(calls: Session) -> None:
    options = "on_error='null', timestamps='word', confidence=True, table_name='heard'"
    frame = calls.execute(PREDICT.format(options, "calls"))
    good = (frame.kind == "good.flac.mp3").fillna(False)
    assert good.sum() == 2
    assert frame.predict_result_error[good].isna().all()
    assert frame.predict_result[good].notna().all()
    for column in ("predict_result", "predict_result_words", "predict_result_confidence"):
        assert frame[column][~good].isna().all(), column
    said = reasons(frame[~good])
    for name, (_, words) in (BY_HEADER | BY_DECODING).items():
        assert words in said[f"{name}.wav"]
    for reference, words in REFERENCES.items():
        assert words in said[reference]
    assert "s3cret" not in said["https://example.org/a.wav?token=s3cret"]
    stored = calls.execute("SELECT * FROM heard ORDER BY id")
    pd.testing.assert_frame_equal(stored, frame)


def test_bytes_fail_for_the_same_reasons(calls: Session) -> None:
    frame = calls.execute(PREDICT.format("on_error='null'", "raw"))
    said = reasons(frame)
    assert pd.isna(said.pop("good"))
    assert said.pop("null") == "no audio (NULL)"
    for name, (_, words) in (BY_HEADER | BY_DECODING).items():
        assert words in said[name]


class Untouched:
    """A model that may not be loaded."""

    def recognizer(self, *_: object) -> Any:
        raise AssertionError("a model was loaded")


@pytest.mark.parametrize("table", ["calls", "raw"])
def test_all_that_headers_show_is_listed_before_a_model_is_loaded(calls: Session, table: str) -> None:
    calls.__dict__["loaded"] = Untouched()
    calls.execute("CREATE TABLE heard AS SELECT 1 AS old")
    with pytest.raises(ThanoSQLDataError) as caught:
        calls.execute(PREDICT.format("table_name='heard'", table))
    # A URL is shown without what may be a secret.
    shown = {None if path is None else path.partition("?")[0]: words for path, words in REFERENCES.items()}
    expected = {f"{name}.wav": words for name, (_, words) in BY_HEADER.items()} | shown
    if table == "raw":
        expected = {f"{len(content):,} bytes": words for content, words in BY_HEADER.values()} | {"NULL": "no audio"}
    rows = caught.value.rows
    assert len(rows) == len(BY_HEADER) + (1 if table == "raw" else len(REFERENCES))
    assert f"{len(rows)} of {calls.execute(f'SELECT count(*) AS n FROM {table}').n[0]} rows" in str(caught.value)
    for row in rows:
        assert set(row) == {"row", "path", "reason"}
        assert expected[None if row["path"] == "NULL" and table == "calls" else row["path"]] in row["reason"]
    numbers = [row["row"] for row in rows]
    assert numbers == sorted(numbers)
    assert calls.execute("SELECT * FROM heard").to_dict("list") == {"old": [1]}


def test_what_only_decoding_shows_stops_the_statement_and_changes_nothing(calls: Session, tmp_path: Path) -> None:
    calls.execute("CREATE TABLE heard AS SELECT 1 AS old")
    for name, (_, words) in BY_DECODING.items():
        query = f"(SELECT * FROM calls WHERE kind IN ('good.flac.mp3', '{name}.wav')) q"
        with pytest.raises(ThanoSQLDataError, match="Nothing was changed") as caught:
            calls.execute(PREDICT.format("table_name='heard'", query))
        assert [row["row"] for row in caught.value.rows] == [2]
        assert words in caught.value.rows[0]["reason"]
    assert calls.execute("SELECT * FROM heard").to_dict("list") == {"old": [1]}


@pytest.mark.skipif(sys.platform == "win32", reason="the session itself decodes there")
def test_a_crash_of_the_decoder_is_the_error_of_its_row(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyAV reads beyond its list of eight planes and crashes, which is kept from it as a rule."""
    (tmp_path / "start").mkdir()
    start = "from thanosql.models.audio import ffmpeg\nffmpeg.SAFE_PLANES = 9\n"
    (tmp_path / "start" / "sitecustomize.py").write_text(start)
    (tmp_path / "good.mp3").write_bytes(by_av(sweep(16000), 16000, "mp3", "libmp3lame"))
    (tmp_path / "fatal.mkv").write_bytes(eight_channels("aac"))
    named = "(VALUES (1, 'good.mp3'), (2, 'fatal.mkv'), (3, 'good.mp3')) v (id, name)"
    rows = f"(SELECT id, '{tmp_path}/' || name AS audio_path FROM {named}) q"
    POOL.close()
    with monkeypatch.context() as patched:
        patched.syspath_prepend(tmp_path / "start")
        heard = session.execute(PREDICT.format("on_error='null', table_name='heard'", rows))
        checked = session.execute("CHECK " + PREDICT.format("batch_size=1", rows))
        with pytest.raises(ThanoSQLDataError, match="decoder crashed") as caught:
            session.execute(PREDICT.format("table_name='other'", rows))
    POOL.close()
    assert list(heard.predict_result.isna()) == [False, True, False]
    assert heard.predict_result_error[1].startswith("damaged: its decoder crashed (SIG")
    assert any("decoder crashed" in str(finding) for finding in checked.itertuples())
    assert [row["row"] for row in caught.value.rows] == [2]
    assert len(session.execute("SELECT * FROM heard")) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="the handles of a process are counted as Linux lists them")
@pytest.mark.parametrize("statement", ["", "CHECK "])
def test_without_a_file_handle_left_no_row_is_null(session: Session, tmp_path: Path, statement: str) -> None:
    (tmp_path / "good.mp3").write_bytes(by_av(sweep(16000), 16000, "mp3", "libmp3lame"))
    rows = f"(SELECT id, '{tmp_path}/good.mp3' AS audio_path FROM generate_series(1, 60) id) q"
    sql = statement + PREDICT.format("on_error='null', table_name='heard'", rows)
    session.execute(sql)
    session.execute("DROP TABLE IF EXISTS heard; CREATE TABLE heard AS SELECT 1 AS old")
    with handles.none_left(), pytest.raises(ThanoSQLResourceError, match="Too many open files"):
        session.execute(sql)
    assert session.execute("TABLE heard").to_dict("list") == {"old": [1]}


@pytest.mark.parametrize("statement", ["PREDICT", "ALIGN"])
def test_rows_without_a_result_are_counted_in_the_note(session: Session, statement: str, tmp_path: Path) -> None:
    (tmp_path / "tone.wav").write_bytes(TONE)
    (tmp_path / "text.wav").write_bytes(b"hello, world\n" * 50)
    query = "SELECT :folder || file AS audio_path, 'one' AS text FROM unnest(array['tone', 'gone', 'text']) AS f(name),"
    query += " LATERAL (SELECT name || '.wav') AS g(file)"
    sql = f"{statement} USING Wav2Vec2Tiny OPTIONS (on_error='null') AS {query}"
    note = session.run(sql, {"folder": f"{tmp_path}/"}).note
    assert "2 rows, row 2 the first: no result: no such file" in note
    assert "no result" not in session.run(f"{sql} WHERE name = 'tone'", {"folder": f"{tmp_path}/"}).note
