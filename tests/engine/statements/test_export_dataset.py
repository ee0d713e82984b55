"""EXPORT DATASET leaves a whole folder that plain readers, NeMo's and Kaldi's lists can be read from, or nothing."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.models.recordings import wav
from thanosql import ThanoSQLDataError
from thanosql.config import Settings
from thanosql.engine.session import Session
from thanosql.models.audio.access import AudioAccess


@pytest.fixture
def calls(session: Session) -> Session:
    """Five recordings of two channels at 8,000 Hz, a second each, with texts as people write them."""
    folder = session.settings.workspace
    folder.mkdir(parents=True)
    time = np.arange(8000) / 8000
    for number in range(1, 6):
        samples = np.stack([np.sin(2 * np.pi * 100 * number * time) / 2, np.zeros(8000)], axis=1)
        (folder / f"{number}.wav").write_bytes(wav(samples, 8000, 16))
    session.execute("DROP TABLE IF EXISTS calls, back")
    session.execute(
        "CREATE TABLE calls AS SELECT i AS id, i || '.wav' AS audio_path, 'call ' || i AS text, 'Kim ' || i % 2 AS speaker,"
        " i * 1.10::numeric AS price, CASE WHEN i > 1 THEN jsonb_build_object('a', i) END AS more FROM generate_series(1, 5) i"
    )
    session.execute(
        "UPDATE calls SET text = E'two\\nlines \\u201cquoted\\u201d' WHERE id = 2; UPDATE calls SET text = NULL WHERE id = 3"
    )
    return session


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def exported(session: Session, name: str = "mine") -> Path:
    return session.settings.workspace / "thanosql-dataset" / name


def test_the_audio_is_what_training_would_hear(calls: Session) -> None:
    result = calls.run("EXPORT DATASET mine FROM SELECT * FROM calls ORDER BY id")
    assert result.status == "EXPORT 5"
    assert "5 utterances" in result.note
    access = AudioAccess.of(calls.settings)
    for number, row in enumerate(lines(exported(calls) / "metadata.jsonl"), start=1):
        samples, rate = soundfile.read(exported(calls) / row["file_name"], dtype="float32")
        assert (rate, samples.ndim) == (16_000, 1)
        heard = access.read(f"{number}.wav")
        assert len(samples) == len(heard)
        assert np.abs(samples - heard).max() <= 1 / 32768  # 16 bits
        assert row["duration"] == len(heard) / 16_000


def test_metadata_has_the_querys_other_columns_as_json(calls: Session) -> None:
    calls.execute("EXPORT DATASET mine FROM SELECT *, 'x'::bytea AS raw, 1 AS file_name FROM calls ORDER BY id")
    found = lines(exported(calls) / "metadata.jsonl")
    assert found[1] == {
        "file_name": "audio/0000/0000002.flac",
        "duration": 1.0,
        "text": "two\nlines “quoted”",
        "speaker": "Kim 0",
        "id": 2,
        "audio_path": "2.wav",
        "price": 2.2,
        "more": {"a": 2},
    }
    assert found[0]["more"] is None
    assert found[2]["text"] is None
    assert '"price": 2.20,' in (exported(calls) / "metadata.jsonl").read_text()  # as PostgreSQL writes it
    note = calls.run("EXPORT DATASET other FROM SELECT *, 'x'::bytea AS raw, 1 AS file_name FROM calls").note
    assert "columns left out: raw, file_name" in note


def test_copy_reads_the_manifest_back(calls: Session) -> None:
    calls.execute("EXPORT DATASET mine FROM SELECT * FROM calls ORDER BY id")
    calls.execute("COPY back FROM 'thanosql-dataset/mine/manifest.jsonl'")
    back = calls.execute("SELECT * FROM back")
    assert list(back.text) == ["call 1", "two\nlines “quoted”", "", "call 4", "call 5"]
    assert list(back.speaker) == ["Kim 1", "Kim 0", "Kim 1", "Kim 0", "Kim 1"]
    assert calls.run("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM back").status == "PREDICT 5"


def kaldi_lists(folder: Path) -> dict[str, list[list[str]]]:
    """The lists of a Kaldi folder as (name, what stands behind it), held against the rules of its validate_data_dir.sh and
    of lhotse's reader."""
    lists = {}
    for path in folder.iterdir():
        said = path.read_bytes().split(b"\n")
        assert said.pop() == b""
        assert said == sorted(said)
        lists[path.name] = [line.decode().split(maxsplit=1) for line in said]
        assert all(len(line) == 2 for line in lists[path.name]), path.name
    assert lists.keys() - {"text"} == {"wav.scp", "utt2spk", "spk2utt", "utt2dur", "reco2dur"}
    names = {name: [line[0] for line in said] for name, said in lists.items()}
    utterances = names.pop("utt2spk")
    speakers = [speaker for _, speaker in lists["utt2spk"]]
    assert speakers == sorted(speakers, key=str.encode)  # the same order by both
    assert names.pop("spk2utt") == list(dict.fromkeys(speakers))
    assert [(utterance, speaker) for speaker, of in lists["spk2utt"] for utterance in of.split()] == [
        (utterance, speaker) for utterance, speaker in lists["utt2spk"]
    ]
    assert all(utterance.startswith(speaker) for utterance, speaker in lists["utt2spk"])
    assert len(set(utterances)) == len(utterances)
    assert all(said == utterances for said in names.values())
    return lists


def test_copy_reads_the_kaldi_folder_back(calls: Session) -> None:
    note = calls.run("EXPORT DATASET mine FROM SELECT * FROM calls ORDER BY id").note
    assert "1 utterance without a text, not in kaldi" in note
    lists = kaldi_lists(exported(calls) / "kaldi")
    assert lists["utt2spk"][0] == ["Kim_0-0000002", "Kim_0"]
    assert lists["spk2utt"][1] == ["Kim_1", "Kim_1-0000001 Kim_1-0000005"]
    assert lists["text"][0] == ["Kim_0-0000002", "two lines “quoted”"]
    assert lists["utt2dur"][0] == ["Kim_0-0000002", "1.0"]
    for _, command in lists["wav.scp"]:
        *_, file, pipe = shlex.split(command)
        assert pipe == "|"
        assert soundfile.info(file).frames == 16_000
    calls.execute("COPY back FROM 'thanosql-dataset/mine/kaldi'")
    back = calls.execute("SELECT * FROM back ORDER BY id")
    assert list(back.speaker) == ["Kim_0", "Kim_0", "Kim_1", "Kim_1"]
    assert calls.run("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM back").status == "PREDICT 4"


SPEAKERS = [
    "ko",
    "ko+belinda",
    "ko-0",
    "ko!",
    "ko 0",
    "ko_0",
    "김 영희",
    "김\t영희",
    "  ",
    "",
    None,
    "0000004",
    "-",
    "+",
    "a\u00a0b",
    "a\u3000b",
    "ko/../x",
    "Ko",
]


def test_speakers_of_any_name_stay_apart_and_in_kaldis_order(calls: Session) -> None:
    sql = "SELECT '1.wav' AS audio_path, 'a' AS text, s AS speaker FROM unnest(:speakers::text[]) s, generate_series(1, 2)"
    calls.execute(f"EXPORT DATASET mine FROM {sql}", {"speakers": SPEAKERS})
    lists = kaldi_lists(exported(calls) / "kaldi")
    known = [speaker for speaker in SPEAKERS if speaker and speaker.strip()]
    unknown = len(SPEAKERS) - len(known)
    assert len(lists["spk2utt"]) == len(known) + 2 * unknown
    assert [len(of.split()) for _, of in lists["spk2utt"]].count(2) == len(known)
    assert sorted(
        {row["speaker"] for row in lines(exported(calls) / "manifest.jsonl") if row.get("speaker")}
    ) == sorted(speaker for speaker in SPEAKERS if speaker)


def test_texts_and_times_are_whole_in_kaldis_lists(calls: Session) -> None:
    texts = ["a\u2028b", "  c  ", "\u3000", "", "e\tf\ng", '%20 \\ "x"', "가 나"]
    calls.execute(
        "EXPORT DATASET mine OPTIONS (start_col='begins', end_col='ends') FROM SELECT '1.wav' AS audio_path, t AS text,"
        " n / 16000.0 AS begins, 0.5 + n * 3 / 16000.0 AS ends FROM unnest(:texts::text[]) WITH ORDINALITY AS u (t, n)",
        {"texts": texts},
    )
    lists = kaldi_lists(exported(calls) / "kaldi")
    assert [text for _, text in lists["text"]] == ["a b", "c", "e f g", '%20 \\ "x"', "가 나"]
    files = [shlex.split(command)[-2] for _, command in lists["wav.scp"]]
    assert [round(float(said) * 16_000, 6) for _, said in lists["utt2dur"]] == [
        soundfile.info(file).frames for file in files
    ]


def test_parts_and_channels_are_cut(calls: Session) -> None:
    calls.execute(
        "EXPORT DATASET mine OPTIONS (start_col='begins', end_col='ends', channel_col='side') FROM"
        " SELECT audio_path, side, 0.25 AS begins, 0.75::float8 AS ends FROM calls, generate_series(1, 2) side WHERE id = 3"
        " ORDER BY side"
    )
    left, right = [
        soundfile.read(exported(calls) / row["file_name"])[0] for row in lines(exported(calls) / "metadata.jsonl")
    ]
    assert len(left) == len(right) == 8000
    assert np.abs(left).max() > 0.4
    assert np.abs(right).max() < 0.01
    assert "text" not in lines(exported(calls) / "manifest.jsonl")[0]
    assert not (exported(calls) / "kaldi" / "text").exists()


def test_other_columns_may_be_the_text_and_the_speaker(calls: Session) -> None:
    calls.execute(
        "EXPORT DATASET mine OPTIONS (audio_col='sound', text_col=said, speaker_col='who', path=:place) FROM"
        " (SELECT audio_path AS sound, text AS said, id AS who FROM calls WHERE id = 1)",
        {"place": str(calls.settings.home)},
    )
    (row,) = lines(calls.settings.home / "mine" / "metadata.jsonl")
    assert (row["text"], row["speaker"], row["sound"]) == ("call 1", "1", "1.wav")


def test_a_data_set_that_is_there_is_replaced_only_when_that_is_said(calls: Session) -> None:
    calls.execute("EXPORT DATASET mine FROM SELECT * FROM calls")
    with pytest.raises(ThanoSQLDataError, match="is there already"):
        calls.execute("EXPORT DATASET mine FROM SELECT * FROM calls WHERE id = 1")
    assert len(lines(exported(calls) / "metadata.jsonl")) == 5
    calls.execute("EXPORT DATASET mine OPTIONS (overwrite=True) FROM SELECT * FROM calls WHERE id = 1")
    assert len(lines(exported(calls) / "metadata.jsonl")) == 1
    assert [path.name for path in exported(calls).parent.iterdir()] == ["mine"]


def test_audio_that_cannot_be_read_stops_it_or_is_left_out(calls: Session) -> None:
    (calls.settings.workspace / "2.wav").write_bytes(b"RIFF")
    content = (calls.settings.workspace / "4.wav").read_bytes()
    (calls.settings.workspace / "4.wav").write_bytes(content[:2000])  # its header is right
    with pytest.raises(ThanoSQLDataError, match="cannot be read") as refused:
        calls.execute("EXPORT DATASET mine FROM SELECT * FROM calls ORDER BY id")
    assert refused.value.rows[0]["row"] == 2
    with pytest.raises(ThanoSQLDataError, match="cannot be read"):
        calls.execute("EXPORT DATASET mine FROM SELECT * FROM calls WHERE id = 4")
    assert not exported(calls).exists()
    result = calls.run("EXPORT DATASET mine OPTIONS (on_error='skip') FROM SELECT * FROM calls ORDER BY id")
    assert result.status == "EXPORT 3"
    assert "2 rows left out" in result.note
    assert [row["id"] for row in lines(exported(calls) / "manifest.jsonl".replace("manifest", "metadata"))] == [1, 3, 5]
    assert len(list(exported(calls).rglob("*.flac"))) == 3
    with pytest.raises(ThanoSQLDataError, match="No row has audio that can be read"):
        calls.execute("EXPORT DATASET none OPTIONS (on_error='skip') FROM SELECT * FROM calls WHERE id = 2")
    with pytest.raises(ThanoSQLDataError, match="The query gave no rows"):
        calls.execute("EXPORT DATASET none FROM SELECT * FROM calls WHERE false")
    assert not exported(calls, "none").exists()


KILLED = """
import os, signal, sys
import thanosql
from thanosql.engine.files.dataset_folder import DatasetFolder
add = DatasetFolder.add
def kill(self, utterance, samples):
    if utterance.number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    add(self, utterance, samples)
DatasetFolder.add = kill
with thanosql.connect(sys.argv[1], home=sys.argv[2]) as session:
    session.execute("EXPORT DATASET mine OPTIONS (overwrite=True) FROM SELECT * FROM calls ORDER BY id")
"""


@pytest.mark.parametrize("there", [False, True])
def test_a_kill_leaves_nothing_half_and_what_was_there(calls: Session, database_url: str, there: bool) -> None:
    if there:
        calls.execute("EXPORT DATASET mine FROM SELECT * FROM calls WHERE id = 1")
    killed = subprocess.run([sys.executable, "-c", KILLED, database_url, str(calls.settings.home)], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert exported(calls).exists() is there
    if there:
        assert len(lines(exported(calls) / "metadata.jsonl")) == 1
    calls.execute("EXPORT DATASET mine OPTIONS (overwrite=True) FROM SELECT * FROM calls")
    assert len(lines(exported(calls) / "metadata.jsonl")) == 5
    assert [path.name for path in exported(calls).parent.iterdir()] == ["mine"]  # what the kill left is gone


def test_a_prediction_may_be_exported(calls: Session) -> None:
    calls.execute(
        "EXPORT DATASET mine OPTIONS (text_col='heard') FROM"
        " SELECT * FROM (PREDICT USING Wav2Vec2Tiny OPTIONS (result_col='heard') AS SELECT id, audio_path FROM calls) p"
    )
    assert all(isinstance(row["text"], str) for row in lines(exported(calls) / "metadata.jsonl"))


def test_where_audio_roots_are_set_nothing_is_written_elsewhere(calls: Session, tmp_path: Path) -> None:
    settings = Settings(
        home=calls.settings.home,
        database_url=calls.settings.database_url,
        audio_roots=(calls.settings.workspace,),
        confined=True,
    )
    calls.settings = settings
    with pytest.raises(ThanoSQLDataError, match="lies outside"):
        calls.execute("EXPORT DATASET mine OPTIONS (path=:place) FROM SELECT * FROM calls", {"place": str(tmp_path)})
    calls.execute("EXPORT DATASET mine FROM SELECT * FROM calls")
    assert os.listdir(exported(calls))
