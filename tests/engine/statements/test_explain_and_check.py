"""EXPLAIN tells what a statement would need, CHECK which rows would fail or hurt; neither changes anything."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from thanosql import ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLModelError, ThanoSQLOptionError
from thanosql.engine.session import Session
from thanosql.models.trained_rows import TRAINED_ROWS, row_fingerprints


def explained(session: Session, statement: str) -> dict[str, str]:
    frame = session.execute(f"EXPLAIN {statement}")
    assert list(frame.columns) == ["item", "value"]
    return dict(zip(frame["item"], frame["value"], strict=True))


def test_explain_counts_rows_audio_and_batches(numbers: Session) -> None:
    plan = explained(numbers, "PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size=8) AS SELECT * FROM librispeech_test")
    frame = numbers.execute("SELECT audio_path FROM librispeech_test")
    hours = sum(soundfile.info(numbers.settings.workspace / path).duration for path in frame.audio_path) / 3600
    assert plan["rows"] == str(len(frame))
    assert plan["hours of audio"] == f"{hours:.3f} (all {len(frame)} headers read)"
    assert plan["model"] == "Wav2Vec2Tiny"
    assert plan["device"] in ("cpu", "cuda")
    assert "of 8 rows" in plan["batches"]
    assert "measured just now" in plan["time"] or "assumed" in plan["time"]
    assert "weights" in plan["memory"]


def test_explain_reads_a_sample_of_many_headers(numbers: Session) -> None:
    plan = explained(
        numbers, "PREDICT USING Wav2Vec2Tiny AS SELECT t.* FROM librispeech_test t, generate_series(1, 20) ORDER BY 1"
    )
    rows = numbers.execute("SELECT 20 * count(*) AS n FROM librispeech_test").n[0]
    assert plan["rows"] == f"{rows:,}"
    assert re.search(rf"estimated from \d+ of {rows:,} headers", plan["hours of audio"])
    one = explained(numbers, "PREDICT USING Wav2Vec2Tiny AS SELECT * FROM librispeech_test")
    assert float(plan["hours of audio"].split()[0]) == pytest.approx(
        20 * float(one["hours of audio"].split()[0]), rel=0.05
    )


def test_explain_of_training_counts_steps_and_names_the_model(numbers: Session) -> None:
    plan = explained(
        numbers,
        "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (batch_size=32, max_epochs=3) AS SELECT * FROM librispeech_test",
    )
    assert plan["epochs"] == "3 (9 steps)"
    twice = explained(
        numbers,
        "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (batch_size=32, max_epochs=3, trainings=2) AS SELECT * FROM librispeech_test",
    )
    assert twice["epochs"] == "3 in each of 2 trainings (18 steps)"
    assert plan["writes"] == "model m (made)"
    assert "optimizer" in plan["memory"]
    assert numbers.execute("LIST MODEL").empty


def test_explain_of_training_counts_what_the_process_holds_already(numbers: Session) -> None:
    def memory() -> float:
        plan = explained(numbers, "BUILD MODEL m USING Wav2Vec2Tiny AS SELECT * FROM librispeech_test")
        found = re.match(r"about ([\d.,]+) (MB|GB)", plan["memory"])
        assert found, plan["memory"]
        return float(found[1].replace(",", "")) * {"MB": 1e6, "GB": 1e9}[found[2]]

    before = memory()
    held = np.ones(80_000_000)  # 640 MB, more than what torch alone takes
    assert memory() > before + 150e6
    del held


def test_explain_changes_no_table_and_says_which_it_would_replace(numbers: Session) -> None:
    before = numbers.execute("SELECT * FROM librispeech_test")
    plan = explained(
        numbers, "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='librispeech_test') AS SELECT * FROM librispeech_test"
    )
    assert plan["writes"] == "table public.librispeech_test (replaced)"
    pd.testing.assert_frame_equal(numbers.execute("SELECT * FROM librispeech_test"), before)
    with pytest.raises(ThanoSQLDatabaseError):
        explained(
            numbers, "PREDICT USING Wav2Vec2Tiny AS WITH gone AS (DELETE FROM librispeech_test RETURNING *) TABLE gone"
        )


def test_a_model_that_is_only_on_the_hub_is_explained_without_it(numbers: Session) -> None:
    plan = explained(numbers, "EVALUATE USING Wav2Vec2Ko AS SELECT * FROM librispeech_test")
    assert "1.27 GB" in plan["model size"]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("PREDICT USING Wav2Vec2Tinny AS SELECT * FROM librispeech_test", ThanoSQLModelError),
        ("PREDICT USING Wav2Vec2Tiny OPTIONS (batch=1) AS SELECT * FROM librispeech_test", ThanoSQLOptionError),
        ("PREDICT USING Wav2Vec2Tiny OPTIONS (audio_col='x') AS SELECT * FROM librispeech_test", ThanoSQLDataError),
        ("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM nowhere", ThanoSQLDatabaseError),
    ],
)
@pytest.mark.parametrize("word", ["EXPLAIN", "CHECK"])
def test_what_the_statement_would_refuse_is_refused(
    numbers: Session, word: str, statement: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        numbers.execute(f"{word} {statement}")


def test_explain_and_check_import_no_torch(numbers: Session, database_url: str) -> None:
    program = """
        import sys, thanosql
        with thanosql.connect(sys.argv[1], home=sys.argv[2]) as session:
            for word in ("EXPLAIN", "CHECK"):
                session.execute(word + " BUILD MODEL m USING Wav2Vec2Tiny AS SELECT * FROM librispeech_test LIMIT 3")
        print([name for name in ("torch", "transformers") if name in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), database_url, str(numbers.settings.home)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture
def troubled(session: Session, tmp_path: Path) -> Session:
    """A table `troubled` whose rows each have one thing wrong with them, but the first."""
    noise = np.random.default_rng(0).normal(0, 0.1, 31 * 16000).astype("float32")
    made = {
        "good": noise[:16000],
        "again": noise[:16000],
        "silent": np.zeros(8000, dtype="float32"),
        "faint": noise[:8000] * 1e-4,
        "long": noise,
        "short": noise[:800],
        "hasty": noise[4000:9600],
    }
    for name, samples in made.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000, subtype="FLOAT")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("this is no audio")
    rows = [
        ("good", "one two"),
        ("again", "one two"),
        ("silent", "one"),
        ("faint", "one"),
        ("long", "one"),
        ("short", "a"),
        ("hasty", "seven hundred and seventy seven"),
        ("empty", "one"),
        ("text", "one"),
        ("gone", "one"),
        (None, "one"),
        ("good", None),
        ("good", " ?! "),
        ("good", "5 ☃"),
    ]
    session.execute("DROP TABLE IF EXISTS troubled; CREATE TABLE troubled (n int, audio_path text, text text)")
    for n, (name, text) in enumerate(rows, start=1):
        path = None if name is None else str(tmp_path / f"{name}.wav")
        session.execute("INSERT INTO troubled VALUES (:n, :path, :text)", {"n": n, "path": path, "text": text})
    return session


def problems(session: Session, statement: str) -> list[tuple[int, str]]:
    frame = session.execute(f"CHECK {statement} AS SELECT * FROM troubled ORDER BY n")
    assert list(frame.columns) == ["row", "path", "problem", "reason"]
    return [(row["row"], row["problem"]) for row in frame.to_dict("records")]


def test_check_names_every_row_that_would_fail_or_hurt_training(troubled: Session) -> None:
    assert problems(troubled, "BUILD MODEL m USING Wav2Vec2Tiny") == [
        (2, "duplicate"),
        (3, "silent audio"),
        (4, "silent audio"),
        (5, "long audio"),
        (6, "short audio"),
        (7, "text too long"),
        (8, "unreadable audio"),
        (9, "unreadable audio"),
        (10, "unreadable audio"),
        (11, "no audio"),
        (12, "no text"),
        (12, "duplicate"),
        (13, "empty text"),
        (13, "duplicate"),
        (14, "unknown figures and signs"),
        (14, "unknown characters"),
        (14, "duplicate"),
    ]


def test_check_of_predict_looks_at_the_audio_alone(troubled: Session) -> None:
    assert {row for row, _ in problems(troubled, "PREDICT USING Wav2Vec2Tiny")} == set(range(3, 12)) - {7}


@pytest.mark.parametrize("container", ["AU", "CAF", "W64", "FLAC"])
def test_check_names_a_recording_that_was_cut(session: Session, tmp_path: Path, container: str) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 32_000).astype("float32")
    path = tmp_path / "cut"
    soundfile.write(path, samples, 16_000, format=container)
    whole = path.read_bytes()
    sql = f"CHECK PREDICT USING Wav2Vec2Tiny AS SELECT '{path}' AS audio_path"
    assert session.execute(sql).empty
    path.write_bytes(whole[: len(whole) // 2])
    (found,) = session.execute(sql).itertuples()
    assert found.problem == "unreadable audio"
    assert found.reason.startswith("truncated")


def test_the_reasons_tell_the_particulars(troubled: Session) -> None:
    frame = troubled.execute("CHECK EVALUATE USING Wav2Vec2Tiny AS SELECT * FROM troubled ORDER BY n").set_index("row")
    assert "the same audio as row 1, with the same text" in frame.reason[2]
    assert "empty file" in frame.reason[8]
    assert "no such file" in frame.reason[10]
    assert "31.0 s" in frame.reason[5]
    assert "0.050 s" in frame.reason[6]
    assert frame.reason[7] == "31 letters need 31 frames, and 0.35 s of audio have 17"
    of_both = list(frame.reason[14])
    assert "the vocabulary lacks 5" in of_both[0]
    assert of_both[1] == "the vocabulary lacks: ☃"


def test_a_row_passes_the_frame_count_exactly_when_ctc_can_align_it(session: Session, tmp_path: Path) -> None:
    # 0.35 s are 5,600 samples, of which the encoder makes 17 frames.
    samples = np.random.default_rng(1).normal(0, 0.1, 5600).astype("float32")
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    texts = {"abcdefghijklmnopq": 0, "abcdefghijklmnopqr": 1, "aabcdefghijklmnop": 1, "aabcdefghijklmno": 0}
    for text, count in texts.items():
        frame = session.execute(
            "CHECK BUILD MODEL m USING Wav2Vec2Tiny AS SELECT :path AS audio_path, :text AS text",
            {"path": str(tmp_path / "a.wav"), "text": text},
        )
        assert len(frame) == count, text


@pytest.mark.parametrize("statement", ["BUILD MODEL m", "FIT MODEL m", "EVALUATE", "ALIGN"])
def test_tags_of_annotators_are_told_whatever_reads_the_texts(numbers: Session, statement: str) -> None:
    texts = ["one [noise]", "two (inaudible)", "{laughter} three", "four <unk>", "five ((cough))", "%hesitation six"]
    query = "SELECT audio_path, :tag || ' ' || text AS text FROM librispeech_test ORDER BY audio_path LIMIT 1"
    for text in texts:
        frame = numbers.execute(f"CHECK {statement} USING Wav2Vec2Tiny AS {query}", {"tag": text})
        assert "tags" in set(frame.problem), text
    frame = numbers.execute(f"CHECK {statement} USING Wav2Vec2Tiny AS {query}", {"tag": "one"})
    assert "tags" not in set(frame.problem)


def test_bytes_are_checked_as_files_are(session: Session, tmp_path: Path) -> None:
    frame = session.execute("CHECK PREDICT USING Wav2Vec2Tiny AS SELECT :raw AS audio_path", {"raw": b"RIFF"})
    assert frame[["path", "problem"]].values.tolist() == [["4 bytes", "unreadable audio"]]


def test_rows_that_the_model_was_trained_on_are_told(numbers: Session) -> None:
    rows = numbers.execute("SELECT audio_path, text FROM librispeech_test ORDER BY audio_path LIMIT 3")
    numbers.execute("GET THANOSQL MODEL Wav2Vec2Tiny OPTIONS (model_name='trained')")
    known = row_fingerprints(zip(rows.audio_path[:2], rows.text[:2]))
    (numbers.store.get("trained").folder / TRAINED_ROWS).write_text("\n".join(known) + "\n")
    query = "SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 3"
    for statement in ("EVALUATE USING trained", "FIT MODEL more USING trained"):
        frame = numbers.execute(f"CHECK {statement} AS {query}")
        assert frame[["row", "problem"]].values.tolist() == [[1, "trained on"], [2, "trained on"]]
    assert numbers.execute(f"CHECK EVALUATE USING Wav2Vec2Tiny AS {query}").empty


def test_a_good_table_has_no_problems_and_says_so(numbers: Session) -> None:
    result = numbers.run("CHECK FIT MODEL m USING Wav2Vec2Tiny AS SELECT * FROM librispeech_test LIMIT 10")
    assert result.value.empty
    assert "no problem found" in result.note


def test_align_is_explained_and_checked(numbers: Session) -> None:
    said = "SELECT audio_path, text FROM librispeech_test ORDER BY audio_path LIMIT 2"
    plan = explained(numbers, f"ALIGN USING Wav2Vec2Tiny OPTIONS (table_name='aligned') AS {said}")
    assert (plan["statement"], plan["rows"], plan["writes"]) == ("ALIGN", "2", "table public.aligned (made)")
    frame = numbers.execute(
        f"CHECK ALIGN USING Wav2Vec2Tiny AS ({said}) UNION ALL SELECT 'none.wav', 'one' UNION ALL SELECT 'none.wav', NULL"
    )
    assert frame[["row", "problem"]].values.tolist() == [
        [3, "unreadable audio"],
        [4, "unreadable audio"],
        [4, "no text"],
    ]
    with pytest.raises(ThanoSQLDataError, match="no column 'said'"):
        numbers.execute(f"CHECK ALIGN USING Wav2Vec2Tiny OPTIONS (text_col='said') AS {said}")
