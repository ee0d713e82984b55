"""Rows that are parts of recordings: who, where and when are options of every statement over audio."""

from __future__ import annotations

from pathlib import Path

import jiwer
import numpy as np
import pandas as pd
import pytest
import soundfile

from thanosql import ThanoSQLDataError, ThanoSQLOptionError
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLError
from thanosql.models.audio import AudioPart, access, recordings

RATE = 8_000  # of the data set's files
ROUNDED = 0.001  # seconds that times are rounded to
PAUSE = 0.5  # seconds between two clips
PARTS = "start_col='start', end_col='end'"


@pytest.fixture
def clips(numbers: Session) -> pd.DataFrame:
    """Six spoken rows of the tutorial's data set, each a file of its own: `audio_path`, `text`, and `whole` as heard."""
    return numbers.execute(
        "SELECT audio_path, text, predict_result AS whole FROM "
        "(PREDICT USING Wav2Vec2Tiny AS SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 6) p"
    )


def sound(session: Session, path: str) -> np.ndarray:
    samples, rate = soundfile.read(session.settings.workspace / path, dtype="float32")
    assert rate == RATE
    return samples


@pytest.fixture
def glued(numbers: Session, clips: pd.DataFrame, tmp_path: Path) -> Path:
    """The clips in one recording with pauses between them, none behind the last; `segments` says where each stands."""
    pieces, rows, at = [], [], 0
    for clip in clips.itertuples():
        samples = sound(numbers, clip.audio_path)
        rows.append((at / RATE, (at + len(samples)) / RATE, clip.text, clip.whole))
        pieces += [samples, np.zeros(int(PAUSE * RATE), "f4")]
        at += len(samples) + int(PAUSE * RATE)
    path = tmp_path / "all.wav"
    soundfile.write(path, np.concatenate(pieces[:-1]), RATE, subtype="PCM_16")
    values = ", ".join(
        f"('{path}', {start}::float8, {end}::float8, '{text}', '{whole}')" for start, end, text, whole in rows
    )
    numbers.execute(
        f'CREATE TEMP TABLE segments AS SELECT * FROM (VALUES {values}) v(audio_path, start, "end", text, whole)'
    )
    return path


@pytest.fixture
def call(numbers: Session, clips: pd.DataFrame, tmp_path: Path) -> Path:
    """Two clips at once, one on each channel."""
    left, right = (sound(numbers, clips.audio_path[index]) for index in (0, 1))
    both = np.zeros((max(len(left), len(right)), 2), "f4")
    both[: len(left), 0], both[: len(right), 1] = left, right
    path = tmp_path / "call.wav"
    soundfile.write(path, both, RATE, subtype="PCM_16")
    return path


@pytest.mark.usefixtures("glued")
def test_each_part_is_heard_as_the_file_that_was_cut(numbers: Session) -> None:
    heard = numbers.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM segments")
    assert list(heard.predict_result) == list(heard.whole)
    assert "".join(heard.whole)


@pytest.mark.usefixtures("glued")
@pytest.mark.parametrize("kind", ["real", "numeric(12,6)", "float8"])
def test_seconds_are_numbers_of_any_type_and_null_is_an_end_of_the_recording(numbers: Session, kind: str) -> None:
    heard = numbers.execute(
        f"PREDICT USING Wav2Vec2Tiny OPTIONS (start_col='begin', end_col=until) AS SELECT *, "
        f'nullif(start, 0)::{kind} AS begin, nullif("end", (SELECT max("end") FROM segments))::{kind} AS until FROM segments'
    )
    assert list(heard.predict_result) == list(heard.whole)
    assert pd.isna(heard.begin[0])
    assert pd.isna(heard.until[5])


def test_a_call_s_two_sides_are_two_rows(numbers: Session, clips: pd.DataFrame, call: Path) -> None:
    heard = numbers.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (channel_col='channel') AS "
        "SELECT c.*, channel FROM (SELECT :path AS audio_path) c, generate_series(1, 2) channel ORDER BY channel",
        {"path": str(call)},
    )
    assert list(heard.predict_result) == [clips.whole[0], clips.whole[1]]
    right = numbers.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (channel=2) AS SELECT :path AS audio_path", {"path": str(call)}
    )
    assert right.predict_result[0] == clips.whole[1]


def test_words_are_timed_in_the_recording(numbers: Session, glued: Path) -> None:
    heard = numbers.execute(
        f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}, timestamps='word', words_table='said') AS SELECT * FROM segments"
    )
    for row in heard.itertuples():
        times = [(word["start"], word["end"]) for word in row.predict_result_words]
        assert times
        assert all(row.start - ROUNDED <= start < end <= row.end + 0.02 for start, end in times)
    said = numbers.execute('SELECT min(start) AS first, max("end") AS last FROM said')
    assert said["last"][0] > heard.start[5]


BAD = [
    ("2.0", "1.0", "the end (1 s) is not after the start (2 s)"),
    ("1.0", "1.0", "the end (1 s) is not after the start (1 s)"),
    ("-0.5", "1.0", "the start is before the recording (-0.5 s)"),
    ("'nan'", "1.0", "the start is nan, not a number of seconds"),
    ("0.0", "'infinity'", "the end is inf, not a number of seconds"),
    ("900.0", "901.0", "the start (900 s) is past the end of the recording"),
    ("0.0", "900.0", "the end (900 s) is past the end of the recording"),
]


def test_bounds_are_refused_before_a_model_is_loaded_a_row_each(
    numbers: Session, glued: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = ", ".join(f"('{glued}', {start}::float8, {end}::float8, 'one')" for start, end, _ in BAD)
    query = f'SELECT * FROM (VALUES {values}) v(audio_path, start, "end", text)'

    def nothing(*_: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("thanosql.models.model_cache.ModelCache.recognizer", nothing)
    for statement in ("PREDICT USING", "EVALUATE USING", "ALIGN USING", "FIT MODEL m USING"):
        with pytest.raises(ThanoSQLDataError) as caught:
            numbers.execute(f"{statement} Wav2Vec2Tiny OPTIONS ({PARTS}) AS {query}")
        assert [row["row"] for row in caught.value.rows] == list(range(1, len(BAD) + 1)), statement
        for row, (_, _, reason) in zip(caught.value.rows, BAD, strict=True):
            assert reason in row["reason"]
    found = numbers.execute(f"CHECK PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS {query}")
    assert list(found.problem) == ["unreadable audio"] * len(BAD)
    explained = numbers.execute(f"EXPLAIN PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS {query}").set_index("item")
    assert "7 of the 7 headers read" in explained.loc["cannot be read", "value"]


def test_bad_bounds_are_null_and_told_with_on_error(numbers: Session, glued: Path) -> None:
    heard = numbers.execute(
        f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}, on_error='null') AS "
        f'SELECT audio_path, start, CASE WHEN start > 0 THEN start - 1 ELSE "end" END AS "end" FROM segments'
    )
    assert heard.predict_result[0]
    assert heard.predict_result[1:].isna().all()
    assert heard.predict_result_error[1:].str.contains("is not after the start").all()


def test_an_end_a_little_past_the_recording_s_is_cut_to_it(numbers: Session, glued: Path) -> None:
    seconds = soundfile.info(glued).duration
    for end, fits in ((seconds + 0.09, True), (seconds + 0.11, False)):
        query = f"SELECT '{glued}' AS audio_path, {seconds - 2.5} AS start, {end} AS \"end\""
        statement = f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS {query}"
        if fits:
            assert numbers.execute(statement).predict_result[0]
        else:
            with pytest.raises(ThanoSQLDataError, match="past the end of the recording"):
                numbers.execute(statement)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("channel=3", "there is no channel 3: it has 2"),
        ("channel_col='number'", "there is no channel 4: it has 2"),
        ("track=2", "there is no audio track 2: it has 1"),
    ],
)
def test_a_channel_or_track_that_is_not_there_is_the_row_s_error(
    numbers: Session, call: Path, options: str, cause: str
) -> None:
    with pytest.raises(ThanoSQLDataError) as caught:
        numbers.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS ({options}) AS SELECT '{call}' AS audio_path, 4 AS number")
    assert caught.value.rows[0]["reason"] == cause


@pytest.mark.parametrize("statement", ["PREDICT USING Wav2Vec2Tiny", "PRINT AUDIO", "EVALUATE USING Wav2Vec2Tiny"])
@pytest.mark.parametrize(
    ("option", "expression", "hint"),
    [
        ("start_col", "'1.5'", "Say x::float8 AS x in the query."),
        ("end_col", "interval '2 s'", "Say extract(epoch FROM x) AS x in the query."),
        ("end_col", "true", "Say x::float8 AS x in the query."),
        ("channel_col", "'left'", "Say x::integer AS x in the query."),
        ("channel_col", "1.5", "Say x::integer AS x in the query."),
    ],
)
def test_a_column_that_holds_no_number_is_refused_at_the_option(
    session: Session, statement: str, option: str, expression: str, hint: str
) -> None:
    source = f"{statement} OPTIONS ({option}='x') AS SELECT 'a.wav' AS audio_path, 'one' AS text, {expression} AS x"
    with pytest.raises(ThanoSQLDataError) as caught:
        session.execute(source)
    error = caught.value
    assert option in error.message
    assert error.hint == hint
    assert error.position is not None
    assert error.position.text[error.position.column - 1 :].startswith("'x'")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("channel=0", "The option 'channel' must be from 1 to 65535, not 0."),
        ("channel='left'", "The option 'channel' takes a whole number, or 'mix', not the string 'left'."),
        ("channel=1.5", "The option 'channel' takes a whole number, or 'mix', not 1.5."),
        ("track=0", "The option 'track' must be from 1 to 1000, not 0."),
        ("channel=1, channel_col='c'", "channel and channel_col both say which channel."),
    ],
)
def test_channels_and_tracks_count_from_one(session: Session, options: str, said: str) -> None:
    for statement in ("PREDICT USING Wav2Vec2Tiny", "PRINT AUDIO"):
        with pytest.raises(ThanoSQLOptionError) as caught:
            session.execute(f"{statement} OPTIONS ({options}) AS SELECT 'a.wav' AS audio_path, 1 AS c")
        assert caught.value.message == said


def test_a_column_that_is_not_there_is_refused_at_the_option(session: Session) -> None:
    for option in ("start_col", "end_col", "channel_col"):
        with pytest.raises(ThanoSQLDataError) as caught:
            session.execute(f"PRINT AUDIO OPTIONS ({option}='begin') AS SELECT 'a.wav' AS audio_path, 1 AS beginning")
        assert f"no column 'begin' ({option})" in caught.value.message
        assert caught.value.position is not None


@pytest.mark.usefixtures("glued")
def test_every_statement_over_audio_takes_parts(numbers: Session) -> None:
    figures = numbers.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM segments")
    spoken = numbers.execute('SELECT sum("end" - start) / 3600 AS hours FROM segments').hours[0]
    assert figures.utterances[0] == 6
    assert figures.hours[0] == pytest.approx(spoken, rel=1e-3)
    cut = numbers.execute("SELECT text, whole FROM segments")
    assert figures.wer[0] == pytest.approx(jiwer.wer(list(cut.text), list(cut.whole)))
    aligned = numbers.execute(f"ALIGN USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM segments")
    assert all(
        row.start - ROUNDED <= row.align_result[0]["start"] and row.align_result[-1]["end"] <= row.end + 0.02
        for row in aligned.itertuples()
    )
    explained = numbers.execute(f"EXPLAIN FIT MODEL m USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM segments")
    assert explained.set_index("item").loc["hours of audio", "value"] == f"{spoken:.3f} (all 6 headers read)"
    assert len(numbers.execute(f"CHECK EVALUATE USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM segments")) == 0


def test_a_model_learns_from_parts_and_knows_them_again(numbers: Session, glued: Path) -> None:
    report = numbers.execute(
        f"BUILD MODEL digits USING Wav2Vec2Tiny OPTIONS ({PARTS}, max_epochs=1, "
        f"valid_query='SELECT * FROM segments WHERE start > 9') AS SELECT * FROM segments WHERE start < 9"
    )
    kept = numbers.execute('SELECT sum("end" - start) / 3600 AS hours FROM segments WHERE start < 9').hours[0]
    assert report.hours == pytest.approx(kept, rel=1e-3)
    found = numbers.execute(f"CHECK EVALUATE USING digits OPTIONS ({PARTS}) AS SELECT * FROM segments")
    assert list(found.row[found.problem == "trained on"]) == list(range(1, report.utterances + 1))
    # Another part of the same recording with the same text is another row.
    other = 'SELECT audio_path, start + 0.01 AS start, "end", text FROM segments'
    assert "trained on" not in set(numbers.execute(f"CHECK EVALUATE USING digits OPTIONS ({PARTS}) AS {other}").problem)


def test_a_recording_that_cannot_be_sought_in_is_decoded_once(
    numbers: Session, glued: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, _ = soundfile.read(glued, dtype="float32")
    for name in ("one.mp3", "two.mp3"):
        soundfile.write(glued.parent / name, samples, RATE)
    decoded: list[AudioPart] = []
    whole = recordings.DecodedRecordings.get
    monkeypatch.setattr(
        recordings.DecodedRecordings,
        "get",
        lambda self, key, decode: whole(self, key, lambda: (decoded.append(key), decode())[1]),
    )
    # Room for one recording: the parts of the two take turns, and each is decoded once nonetheless.
    monkeypatch.setattr("thanosql.models.audio.reading._RECORDINGS", recordings.DecodedRecordings(len(samples) * 4))
    heard = numbers.execute(
        f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}, batch_size=2) AS SELECT '{glued.parent}/' || name AS audio_path, start, "
        "\"end\", whole FROM segments, (VALUES ('one.mp3'), ('two.mp3')) v(name) ORDER BY start, name"
    )
    assert len(decoded) == 2
    assert heard.predict_result.groupby(heard.start).nunique().eq(1).all(), "the two hold the same"
    assert heard.predict_result.str.len().min() > 5


def test_headers_are_read_once_for_all_parts(numbers: Session, glued: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    probe = access.AudioAccess.probe
    monkeypatch.setattr(access.AudioAccess, "probe", lambda self, audio: (asked.append(audio), probe(self, audio))[1])
    numbers.execute(f"EXPLAIN PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM segments")
    assert len(asked) == 1
    numbers.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM segments")
    assert len(asked) == 2


def test_parts_of_files_in_bytea_are_parts_as_well(numbers: Session, glued: Path) -> None:
    heard = numbers.execute(
        f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}, audio_col='file') AS SELECT :content::bytea AS file, * FROM segments",
        {"content": glued.read_bytes()},
    )
    assert list(heard.predict_result) == list(heard.whole)


def test_an_interrupted_statement_resumes_part_by_part(numbers: Session, glued: Path) -> None:
    statement = f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}, save_seconds=1, batch_size=1) AS SELECT * FROM segments"
    seen = 0

    def stop(progress: object) -> None:
        nonlocal seen
        seen += getattr(progress, "what", "") == "transcribing"
        if seen > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        numbers.run(statement, progress=stop)
    result = numbers.run(statement)
    assert "predictions resumed from the cache" in result.note
    assert list(result.value.predict_result) == list(result.value.whole)


def test_a_player_plays_the_part(numbers: Session, glued: Path) -> None:
    from thanosql.notebook.views import Showing, as_html

    result = numbers.run(f"PRINT AUDIO OPTIONS ({PARTS}) AS SELECT * FROM segments ORDER BY start LIMIT 2")
    page = as_html(result, Showing(access=access.AudioAccess(roots=())))
    lengths = [
        f"row {place}, {row.end - row.start:.1f} seconds" for place, row in enumerate(result.value.itertuples(), 1)
    ]
    assert page is not None
    assert all(length in page for length in lengths)
    assert page.count('src="data:audio/mpeg;base64,') == 2


def test_silence_and_duplicates_are_those_of_the_part(numbers: Session, glued: Path) -> None:
    rows = [(0.0, 1.0), (0.0, 1.0)]
    first = numbers.execute('SELECT "end" FROM segments ORDER BY start LIMIT 1').end[0]
    rows.append((first + 0.05, first + 0.45))
    values = ", ".join(f"('{glued}', {start}::float8, {end}::float8, 'one')" for start, end in rows)
    found = numbers.execute(
        f"CHECK EVALUATE USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS "
        f'SELECT * FROM (VALUES {values}) v(audio_path, start, "end", text)'
    )
    assert [(row.row, row.problem) for row in found.itertuples()] == [(2, "duplicate"), (3, "silent audio")]
    assert found.path[1] == f"{glued}, {first + 0.05:g} s to {first + 0.45:g} s"


def test_errors_of_parts_are_thanosql_s(session: Session) -> None:
    with pytest.raises(ThanoSQLError):
        session.execute(
            "PREDICT USING Wav2Vec2Tiny OPTIONS (start_col='s') AS SELECT 'nowhere.wav' AS audio_path, 1 AS s"
        )


def test_what_one_should_know_of_the_channels_is_said_once_for_all_rows(numbers: Session, call: Path) -> None:
    both, rate = soundfile.read(call, dtype="float32")
    files = {"cancels": np.stack([both[:, 0], -both[:, 0]], 1), "silent": both * [0, 1], "sides": both}
    for name, samples in files.items():
        soundfile.write(call.parent / f"{name}.wav", samples, rate)
    rows = "SELECT :folder || name || '.wav' AS audio_path, 'one' AS text FROM (VALUES ('cancels'), ('silent'), ('sides'), "
    given = {"folder": f"{call.parent}/"}
    for statement in ("PREDICT", "ALIGN", "EVALUATE"):
        note = numbers.run(f"{statement} USING Wav2Vec2Tiny AS {rows} ('sides')) v(name)", given).note
        said = note.splitlines()[-3:]
        assert said[0].startswith("2 rows, row 3 the first: channels differ: each of its channels"), statement
        assert "channel_col" in said[0]
        assert said[1].startswith(
            "Row 1: channels cancel: its channels cancel each other when mixed, so only channel 1 is read"
        )
        assert said[2].startswith("Row 2: silent channel: channel 1 is silent")
    found = numbers.execute(f"CHECK PREDICT USING Wav2Vec2Tiny AS {rows} ('sides')) v(name)", given)
    assert list(found.problem) == ["channels cancel", "silent channel", "channels differ", "channels differ"]
    assert (
        len(
            numbers.execute(f"CHECK PREDICT USING Wav2Vec2Tiny OPTIONS (channel=2) AS {rows} ('sides')) v(name)", given)
        )
        == 0
    )


def test_parts_that_overlap_are_found_by_check(numbers: Session, glued: Path) -> None:
    seconds = soundfile.info(glued).duration
    rows = [(0.0, 2.0), (4.0, 6.0), (1.5, 4.5), (6.0, 8.0), (7.95, 9.0), (0.25, 0.75), (0.0, seconds)]
    values = ", ".join(f"('{glued}', {start}::float8, {end}::float8)" for start, end in rows)
    query = f'SELECT * FROM (VALUES {values}) v(audio_path, start, "end")'
    found = numbers.execute(f"CHECK PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS {query}")
    said = found[found.problem == "overlap"]
    assert list(said.row) == [3, 6, 7]
    assert said.reason.iloc[0] == "0.50 s of it are in row 2 as well"
    assert said.reason.iloc[1] == "0.50 s of it are in row 3 as well"
