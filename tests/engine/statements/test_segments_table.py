"""segments_table: what was said, cut at pauses, as a table that goes into every statement over audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from thanosql import ThanoSQLDataError, ThanoSQLError, ThanoSQLOptionError
from thanosql.engine.session import Session

RATE = 8_000  # of the data set's files
PAUSE = 1.0  # seconds between two clips, of a quiet room
LEAD = RATE // 4  # samples before the first
COLUMNS = ["channel", "position", "start", "end", "text", "confidence", "problem"]
PARTS = "start_col='start', end_col='end', channel_col='channel'"


@pytest.fixture
def glued(numbers: Session, tmp_path: Path) -> Path:
    """Eight clips of the tutorial's data set in one recording; the table `calls` names it, `clips` says where each stands."""
    clips = numbers.execute("SELECT audio_path, text FROM librispeech_test ORDER BY audio_path LIMIT 8")
    room = np.random.default_rng(0).normal(0, 0.001, int(PAUSE * RATE)).astype("f4")
    pieces, rows, at = [room[:LEAD]], [], LEAD
    for clip in clips.itertuples():
        samples, _ = soundfile.read(numbers.settings.workspace / clip.audio_path, dtype="float32")
        rows.append(f"({at / RATE}::float8, {(at + len(samples)) / RATE}::float8, '{clip.text}')")
        pieces += [samples, room]
        at += len(samples) + len(room)
    path = tmp_path / "all.wav"
    soundfile.write(path, np.concatenate(pieces), RATE, subtype="PCM_16")
    numbers.execute(f'CREATE TEMP TABLE clips AS SELECT * FROM (VALUES {", ".join(rows)}) v(start, "end", text)')
    numbers.execute(
        f"CREATE TEMP TABLE calls AS SELECT 7 AS id, '{path}' AS audio_path, string_agg(text, ' ' ORDER BY start) AS text"
        " FROM clips"
    )
    return path


@pytest.fixture
def cuts(numbers: Session, glued: Path) -> Session:
    """A session with the segments of `calls` as the table `cuts`."""
    numbers.execute("PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table='cuts', min_pause=0.6) AS SELECT * FROM calls")
    return numbers


def test_segments_stand_where_the_clips_do(cuts: Session, glued: Path) -> None:
    found = cuts.execute("SELECT * FROM cuts")
    clips = cuts.execute("SELECT * FROM clips ORDER BY start")
    assert list(found.columns) == ["audio_path", *COLUMNS]
    assert list(found.position) == list(range(1, 9))
    assert set(found.audio_path) == {str(glued)}
    assert found.channel.isna().all()
    assert found.problem.isna().all()
    assert found.confidence.between(0, 1).all()
    assert ((found.start - clips.start).abs() < 0.4).all()
    assert ((found.end - clips.end).abs() < 0.4).all()
    heard = cuts.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls").predict_result[0]
    assert "".join(found.text).replace(" ", "") == heard.replace(" ", ""), "all of it, and nothing twice"


def test_they_go_into_every_statement_as_they_are(cuts: Session) -> None:
    figures = cuts.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM cuts WHERE problem IS NULL")
    assert figures.utterances[0] == 8
    again = cuts.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM cuts")
    assert len(again) == 8
    assert cuts.execute(f"CHECK FIT MODEL m USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM cuts").empty
    report = cuts.execute(f"FIT MODEL m USING Wav2Vec2Tiny OPTIONS ({PARTS}, max_epochs=1) AS SELECT * FROM cuts")
    assert report.utterances == 8
    played = cuts.run(f"PRINT AUDIO OPTIONS ({PARTS}) AS SELECT * FROM cuts")
    assert played.audio is not None
    assert len(played.audio.of_frame(played.value)) == 8
    # Segments of segments are timed in the recording, too.
    cuts.execute(
        f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}, segments_table='finer', min_pause=0.1) AS SELECT * FROM cuts"
    )
    bounds = cuts.execute(
        'SELECT bool_and(f.start >= c.start - 0.002 AND f."end" <= c."end" + 0.002) AS inside, count(*) AS n FROM finer f '
        'JOIN cuts c ON f.start BETWEEN c.start - 0.002 AND c."end"'
    )
    assert bounds.inside[0]
    assert bounds.n[0] >= 8


def test_align_cuts_the_text_that_is_known(numbers: Session, glued: Path) -> None:
    numbers.execute(
        "ALIGN USING Wav2Vec2Tiny OPTIONS (segments_table='cuts', words_table='said', row_key='id', min_pause=0.6) AS "
        "SELECT * FROM calls"
    )
    found = numbers.execute("SELECT * FROM cuts")
    assert list(found.columns) == ["id", "audio_path", *COLUMNS]
    assert set(found.id) == {7}
    assert " ".join(found.text) == numbers.execute("SELECT lower(text) AS text FROM calls").text[0]
    clips = numbers.execute("SELECT * FROM clips ORDER BY start")
    assert list(found.text[:3]) == list(clips.text.str.lower()[:3])
    figures = numbers.execute(f"EVALUATE USING Wav2Vec2Tiny OPTIONS ({PARTS}) AS SELECT * FROM cuts")
    assert figures.wer[0] < 0.25, "a segment holds its words, whole"
    assert len(numbers.execute("SELECT * FROM said WHERE word <> ''")) == sum(len(text.split()) for text in found.text)


def test_segments_are_at_most_as_long_as_is_asked_for(numbers: Session, glued: Path) -> None:
    for most in (2.0, 5.0):
        numbers.execute(
            f"PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table='cuts', min_pause=60, segment_seconds={most}) AS "
            "SELECT * FROM calls"
        )
        found = numbers.execute("SELECT * FROM cuts")
        assert ((found.end - found.start) <= most + 0.001).all()
        assert len(found) > 10 / most


def test_each_channel_has_segments_of_its_own(numbers: Session, glued: Path) -> None:
    mono, _ = soundfile.read(glued, dtype="float32")
    half = len(mono) // 2
    left, right = mono.copy(), mono.copy()
    quiet = np.random.default_rng(1).normal(0, 0.001, len(mono)).astype("f4")
    left[half:], right[:half] = quiet[half:], quiet[:half]
    soundfile.write(glued.parent / "call.wav", np.stack([left, right], 1), RATE)
    numbers.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (channel_col='channel', segments_table='cuts') AS "
        "SELECT :path AS audio_path, channel FROM generate_series(1, 2) channel",
        {"path": str(glued.parent / "call.wav")},
    )
    sides = numbers.execute('SELECT channel, min(start) AS first, max("end") AS last FROM cuts GROUP BY 1 ORDER BY 1')
    assert list(sides.channel) == [1, 2]
    assert sides["last"][0] <= half / RATE + 0.2
    assert sides["first"][1] >= half / RATE - 0.2
    numbers.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (channel=2, segments_table='cuts') AS SELECT :path AS audio_path",
        {"path": str(glued.parent / "call.wav")},
    )
    assert set(numbers.execute("SELECT channel FROM cuts").channel) == {2}


def test_tables_are_replaced_together_or_not_at_all(cuts: Session) -> None:
    cuts.execute("CREATE TABLE kept_result AS SELECT 1 AS old; CREATE TABLE kept_cuts (id int, text text)")
    cuts.execute("CREATE VIEW hinders AS SELECT text FROM kept_cuts")
    before = cuts.execute("SELECT * FROM kept_cuts")
    with pytest.raises(ThanoSQLError):
        cuts.execute(
            "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='kept_result', segments_table='kept_cuts') AS SELECT * FROM calls"
        )
    assert list(cuts.execute("SELECT * FROM kept_result").columns) == ["old"]
    assert list(cuts.execute("SELECT * FROM kept_cuts").columns) == list(before.columns)
    cuts.execute("DROP VIEW hinders")
    result = cuts.run(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='kept_result', segments_table='kept_cuts', min_pause=0.6) AS "
        "SELECT * FROM calls"
    )
    assert "8 segments in table" in result.note
    assert "predict_result" in cuts.execute("SELECT * FROM kept_result").columns
    assert len(cuts.execute("SELECT * FROM kept_cuts")) == 8
    cuts.execute("DROP TABLE kept_result, kept_cuts")


def test_the_table_that_is_read_may_be_replaced(cuts: Session) -> None:
    cuts.execute("CREATE TABLE again AS SELECT * FROM cuts")
    cuts.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS ({PARTS}, segments_table='again') AS SELECT * FROM again")
    assert len(cuts.execute("SELECT * FROM again")) >= 8
    cuts.execute("DROP TABLE again")


def test_files_in_bytea_need_a_key_and_stay_where_they_are(numbers: Session, glued: Path) -> None:
    query = "SELECT id, :content::bytea AS audio_path FROM calls"
    content = {"content": glued.read_bytes()}
    with pytest.raises(ThanoSQLDataError, match="holds the audio itself"):
        numbers.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table='cuts') AS {query}", content)
    numbers.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table='cuts', row_key='id') AS {query}", content)
    assert list(numbers.execute("SELECT * FROM cuts").columns) == ["id", *COLUMNS]


def test_a_row_that_cannot_be_read_has_no_segments(numbers: Session, glued: Path) -> None:
    numbers.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table='cuts', on_error='null', row_key='id') AS "
        "SELECT id, audio_path FROM calls UNION ALL SELECT 8, 'nowhere.wav'"
    )
    assert set(numbers.execute("SELECT id FROM cuts").id) == {7}


def test_no_rows_give_an_empty_table(numbers: Session, glued: Path) -> None:
    numbers.execute("PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table='cuts') AS SELECT * FROM calls WHERE false")
    assert list(numbers.execute("SELECT * FROM cuts").columns) == ["audio_path", *COLUMNS]
    assert numbers.execute("SELECT * FROM cuts").empty


@pytest.mark.parametrize(
    ("options", "query", "kind", "said"),
    [
        (
            "timestamps='char'",
            "*",
            ThanoSQLOptionError,
            "segments_table is made of words, and timestamps='char' times none.",
        ),
        ("words_table='cuts'", "*", ThanoSQLOptionError, "words_table and segments_table both name"),
        ("table_name='cuts'", "*", ThanoSQLOptionError, "table_name and segments_table both name"),
        (
            "row_key='position'",
            "*, 1 AS position",
            ThanoSQLDataError,
            "The column 'position' has the name of another column",
        ),
        (
            "audio_col='text'",
            "audio_path AS text",
            ThanoSQLDataError,
            "The column 'text' has the name of another column",
        ),
        ("min_pause=-1", "*", ThanoSQLOptionError, "must be from 0 to 60, not -1"),
        ("segment_seconds=0", "*", ThanoSQLOptionError, "must be from 0.5 to 3600, not 0"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    numbers: Session, options: str, query: str, kind: type[ThanoSQLError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        numbers.execute(
            f"PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table='cuts', {options}) AS SELECT {query} FROM librispeech_test"
        )
    assert said in caught.value.message
    assert caught.value.position is not None


def test_inside_a_query_no_table_is_written(numbers: Session) -> None:
    with pytest.raises(ThanoSQLDataError, match="it has a segments_table"):
        numbers.execute(
            "SELECT * FROM (PREDICT USING Wav2Vec2Tiny OPTIONS (segments_table='cuts') AS SELECT * FROM librispeech_test) p"
        )


def test_a_table_that_is_kept_current_keeps_its_segments_current(numbers: Session, glued: Path) -> None:
    statement = (
        "PREDICT USING Wav2Vec2Tiny OPTIONS (mode='update', table_name='heard', row_key='id', segments_table='cuts', "
        "min_pause=0.6) AS SELECT * FROM calls"
    )
    numbers.execute(statement)
    assert len(numbers.execute("SELECT * FROM cuts")) == 8
    numbers.execute("INSERT INTO calls SELECT 8, audio_path, text FROM calls")
    assert "1 of 2 rows" in numbers.run(statement).note
    assert list(numbers.execute("SELECT id, count(*) AS n FROM cuts GROUP BY 1 ORDER BY 1").n) == [8, 8]
    numbers.execute("DROP TABLE heard, cuts")
