"""COPY of captions and corpora: each segment with its audio, times, channel, speaker and text, as far as they are known."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from thanosql import ThanoSQLDataError
from thanosql.engine.files import segment_rows
from thanosql.engine.session import Session

SIX = ["audio_path", "start", "end", "channel", "speaker", "text"]


@pytest.fixture
def copied(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session without the table `copied`, its working folder a new one."""
    monkeypatch.chdir(tmp_path)
    session.execute("DROP TABLE IF EXISTS copied CASCADE")
    return session


def sound(*places: str) -> None:
    for place in places:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, np.zeros(1600, dtype="float32"), 16000)


def copy(session: Session, path: str, content: str | bytes | None = None, options: str = "") -> str:
    if content is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    session.execute("DROP TABLE IF EXISTS copied")
    return session.run(f"COPY copied {options and f'OPTIONS ({options})'} FROM '{path}'").note


def rows(session: Session) -> list[list[Any]]:
    frame = session.execute("SELECT * FROM copied")
    assert list(frame.columns)[:6] == SIX
    return [[None if pd.isna(value) else value for value in row] for row in frame.astype(object).values.tolist()]


SRT = "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>\n{\\an8}there\n\n2\n00:01:02,000 --> 01:00:03,250\nyes &amp; no\n"


@pytest.mark.parametrize("content", [SRT, "\ufeff" + SRT.replace("\n", "\r\n"), SRT.encode("utf-16")])
def test_srt_is_a_row_a_caption_of_the_recording_of_its_name(copied: Session, content: str | bytes) -> None:
    sound("talk.wav")
    copy(copied, "talk.srt", content)
    place = str(Path("talk.wav").absolute())
    assert rows(copied) == [
        [place, 1.0, 2.5, None, None, "Hello\nthere"],
        [place, 62.0, 3603.25, None, None, "yes & no"],
    ]
    assert copied.execute("PREDICT USING Wav2Vec2Tiny AS SELECT audio_path FROM copied WHERE start = 1").shape == (1, 2)


def test_vtt_gives_each_voice_a_row(copied: Session) -> None:
    note = copy(
        copied,
        "talk.vtt",
        "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.500 align:start\n<v Ann Lee>Hello <b>you</b></v>\n<v.loud Bob>Hi</v>\n\n"
        "00:03.000 --> 00:04.000\nplain\n",
    )
    assert [row[1:] for row in rows(copied)] == [
        [1.0, 2.5, None, "Ann Lee", "Hello you"],
        [1.0, 2.5, None, "Bob", "Hi"],
        [3.0, 4.0, None, None, "plain"],
    ]
    assert "no audio file lies beside the list for 1 name (talk)" in note


def test_times_that_overlap_or_go_back_are_said(copied: Session) -> None:
    cues = [("01", "05"), ("03", "06"), ("02", "02"), ("09", "08")]
    text = "".join(f"{n}\n00:00:{a},000 --> 00:00:{b},000\nx\n\n" for n, (a, b) in enumerate(cues, start=1))
    note = copy(copied, "x.srt", text)
    assert (
        "1 caption whose start is before the end of the one in front (caption 2): what is said in that time is in"
        in note
    )
    assert "1 caption whose start is before that of the one in front (caption 3): look whether a time is wrong" in note
    assert (
        "2 captions whose end is not after the start (first: caption 3): correct the file, or leave them out with"
        in note
    )
    assert len(rows(copied)) == 4
    assert len(copied.execute('SELECT * FROM copied WHERE start < "end"')) == 2  # as the note has it


def test_people_who_speak_at_the_same_time_and_lists_in_another_order_are_nothing_odd(copied: Session) -> None:
    lines = [f"SPEAKER c 1 {at} 2.0 <NA> <NA> {who} <NA> <NA>" for who in ("ann", "bob") for at in (0, 3, 6)]
    assert "whose" not in copy(copied, "x.rttm", "\n".join(lines))
    assert "1 line whose start is before that of the one in front (line 3)" in copy(
        copied, "x.rttm", "\n".join([lines[0], lines[2], lines[1]])
    )
    assert "whose" not in copy(copied, "x.TextGrid", TWO_TIERS)
    manifest = [{"audio_filepath": "a.wav", "offset": at, "duration": 2.0} for at in (4, 0, 2)]
    assert "whose" not in copy(copied, "m.json", "".join(json.dumps(line) + "\n" for line in manifest))


def test_a_caption_without_text_costs_no_other_one(copied: Session) -> None:
    empty = "3\n00:01:05,000 --> 00:01:06,000\n\n"
    for content in (SRT + "\n" + empty, empty + SRT, SRT + "\n" + empty + "4\n00:01:07,000 --> 00:01:08,000\nlast\n"):
        copy(copied, "x.srt", content)
        assert [row[5] for row in rows(copied)][:2] == ["Hello\nthere", "yes & no"]
    assert rows(copied)[2][1:] == [67.0, 68.0, None, None, "last"]


def test_captions_of_a_language_find_the_recording_without_it(copied: Session) -> None:
    sound("talk.wav", "talk.ko.wav")
    for name, place in (("talk.en.srt", "talk.wav"), ("talk.zh-Hans.srt", "talk.wav"), ("talk.ko.srt", "talk.ko.wav")):
        copy(copied, name, SRT)
        assert {row[0] for row in rows(copied)} == {str(Path(place).absolute())}
    assert "for 1 name (talk.more than that)" in copy(copied, "talk.more than that.srt", SRT)


def test_what_an_stm_does_not_score_has_no_text(copied: Session) -> None:
    note = copy(
        copied,
        "x.stm",
        "c 1 inter_segment_gap 0 1 <o,,unknown> ignore_time_segment_in_scoring\nc 1 ann 1 2 <o,,male> so it was\n",
    )
    assert [row[5] for row in rows(copied)] == [None, "so it was"]
    assert "1 line is not to be scored, the text is NULL" in note


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.srt", "nonsense"),
        ("x.srt", SRT + "\n3\n00:00:99 -> 4\nx\n\n4\n0:0 --> 1\nlost\n"),
        ("x.vtt", "00:01.000 --> 00:02.000\nno head\n"),
        ("x.TextGrid", "nonsense"),
        ("x.ctm", "a 1 0.0\n"),
        ("x.ctm", "a 1 zero 0.5 word\n"),
        ("x.stm", "a 1 ann 0.0 inf x\n"),
        ("x.rttm", ";; nothing\n"),
        ("x.srt", b"1\n00:00:01,000 --> 00:00:02,500\n\xe9\n"),
    ],
)
def test_captions_that_cannot_be_read_whole_are_refused(copied: Session, name: str, content: str | bytes) -> None:
    with pytest.raises(ThanoSQLDataError, match=r"x\.\w+"):
        copy(copied, name, content)


def test_a_named_encoding_reads_old_captions(copied: Session) -> None:
    copy(copied, "x.srt", "1\n00:00:01,000 --> 00:00:02,500\ncafé\n".encode("cp1252"), "encoding='cp1252'")
    assert rows(copied)[0][5] == "café"
    copy(
        copied,
        "x.TextGrid",
        TWO_TIERS.replace("hi", "café").replace("bob", "ann").encode("cp1252"),
        "encoding='cp1252'",
    )
    assert [row[4:] for row in rows(copied)] == [["ann", "café"], ["ann", "so"], ["ann_2", "yes"]]


GRID = '''File type = "ooTextFile"
Object class = "TextGrid"

0
3
<exists>
2
"IntervalTier"
"ann"
0
3
2
0
1.5
"say ""hi"""
1.5
3
""
"TextTier"
"marks"
0
3
1
2.25
"click"
'''


TWO_TIERS = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n3\n<exists>\n2\n'
    + '"IntervalTier"\n"ann"\n0\n3\n2\n0\n1.5\n"hi"\n1.5\n3\n"so"\n'
    + '"IntervalTier"\n"bob"\n0\n3\n2\n0\n1\n"yes"\n1\n3\n""\n'
)


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_text_grid_has_its_tiers_for_speakers(copied: Session, codec: str) -> None:
    sound("wavs/talk.flac")
    copy(copied, "talk.TextGrid", GRID.encode(codec))
    place = str(Path("wavs/talk.flac").absolute())
    assert rows(copied) == [[place, 0.0, 1.5, None, "ann", 'say "hi"'], [place, 2.25, 2.25, None, "marks", "click"]]


def test_nist_lists_name_recordings_channels_and_speakers(copied: Session) -> None:
    sound("call.wav")
    place = str(Path("call.wav").absolute())
    copy(copied, "x.ctm", ";; a comment\ncall A 0.50 0.25 hello 0.9\ncall B 1 .5 yes\n")
    assert rows(copied) == [[place, 0.5, 0.75, 1, None, "hello"], [place, 1.0, 1.5, 2, None, "yes"]]
    copy(copied, "x.stm", "call 1 ann 0.0 2.5 <o,f0,male> so it was\ncall 2 bob 3 4\n")
    assert rows(copied) == [[place, 0.0, 2.5, 1, "ann", "so it was"], [place, 3.0, 4.0, 2, "bob", ""]]
    copy(
        copied, "x.rttm", "SPEAKER call 1 0.1 0.2 <NA> <NA> ann <NA> <NA>\nSPKR-INFO call 1 <NA> <NA> <NA> u ann <NA>\n"
    )
    assert [row[3:] for row in rows(copied)] == [[1, "ann", None]]
    assert rows(copied)[0][1:3] == pytest.approx([0.1, 0.3])


def test_a_nemo_manifest_gives_parts_and_keeps_what_else_it_says(copied: Session) -> None:
    sound("corpus/a.wav")
    lines = [
        {"audio_filepath": "a.wav", "duration": 1.5, "offset": 0.25, "text": "one", "lang": "en"},
        {"audio_filepath": "a.wav", "duration": 2, "text": "two", "lang": "ko"},
    ]
    note = copy(copied, "corpus/manifest.json", "".join(json.dumps(line) + "\n" for line in lines))
    place = str(Path("corpus/a.wav").absolute())
    assert rows(copied) == [
        [place, 0.25, 1.75, None, None, "one", 1.5, "en"],
        [place, None, None, None, None, "two", 2.0, "ko"],
    ]
    assert "a NeMo manifest" in note
    with pytest.raises(ThanoSQLDataError, match="row 1: 'x' is no time"):
        copy(copied, "bad.json", '{"audio_filepath": "a.wav", "duration": "x"}\n')


def test_a_kaldi_folder_joins_its_files(copied: Session) -> None:
    sound("data/call.wav", "other/b.wav")
    Path("data/wav.scp").write_text(f"call call.wav\nb {Path('other/b.wav').absolute()}\n")
    Path("data/text").write_text("u1 one two\nu3 three\n")
    Path("data/utt2spk").write_text("u1 ann\nu2 bob\n")
    Path("data/segments").write_text("u1 call 0.5 1.25\nu2 b 0 -1\n")
    note = copy(copied, "data")
    assert rows(copied) == [
        [str(Path("data/call.wav").absolute()), 0.5, 1.25, None, "ann", "one two", "u1"],
        [str(Path("other/b.wav").absolute()), 0.0, None, None, "bob", None, "u2"],
    ]
    assert "1 utterance is not in text, 1 line of text is of no utterance" in note
    Path("data/segments").unlink()
    copy(copied, "data")
    assert [row[6] for row in rows(copied)] == ["call", "b"]
    for name, line in (
        ("wav.scp", "c sph2pipe -f wav c.sph |\n"),
        ("wav.scp", "call again.wav\n"),
        ("segments", "u zz 0 1\n"),
    ):
        before = Path("data", name).read_text() if Path("data", name).exists() else ""
        Path("data", name).write_text(before + line)
        with pytest.raises(ThanoSQLDataError, match=name):
            copy(copied, "data")
        Path("data", name).write_text(before) if before else Path("data", name).unlink()


@pytest.mark.parametrize("order", ["sorted", "utterances", "texts", "speakers"])
def test_kaldi_lists_in_any_order_and_with_gaps_are_joined(copied: Session, order: str) -> None:
    """In one order they are read beside each other, else from memory: the same comes out."""
    chosen = random.Random(order)
    names = [f"u{number:03}" for number in range(300)]
    lists = {
        "utterances": [f"{name} r {number}.0 {number}.5" for number, name in enumerate(names) if number % 7],
        "texts": [f"{name}\tsaid  {name} é" for number, name in enumerate(names) if number % 5],
        "speakers": [f"{name} s{number % 3}" for number, name in enumerate(names) if number % 11],
    }
    if order != "sorted":
        chosen.shuffle(lists[order])
    sound("data/r.wav")
    Path("data/wav.scp").write_text("r r.wav\n")
    for name, file in (("utterances", "segments"), ("texts", "text"), ("speakers", "utt2spk")):
        Path("data", file).write_text("\n".join(lists[name]), encoding="utf-8")
    note = copy(copied, "data")
    found = {row[6]: (row[1], row[4], row[5]) for row in rows(copied)}
    assert found == {
        name: (
            float(number),
            f"s{number % 3}" if number % 11 else None,
            f"said  {name} é" if number % 5 else None,
        )
        for number, name in enumerate(names)
        if number % 7
    }
    without = sum(1 for number in range(300) if number % 7 and not number % 5)
    unused = sum(1 for number in range(300) if not number % 7 and number % 5)
    assert f"{without} utterances are not in text, {unused} lines of text are of no utterance" in note
    Path("data/text").write_text("\n".join([*lists["texts"], lists["texts"][3]]))
    with pytest.raises(ThanoSQLDataError, match="text, line 241: .* is listed twice"):
        copy(copied, "data")


def test_a_kaldi_list_may_be_larger_than_what_is_read_whole(copied: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_rows, "LONGEST", 100)
    sound("data/r.wav")
    Path("data/wav.scp").write_text("r r.wav\n")
    Path("data/segments").write_text("".join(f"u{number:03} r {number} {number + 1}\n" for number in range(100)))
    copy(copied, "data")
    assert len(rows(copied)) == 100
    Path("data/text").write_bytes(b"u000 one\nu001 \xff\n")
    with pytest.raises(ThanoSQLDataError, match="text, behind line 0: a byte that is not UTF-8"):
        copy(copied, "data")


def test_librispeech_and_ljspeech_are_known_by_their_files(copied: Session) -> None:
    sound("libri/84/121/84-121-0000.flac", "lj/wavs/LJ001-0001.wav")
    Path("libri/84/121/84-121.trans.txt").write_text("84-121-0000 GO DO YOU HEAR\n84-121-0001 GONE\n")
    note = copy(copied, "libri")
    place = str(Path("libri/84/121/84-121-0000.flac").absolute())
    assert rows(copied) == [
        [place, None, None, None, "84", "GO DO YOU HEAR", "84-121-0000"],
        ["84-121-0001", None, None, None, "84", "GONE", "84-121-0001"],
    ]
    assert "no audio file lies beside the list for 1 name" in note
    copy(copied, "lj/metadata.csv", 'LJ001-0001|In 1455, "so.|In fourteen fifty-five, "so.\nLJ001-0002|No.|No.\n')
    place = str(Path("lj/wavs/LJ001-0001.wav").absolute())
    assert rows(copied)[:1] == [
        [place, None, None, None, None, 'In fourteen fifty-five, "so.', "LJ001-0001", 'In 1455, "so.']
    ]
    copy(copied, "lj/metadata.csv", None, "columns=['a', 'b', 'c']")
    assert list(copied.execute("SELECT * FROM copied").columns) == ["a", "b", "c"]


def test_common_voice_finds_its_clips(copied: Session) -> None:
    sound("cv/clips/c1.mp3")
    note = copy(copied, "cv/train.tsv", 'client_id\tpath\tsentence\nx\tc1.mp3\tHe is 6" tall.\n')
    frame = copied.execute("SELECT * FROM copied")
    assert frame.path[0] == str(Path("cv/clips/c1.mp3").absolute())
    assert frame.sentence[0] == 'He is 6" tall.'
    assert "relative paths of path are taken in" in note
