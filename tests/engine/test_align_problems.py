"""ALIGN of texts that do not fit their audio: what is wrong is said, and what is right stays in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

import thanosql
from thanosql import ThanoSQLDataError
from thanosql.engine.session import Session
from thanosql.models.audio import read

ALIGN = "ALIGN USING Wav2Vec2Tiny OPTIONS ({}) AS SELECT :path AS audio_path, :text AS text"


@pytest.fixture(scope="module")
def session(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with thanosql.connect(database_url, home=tmp_path_factory.mktemp("home")) as opened:
        opened.execute("GET THANOSQL DATASET spoken_numbers")
        opened.execute("COPY numbers FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'")
        yield opened


@pytest.fixture(scope="module")
def recording(session: Session, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[float]]:
    """Utterances that the model recognizes without a slip, put end to end: the file, their texts, when each begins."""
    heard = session.execute(
        "SELECT audio_path, text FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM numbers) p"
        " WHERE predict_result = text ORDER BY audio_path LIMIT 12"
    )
    assert len(heard) == 12
    parts, begins, length = [], [], 0
    for path in heard.audio_path:
        begins.append(length / 16_000)
        parts += [read(path, session.settings.audio_roots), np.zeros(6_400, np.float32)]
        length += len(parts[-2]) + 6_400
    path = tmp_path_factory.mktemp("glued") / "glued.wav"
    soundfile.write(path, np.concatenate(parts), 16_000)
    return path, list(heard.text), begins


def align(session: Session, path: Path, text: str, options: str = "gaps=True") -> Any:
    return session.execute(ALIGN.format(options), {"path": str(path), "text": text}).iloc[0]


def items(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else json.loads(value)


def test_a_text_that_fits_has_no_problem(session: Session, recording: tuple[Path, list[str], list[float]]) -> None:
    path, texts, _ = recording
    row = align(session, path, " ".join(texts))
    assert pd.isna(row.align_result_problem)
    assert [word for word in items(row.align_result) if "problem" in word] == []
    assert [word["word"] for word in items(row.align_result)] == " ".join(texts).split()


def test_audio_without_text_is_marked_and_moves_nothing_else(
    session: Session, recording: tuple[Path, list[str], list[float]]
) -> None:
    path, texts, begins = recording
    whole = items(align(session, path, " ".join(texts)).align_result)
    # Not where the text goes on as what is left out begins: that "eight" may as well be said in its "eighty".
    first = next(number for number in range(3, 8) if texts[number][:2] != texts[number + 4][:2])
    after = first + 4
    row = align(session, path, " ".join(texts[:first] + texts[after:]))
    words = items(row.align_result)
    gaps = [word for word in words if word.get("problem") == "no text for it"]
    assert [gap["word"] for gap in gaps] == [""]
    assert gaps[0]["start"] == pytest.approx(begins[first], abs=0.3)
    assert gaps[0]["end"] == pytest.approx(begins[after] - 0.4, abs=0.6)
    before, lacking = len(" ".join(texts[:first]).split()), len(" ".join(texts[first:after]).split())
    kept = whole[:before] + whole[before + lacking :]
    placed = [word for word in words if word not in gaps]
    assert [word["word"] for word in placed] == [word["word"] for word in kept]
    for edge in ("start", "end"):
        assert [word[edge] for word in placed] == pytest.approx([word[edge] for word in kept], abs=0.05)
    assert row.align_result_problem.endswith("s of speech: no text for it")


def test_an_empty_text_fits_silence_alone(
    session: Session, recording: tuple[Path, list[str], list[float]], tmp_path: Path
) -> None:
    spoken = align(session, recording[0], "")
    assert [item["problem"] for item in items(spoken.align_result)] == ["no text for it"]
    assert spoken.align_result_problem.endswith("s of speech: no text for it")
    assert spoken.align_result_confidence == 0
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    silent = align(session, tmp_path / "silence.wav", "")
    assert (items(silent.align_result), silent.align_result_confidence) == ([], 1)
    assert pd.isna(silent.align_result_problem)


def test_text_without_audio_is_marked_and_moves_nothing_else(
    session: Session, recording: tuple[Path, list[str], list[float]]
) -> None:
    path, texts, _ = recording
    whole = items(align(session, path, " ".join(texts)).align_result)
    words = items(align(session, path, " ".join([*texts[:6], "go left and stop there", *texts[6:]])).align_result)
    assert [word["word"] for word in words if word.get("problem")] == ["go", "left", "and", "stop", "there"]
    assert {word["problem"] for word in words if word.get("problem")} == {"no audio for it"}
    assert all(word["start"] == word["end"] for word in words if word.get("problem"))
    placed = [word for word in words if not word.get("problem")]
    assert [word["start"] for word in placed] == pytest.approx([word["start"] for word in whole], abs=0.05)


def test_words_in_digits_and_symbols_get_the_time_in_which_they_are_said(
    session: Session, recording: tuple[Path, list[str], list[float]]
) -> None:
    path, texts, _ = recording
    whole = items(align(session, path, " ".join(texts)).align_result)
    written = " ".join(texts).split()
    written[3], written[11] = "7", "50%"
    row = align(session, path, " ".join(written))
    words = [word for word in items(row.align_result) if word["word"]]
    assert [(number, word["word"]) for number, word in enumerate(words) if "problem" in word] == [(3, "7"), (11, "50%")]
    for number in (3, 11):
        assert words[number]["start"] == pytest.approx(whole[number]["start"], abs=0.15)
        assert words[number]["end"] == pytest.approx(whole[number]["end"], abs=0.15)
    assert "not in the vocabulary" in row.align_result_problem


def test_the_text_of_another_recording_is_told(
    session: Session, recording: tuple[Path, list[str], list[float]]
) -> None:
    path, _, _ = recording
    other = " ".join(session.execute("SELECT text FROM numbers ORDER BY reverse(text) LIMIT 12").text)
    row = align(session, path, other)
    assert row.align_result_problem == "nearly nothing fits: the text may be that of another recording"
    assert row.align_result_confidence < 0.5


def test_rows_without_a_problem_are_those_that_fit(
    session: Session, recording: tuple[Path, list[str], list[float]]
) -> None:
    path, texts, _ = recording
    session.execute("CREATE TABLE mixed (id int, audio_path text, text text)")
    given = [(1, " ".join(texts)), (2, " ".join(texts[:5])), (3, " ".join(texts[:5]) + " 12 " + " ".join(texts[6:]))]
    for number, text in given:
        session.execute("INSERT INTO mixed VALUES (:n, :p, :t)", {"n": number, "p": str(path), "t": text})
    frame = session.execute(
        "SELECT id FROM (ALIGN USING Wav2Vec2Tiny AS SELECT * FROM mixed) a WHERE align_result_problem IS NULL"
    )
    assert list(frame.id) == [1]
    session.execute("ALIGN USING Wav2Vec2Tiny OPTIONS (words_table='said', row_key='id') AS SELECT * FROM mixed")
    counts = session.execute("SELECT id, count(problem) AS marked FROM said GROUP BY id ORDER BY id")
    assert (counts.marked > 0).tolist() == [False, True, True]


def test_unknown_words_are_refused_where_that_is_asked_for(
    session: Session, recording: tuple[Path, list[str], list[float]]
) -> None:
    path, texts, _ = recording
    with pytest.raises(ThanoSQLDataError, match="cannot be aligned") as refused:
        align(session, path, f"{texts[0]} 7", "unknown='error'")
    assert refused.value.rows[0]["reason"] == "the model has no '7'"


@pytest.mark.parametrize("level", ["char", "segment"])
def test_problems_stand_beside_characters_and_segments_too(
    session: Session, recording: tuple[Path, list[str], list[float]], level: str
) -> None:
    path, texts, _ = recording
    words = " ".join(texts[:4] + texts[6:]).split()
    words[1] = "7"
    found = items(align(session, path, " ".join(words), f"timestamps='{level}'").align_result)
    times = [time for one in found for time in (one["start"], one["end"])]
    assert times == sorted(times)
    assert {one["problem"] for one in found if "problem" in one} == {"not in the vocabulary", "no text for it"}
    letters = "".join(one["word"] for one in found).replace(" ", "")
    assert letters == "".join(words)


def test_segments_without_a_problem_are_a_training_set(
    session: Session, recording: tuple[Path, list[str], list[float]]
) -> None:
    path, texts, begins = recording
    text = " ".join([*texts[:4], *texts[6:8], "go left", *texts[8:]])
    align(session, path, text, "segments_table='cuts'")
    cuts = session.execute("SELECT * FROM cuts WHERE problem IS NULL ORDER BY start")
    assert 6 <= len(cuts) <= 10
    assert set(" ".join(cuts.text).split()) <= set(" ".join(texts).split())
    for cut in cuts.itertuples():
        # Each holds what is spoken in it: no segment reaches over what the text lacks.
        spoken = [text for text, at in zip(texts, begins, strict=True) if cut.start - 0.2 <= at < cut.end - 0.2]
        assert cut.text == " ".join(spoken)
    assert session.execute("SELECT count(*) FROM cuts WHERE problem = 'no text for it'").iloc[0, 0] >= 1
