"""COPY: what is in the file is in the table, typed, all of it or nothing."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from thanosql import ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLOptionError, config
from thanosql.engine.files.parquet import open_parquet
from thanosql.engine.session import Session

COLUMNS = (
    "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
    " WHERE attrelid = 'copied'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)


@pytest.fixture
def copied(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session without the table `copied`, its working folder a new one."""
    monkeypatch.chdir(tmp_path)
    session.execute("DROP TABLE IF EXISTS copied CASCADE")
    return session


def types_of(session: Session) -> dict[str, str]:
    frame = session.execute(COLUMNS)
    return dict(zip(frame["name"], frame["type"], strict=True))


def copy(session: Session, content: str | bytes, name: str = "x.csv", options: str = "") -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return session.run(f"COPY copied {options} FROM '{name}'").note


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-20", "", "0"], "bigint"),
        (["9223372036854775807"], "bigint"),
        (["9223372036854775808", "1"], "numeric"),
        (["1", "2.5", "1e-4", ".5"], "double precision"),
        (["0.30000000000000004", "3"], "double precision"),
        (["0.1234567890123456789012"], "numeric"),
        (["0123", "4567"], "text"),
        (["+8210", "1"], "text"),
        (["007.5"], "text"),
        (["true", "False"], "boolean"),
        (["true", "1"], "text"),
        (["2024-02-29", "1999-12-31"], "date"),
        (["2023-02-29"], "text"),
        (["2024-01-01", "2024-01-01 10:00"], "timestamp without time zone"),
        (["2024-01-01T10:00:00.123456"], "timestamp without time zone"),
        (["2024-01-01T10:00:00Z", "2024-01-01 10:00:00+09:00"], "timestamp with time zone"),
        (["2024-01-01 25:00"], "text"),
        (["0000-01-01"], "text"),
        (["", ""], "text"),
        (["1", "x"], "text"),
        (["1e400"], "text"),
    ],
)
def test_a_column_gets_the_narrowest_type_that_keeps_every_value(
    copied: Session, values: list[str], type_: str
) -> None:
    note = copy(copied, "n,value\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values)))
    assert types_of(copied) == {"n": "bigint", "value": type_}
    assert f"value {type_}" in note
    there = copied.execute("SELECT value::text AS said, value IS NULL AS missing FROM copied ORDER BY n")
    assert list(there.missing) == [value == "" for value in values]
    if type_ == "text":
        assert [said for said in there.said if not pd.isna(said)] == [value for value in values if value]


def test_one_value_far_behind_the_sample_decides_the_type(copied: Session) -> None:
    copy(copied, "n,late\n" + "".join(f"{n},{n}\n" for n in range(3000)) + "3000,2.5\n")
    assert types_of(copied) == {"n": "bigint", "late": "double precision"}
    copied.execute("DROP TABLE copied")
    copy(copied, "n,late\n" + "".join(f"{n},{n}\n" for n in range(3000)) + "3000,0x\n")
    assert types_of(copied) == {"n": "bigint", "late": "text"}


def test_an_empty_field_is_null_and_quotes_around_nothing_are_an_empty_text(copied: Session) -> None:
    copy(copied, 'a,b\n1,\n2,""\n3,"x, ""y""\nz"\n')
    assert list(copied.execute("SELECT b IS NULL AS missing FROM copied ORDER BY a").missing) == [True, False, False]
    assert list(copied.execute("SELECT b FROM copied WHERE b IS NOT NULL ORDER BY a").b) == ["", 'x, "y"\nz']


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\r\n1,\xea\xb0\x80\r\n\r\n\r\n",
        "a,b\n1,가".encode(),
        "a,b\n1,가\n\n".encode(),
        " a , b\n1,가\n".encode(),
    ],
)
def test_byte_order_marks_line_ends_and_empty_lines_at_the_end_are_no_content(copied: Session, content: bytes) -> None:
    copy(copied, content)
    assert copied.execute("SELECT a, b FROM copied").values.tolist() == [[1, "가"]]


def test_rows_keep_the_order_of_the_file(copied: Session) -> None:
    order = np.random.default_rng(0).permutation(5000).tolist()
    copy(copied, "n\tx\n" + "".join(f"{n}\ty\n" for n in order), "x.tsv")
    assert list(copied.execute("SELECT n FROM copied").n) == order


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3\n", r"x\.csv, line 3: 1 value, where line 1 has 2"),
        (b"a,b\n1,2,3\n", r"x\.csv, line 2: 3 values, where line 1 has 2"),
        (b'a,b\n1,"2\n', r"x\.csv, line 2: a quotation mark begins a value and none ends it"),
        (b"a,b\n1,\xff\n", r"x\.csv, line 2: a byte that is not UTF-8"),
        (b"a,\xff\n1,2\n", "line 1: a byte that is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (b"a,a\n1,2\n", "columns 1 and 2 are both named 'a'"),
        (b"a,,b\n1,2,3\n", "column 2 of 3 has no name"),
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a;b\n1,5;2;3\n", r"(?s)line 2: 2 values, where line 1 has 1.*delimiter=';'"),
        (b"a" * 64 + b",b\n1,2\n", "longer than PostgreSQL's 63 bytes"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_its_line_and_nothing_is_made(
    copied: Session, content: bytes, said: str
) -> None:
    with pytest.raises(ThanoSQLDataError, match=said):
        copy(copied, content)
    assert copied.execute("SELECT to_regclass('copied') IS NULL AS gone").gone.item()


def test_a_delimiter_may_be_named(copied: Session) -> None:
    copy(copied, "a;b\n1;2\n", options="OPTIONS (delimiter=';')")
    assert types_of(copied) == {"a": "bigint", "b": "bigint"}


def test_a_table_that_exists_is_kept_replaced_or_appended_to(copied: Session) -> None:
    copy(copied, "a,b\n1,x\n")
    with pytest.raises(ThanoSQLDatabaseError, match="There is a table copied already") as raised:
        copy(copied, "a,b\n2,y\n")
    assert raised.value.position is not None
    assert raised.value.position.column == 6
    assert list(copied.execute("SELECT a FROM copied").a) == [1]
    copy(copied, "b,a\ny,2\n", options="OPTIONS (if_exists='append')")
    assert copied.execute("SELECT a, b FROM copied ORDER BY a").values.tolist() == [[1, "x"], [2, "y"]]
    copy(copied, "c\ntrue\n", options="OPTIONS (if_exists='replace')")
    assert types_of(copied) == {"c": "boolean"}


def test_replacing_and_appending_also_make_a_table_that_is_not_there(copied: Session) -> None:
    copy(copied, "a\n1\n", options="OPTIONS (if_exists='replace')")
    copied.execute("DROP TABLE copied")
    copy(copied, "a\n1\n", options="OPTIONS (if_exists='append')")
    assert list(copied.execute("SELECT a FROM copied").a) == [1]


@pytest.mark.parametrize("how", ["append", "replace"])
def test_a_failed_copy_leaves_the_table_as_it_was_and_nothing_behind(copied: Session, how: str) -> None:
    copy(copied, "a,b\n1,x\n")
    lines = "".join(f"{n},y\n" for n in range(20_000))
    with pytest.raises(ThanoSQLDataError, match="line 20002: 1 value"):
        copy(copied, f"a,b\n{lines}z\n", options=f"OPTIONS (if_exists='{how}')")
    assert copied.execute("SELECT * FROM copied").values.tolist() == [[1, "x"]]
    left = copied.execute("SELECT relname FROM pg_class WHERE relname LIKE 'thanosql%'")
    assert left.empty


def test_a_value_that_does_not_fit_the_table_names_line_and_column(copied: Session) -> None:
    copy(copied, "a,b\n1,x\n")
    with pytest.raises(ThanoSQLDataError, match=r"line 3, column a: invalid input syntax for type bigint"):
        copy(copied, "a,b\n1,x\nnone,y\n", options="OPTIONS (if_exists='append')")
    with pytest.raises(ThanoSQLDataError, match="has a column 'c'"):
        copy(copied, "a,c\n1,x\n", options="OPTIONS (if_exists='append')")


def test_a_table_with_dependents_is_refused_before_the_file_is_read(copied: Session) -> None:
    copy(copied, "a\n1\n")
    copied.execute("CREATE VIEW on_copied AS SELECT * FROM copied")
    with pytest.raises(ThanoSQLDatabaseError, match="on_copied"):
        copy(copied, "a,a\n", options="OPTIONS (if_exists='replace')")


def test_a_copy_that_is_killed_leaves_the_table_as_it_was(copied: Session, database_url: str) -> None:
    copy(copied, "a,b\n1,x\n")
    with open("big.csv", "w") as file:
        file.write("a,b\n")
        file.writelines(f"{n},y\n" for n in range(600_000))
    program = """
        import os, signal, sys, thanosql
        from thanosql.engine.files.delimited import FileStream
        read, blocks = FileStream.read, []
        def die(self, size=-1):
            blocks.append(read(self, size))
            if len(blocks) == 3:  # of five: some rows are in the server
                os.kill(os.getpid(), signal.SIGKILL)
            return blocks[-1]
        FileStream.read = die
        with thanosql.connect(sys.argv[1], home=sys.argv[2]) as session:
            session.execute("COPY copied OPTIONS (if_exists='replace') FROM 'big.csv'")
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), database_url, str(Path("home").absolute())],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert copied.execute("SELECT * FROM copied").values.tolist() == [[1, "x"]]


def test_a_transaction_of_the_users_is_not_copied_into(copied: Session) -> None:
    copied.execute("BEGIN")
    with pytest.raises(ThanoSQLDatabaseError, match="open transaction"):
        copy(copied, "a\n1\n")
    copied.execute("ROLLBACK")


def test_a_path_is_found_in_the_working_folder_and_then_in_the_workspace(copied: Session) -> None:
    folder = copied.settings.workspace / "thanosql-dataset" / "mine"
    folder.mkdir(parents=True)
    (folder / "x.csv").write_text("a\n1\n")
    copied.execute("COPY copied FROM 'thanosql-dataset/mine/x.csv'")
    here = Path("thanosql-dataset/mine")
    here.mkdir(parents=True)
    (here / "x.csv").write_text("a\n2\n")
    copied.execute("COPY copied OPTIONS (if_exists='append') FROM :path", {"path": here / "x.csv"})
    assert list(copied.execute("SELECT a FROM copied").a) == [1, 2]
    with pytest.raises(ThanoSQLDataError, match=r"(?s)There is no file.*Did you mean x\.csv"):
        copied.execute("COPY copied2 FROM 'thanosql-dataset/mine/y.csv'")
    with pytest.raises(ThanoSQLDataError, match="GET THANOSQL DATASET spoken_numbers"):
        copied.execute("COPY copied2 FROM 'thanosql-dataset/spoken_numbers/x.csv'")


def test_a_path_that_is_not_there_is_marked_in_the_statement(copied: Session) -> None:
    with pytest.raises(ThanoSQLDataError) as caught:
        copied.execute("COPY copied\nFROM 'missing.csv'")
    assert "line 2: FROM 'missing.csv'\n             ^^^^^^^^^^^^^\n" in f"{caught.value}\n"
    with pytest.raises(ThanoSQLDataError) as caught:
        copied.execute("COPY copied FROM :path", {"path": "missing.csv"})
    assert "line 1: COPY copied FROM :path\n                         ^^^^^\n" in f"{caught.value}\n"


def test_the_table_may_have_a_schema_and_quotes(copied: Session) -> None:
    Path("x.csv").write_text("a\n1\n")
    copied.execute('DROP TABLE IF EXISTS public."Mixed Case"; COPY public."Mixed Case" FROM \'x.csv\'')
    copied.execute("COPY public.\"Mixed Case\" OPTIONS (if_exists='replace') FROM 'x.csv'")
    assert list(copied.execute('SELECT a FROM "Mixed Case"').a) == [1]


@pytest.mark.parametrize("name", ["x.pkl", "x.pickle"])
def test_a_pickle_is_never_read(copied: Session, name: str) -> None:
    pd.DataFrame({"a": [1]}).to_pickle(name)
    with pytest.raises(ThanoSQLDataError, match="pickle"):
        copied.execute(f"COPY copied FROM '{name}'")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("x.txt", "", "does not read"),
        ("x.json", "OPTIONS (delimiter=';')", "delimiter is for csv"),
        ("x.csv", "OPTIONS (sheet='a')", "sheet is for xlsx"),
        ("x.csv", "OPTIONS (delimiter=';;')", "one character"),
        ("x.csv", "OPTIONS (if_exists='skip')", "if_exists"),
    ],
)
def test_options_and_formats_that_do_not_fit_are_refused(copied: Session, name: str, options: str, said: str) -> None:
    with pytest.raises((ThanoSQLDataError, ThanoSQLOptionError), match=said):
        copy(copied, "a\n1\n", name, options)


def test_parquet_keeps_its_own_types(copied: Session) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: extra files")
    frame = pd.DataFrame(
        {
            "small": np.array([1, 2], dtype="int16"),
            "n": pd.array([1, None], dtype="Int64"),
            "x": [0.1, float("nan")],
            "text": ["0123", "a\tb\\N"],
            "moment": pd.to_datetime(["2024-01-01T01:02:03.123456", None], format="ISO8601"),
            "zoned": pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True),
            "price": [Decimal("1.50"), None],
            "day": [datetime.date(2024, 1, 1), None],
            "raw": [b"\x00\\", None],
            "words": [["a", 'b"'], None],
            "nested": [{"k": [1]}, None],
        }
    )
    frame.to_parquet("x.parquet")
    copied.execute("COPY copied FROM 'x.parquet'")
    assert types_of(copied) == {
        "small": "smallint",
        "n": "bigint",
        "x": "double precision",
        "text": "text",
        "moment": "timestamp without time zone",
        "zoned": "timestamp with time zone",
        "price": "numeric(3,2)",
        "day": "date",
        "raw": "bytea",
        "words": "text[]",
        "nested": "jsonb",
    }
    first, second = copied.execute("SELECT * FROM copied").to_dict("records")
    assert first["price"] == Decimal("1.50")
    assert first["raw"] == b"\x00\\"
    assert first["words"] == ["a", 'b"']
    assert first["nested"] == {"k": [1]}
    assert first["moment"] == pd.Timestamp("2024-01-01T01:02:03.123456")
    assert second["text"] == "a\tb\\N"
    assert pd.isna(second["n"])


@pytest.mark.parametrize("groups", [1, 20])
def test_a_parquet_file_is_read_a_piece_at_a_time_however_its_rows_are_grouped(tmp_path: Path, groups: int) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = 100_000
    table = pyarrow.table({"n": range(rows), "text": [f"{number:0300}" for number in range(rows)]})
    parquet.write_table(
        table, tmp_path / "x.parquet", row_group_size=rows // groups, compression="none", use_dictionary=False
    )
    del table
    before = pyarrow.total_allocated_bytes()
    held = [
        pyarrow.total_allocated_bytes() - before for _ in open_parquet(tmp_path / "x.parquet", config.load()).rows()
    ]
    assert len(held) == rows
    assert max(held) < (tmp_path / "x.parquet").stat().st_size / 2


def test_a_damaged_parquet_file_is_an_error_of_the_data(copied: Session) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: extra files")
    with pytest.raises(ThanoSQLDataError, match="cannot be read as parquet"):
        copy(copied, b"PAR1 and nothing else", "x.parquet")


def test_a_sheet_of_a_workbook_is_a_table(copied: Session) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed: extra files")
    book = openpyxl.Workbook()
    book.active.append(["n", "code", "when", "at", "mixed"])
    book.active.append([1, "0123", datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, 5), 1])
    book.active.append([2.5, None, datetime.datetime(2024, 1, 2), None, "x"])
    other = book.create_sheet("Other")
    other.append(["a"])
    other.append([True])
    book.save("x.xlsx")
    copied.execute("COPY copied FROM 'x.xlsx'")
    assert types_of(copied) == {
        "n": "double precision",
        "code": "text",
        "when": "date",
        "at": "timestamp without time zone",
        "mixed": "text",
    }
    assert list(copied.execute("SELECT mixed FROM copied").mixed) == ["1", "x"]
    copied.execute("COPY copied OPTIONS (if_exists='replace', sheet='Other') FROM 'x.xlsx'")
    assert types_of(copied) == {"a": "boolean"}
    with pytest.raises(ThanoSQLDataError, match=r"(?s)no sheet 'Third'.*Sheet, Other"):
        copied.execute("COPY copied OPTIONS (if_exists='replace', sheet='Third') FROM 'x.xlsx'")
    with pytest.raises(ThanoSQLDataError, match="cannot be read as xlsx"):
        copy(copied, b"PK\x03\x04 no zip", "y.xlsx", "OPTIONS (if_exists='replace')")


ROWS = [{"a": 1, "b": "0123", "d": {"k": 1}}, {"a": 2.5, "b": None, "c": True}, {"b": "x\n"}]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\n".join(map(json.dumps, ROWS)),
        "\ufeff" + json.dumps(ROWS) + "\n\n",
    ],
)
def test_json_is_a_list_of_objects_or_one_a_line(copied: Session, content: str) -> None:
    copy(copied, content, "x.json")
    assert types_of(copied) == {"a": "double precision", "b": "text", "d": "jsonb", "c": "boolean"}
    assert list(
        copied.execute("SELECT count(a) AS a, count(b) AS b, count(c) AS c, count(d) AS d FROM copied").iloc[0]
    ) == [
        2,
        2,
        1,
        1,
    ]


def test_json_longer_than_what_is_read_at_once_comes_through_whole(copied: Session) -> None:
    rows = [{"n": n, "text": "가" * 1000} for n in range(3000)]
    copy(copied, json.dumps(rows, ensure_ascii=False), "x.json")
    there = copied.execute("SELECT count(*) AS rows, sum(n)::bigint AS sum, min(length(text)) AS short FROM copied")
    assert there.iloc[0].tolist() == [3000, 2999 * 1500, 1000]


@pytest.mark.parametrize(
    "content",
    [
        "[1, 2]",
        '[{"a": 1}',
        '{"a": 1}\n{"a"',
        "[]",
        "",
        '[{"a": 1}] x',
        '[{"a": 1},]',
        '[{"a": 1} {"a": 2}]',
        "[",
        "nonsense",
        '[{"a": "\\ud800"}]',
    ],
)
def test_json_that_is_no_table_is_refused(copied: Session, content: str) -> None:
    with pytest.raises(ThanoSQLDataError):
        copy(copied, content, "x.json")


def test_a_folder_gives_a_row_for_every_audio_file_and_the_reason_for_a_bad_one(copied: Session) -> None:
    folder = Path("recordings")
    (folder / "deep").mkdir(parents=True)
    tone = np.zeros(8000, dtype="float32")
    soundfile.write(folder / "b.wav", np.stack([tone, tone], axis=1), 8000)
    soundfile.write(folder / "deep" / "a.flac", tone, 16000)
    (folder / "c.mp3").write_bytes(b"")
    (folder / "notes.txt").write_text("not audio")
    result = copied.run("COPY copied FROM 'recordings'")
    assert result.status == "COPY 3"
    assert "1 cannot be read" in result.note
    rows = copied.execute("SELECT * FROM copied").to_dict("records")
    assert [Path(row["audio_path"]).name for row in rows] == ["b.wav", "c.mp3", "a.flac"]
    assert all(Path(row["audio_path"]).is_absolute() for row in rows)
    assert (rows[0]["seconds"], rows[0]["sampling_rate"], rows[0]["channels"]) == (1.0, 8000, 2)
    assert rows[2]["seconds"] == 0.5
    assert "flac" in rows[2]["format"]
    assert "empty file" in rows[1]["problem"]
    assert pd.isna(rows[1]["seconds"])


def test_paths_of_a_folder_in_the_workspace_are_relative_to_it(copied: Session) -> None:
    folder = copied.settings.workspace / "mine"
    folder.mkdir(parents=True)
    soundfile.write(folder / "a.wav", np.zeros(1600, dtype="float32"), 16000)
    copied.execute("COPY copied FROM 'mine'")
    assert list(copied.execute("SELECT audio_path FROM copied").audio_path) == [os.path.join("mine", "a.wav")]
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(ThanoSQLDataError, match="holds no audio file"):
        copied.execute("COPY copied OPTIONS (if_exists='replace') FROM 'mine'")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of memory is read as Linux counts it")
def test_a_large_file_is_copied_in_flat_memory(copied: Session) -> None:
    import resource

    with open("big.csv", "w") as file:
        file.write("n,x,text\n")
        file.writelines(f"{n},{n / 7},{'a word ' * 20}\n" for n in range(200_000))
    size = Path("big.csv").stat().st_size
    copy(copied, "n,x,text\n1,0.5,y\n")  # what is imported on the way is not counted
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    copied.execute("DROP TABLE copied; COPY copied FROM 'big.csv'")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert types_of(copied) == {"n": "bigint", "x": "double precision", "text": "text"}
    assert grown < size / 2
