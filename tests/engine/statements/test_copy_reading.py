"""COPY of delimited files as people have them: no row is joined, eaten or renamed, and what was decided is said."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from thanosql import ThanoSQLDataError, ThanoSQLOptionError
from thanosql.engine.session import Session


@pytest.fixture
def copied(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session without the table `copied`, its working folder a new one."""
    monkeypatch.chdir(tmp_path)
    session.execute("DROP TABLE IF EXISTS copied CASCADE")
    return session


def copy(session: Session, content: str | bytes, name: str = "x.csv", options: str = "") -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    session.execute("DROP TABLE IF EXISTS copied")
    return session.run(f"COPY copied {options and f'OPTIONS ({options})'} FROM '{name}'").note


def rows(session: Session) -> list[list[object]]:
    frame = session.execute("SELECT * FROM copied")
    return [[None if pd.isna(value) else value for value in row] for row in frame.values.tolist()]


COMMON_VOICE = 'path\tsentence\tvotes\nc1.mp3\tHe is 6" tall.\t2\nc2.mp3\tPlain.\t1\nc3.mp3\tA 7" record.\t3\n'
DIALOGUE = 'path\tsentence\tup\nc1\t"Where to?\t1\nc2\tplain\t1\nc3\tHere," she said.\t1\n'


@pytest.mark.parametrize(
    ("content", "name", "options", "expected"),
    [
        (COMMON_VOICE, "x.tsv", "", ['He is 6" tall.', "Plain.", 'A 7" record.']),
        (COMMON_VOICE[: COMMON_VOICE.index("c3")], "x.tsv", "", ['He is 6" tall.', "Plain."]),
        (DIALOGUE, "x.tsv", "", ['"Where to?', "plain", 'Here," she said.']),
        ('path\tsentence\nc1\t"Where to?"\nc2\tplain\n', "x.tsv", "", ['"Where to?"', "plain"]),
        ('id|text\nLJ1|being "modern.\nLJ2|plain\nLJ3|so "to say.\n', "x.csv", "delimiter='|'", None),
        ('id|text\nLJ1|being "modern.\nLJ2|plain\nLJ3|so "to say.\n', "x.csv", "", None),
        ('id|text\nLJ1|"Yes|"\n', "x.psv", "quote='\"'", ["Yes|"]),
    ],
)
def test_quotation_marks_beside_tabs_and_bars_are_text_unless_they_are_needed(
    copied: Session, content: str, name: str, options: str, expected: list[str] | None
) -> None:
    note = copy(copied, content, name, options)
    texts = [row[1] for row in rows(copied)]
    assert texts == (expected or ['being "modern.', "plain", 'so "to say.'])
    if "quote=" not in options:
        assert "quotation marks are text" in note


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ('id\ttext\n1\t"a\tb"\n2\tc\n', "x.tsv", [[1, "a\tb"], [2, "c"]]),
        ('id\ttext\n1\t"say ""hi"""\n2\tc\n', "x.tsv", [[1, 'say "hi"'], [2, "c"]]),
        ('"id"\t"text"\n"1"\t"a"\n"2"\t"b"\n', "x.tsv", [[1, "a"], [2, "b"]]),
        ('id,text\n1,"a, b"\n2,6" tall\n', "x.csv", [[1, "a, b"], [2, '6" tall']]),
        ('id,text\n1,"he said ""no"", twice"\n', "x.csv", [[1, 'he said "no", twice']]),
        ('id,text\n1,"a \\"b\\", c"\n2,"d, e"\n', "x.csv", [[1, 'a "b", c'], [2, "d, e"]]),
        ('id,text\n1,""\n2,\n3,6" x\n', "x.csv", [[1, ""], [2, None], [3, '6" x']]),
        ('id,text,n\n1,"two, with\nlines",3\n', "x.csv", [[1, "two, with\nlines", 3]]),
        ('"id","text"\n"1","x,1\n2,y"\n', "x.csv", [[1, "x,1\n2,y"]]),
    ],
)
def test_quotation_marks_enclose_values_where_they_do_so_throughout(
    copied: Session, content: str, name: str, expected: list[list[object]]
) -> None:
    copy(copied, content, name)
    assert rows(copied) == expected


@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        ('path\ttext\tup\nc0\tz\t1\nc1\t"x\t1\nc2\ty"\t2\n', "x.tsv", 3),
        ('a,b,c\nc1,"x,1\nc2,y",2\n', "x.csv", 2),
        ('id|text\nLJ1|"Where to\nLJ2|or here"\n', "x.psv", 2),
    ],
)
def test_what_may_be_one_value_or_several_rows_is_refused_with_its_line_until_it_is_said(
    copied: Session, content: str, name: str, line: int
) -> None:
    with pytest.raises(ThanoSQLDataError, match=rf"line {line}: there are line ends between two quotation marks"):
        copy(copied, content, name)
    copy(copied, content, name, "quote=''")
    count = len(rows(copied))
    copy(copied, content, name, "quote='\"'")
    assert len(rows(copied)) == count - 1


@pytest.mark.parametrize(
    ("content", "name", "first"),
    [
        ("a.wav\tone two\nb.wav\tthree\n", "x.tsv", "a.wav"),
        ("LJ001-0001|Printing, in a sense|Printing, in a sense\nLJ001-0002|For|For\n", "x.csv", "LJ001-0001"),
        ("1,2\n3,4\n", "x.csv", 1),
        ("s3://bucket/a,yes\ns3://bucket/b,no\n", "x.csv", "s3://bucket/a"),
        ("ann\tyes\nbob\tno\nann\tno\n", "x.tsv", "ann"),
    ],
)
def test_a_first_row_that_holds_values_is_a_row(copied: Session, content: str, name: str, first: object) -> None:
    note = copy(copied, content, name)
    assert rows(copied)[0][0] == first
    assert len(rows(copied)) == content.count("\n")
    assert "no line names the columns" in note
    copy(copied, content, name, f"columns={[f'c{n}' for n in range(len(rows(copied)[0]))]}")
    assert rows(copied)[0][0] == first
    assert copied.execute("SELECT * FROM copied").columns[0] == "c0"


@pytest.mark.parametrize(
    "content", ["path,text\na.wav,x\n", "name,2023\nann,1\n", "what,when\nx,2024-01-01\n", "a,b\nc,d\n"]
)
def test_a_first_row_that_names_the_columns_is_said(copied: Session, content: str) -> None:
    assert "line 1 names the columns" in copy(copied, content)
    assert len(rows(copied)) == 1


def test_a_first_row_that_may_be_either_is_refused_until_it_is_said(copied: Session) -> None:
    content = "a.wav,seconds long\nb.wav,2.5\n"
    with pytest.raises(ThanoSQLDataError, match=r"(?s)line 1: this may name.*header=True"):
        copy(copied, content)
    copy(copied, content, options="header=False")
    assert len(rows(copied)) == 2
    copy(copied, content, options="header=True")
    assert len(rows(copied)) == 1


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_files_from_windows_are_read_by_their_byte_order_mark(copied: Session, codec: str) -> None:
    note = copy(copied, 'name,text\r\n가,"a\r\n, b, c"\r\n\r\n'.encode(codec))
    assert rows(copied) == [["가", "a\r\n, b, c"]]
    assert ("UTF-16" in note) == (codec == "utf-16")


@pytest.mark.parametrize(("codec", "text"), [("cp949", "가나다"), ("cp1252", "café"), ("utf-16-be", "x가")])
def test_other_encodings_are_named(copied: Session, codec: str, text: str) -> None:
    content = f"id,text\n1,{text}\n2,plain\n".encode(codec)
    with pytest.raises(ThanoSQLDataError, match="UTF-8|UTF-16"):
        copy(copied, content)
    copy(copied, content, options=f"encoding='{codec}'")
    assert rows(copied) == [[1, text], [2, "plain"]]
    with pytest.raises(ThanoSQLOptionError, match="no encoding 'latin-99'"):
        copy(copied, content, options="encoding='latin-99'")
    with pytest.raises(ThanoSQLDataError, match="cannot be read as ascii"):
        copy(copied, content[: content.index(b"\n") + 1] + "1,é\n".encode(), options="encoding='ascii'")


def test_what_excel_writes_is_read_and_decimal_commas_are_said(copied: Session) -> None:
    note = copy(copied, "sep=;\r\nid;price\r\n1;2,50\r\n2;3\r\n")
    assert rows(copied) == [[1, "2,50"], [2, "3"]]
    assert "divided by semicolons" in note
    assert "price is text: its numbers have decimal commas (2,50)" in note


def test_words_for_nothing_are_said_and_read_as_null_when_named(copied: Session) -> None:
    content = "id,n,code\n1,NA,007\n2,4,010\n3,,NA\n"
    note = copy(copied, content)
    assert "n is text because of 1 'NA': null='NA' reads them as NULL" in note
    assert rows(copied)[1] == [2, "4", "010"]
    copy(copied, content, options="null='NA'")
    assert rows(copied) == [[1, None, "007"], [2, 4, "010"], [3, None, None]]
    copy(copied, 'id,n\n1,"NA"\n2,\\N\n', options=r"null=['NA', '\N']")
    assert rows(copied) == [[1, None], [2, None]]


def test_a_title_is_named_and_left_out(copied: Session) -> None:
    content = "Calls of March\n\nid,text\n1,x\n"
    with pytest.raises(ThanoSQLDataError, match=r"header_row=3"):
        copy(copied, content)
    assert "line 3 names the columns" in copy(copied, content, options="header_row=3")
    assert rows(copied) == [[1, "x"]]
    with pytest.raises(ThanoSQLDataError, match="line 5: 1 value"):
        copy(copied, content + "2\n", options="header_row=3")


def test_types_may_be_named_and_a_value_that_does_not_fit_has_its_line(copied: Session) -> None:
    copy(copied, "id,n\n1,2\n", options="types=['id text', 'n numeric(5, 2)']")
    kinds = copied.execute(
        "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) AS kinds FROM pg_attribute"
        " WHERE attrelid = 'copied'::regclass AND attnum > 0"
    )
    assert kinds.kinds[0] == "text numeric(5,2)"
    with pytest.raises(ThanoSQLDataError, match="line 3, column n: invalid input syntax"):
        copy(copied, "id,n\n1,2\n2,x\n", options="types=['n int']")
    for wrong in ("n", "n int); DROP TABLE copied; --", "n nosuchtype", "m int"):
        with pytest.raises((ThanoSQLOptionError, ThanoSQLDataError), match="types"):
            copy(copied, "id,n\n1,2\n", options=f"types=['{wrong}']")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a,b\n1,x\n\n\n2,y\n\n", [[1, "x"], [2, "y"]]),
        (b"a,b\r\n1,x\n2,y\r\n", [[1, "x"], [2, "y"]]),
        (b"a,b\r1,x\r2,y\r", [[1, "x"], [2, "y"]]),
        (b"a,b\n1,\\.\n\\.,2\n", [["1", "\\."], ["\\.", "2"]]),
        (b"a\n\\.\nx\n", [["\\."], ["x"]]),
        (b"a\nx\n\ny\n", [["x"], [None], ["y"]]),
        (b"a,b\n1,x\ty\\n\n", [[1, "x\ty\\n"]]),
        (b"a,b\n1,\x01\x02\n", [[1, "\x01\x02"]]),
    ],
)
def test_odd_line_ends_and_letters_come_through(copied: Session, content: bytes, expected: list[list[object]]) -> None:
    copy(copied, content)
    assert rows(copied) == expected


def test_a_nul_and_a_carriage_return_within_a_line_are_refused_with_their_line(copied: Session) -> None:
    with pytest.raises(ThanoSQLDataError, match="line 3: a NUL character") as raised:
        copy(copied, b"a,b\n1,x\n2,t\x00wo\n")
    assert "save" not in (raised.value.hint or "")
    with pytest.raises(ThanoSQLDataError, match="line 2: a carriage return"):
        copy(copied, b"a,b\n1,x\ry\n2,z\n")
    with pytest.raises(ThanoSQLDataError, match="row 1: a NUL character"):
        copy(copied, '{"a": "x\\u0000y"}\n', "x.jsonl")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"a": 1}, {"a": 1, "b": 2, "a": 3}]', "value 2: the name 'a' occurs twice in one object"),
        ('{"a": 1}\n{"a": {"x": 1, "x": 1}}\n', "value 2: the name 'x' occurs twice"),
        ('{"a": [1, {"b": 1, "c": 2, "b": null}]}', "value 1: the name 'b' occurs twice"),
        ('{"a": 1, "\\u0061": 2}', "value 1: the name 'a' occurs twice"),
    ],
)
def test_a_name_that_stands_twice_in_an_object_is_refused(copied: Session, content: str, said: str) -> None:
    with pytest.raises(ThanoSQLDataError, match=said):
        copy(copied, content, "x.json" if content.startswith("[") else "x.jsonl")


def test_delimiters_that_would_all_do_are_asked_for(copied: Session) -> None:
    with pytest.raises(ThanoSQLDataError, match=r"semicolons and bars divide all its lines"):
        copy(copied, "a;b|c\n1;2|3\n")
    copy(copied, "a;b|c\n1;2|3\n", options="delimiter='|'")
    assert rows(copied) == [["1;2", 3]]


def test_values_that_straddle_what_is_read_at_once_stay_whole(copied: Session) -> None:
    long = 'say ""so"", and\n' * 60_000
    content = "id,text\n" + "".join(f'{n},"{long}"\n' for n in range(3)) + '4,6" x\n'
    copy(copied, content)
    there = copied.execute("SELECT count(*) AS n, min(length(text)) AS low, max(length(text)) AS high FROM copied")
    assert there.iloc[0].tolist() == [4, 4, 60_000 * len('say "so", and\n')]


def test_options_that_do_not_fit_the_file_are_refused(copied: Session) -> None:
    for options, said in (
        ("columns=['a']", "has 2 columns"),
        ("quote='ab'", "one character"),
        ("quote=',', delimiter=','", "one character"),
        ("encoding='rot13'", "no encoding of text"),
    ):
        with pytest.raises((ThanoSQLOptionError, ThanoSQLDataError), match=said):
            copy(copied, "a,b\n1,2\n", options=options)
    with pytest.raises(ThanoSQLOptionError, match="quote is for csv"):
        copy(copied, "[]", "x.json", "quote=''")


def test_hugging_face_audio_becomes_bytes_and_a_name(copied: Session) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

    def write(*values: object) -> str:
        parquet.write_table(pa.table({"audio": pa.array(list(values), kind), "n": range(len(values))}), "x.parquet")
        copied.execute("DROP TABLE IF EXISTS copied")
        return copied.run("COPY copied FROM 'x.parquet'").note

    note = write({"bytes": b"RIFF\x00", "path": "1.wav"}, {"bytes": None, "path": "2.wav"}, None)
    assert rows(copied) == [[b"RIFF\x00", "1.wav", 0], [None, "2.wav", 1], [None, None, 2]]
    assert "audio bytea" in note
    assert "2 rows of it have a path alone, or nothing" in note
    write({"bytes": None, "path": "1.wav"}, {"bytes": None, "path": "2.wav"})
    assert rows(copied) == [["1.wav", 0], ["2.wav", 1]]
    write({"bytes": b"x", "path": None})
    assert rows(copied) == [[b"x", 0]]


def test_bytes_within_other_values_are_refused_and_lists_of_bytes_kept(copied: Session) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"parts": pa.array([[b"a\x00", None]], pa.list_(pa.binary()))}), "x.parquet")
    copied.execute("COPY copied FROM 'x.parquet'")
    assert copied.execute("SELECT parts[1] AS first, parts[2] AS second FROM copied").values.tolist() == [
        [b"a\x00", None]
    ]
    for kind in (
        pa.struct([("k", pa.binary())]),
        pa.list_(pa.struct([("k", pa.large_binary())])),
        pa.map_(pa.string(), pa.binary()),
        pa.list_(pa.list_(pa.binary(2))),
    ):
        parquet.write_table(pa.table({"m": pa.array([None], kind)}), "y.parquet")
        with pytest.raises(ThanoSQLDataError, match=r"the column m \(.*\) holds bytes"):
            copied.execute("COPY copied2 FROM 'y.parquet'")


def test_a_pipe_is_refused_at_once_and_roots_confine_copy(
    copied: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    os.mkfifo("pipe.csv")
    with pytest.raises(ThanoSQLDataError, match="a pipe, socket or device"):
        copied.execute("COPY copied FROM 'pipe.csv'")
    import thanosql

    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "x.csv").write_text("a\n1\n")
        (folder / "a.wav").write_bytes(b"")
    (inside / "link.csv").symlink_to(outside / "x.csv")
    monkeypatch.setenv("THANOSQL_AUDIO_ROOTS", str(inside))
    with thanosql.connect(database_url, home=tmp_path / "home") as confined:
        for path in (outside / "x.csv", outside, inside / "link.csv", inside / ".." / "outside" / "x.csv"):
            with pytest.raises(ThanoSQLDataError, match="outside of the folders that may be read"):
                confined.execute("COPY copied FROM :path", {"path": path})
        confined.execute("COPY copied FROM 'x.csv'")
        assert confined.execute("SELECT a FROM copied").a.tolist() == [1]


def test_a_path_without_quotes_is_told_so(copied: Session) -> None:
    for path in ("nosuch.csv", "data/nosuch.csv"):
        with pytest.raises(Exception, match="single quotes"):
            copied.execute(f"COPY copied FROM {path}")


def test_parquet_counts_nanoseconds_and_keeps_them_where_text_is_asked_for(session: Session, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    counts = [1_700_000_000_123_456_789, 1_001, 1_000, None]
    table = pa.table(
        {
            "id": [1, 2, 3, 4],
            "at": pa.array(counts, pa.timestamp("ns")),
            "zoned": pa.array(counts, pa.timestamp("ns", "UTC")),
            "clock": pa.array([1, 2_000, None, 3], pa.time64("ns")),
            "whole": pa.array([1, 2, 3, 4], pa.timestamp("us")),
            "listed": pa.array([[1, 1_000], [2], None, []], pa.list_(pa.timestamp("ns"))),
        }
    )
    path = tmp_path / "times.parquet"
    pq.write_table(table, path)
    note = session.run(f"COPY times FROM '{path}'").note
    for said in ("2 values of at have", "2 values of zoned have", "2 values of clock have", "2 values of listed have"):
        assert said in note
    assert "whole have" not in note
    assert "types=['at text']" in note
    types = "['at text', 'clock text', 'listed text', 'id text']"
    note = session.run(f"COPY times OPTIONS (if_exists='replace', types={types}) FROM '{path}'").note
    assert "values of at" not in note
    assert "zoned have nanoseconds" in note
    kept = session.execute("SELECT at, clock, id FROM times ORDER BY id").astype(object).values.tolist()
    assert kept[0] == ["2023-11-14 22:13:20.123456789", "00:00:00.000000001", "1"]
    with pytest.raises(ThanoSQLOptionError, match="not as integer"):
        session.execute(f"COPY times OPTIONS (if_exists='replace', types=['id integer']) FROM '{path}'")
    with pytest.raises(ThanoSQLDataError, match=r"no column 'att'(.|\n)*Did you mean at"):
        session.execute(f"COPY times OPTIONS (if_exists='replace', types=['att text']) FROM '{path}'")
    session.execute("DROP TABLE times")


def test_decimal_commas_beside_words_for_nothing_are_said(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("id;price;word\n1;1,50;NA\n2;n/a;b\n3;2,75;c\n")
    note = session.run(f"COPY prices FROM '{path}'").note
    assert "price is text: its numbers have decimal commas (1,50)" in note
    assert "word is text" not in note
    session.execute("DROP TABLE prices")


@pytest.mark.parametrize(
    ("content", "is_said"),
    [
        ('{"calls": [{"id": 1}, {"id": 2}], "next": null}', True),
        ('{"calls": [1, 2]}', False),
        ('{"calls": [{"id": 1}]}\n{"calls": [{"id": 2}]}', False),
        ('{"calls": []}', False),
    ],
)
def test_rows_wrapped_in_one_object_are_said(session: Session, tmp_path: Path, content: str, is_said: bool) -> None:
    path = tmp_path / "calls.json"
    path.write_text(content)
    note = session.run(f"COPY wrapped FROM '{path}'").note
    assert ("the file is one object, whose calls are 2" in note) is is_said
    session.execute("DROP TABLE wrapped")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("id;text\n1;hello\n2;hi;there\n3;a\n", "line 3: 3 values divided by semicolons, where line 1 has 2"),
        ("id\ttext\n1\ta\n2\n3\tb\n", "line 3: 1 value divided by tabs, where line 1 has 2"),
        (" id | text \n----+-------\n 1 | a\n 2 | b\n(2 rows)\n", "line 2: 1 value divided by bars"),
    ],
)
def test_uneven_lines_of_another_delimiter_are_no_single_column(copied: Session, content: str, reason: str) -> None:
    with pytest.raises(ThanoSQLDataError, match=reason) as refused:
        copy(copied, content)
    assert "If the file has one column" in (refused.value.hint or "")
    copy(copied, content, options="delimiter=','")
    assert len(rows(copied)) == content.count("\n") - 1


@pytest.mark.parametrize("content", ["text\na; b\nc; d; e\nf\n", "a; b\nplain\nwords\nmore\n", "text\nx\n"])
def test_texts_with_signs_in_some_lines_are_one_column(copied: Session, content: str) -> None:
    assert "1 column" in copy(copied, content, options="header=True")


def test_a_column_whose_name_holds_a_delimiter_is_said(copied: Session) -> None:
    assert "1 column, although commas stand in its name" in copy(copied, '"id,text"\n"1,a"\n"2,b"\n')
    assert "although" not in copy(copied, "text\na\n")


@pytest.mark.parametrize("first", ["sep=\t", "SEP=\t\r", '"sep=\t"'])
def test_a_tab_that_excel_names_divides(copied: Session, first: str) -> None:
    assert "2 columns divided by tabs, line 2 names" in copy(copied, f"{first}\nfile\ttext\na.wav\tyes\n")
    assert "divided by tabs" in copy(copied, "sep=\t\r\nfile\ttext\r\na.wav\tÄ\r\n".encode("utf-16"))


@pytest.mark.parametrize("name", ["\ufeffid", "\ufeff\ufeffid", " \ufeff id\ufeff", "\u00a0id "])
def test_names_stand_without_byte_order_marks_around_them(copied: Session, name: str) -> None:
    copy(copied, f"\ufeff{name},text\n1,x\n")
    assert list(copied.execute("SELECT id, text FROM copied").columns) == ["id", "text"]


def test_a_json_column_of_texts_and_lists_is_said(copied: Session) -> None:
    note = copy(copied, '[{"id": 1, "said": "hi"}, {"id": 2, "said": ["a", "b"]}, {"id": 3, "said": "ho"}]', "x.json")
    assert (
        'said is jsonb because of ["a", "b"] in row 2; 2 of its values are texts, which said #>> \'{}\' reads' in note
    )
    texts = copied.execute("SELECT said #>> '{}' AS said FROM copied ORDER BY id").said.to_list()
    assert texts == ["hi", '["a", "b"]', "ho"]
