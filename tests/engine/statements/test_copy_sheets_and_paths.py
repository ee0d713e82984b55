"""COPY of workbooks as people have them, of json with odd values, and of files that name audio beside them."""

from __future__ import annotations

import datetime
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

import thanosql
from tests.docs.blocks import ROOT, blocks
from tests.docs.sheets import sheet_of_calls
from thanosql import ThanoSQLDataError
from thanosql.engine.session import Session

openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed: extra files")


@pytest.fixture
def copied(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session without the table `copied`, its working folder a new one."""
    monkeypatch.chdir(tmp_path)
    session.execute("DROP TABLE IF EXISTS copied CASCADE")
    return session


def rows(session: Session) -> list[list[Any]]:
    frame = session.execute("SELECT * FROM copied")
    return [[None if pd.isna(value) else value for value in row] for row in frame.values.tolist()]


def types_of(session: Session) -> dict[str, str]:
    frame = session.execute(
        "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = 'copied'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    return dict(zip(frame["name"], frame["type"], strict=True))


def sheet(
    session: Session, *lines: list[Any], options: str = "", change: Callable[[Any], None] = lambda _: None
) -> str:
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    change(book.active)
    book.save("x.xlsx")
    session.execute("DROP TABLE IF EXISTS copied")
    return session.run(f"COPY copied {options and f'OPTIONS ({options})'} FROM 'x.xlsx'").note


def test_a_title_above_the_table_is_asked_for_and_left_out(copied: Session) -> None:
    lines = [["Calls of March"], [], ["id", "text"], [1, "x"], [2, "y"]]
    with pytest.raises(ThanoSQLDataError, match=r"(?s)line 1: 1 of 2 columns have a name.*header_row=3"):
        sheet(copied, *lines)
    assert "line 3 names the columns" in sheet(copied, *lines, options="header_row=3")
    assert rows(copied) == [[1, "x"], [2, "y"]]


def test_blank_rows_are_left_out_and_counted(copied: Session) -> None:
    note = sheet(copied, ["id", "text"], [1, "x"], [], [None, None], [2, None], [])
    assert rows(copied) == [[1, "x"], [2, None]]
    assert "2 empty lines left out" in note


def test_merged_cells_keep_their_value_in_the_first_and_are_said(copied: Session) -> None:
    note = sheet(
        copied, ["speaker", "n"], ["ann", 1], [None, 2], ["bob", 3], change=lambda page: page.merge_cells("A2:A3")
    )
    assert rows(copied) == [["ann", 1], [None, 2], ["bob", 3]]
    assert "cells are merged (A2:A3)" in note


def test_numbers_as_text_and_odd_values_are_said_with_their_line(copied: Session) -> None:
    note = sheet(copied, ["n", "code", "odd"], [1, "007", True], ["2", "010", True], [3, "x", "maybe"])
    assert types_of(copied) == {"n": "text", "code": "text", "odd": "text"}
    assert rows(copied) == [["1", "007", "true"], ["2", "010", "true"], ["3", "x", "maybe"]]
    assert "n is text because of '2' in line 3" in note
    assert "odd is text because of 'maybe' in line 4" in note
    assert "code is" not in note


def test_names_that_need_double_quotes_are_said(copied: Session) -> None:
    assert "capitals" not in sheet(copied, ["id", "파일"], [1, "x"])
    note = sheet(copied, ["id", "Called on"], [1, "x"])
    assert note.endswith('in SQL, names with capitals, spaces or signs need double quotes: "Called on"')
    assert copied.execute('SELECT "Called on" FROM copied').iloc[0, 0] == "x"


def test_one_odd_date_makes_texts_of_the_others_as_they_stand(copied: Session) -> None:
    day = datetime.datetime(2024, 3, 1)
    note = sheet(copied, ["day"], [day], ["soon"], [day])
    assert rows(copied) == [["2024-03-01"], ["soon"], ["2024-03-01"]]
    assert "day is text because of 'soon' in line 3" in note
    sheet(copied, ["day", "at"], [day, day], [day, day + datetime.timedelta(hours=1)])
    assert types_of(copied) == {"day": "date", "at": "timestamp without time zone"}


def test_a_formula_without_its_value_is_refused_and_one_with_it_read(copied: Session) -> None:
    with pytest.raises(ThanoSQLDataError, match=r"line 3, column 2: a formula without its value \(=A3\+1\)"):
        sheet(copied, ["a", "b"], [1, 2], [3, "=A3+1"])
    # What Excel saves beside a formula, and openpyxl does not write.
    with zipfile.ZipFile("x.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    page = parts["xl/worksheets/sheet1.xml"].decode()
    assert "<v></v>" in page or "<v />" in page or "<v/>" in page
    for empty in ("<v></v>", "<v />", "<v/>"):
        page = page.replace(empty, "<v>4</v>")
    with zipfile.ZipFile("x.xlsx", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, page.encode() if name == "xl/worksheets/sheet1.xml" else content)
    copied.execute("COPY copied FROM 'x.xlsx'")
    assert rows(copied) == [[1, 2], [3, 4]]


def test_which_of_several_sheets_was_read_is_said(copied: Session) -> None:
    book = openpyxl.Workbook()
    for name in ("train", "dev", "test"):
        page = book.create_sheet(name)
        page.append(["id", "text"])
        page.append([1, name])
    del book["Sheet"]
    book.save("x.xlsx")
    note = copied.run("COPY copied FROM 'x.xlsx'").note
    assert "the sheet train of 3 was read (sheet='…' reads another: dev, test)" in note
    assert "was read" not in copied.run("COPY copied OPTIONS (sheet='dev', if_exists='replace') FROM 'x.xlsx'").note
    assert list(copied.execute("SELECT text FROM copied").text) == ["dev"]


def test_a_sheet_without_a_header_keeps_its_first_row(copied: Session) -> None:
    note = sheet(copied, ["a.wav", "one"], ["b.wav", "two"])
    assert rows(copied) == [["a.wav", "one"], ["b.wav", "two"]]
    assert "no line names the columns" in note
    sheet(copied, ["a.wav", "one"], ["b.wav", "two"], options="columns=['path', 'text']")
    assert list(types_of(copied)) == ["path", "text"]
    with pytest.raises(ThanoSQLDataError, match="2 columns, and the option columns names 1"):
        sheet(copied, ["a.wav", "one"], options="columns=['path']")


def test_json_says_which_value_makes_a_column_text(copied: Session) -> None:
    Path("x.jsonl").write_text("".join(json.dumps({"n": n if n != 7 else "seven"}) + "\n" for n in range(1, 10)))
    note = copied.run("COPY copied FROM 'x.jsonl'").note
    assert "n is text because of 'seven' in row 7" in note
    assert [row[0] for row in rows(copied)] == ["1", "2", "3", "4", "5", "6", "seven", "8", "9"]


@pytest.mark.parametrize(
    ("number", "type_"),
    [
        ("0.1", "double precision"),
        ("1.50", "double precision"),
        ("1e-7", "double precision"),
        ("0.1234567890123456789", "numeric"),
        ("1e400", "numeric"),
        ("12345678901234567890", "numeric"),
        ("NaN", "double precision"),
    ],
)
def test_numbers_of_json_are_never_rounded(copied: Session, number: str, type_: str) -> None:
    Path("x.json").write_text(f'[{{"n": {number}}}]')
    copied.execute("COPY copied FROM 'x.json'")
    assert types_of(copied) == {"n": type_}
    assert copied.execute(f"SELECT n = '{number}'::{type_} AS same FROM copied").same.item()


def beside(folder: str = "clips", name: str = "a.wav") -> Path:
    corpus = Path("corpus").absolute()
    (corpus / folder).mkdir(parents=True, exist_ok=True)
    soundfile.write(corpus / folder / name, np.zeros(1600, dtype="float32"), 16000)
    return corpus


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", "path,text\na.wav,x\n"),
        ("x.tsv", 'path\ttext\na.wav\t6" x\n'),
        ("x.json", '[{"path": "a.wav", "text": "x"}]'),
    ],
)
@pytest.mark.parametrize("folder", ["", "clips", "wavs"])
def test_paths_are_found_beside_the_file_that_lists_them(copied: Session, name: str, content: str, folder: str) -> None:
    corpus = beside(folder)
    (corpus / name).write_text(content)
    note = copied.run(f"COPY copied FROM 'corpus/{name}'").note
    assert rows(copied)[0][0] == str(corpus / folder / "a.wav").replace("//", "/")
    assert f"relative paths of path are taken in {str(corpus / folder).rstrip('/')}" in note
    assert copied.execute("PREDICT USING Wav2Vec2Tiny OPTIONS (audio_col='path') AS TABLE copied").shape[0] == 1


def test_paths_of_sheets_and_parquet_too_and_those_of_the_roots_stay(copied: Session) -> None:
    corpus = beside()
    frame = pd.DataFrame({"path": ["a.wav", "gone.wav", None, "/abs/b.wav", "s3://x/c.wav"][:4], "n": range(4)})
    frame = frame[frame["n"] != 3]
    frame.to_parquet(corpus / "x.parquet")
    frame.to_excel(corpus / "x.xlsx", index=False)
    for name in ("x.parquet", "x.xlsx"):
        copied.execute(f"DROP TABLE IF EXISTS copied; COPY copied FROM 'corpus/{name}'")
        assert [row[0] for row in rows(copied)] == [f"{corpus}/clips/a.wav", f"{corpus}/clips/gone.wav", None]
    (corpus / "clips" / "a.wav").rename("a.wav")
    copied.execute("DROP TABLE copied; COPY copied FROM 'corpus/x.parquet'")
    assert rows(copied)[0][0] == "a.wav"


def test_paths_beside_a_file_of_the_workspace_are_relative_to_it(
    copied: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    workspace = tmp_path / "home" / "workspace"
    workspace.mkdir(parents=True)
    monkeypatch.chdir(workspace)
    (beside() / "x.csv").write_text("path,text\na.wav,x\n")
    monkeypatch.chdir(tmp_path)
    with thanosql.connect(database_url, home=tmp_path / "home") as other:
        other.execute("COPY copied FROM 'corpus/x.csv'")
        assert rows(other) == [["corpus/clips/a.wav", "x"]]


@pytest.mark.parametrize("where", ["recordings", "", "elsewhere"])
def test_the_guides_join_of_a_folder_and_a_sheet_finds_partners_and_those_without(
    copied: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Wherever the recordings lie: beside the sheet, in a folder beside it, or where COPY does not look."""
    folder = tmp_path / where
    folder.mkdir(exist_ok=True)
    for name in ("0001.flac", "0002.flac", "0003.flac", "0004.flac"):
        soundfile.write(folder / name, np.zeros(1600, np.float32), 16_000)
    work = tmp_path / "work" if where == "elsewhere" else tmp_path
    work.mkdir(exist_ok=True)
    monkeypatch.chdir(work)
    sheet_of_calls(work)
    (block,) = (one for one in blocks(ROOT / "docs/guides/recordings.md") if "FULL JOIN" in one.text)
    found = copied.execute(block.text.replace("'recordings/'", f"'{folder}/'"))
    both = found[found.problem.isna()]
    assert both.file.tolist() == ["0001.flac", "0002.flac", "0003.flac"]
    assert all(Path(path).exists() for path in both.audio_path)
    alone = found[found.problem.notna()]
    assert [(Path(file).name, problem) for file, problem in zip(alone.file, alone.problem)] == [
        ("0009.flac", "no recording"),
        ("0004.flac", "not in the sheet"),
    ]


@pytest.mark.parametrize("part", ["xl/styles.xml", "xl/worksheets/sheet1.xml"])
def test_a_workbook_that_unpacks_a_thousandfold_is_refused_before_it_is_unpacked(
    copied: Session, tmp_path: Path, part: str
) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    book.save(tmp_path / "sound.xlsx")
    with (
        zipfile.ZipFile(tmp_path / "sound.xlsx") as sound,
        zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in sound.namelist():
            content = sound.read(name)
            end = content.rindex(b"</")
            blanks = b" " * (65 << 20) if name == part else b""
            bomb.writestr(name, content[:end] + blanks + content[end:])
    assert (tmp_path / "bomb.xlsx").stat().st_size < 200_000
    with pytest.raises(ThanoSQLDataError, match=rf"its part {part} would unpack from \d+,\d+ bytes to 68,\d+,\d+"):
        copied.execute("COPY copied OPTIONS (if_exists='replace') FROM :path", {"path": tmp_path / "bomb.xlsx"})
    copied.execute("COPY copied OPTIONS (if_exists='replace') FROM :path", {"path": tmp_path / "sound.xlsx"})
    assert copied.execute("TABLE copied").a.tolist() == [1]
