"""BUILD, FIT, PREDICT and EVALUATE from the text to tables in a real PostgreSQL, and what stops them."""

from __future__ import annotations

from pathlib import Path

import jiwer
import pandas as pd
import pytest

import thanosql
from thanosql import (
    ThanoSQLConnectionError,
    ThanoSQLDatabaseError,
    ThanoSQLDataError,
    ThanoSQLModelError,
    ThanoSQLOptionError,
    ThanoSQLSyntaxError,
)
from thanosql.engine.session import Session

FEW = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 6"


def test_predict_gives_the_querys_columns_and_the_transcript(numbers: Session) -> None:
    heard = numbers.execute(f"PREDICT USING Wav2Vec2Tiny AS {FEW}")
    assert list(heard.columns) == ["audio_path", "text", "speaker", "predict_result"]
    assert len(heard) == 6
    pd.testing.assert_frame_equal(heard[["audio_path", "text", "speaker"]], numbers.execute(FEW))


@pytest.mark.parametrize(
    "sql",
    [
        "predict using Wav2Vec2Tiny as {few}",
        "PREDICT\n\tUSING Wav2Vec2Tiny -- a comment AS ;\nOPTIONS () AS ({few});",
        "/* PREDICT */ Predict Using Wav2Vec2Tiny Options (BATCH_SIZE = 1,) As ({few}) ;;",
    ],
)
def test_case_white_space_comments_and_parentheses_mean_nothing(numbers: Session, sql: str) -> None:
    expected = numbers.execute(f"PREDICT USING Wav2Vec2Tiny AS {FEW}")
    pd.testing.assert_frame_equal(numbers.execute(sql.format(few=FEW)), expected)


def test_predict_agrees_with_plain_transformers_one_by_one(numbers: Session) -> None:
    import soundfile
    import soxr
    import torch
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    from thanosql.models.bases import BASES

    folder = BASES["Wav2Vec2Tiny"].checkpoint
    model = Wav2Vec2ForCTC.from_pretrained(folder, dtype=torch.float32).eval()
    processor = Wav2Vec2Processor.from_pretrained(folder)
    heard = numbers.execute(f"PREDICT USING Wav2Vec2Tiny AS {FEW}")
    for path, text in zip(heard.audio_path, heard.predict_result):
        samples, rate = soundfile.read(numbers.settings.workspace / path, dtype="float32")
        waveform = soxr.resample(samples, rate, 16_000)
        inputs = processor(waveform, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            logits = model(inputs.input_values).logits
        assert processor.batch_decode(logits.argmax(-1))[0] == text


def test_a_built_model_is_heard_alike_in_a_table_by_transformers_and_by_its_pipeline(numbers: Session) -> None:
    import soundfile
    import soxr
    import torch
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor, pipeline

    learned = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8"
    numbers.execute(f"BUILD MODEL alike USING Wav2Vec2Tiny OPTIONS (max_epochs=1, batch_size=8) AS {learned}")
    numbers.execute(f"PREDICT USING alike OPTIONS (table_name='alike_heard') AS {FEW}")
    heard = numbers.execute("SELECT audio_path, predict_result FROM alike_heard")
    folder = str(numbers.store.get("alike").folder)
    model, processor = Wav2Vec2ForCTC.from_pretrained(folder).eval(), Wav2Vec2Processor.from_pretrained(folder)
    recognize = pipeline("automatic-speech-recognition", folder, device="cpu")
    plain, piped = [], []
    for path in heard.audio_path:
        samples, rate = soundfile.read(numbers.settings.workspace / path, dtype="float32")
        waveform = soxr.resample(samples, rate, 16_000)
        inputs = processor(waveform, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            plain.append(processor.batch_decode(model(**inputs).logits.argmax(-1))[0])
        piped.append(recognize(waveform.copy(), batch_size=1)["text"])
    assert list(heard.predict_result) == plain == piped
    assert len(set(plain)) > 1


def test_a_table_of_bytes_is_heard_as_the_files_are(numbers: Session) -> None:
    numbers.execute("DROP TABLE IF EXISTS held; CREATE TABLE held (n int, sound bytea)")
    heard = numbers.execute(f"PREDICT USING Wav2Vec2Tiny AS {FEW}")
    for n, path in enumerate(heard.audio_path):
        content = (numbers.settings.workspace / path).read_bytes()
        numbers.execute("INSERT INTO held VALUES (:n, :content)", {"n": n, "content": content})
    held = numbers.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (audio_col=sound, result_col='said') AS SELECT * FROM held ORDER BY n"
    )
    assert list(held.said) == list(heard.predict_result)


def test_evaluate_counts_as_jiwer_does(numbers: Session) -> None:
    row = numbers.execute(f"EVALUATE USING Wav2Vec2Tiny AS {FEW}").iloc[0]
    heard = numbers.execute(f"PREDICT USING Wav2Vec2Tiny AS {FEW}")
    words = jiwer.process_words(list(heard.text), list(heard.predict_result))
    assert row.utterances == 6
    assert row.words == sum(len(text.split()) for text in heard.text)
    assert row.wer == pytest.approx(words.wer)
    assert row.cer == pytest.approx(jiwer.cer(list(heard.text), list(heard.predict_result)))
    assert (row.substitutions, row.deletions, row.insertions) == (
        words.substitutions,
        words.deletions,
        words.insertions,
    )


def test_a_failed_build_leaves_the_old_model(numbers: Session) -> None:
    few = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8"
    numbers.execute(f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1, batch_size=8) AS {few}")
    before = numbers.store.get("m")
    # Its header is right and its content is not: the failure comes while training.
    broken = numbers.settings.workspace / "broken.flac"
    whole = next((numbers.settings.workspace / "thanosql-dataset" / "spoken_numbers" / "train").iterdir()).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ThanoSQLDataError):
        numbers.execute(
            "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1, overwrite=True) AS "
            f"SELECT 'broken.flac' AS audio_path, 'one' AS text UNION ALL SELECT audio_path, text FROM ({few}) q"
        )
    assert numbers.store.get("m") == before
    assert numbers.store.versions("m") == [before.version]


def test_fit_goes_on_from_a_model_and_may_replace_it(numbers: Session) -> None:
    few = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 8"
    numbers.execute(f"BUILD MODEL first USING Wav2Vec2Tiny OPTIONS (max_epochs=1, batch_size=8) AS {few}")
    report = numbers.execute(f"FIT MODEL second USING first OPTIONS (max_epochs=2, batch_size=3) AS {few}")
    assert (report.base, report.steps, report.epochs, report.utterances) == ("first", 6, 2, 8)
    assert numbers.store.get("second").card["from"]["name"] == "first"
    again = numbers.execute(f"FIT MODEL first USING first OPTIONS (max_epochs=1, overwrite=True) AS {few}")
    assert again.version == 2


def test_a_saved_model_is_a_plain_folder_of_safetensors(numbers: Session) -> None:
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    few = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 4"
    report = numbers.execute(f"BUILD MODEL plain USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS {few}")
    names = {path.name for path in Path(report.folder).iterdir()}
    assert "model.safetensors" in names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]
    assert Wav2Vec2ForCTC.from_pretrained(report.folder).config.model_type == "wav2vec2"
    assert Wav2Vec2Processor.from_pretrained(report.folder).feature_extractor.sampling_rate == 16_000


def bad(sql: str, kind: type[Exception], message: str, name: str) -> object:
    return pytest.param(sql, kind, message, id=name)


BAD = [
    bad("PREDICT USING Wav2vec2EN AS {few}", ThanoSQLModelError, r"Did you mean Wav2Vec2En\?", "base-in-wrong-case"),
    bad("PREDICT USING no_such_model AS {few}", ThanoSQLModelError, r"no_such_model[\s\S]*\^{13}", "no-such-model"),
    bad("BUILD MODEL m USING Wav2Vec2Enn AS {few}", ThanoSQLModelError, "Did you mean Wav2Vec2En", "unknown-base"),
    bad(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (bach_size=4) AS {few}", ThanoSQLOptionError, "batch_size", "unknown-option"
    ),
    bad(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size=4, batch_size=4) AS {few}",
        ThanoSQLOptionError,
        "batch_size",
        "doubled-option",
    ),
    bad(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size='x') AS {few}",
        ThanoSQLOptionError,
        "whole number",
        "ill-typed-option",
    ),
    bad("PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size=0) AS {few}", ThanoSQLOptionError, "4,?096", "out-of-range"),
    bad(
        "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (learning_rate=0) AS {few}",
        ThanoSQLOptionError,
        "over 0 and at most 1, not 0",
        "rate-of-0",
    ),
    bad(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (audio_col='path') AS {few}",
        ThanoSQLDataError,
        r"path[\s\S]*audio_path",
        "missing-column",
    ),
    bad("EVALUATE USING Wav2Vec2Tiny AS {few} OFFSET 1000000", ThanoSQLDataError, "no rows", "empty-result"),
    bad("PREDICT USING Wav2Vec2Tiny AS SELECT NULL AS audio_path", ThanoSQLDataError, "row 1, path NULL", "null-audio"),
    bad(
        "EVALUATE USING Wav2Vec2Tiny AS SELECT audio_path, NULL AS text FROM ({few}) q",
        ThanoSQLDataError,
        "no text in 'text'",
        "null-text",
    ),
    bad(
        "PREDICT USING Wav2Vec2Tiny AS SELECT 'nowhere.wav' AS audio_path",
        ThanoSQLDataError,
        r"row 1, path nowhere\.wav",
        "missing-file",
    ),
    bad(
        "PREDICT USING Wav2Vec2Tiny AS SELECT 1 AS audio_path", ThanoSQLDataError, "type integer", "audio-of-wrong-type"
    ),
    bad(
        "PREDICT USING Wav2Vec2Tiny AS SELECT audio_path, audio_path FROM librispeech_test",
        ThanoSQLDatabaseError,
        "audio_path",
        "two-columns-of-one-name",
    ),
    bad("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM nowhere", ThanoSQLDatabaseError, r"nowhere[\s\S]*\^", "no-table"),
    bad(
        "PREDICT USING Wav2Vec2Tiny AS WITH d AS (DELETE FROM librispeech_test RETURNING *) SELECT * FROM d",
        ThanoSQLDatabaseError,
        "WITH",
        "query-that-writes",
    ),
    bad("PREDICT Wav2Vec2Tiny AS {few}", ThanoSQLSyntaxError, "USING", "missing-USING"),
    bad("PREDICT USING Wav2Vec2Tiny {few}", ThanoSQLSyntaxError, "AS", "missing-AS"),
    bad("SELECT * FROM librispeech_test WHERE speaker = :who", ThanoSQLSyntaxError, ":who", "missing-parameter"),
    bad(
        "FIT MODEL m USING Wav2Vec2Tiny AS SELECT audio_path, 'größe ж' AS text FROM ({few}) q",
        ThanoSQLDataError,
        "row 1",
        "characters-outside-the-vocabulary",
    ),
]


@pytest.mark.parametrize(("sql", "kind", "message"), BAD)
def test_bad_input_is_one_plain_error_and_loses_nothing(
    numbers: Session, sql: str, kind: type[Exception], message: str
) -> None:
    count = "SELECT count(*) AS n FROM librispeech_test"
    before = numbers.execute(count).n[0]
    with pytest.raises(kind, match=message):
        numbers.execute(sql.format(few=FEW))
    assert numbers.execute(count).n[0] == before
    assert numbers.store.names() == []


def test_an_existing_model_is_refused_before_anything_is_trained(numbers: Session) -> None:
    few = "SELECT * FROM librispeech_train ORDER BY audio_path LIMIT 4"
    numbers.execute(f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS {few}")
    # The query would fail too: that it does not come so far is what is tested.
    with pytest.raises(ThanoSQLModelError, match="overwrite"):
        numbers.execute("BUILD MODEL m USING Wav2Vec2Tiny AS SELECT * FROM nowhere")


def test_the_first_error_stops_a_script_and_names_the_statement(session: Session) -> None:
    with pytest.raises(ThanoSQLDatabaseError, match="Statement 2 of 3"):
        session.execute("CREATE TABLE kept (n int); SELECT * FROM nowhere; CREATE TABLE never (n int)")
    assert session.execute("SELECT to_regclass('kept') IS NOT NULL AS kept, to_regclass('never') IS NULL AS not_made")[
        ["kept", "not_made"]
    ].all(axis=None)
    session.execute("DROP TABLE kept")


def test_a_database_that_is_not_there_is_a_connection_error(tmp_path: Path) -> None:
    with (
        thanosql.connect("postgresql://nobody@127.0.0.1:1/nothing", home=tmp_path) as session,
        pytest.raises(ThanoSQLConnectionError, match=r"127\.0\.0\.1"),
    ):
        session.execute("SELECT 1")


def test_a_lost_connection_is_said_and_the_next_statement_connects_again(session: Session) -> None:
    with pytest.raises(ThanoSQLConnectionError):
        session.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert session.execute("SELECT 1 AS n").n[0] == 1


def test_predict_sees_settings_and_temporary_tables_of_the_session(numbers: Session) -> None:
    numbers.execute(f"CREATE TEMPORARY TABLE mine AS {FEW}")
    assert len(numbers.execute("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM mine")) == 6


def test_what_would_commit_is_refused_in_an_open_transaction(numbers: Session) -> None:
    numbers.execute("BEGIN")
    try:
        for sql in (
            f"PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='t') AS {FEW}",
            f"BUILD MODEL m USING Wav2Vec2Tiny AS {FEW}",
        ):
            with pytest.raises(ThanoSQLDatabaseError, match="open transaction"):
                numbers.execute(sql)
        assert len(numbers.execute(f"PREDICT USING Wav2Vec2Tiny AS {FEW}")) == 6
    finally:
        numbers.execute("ROLLBACK")


def test_on_error_null_keeps_the_row_and_says_why(numbers: Session) -> None:
    heard = numbers.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (on_error='null') AS "
        f"SELECT 'nowhere.wav' AS audio_path, 'x' AS text UNION ALL SELECT audio_path, text FROM ({FEW}) q"
    )
    assert list(heard.columns) == ["audio_path", "text", "predict_result", "predict_result_error"]
    assert pd.isna(heard.predict_result[0])
    assert "nowhere.wav" in heard.predict_result_error[0]
    assert heard.predict_result_error[1:].isna().all()
    assert heard.predict_result[1:].notna().all()


def test_statements_compose_with_sql(numbers: Session) -> None:
    heard = numbers.execute(f"PREDICT USING Wav2Vec2Tiny AS {FEW}")
    counted = numbers.execute(
        f"WITH few AS ({FEW}) SELECT p.speaker, count(*) AS n FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM few) p "
        "WHERE p.predict_result IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    assert dict(zip(counted.speaker, counted.n)) == heard.groupby("speaker").size().to_dict()
    numbers.execute(f"DROP TABLE IF EXISTS made; CREATE TABLE made AS (PREDICT USING Wav2Vec2Tiny AS {FEW})")
    assert list(numbers.execute("SELECT predict_result FROM made").predict_result) == list(heard.predict_result)
    wer = numbers.execute(f"SELECT wer, 1 AS one FROM (EVALUATE USING Wav2Vec2Tiny AS {FEW}) e")
    assert list(wer.columns) == ["wer", "one"]


def test_two_threads_take_turns(numbers: Session) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda n: numbers.execute(f"SELECT {n} AS n").n[0], range(20)))
    assert counts == list(range(20))
