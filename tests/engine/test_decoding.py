"""PREDICT's timestamps, confidence, words table, beam, hot words and language models; ALIGN: over real audio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thanosql
from thanosql import ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError
from thanosql.engine.session import Session

SOME = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 6"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        opened.execute("COPY librispeech_test FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'")
        yield opened


@pytest.fixture(scope="module")
def plain(session: Session) -> Any:
    return session.execute(f"PREDICT USING Wav2Vec2Tiny AS {SOME}")


def items(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else json.loads(value)


def predict(session: Session, options: str, query: str = SOME) -> Any:
    return session.execute(f"PREDICT USING Wav2Vec2Tiny OPTIONS ({options}) AS {query}")


def seconds(session: Session, path: str) -> float:
    from thanosql.models.audio import probe

    return probe(path, session.settings.audio_roots).seconds


def test_words_come_with_their_seconds_beside_the_same_text(session: Session, plain: Any) -> None:
    frame = predict(session, "timestamps='word', confidence=True")
    assert list(frame.columns) == [*plain.columns, "predict_result_words", "predict_result_confidence"]
    assert list(frame.predict_result) == list(plain.predict_result)
    for row in frame.itertuples():
        words = items(row.predict_result_words)
        assert " ".join(word["word"] for word in words) == row.predict_result
        times = [time for word in words for time in (word["start"], word["end"])]
        assert times == sorted(times)
        assert 0 <= times[0] < times[-1] <= seconds(session, row.audio_path)
        assert all(0 <= word["confidence"] <= 1 for word in words)
        assert 0 <= row.predict_result_confidence <= 1


def test_words_are_those_of_transformers_pipeline_and_stand_where_it_hears_them(session: Session) -> None:
    """Its seconds are those of the labels; ours are the sound's, which begins about there and ends later."""
    from transformers import pipeline

    from thanosql.models.audio import read
    from thanosql.models.bases import BASES

    folder = BASES["Wav2Vec2Tiny"].checkpoint
    recognize = pipeline("automatic-speech-recognition", folder)
    for row in predict(session, "timestamps='word'").itertuples():
        waveform = read(row.audio_path, session.settings.audio_roots)
        theirs = recognize(np.array(waveform), return_timestamps="word")["chunks"]
        ours = items(row.predict_result_words)
        assert [word["word"] for word in ours] == [chunk["text"] for chunk in theirs]
        for word, chunk in zip(ours, theirs, strict=True):
            start, end = chunk["timestamp"]
            assert word["start"] < end
            assert start < word["end"]


@pytest.fixture(scope="module")
def glued(
    session: Session, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[tuple[float, float]], list[str]]:
    """Utterances put end to end with pauses of 0.35 and 0.7 s in turn: the file, when each begins and ends, their texts.

    Each is cut to its sound: what is within 40 dB of its loudest 5 ms.
    """
    import soundfile

    from thanosql.models.audio import read

    rows = session.execute("SELECT audio_path, text FROM librispeech_test ORDER BY audio_path LIMIT 24")
    random = np.random.default_rng(0)
    parts, places, length = [], [], 0
    for number, path in enumerate(rows.audio_path):
        waveform = read(path, session.settings.audio_roots)
        blocks = waveform[: len(waveform) // 80 * 80].reshape(-1, 80)
        level = 10 * np.log10((blocks**2).mean(axis=1) + 1e-12)
        loud = np.flatnonzero(level > level.max() - 40)
        sound = waveform[loud[0] * 80 : (loud[-1] + 1) * 80]
        places.append((length / 16_000, (length + len(sound)) / 16_000))
        parts += [sound, np.zeros(11_200 if number % 2 else 5_600, np.float32)]
        length += len(sound) + len(parts[-1])
    waveform = np.concatenate(parts)
    waveform += random.normal(0, 3e-4, len(waveform)).astype(np.float32)
    path = tmp_path_factory.mktemp("glued") / "glued.wav"
    soundfile.write(path, waveform, 16_000)
    return path, places, list(rows.text)


@pytest.mark.parametrize(
    "options", ["decoder='greedy'", "decoder='beam', beam_width=20", "decoder='beam', beam_width=20, lm_query=:texts"]
)
def test_words_begin_and_end_with_their_sound(
    session: Session, glued: tuple[Path, list[tuple[float, float]], list[str]], options: str
) -> None:
    """Ends were 170 ms early in the median: CTC is sure of a last letter long before it has faded."""
    path, places, _ = glued
    statement = f"PREDICT USING Wav2Vec2Tiny OPTIONS (timestamps='word', {options}) AS SELECT :path AS audio_path"
    given = {"path": str(path), "texts": "SELECT text FROM librispeech_test"}
    frame = session.execute(statement, given if "lm_query" in options else {"path": str(path)})
    words = items(frame.predict_result_words[0])
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[-1] <= seconds(session, str(path))
    starts = [min(abs(word["start"] - start) for word in words) for start, _ in places]
    ends = [min(abs(word["end"] - end) for word in words) for _, end in places]
    for differences in (starts, ends):
        assert np.median(differences) <= 0.02
        assert np.percentile(differences, 90) <= 0.08


def test_segments_end_at_the_pauses_that_they_are_said_to_end_at(
    session: Session, glued: tuple[Path, list[tuple[float, float]], list[str]]
) -> None:
    path, places, texts = glued
    frame = session.execute(
        "ALIGN USING Wav2Vec2Tiny OPTIONS (timestamps='segment', gaps=False) AS SELECT :path AS audio_path, :text AS text",
        {"path": str(path), "text": " ".join(texts)},
    )
    segments = items(frame.align_result[0])
    # Pauses of 0.35 s lie within, those of 0.7 s between.
    pairs = [f"{one} {other}" for one, other in zip(texts[::2], texts[1::2], strict=True)]
    assert [segment["word"].lower() for segment in segments] == pairs
    for segment, first, last in zip(segments, places[::2], places[1::2], strict=True):
        assert segment["start"] == pytest.approx(first[0], abs=0.1)
        assert segment["end"] == pytest.approx(last[1], abs=0.1)


def test_seconds_go_on_across_windows(session: Session, tmp_path: Path) -> None:
    import soundfile

    from thanosql.models.audio import read

    paths = session.execute(SOME).audio_path
    pause = np.zeros(8_000, np.float32)
    parts = [np.concatenate([read(path, session.settings.audio_roots), pause]) for path in paths]
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts), 16_000)
    query = f"SELECT '{tmp_path / 'long.wav'}' AS audio_path"
    whole, windows = (
        items(predict(session, f"timestamps='char', window_seconds={length}", query).predict_result_words[0])
        for length in (100, 4)
    )
    begin = sum(map(len, parts[:-1])) / 16_000  # of the last utterance, several windows in
    times = [{(one["word"], one["start"]) for one in found if one["start"] > begin} for found in (whole, windows)]
    assert len(times[0] & times[1]) >= 0.8 * len(times[0]) > 0


def test_characters_and_segments_hold_the_same_letters(session: Session, plain: Any) -> None:
    for level, joint in (("char", ""), ("segment", " ")):
        frame = predict(session, f"timestamps='{level}'")
        for row in frame.itertuples():
            letters = joint.join(item["word"] for item in items(row.predict_result_words))
            assert letters == row.predict_result.replace("" if joint else " ", "")


def test_when_the_words_are_refused_the_result_is_not_written_either(session: Session) -> None:
    session.execute(
        "DROP TABLE IF EXISTS heard, heard_words; CREATE TABLE heard AS SELECT 1 AS a;"
        "CREATE TABLE heard_words (word text CHECK (word = 'never'))"
    )
    with pytest.raises(ThanoSQLDatabaseError, match="constraint"):
        predict(session, "table_name='heard', words_table='heard_words'")
    assert session.execute("SELECT * FROM heard").to_dict("list") == {"a": [1]}
    assert session.execute("SELECT * FROM heard_words").empty
    session.execute("DROP TABLE heard, heard_words")


def test_the_words_table_joins_with_the_result(session: Session) -> None:
    predict(session, "table_name='heard', words_table='heard_words'")
    columns = session.execute("SELECT * FROM heard_words LIMIT 0").columns
    assert list(columns) == ["audio_path", "position", "word", "start", "end", "confidence"]
    joined = session.execute(
        "SELECT h.predict_result, string_agg(w.word, ' ' ORDER BY w.position) AS words, min(w.position) AS first,"
        " bool_and(w.start < w.end) AS forward FROM heard h JOIN heard_words w USING (audio_path) GROUP BY 1, audio_path"
    )
    assert len(joined) == 6
    assert list(joined.words) == list(joined.predict_result)
    assert set(joined["first"]) == {1}
    assert joined.forward.all()


def test_another_column_may_be_the_key_of_the_words(session: Session) -> None:
    query = f"SELECT row_number() OVER () AS call, * FROM ({SOME}) q"
    predict(session, "words_table='call_words', row_key='call', confidence=True", query)
    found = session.execute("SELECT call, count(*) FROM call_words GROUP BY call ORDER BY call")
    assert list(found.call) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ThanoSQLDataError, match="holds the audio itself"):
        predict(session, "words_table='w', audio_col='raw'", "SELECT 'x'::bytea AS raw")
    with pytest.raises(ThanoSQLDataError, match="name of another column"):
        predict(session, "words_table='w', row_key='word'", f"SELECT 'x' AS word, * FROM ({SOME}) q")
    with pytest.raises(ThanoSQLOptionError, match="both name public.w"):
        predict(session, "words_table='w', table_name='public.w'")


def test_a_generated_name_that_the_query_has_is_refused(session: Session) -> None:
    with pytest.raises(ThanoSQLDataError, match="'predict_result_words', which this statement would add"):
        predict(session, "timestamps='word'", "SELECT *, 1 AS predict_result_words FROM librispeech_test")
    with pytest.raises(ThanoSQLDataError, match="longer than PostgreSQL's 63 bytes"):
        predict(session, f"confidence=True, result_col='{'r' * 60}'")


def test_a_row_that_cannot_be_read_has_no_words(session: Session) -> None:
    frame = predict(
        session,
        "timestamps='word', confidence=True, on_error='null', words_table='some_words'",
        f"SELECT 'nowhere.wav' AS audio_path UNION ALL (SELECT audio_path FROM ({SOME}) q LIMIT 1)",
    )
    assert (
        frame.predict_result_words.isna().tolist() == frame.predict_result_confidence.isna().tolist() == [True, False]
    )
    assert frame.predict_result_error.isna().tolist() == [False, True]
    assert set(session.execute("SELECT audio_path FROM some_words").audio_path) == {frame.audio_path[1]}


def test_the_beam_is_that_over_the_models_log_probabilities(session: Session) -> None:
    from thanosql.models.audio import read
    from thanosql.models.bases import BASES
    from thanosql.models.ctc.beam import search
    from thanosql.models.families import waveform_ctc
    from thanosql.models.options import TranscribeOptions

    recognizer = waveform_ctc.load(BASES["Wav2Vec2Tiny"].checkpoint, TranscribeOptions(device="cpu"))
    for row in predict(session, "decoder='beam', beam_width=20, timestamps='word'").itertuples():
        (logs,) = recognizer.log_probabilities([read(row.audio_path, session.settings.audio_roots)])
        assert row.predict_result == search(logs.numpy(), recognizer.vocabulary, width=20)[0].text
        assert " ".join(word["word"] for word in items(row.predict_result_words)) == row.predict_result


def test_a_query_of_words_makes_the_language_model(session: Session) -> None:
    words = "SELECT word, count(*) FROM librispeech_test, regexp_split_to_table(text, ' ') word GROUP BY 1"
    known = set(session.execute(words).word.str.upper())
    query = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 30"
    guided = f"decoder='beam', lm_query='{words.replace(chr(39), chr(39) * 2)}', lm_weight=2"
    unknown = [
        sum(
            word.upper() not in known
            for text in predict(session, options, query).predict_result
            for word in text.split()
        )
        for options in ("decoder='beam'", guided, f"{guided}, lm_closed=True")
    ]
    # A word that is not in the list costs as much as its rarest one: what was heard clearly may still stand, unless the
    # list is closed.
    assert unknown[1] <= unknown[0] / 3
    assert unknown[0] >= 6
    assert unknown[2] == 0


def test_an_arpa_file_is_found_in_the_workspace(session: Session) -> None:
    folder: Path = session.settings.workspace
    folder.mkdir(parents=True, exist_ok=True)
    words = ["zero", "one"]
    (folder / "lm.arpa").write_text(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-99 <s>\n-0.5 </s>\n"
        + "".join(f"-0.5 {word}\n" for word in words)
        + "\n\\end\\\n"
    )
    frame = predict(session, "decoder='beam', lm='lm.arpa', lm_weight=0.1")
    assert {word.lower() for text in frame.predict_result for word in text.split()} & set(words)
    with pytest.raises(ThanoSQLModelError, match="no language model at absent.arpa"):
        predict(session, "decoder='beam', lm='absent.arpa'")
    with pytest.raises(ThanoSQLModelError, match="s3://bucket/lm.arpa is an address") as refused:
        predict(session, "decoder='beam', lm='s3://me:planted@bucket/lm.arpa'")
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("hotwords=['one']", "'hotwords' needs decoder='beam'"),
        ("beam_width=4", "'beam_width' needs decoder='beam'"),
        ("decoder='greedy', word_bonus=0", "'word_bonus' needs decoder='beam'"),
        ("decoder='beam', lm_closed=True", "lm_closed needs a list of words"),
        ("lm_query='SELECT 1'", "'lm_query' needs decoder='beam'"),
        ("decoder='beam', lm='a', lm_query='b'", "Both lm and lm_query are given"),
        ("decoder='beam', hotwords=['50%']", "cannot recognize the hot word '50%'"),
        ("decoder='bean'", "cannot be 'bean'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(session: Session, options: str, said: str) -> None:
    with pytest.raises(ThanoSQLOptionError, match=said):
        predict(session, options)


def test_a_language_model_query_of_other_columns_is_refused(session: Session) -> None:
    with pytest.raises(ThanoSQLDataError, match="one column of texts"):
        predict(session, "decoder='beam', lm_query='SELECT 1 AS number'")
    with pytest.raises(ThanoSQLModelError, match="no words"):
        predict(session, "decoder='beam', lm_query='SELECT NULL::text'")


def test_a_known_text_is_aligned_in_its_order(session: Session) -> None:
    frame = session.execute(f"ALIGN USING Wav2Vec2Tiny AS {SOME}")
    assert list(frame.columns[-3:]) == ["align_result", "align_result_confidence", "align_result_problem"]
    for row in frame.itertuples():
        words = items(row.align_result)
        assert " ".join(word["word"] for word in words if word["word"]).lower() == row.text.lower()
        times = [time for word in words for time in (word["start"], word["end"])]
        assert times == sorted(times)
        assert times[-1] <= seconds(session, row.audio_path)


def test_what_the_model_heard_is_aligned_where_it_was_heard(session: Session) -> None:
    heard = f"PREDICT USING Wav2Vec2Tiny OPTIONS (timestamps='char', result_col='heard') AS {SOME}"
    frame = session.execute(
        f"ALIGN USING Wav2Vec2Tiny OPTIONS (text_col='heard', timestamps='char') AS SELECT * FROM ({heard}) p"
    )
    pairs = [
        (one["word"], one["start"], one["end"]) == (other["word"], other["start"], other["end"])
        for row in frame.itertuples()
        for one, other in zip(items(row.align_result), items(row.heard_words), strict=True)
    ]
    # The best path of all is the best one of its text; only word breaks at the ends are no part of that.
    assert sum(pairs) >= 0.95 * len(pairs)


def test_a_wrong_text_fits_worse(session: Session) -> None:
    query = f"SELECT audio_path, text, reverse(text) AS other FROM ({SOME}) q"
    right, wrong = (
        session.execute(f"ALIGN USING Wav2Vec2Tiny OPTIONS (text_col={column}) AS {query}").align_result_confidence
        for column in ("text", "other")
    )
    assert (right > wrong).all()


def test_a_text_that_cannot_be_aligned_names_its_row(session: Session) -> None:
    strict = "unknown='error', gaps=False"
    query = (
        "SELECT audio_path, CASE row_number() OVER () WHEN 2 THEN '42' WHEN 3 THEN NULL"
        f" WHEN 4 THEN repeat('one ', 200) ELSE text END AS text FROM ({SOME}) q"
    )
    with pytest.raises(ThanoSQLDataError, match="2 of 6 rows have a text in 'text' that cannot be aligned") as refused:
        session.execute(f"ALIGN USING Wav2Vec2Tiny OPTIONS ({strict}) AS {query}")
    assert [row["row"] for row in refused.value.rows] == [2, 3]
    with pytest.raises(ThanoSQLDataError, match="1 of 1 row") as refused:
        session.execute(
            f"ALIGN USING Wav2Vec2Tiny OPTIONS ({strict}) AS SELECT * FROM ({query}) q WHERE length(text) > 500"
        )
    assert "frames" in refused.value.rows[0]["reason"]
    frame = session.execute(f"ALIGN USING Wav2Vec2Tiny OPTIONS (on_error='null', {strict}) AS {query}")
    assert frame.align_result.isna().tolist() == [False, True, True, True, False, False]
    assert frame.align_result_error.isna().tolist() == [True, False, False, False, True, True]


def test_align_stands_in_a_query_and_fills_tables(session: Session) -> None:
    found = session.execute(
        f"SELECT avg(align_result_confidence) AS sure FROM (ALIGN USING Wav2Vec2Tiny AS {SOME}) a WHERE text <> ''"
    )
    assert 0 < found.sure[0] <= 1
    session.execute(f"ALIGN USING Wav2Vec2Tiny OPTIONS (table_name='aligned', words_table='aligned_words') AS {SOME}")
    counted = session.execute(
        "SELECT (SELECT sum(jsonb_array_length(align_result)) FROM aligned) = (SELECT count(*) FROM aligned_words) AS same"
    )
    assert counted.same[0]
