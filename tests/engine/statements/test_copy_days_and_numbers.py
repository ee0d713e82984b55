"""COPY of days and numbers as other countries write them: they stay text and the note says so, or are read as meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thanosql import ThanoSQLDataError
from thanosql.engine.session import Session


@pytest.fixture
def files(session: Session) -> Session:
    session.settings.workspace.mkdir(parents=True, exist_ok=True)
    session.execute("DROP TABLE IF EXISTS copied")
    return session


def copy(session: Session, values: list[str], options: str = "", head: str = "x;id") -> str:
    path = Path(session.settings.workspace) / "x.csv"
    path.write_text(
        head + "\n" + "".join(f"{value};{number}\n" for number, value in enumerate(values)), encoding="utf-8"
    )
    return str(session.run(f"COPY copied OPTIONS (if_exists='replace'{options}) FROM 'x.csv'").note)


def values(session: Session) -> list[str]:
    return list(session.execute("SELECT x::text AS x FROM copied ORDER BY id").x)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            ["31.12.2024", "01.02.2025"],
            "x is text: its 2 days are written day first (31.12.2024): date_order='dmy' reads them",
        ),
        (["1/2/2025", "31/12/2024"], "days are written day first (31/12/2024)"),
        (["31-12-2024 15:30", "1-2-2025 07:05:09"], "days are written day first"),
        (["12/31/2024", "1/2/2025"], "days are written month first (12/31/2024): date_order='mdy' reads them"),
        (
            ["01.02.2025", "NA"],
            "its 1 days are written with the day or the month first, and none tells which (01.02.2025)",
        ),
        (["31/12/2024", "12/31/2024"], "of its 2 days (31/12/2024) some are day first and others month first"),
        (["2024. 5. 3.", "2024. 12. 31."], "written year first (2024. 5. 3.): date_order='ymd' reads them"),
        (["2024년 5월 3일"], "written year first"),
        (["2024/05/03"], "written year first"),
        (["31.12.24", "01.02.25"], "its days have years of two figures (01.02.25)"),
        (["1.000,50", "2,5"], "its numbers have decimal commas (1.000,50)"),
        (["1,000", "2,500"], "its numbers have commas (1,000), which divide thousands or begin decimals"),
        (["1,000.50", "2.5"], "its numbers have commas between thousands (1,000.50)"),
        (["12%", "3.5%"], "numbers with signs, units or spaces (12%)"),
        (["12,50 €", "3 €"], "numbers with signs, units or spaces (12,50 €)"),
        (["$5.50", "$3"], "numbers with signs, units or spaces ($3)"),
        (["5,000원", "300원"], "numbers with signs, units or spaces (300원)"),
        (["1\u00a0000,5", "2\u00a0500"], "numbers with signs, units or spaces"),
        (["1'000.50", "2'500"], "numbers with signs, units or spaces"),
        (["1.5 s", "3 s"], "numbers with signs, units or spaces"),
        (["−5", "3"], "its numbers have a minus of their own kind (−5)"),
        (["(5.00)", "3.00"], "its numbers have a minus of their own kind ((5.00))"),
        (["00:00:01,250", "00:00:02,000"], "its values are times or durations (00:00:01,250)"),
        (["12:30", "07:05"], "its values are times or durations (07:05)"),
        (["3:30 PM"], "its values are times or durations"),
    ],
)
def test_what_stays_text_is_said_with_its_cure(files: Session, written: list[str], said: str) -> None:
    assert said in copy(files, written)
    assert values(files) == written


@pytest.mark.parametrize(
    "written",
    [
        ["31.12.2024", "unknown"],
        ["31.02.2024", "01.02.2024"],
        ["010 1234 5678", "02 123 4567"],
        ["+82 10 1234", "+1 555"],
        ["A1", "B2"],
        ["12a", "13b"],
        ["1.2.3", "1.10.2"],
    ],
)
def test_other_texts_are_not_remarked_on(files: Session, written: list[str]) -> None:
    assert "x is text" not in copy(files, written)
    assert values(files) == written


def test_thousands_that_look_like_decimals_are_said_where_semicolons_divide(files: Session) -> None:
    note = copy(files, ["1.000", "2.500", "300"])
    assert "x is double precision, and three digits follow each point (1.000)" in note
    assert "three digits" not in copy(files, ["0.530", "1.250"])
    path = Path(files.settings.workspace) / "x.csv"
    path.write_text("x,id\n1.000,1\n2.500,2\n")
    assert "three digits" not in str(files.run("COPY copied OPTIONS (if_exists='replace') FROM 'x.csv'").note)


@pytest.mark.parametrize(
    ("order", "written", "type_", "read"),
    [
        ("dmy", ["31.12.2024", "1.2.2025", ""], "date", ["2024-12-31", "2025-02-01"]),
        ("dmy", ["01/02/2025"], "date", ["2025-02-01"]),
        ("mdy", ["01/02/2025", "12/31/2024"], "date", ["2025-01-02", "2024-12-31"]),
        ("ymd", ["2024. 5. 3.", "2024년 12월 31일"], "date", ["2024-05-03", "2024-12-31"]),
        (
            "dmy",
            ["31.12.2024 15:30", "01.02.2025 7:05:09,25"],
            "timestamp",
            ["2024-12-31 15:30:00", "2025-02-01 07:05:09.25"],
        ),
        ("dmy", ["2024-12-31"], "date", ["2024-12-31"]),
        ("dmy", ["12/31/2024"], "text", ["12/31/2024"]),
        ("dmy", ["29.02.2023"], "text", ["29.02.2023"]),
        ("dmy", ["1.5", "2"], "double precision", ["1.5", "2"]),
    ],
)
def test_an_order_that_is_said_is_read(
    files: Session, order: str, written: list[str], type_: str, read: list[str]
) -> None:
    note = copy(files, written, f", date_order='{order}'")
    assert f": x {type_}" in note
    assert [value for value in values(files) if isinstance(value, str)] == read


def test_a_type_that_is_asked_for_is_read_in_the_order_that_the_column_tells(files: Session) -> None:
    copy(files, ["01.02.2025", "31.12.2024"], ", types=['x date']")
    assert values(files) == ["2025-02-01", "2024-12-31"]
    copy(files, ["01/02/2025", "12/31/2024"], ", types=['x timestamp']")
    assert values(files) == ["2025-01-02 00:00:00", "2024-12-31 00:00:00"]
    copy(files, ["2025-02-01", "May 3, 2024"], ", types=['x date']")
    assert values(files) == ["2025-02-01", "2024-05-03"]
    copy(files, ["01.02.25", "03.04.25"], ", types=['x date'], date_order='dmy'")
    assert values(files) == ["2025-02-01", "2025-04-03"]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (["01.02.2025", "03.04.2025"], "'x' are written as 01.02.2025, and no value tells which is the month"),
        (["31/12/2024", "12/31/2024"], "some are day first and others month first"),
        (["2024-12-31", "1/2/25"], "'x' are written as 1/2/25"),
    ],
)
def test_days_of_a_doubtful_order_are_never_taken_for_days(files: Session, written: list[str], why: str) -> None:
    with pytest.raises(ThanoSQLDataError, match=why):
        copy(files, written, ", types=['x date']")
    files.execute("CREATE TABLE copied (x date, id bigint)")
    with pytest.raises(ThanoSQLDataError, match=why):
        files.execute("COPY copied OPTIONS (if_exists='append') FROM 'x.csv'")
    (Path(files.settings.workspace) / "x.json").write_text(json.dumps([{"x": value, "id": 1} for value in written]))
    with pytest.raises(ThanoSQLDataError, match=why):
        files.execute("COPY copied OPTIONS (if_exists='append') FROM 'x.json'")
    assert values(files) == []


def test_days_that_are_appended_are_read_in_the_order_that_they_tell(files: Session) -> None:
    copy(files, ["2024-12-31"])
    path = Path(files.settings.workspace) / "x.csv"
    path.write_text("x;id\n01.02.2025;1\n31.03.2025;2\n")
    files.execute("COPY copied OPTIONS (if_exists='append') FROM 'x.csv'")
    assert values(files) == ["2024-12-31", "2025-02-01", "2025-03-31"]
    path.write_text("x;y;id\n31.03.2025;12/31/2025;3\n")
    files.execute("ALTER TABLE copied ADD y date")
    with pytest.raises(ThanoSQLDataError, match="of the days in x, y some are day first and others month first"):
        files.execute("COPY copied OPTIONS (if_exists='append') FROM 'x.csv'")
    assert files.execute("SHOW datestyle").iloc[0, 0] == "ISO, MDY"


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        (["12E4", "34E5"], "text"),
        (["1e5", "2"], "text"),
        (["0E1"], "text"),
        (["1e-4", "1e+16"], "double precision"),
        (["1.5e5"], "double precision"),
    ],
)
def test_a_name_with_an_e_is_no_number(files: Session, written: list[str], type_: str) -> None:
    assert f": x {type_}" in copy(files, written)
    if type_ == "text":
        assert values(files) == written
