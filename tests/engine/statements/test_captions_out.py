"""Captions out: rows with their seconds as srt, vtt and ctm, in Python, by COPY and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import thanosql
from thanosql import ThanoSQLDataError, ThanoSQLOptionError
from thanosql.__main__ import show
from thanosql.engine.session import Session


def said(*words: tuple[str, float, float]) -> list[dict[str, Any]]:
    return [{"word": word, "start": start, "end": end, "confidence": 0.5} for word, start, end in words]


def heard(*words: tuple[str, float, float], path: str = "calls/a b.wav") -> pd.DataFrame:
    text = " ".join(word for word, *_ in words)
    return pd.DataFrame({"audio_path": [path], "predict_result": [text], "predict_result_words": [said(*words)]})


def test_words_are_put_together_to_captions_that_end_at_a_pause_and_before_they_get_too_long() -> None:
    found = thanosql.captions(heard(("one", 0.5, 0.9), ("two", 1.0, 1.3), ("three", 1.8, 2.0)))
    assert found == ("1\n00:00:00,500 --> 00:00:01,300\none two\n\n2\n00:00:01,800 --> 00:00:02,000\nthree\n")
    long = thanosql.captions(heard(*((f"word{n:02}", n * 0.4, n * 0.4 + 0.3) for n in range(60))))
    blocks = [block.split("\n") for block in long.strip().split("\n\n")]
    assert " ".join(block[2] for block in blocks) == " ".join(f"word{n:02}" for n in range(60))
    assert max(len(block[2]) for block in blocks) <= 84
    assert blocks[0][1] == "00:00:00,000 --> 00:00:04,700"  # twelve words; a thirteenth is the 91st letter


def test_segments_stay_as_they_are_and_hours_go_past_99() -> None:
    found = thanosql.captions(heard(("so it was", 360000.25, 360001), ("and is", 360001.1, 360002)), "vtt")
    assert found == (
        "WEBVTT\n\n100:00:00.250 --> 100:00:01.000\nso it was\n\n100:00:01.100 --> 100:00:02.000\nand is\n"
    )


def test_ctm_is_a_line_a_word_of_several_recordings_and_channels_in_the_order_of_sclite() -> None:
    rows = pd.DataFrame(
        {
            "audio_path": ["b.wav", "calls/a b.wav", "b.wav"],
            "channel": [2, 1, 1],
            "w": [said(("two", 0.1, 0.35)), said(("one", 3, 3.5)), []],
        }
    )
    assert thanosql.captions(rows, "ctm") == "a_b 1 3.000 0.500 one 0.500\nb 2 0.100 0.250 two 0.500\n"
    with pytest.raises(ThanoSQLDataError, match="srt is of one recording, and these rows are of 2"):
        thanosql.captions(rows, "srt")
    with pytest.raises(ThanoSQLDataError, match=r"'so it was' has one for several[\s\S]*timestamps='word'"):
        thanosql.captions(heard(("so it was", 1, 2)), "ctm")
    with pytest.raises(ThanoSQLDataError, match="ctm names the recording"):
        thanosql.captions(heard(("one", 1, 2)).drop(columns="audio_path"), "ctm")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"audio_path": ["a"], "predict_result": ["x"]}, r"do not tell[\s\S]*timestamps='segment'"),
        ({"start": [1.0], "end": [None], "text": ["x"]}, "Row 1 has no start or no end"),
        ({"start": [1.0, 2.0], "end": [2.0, 1.0], "text": ["x", "y"]}, "Row 2: from 2.0 to 1.0"),
        ({"predict_result": ["no"], "predict_result_words": [said(("n", 1, 2), ("o", 2, 3))]}, "times of characters"),
        (
            {"predict_result": ["a", "b"], "predict_result_words": [said(("a", 1, 2)), '[{"word": "b", "sta']},
            "Row 2: predict_result_words is no list of words",
        ),
    ],
)
def test_rows_that_are_no_captions_are_refused_with_the_cure(rows: dict[str, Any], reason: str) -> None:
    with pytest.raises(ThanoSQLDataError, match=reason):
        thanosql.captions(pd.DataFrame(rows))


def test_another_form_is_refused_with_those_there_are() -> None:
    with pytest.raises(ThanoSQLOptionError, match=r"'ass'[\s\S]*srt, vtt, ctm"):
        thanosql.captions(heard(("one", 1, 2)), "ass")


@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_what_is_copied_out_comes_in_again(
    session: Session, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = """('talk', 1.0, 2.5, NULL::int, 'Ann & <Co>', E'yes & no\\n\\n --> <i>'),
        ('talk', 0.25, 4.125, NULL, NULL, '네 "so"'), ('talk', 5.0, 6.0, NULL, NULL, NULL),
        ('talk', 360000.0, 360000.001, NULL, NULL, 'late')"""
    session.execute("DROP TABLE IF EXISTS given, back")
    session.execute(
        f'CREATE TABLE given AS SELECT * FROM (VALUES {values}) v(audio_path, start, "end", channel, speaker, text)'
    )
    assert session.execute(f"COPY (SELECT * FROM given) TO 'talk.{suffix}'") == "COPY 4"
    session.execute(f"COPY back FROM 'talk.{suffix}'")
    back = session.execute('SELECT start, "end", speaker, text FROM back').astype(object)
    speaker = "Ann & <Co>" if suffix == "vtt" else None  # srt has no place for one
    assert back.where(back.notna(), None).values.tolist() == [
        [0.25, 4.125, None, '네 "so"'],
        [1.0, 2.5, speaker, "yes & no\n--> <i>" if suffix == "vtt" else "yes & no\n-->"],
        [360000.0, 360000.001, None, "late"],
    ]


def test_a_prediction_is_captions_on_the_terminal(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    session.execute("GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)")
    place = "thanosql-dataset/spoken_numbers/test/0030.flac"
    query = "AS SELECT :place AS sound"
    result = session.run(
        f"PREDICT USING Wav2Vec2Tiny OPTIONS (audio_col='sound', timestamps='word') {query}", {"place": place}
    )
    show(result, "srt", quiet=True)
    assert capsys.readouterr().out.endswith("\nseven nine seven eight six zero\n")
    show(result, "ctm", quiet=True)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[4] for line in lines] == "seven nine seven eight six zero".split()
    assert {line[0] for line in lines} == {"0030"}
    with pytest.raises(ThanoSQLDataError, match="do not tell"):
        show(session.run("SELECT 1 AS a"), "vtt")
