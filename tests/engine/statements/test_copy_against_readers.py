"""COPY against two other readers, Python's csv and DuckDB, on generated files, and each difference explained.

150 files in the suite; more by the environment: THANOSQL_COPY_FILES=2000 prints what was counted with `pytest -s`. The others
are told the delimiter and that there is a header; COPY is told nothing. A file is made of rows that are known, so that COPY
is held against these: it gives them, or refuses for a reason that is one of the kinds below.
"""

from __future__ import annotations

import csv
import io
import os
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from thanosql import ThanoSQLDataError, config
from thanosql.engine.files.delimited import open_delimited
from thanosql.engine.files.dialects import Said
from thanosql.engine.session import Session

duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: extra test")

FILES = int(os.environ.get("THANOSQL_COPY_FILES", "150"))
PIECES = [
    *(
        "word",
        "two words",
        '6" tall',
        '"Where to?"',
        '"Where',
        'to?"',
        'say ""x""',
        "a, b",
        "a;b",
        "a|b",
        "tab\there",
        "l\nm",
    ),
    *(
        "가나다",
        "café",
        "007",
        "+82",
        "12",
        "-3.5",
        "1e3",
        "true",
        "2024-02-29",
        "2024-01-01 10:00",
        "NA",
        "\\N",
        "\\.",
        "\\",
    ),
    *(
        "a\\",
        "'",
        "x ",
        " x",
        "#",
        "{}",
        "=1+1",
        "c1.mp3",
        "",
        "",
        "%",
        "0",
        '"',
        '""',
        'a"b"c',
        "NULL",
        "\u00a0",
        "😀",
        "l\r\nm",
    ),
]
Table = list[list[str]]


@dataclass(frozen=True)
class Made:
    """A generated file: the rows that it was made of, how it was written, and its bytes."""

    name: str
    style: str
    delimiter: str
    codec: str
    names: list[str]
    rows: Table
    content: bytes


def make(seed: int) -> Made:
    chance = random.Random(seed)
    width, height = chance.randint(1, 5), chance.randint(1, 12)
    names = [f"name{number}" for number in range(width)]
    delimiter, suffix = chance.choice([(",", "csv"), (";", "csv"), ("\t", "tsv"), ("|", "psv")])
    style = chance.choice(["minimal", "all", "texts", "literal", "literal", "pandas"])
    end = chance.choice(["\n", "\n", "\r\n"])
    pool = chance.sample(PIECES, chance.randint(3, len(PIECES)))
    if style == "literal":
        pool = [piece for piece in pool if not {delimiter, "\n", "\r"} & set(piece)] or ["word"]
    rows = [[chance.choice(pool) for _ in names] for _ in range(height)]
    out = io.StringIO(newline="")
    if style == "pandas":
        pd.DataFrame(rows, columns=names, dtype="str").to_csv(out, sep=delimiter, index=False, lineterminator=end)
    elif style == "literal":
        out.write("".join(delimiter.join(row) + end for row in [names, *rows]))
    else:
        quoting = {"minimal": csv.QUOTE_MINIMAL, "all": csv.QUOTE_ALL, "texts": csv.QUOTE_NONNUMERIC}[style]
        writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
        writer.writerows([names, *rows])
    codec = chance.choice(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"])
    return Made(f"{seed}.{suffix}", style, delimiter, codec, names, rows, out.getvalue().encode(codec))


def by_csv(made: Made) -> Table | str:
    try:
        text = made.content.decode(made.codec)
        _, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=made.delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        return f"refused: {error}"
    return rows


def by_duckdb(made: Made) -> Table | str:
    Path("duck").write_bytes(made.content.decode(made.codec).encode())
    try:
        found = duckdb.read_csv(
            "duck", sep=made.delimiter, header=True, all_varchar=True, quotechar='"', escapechar='"'
        )
        return [["" if value is None else value for value in row] for row in found.fetchall()]
    except duckdb.Error as error:
        return f"refused: {type(error).__name__}"


def by_copy(made: Made, session: Session) -> Table | str:
    Path(made.name).write_bytes(made.content)
    session.execute("DROP TABLE IF EXISTS copied")
    try:
        session.execute(f"COPY copied FROM '{made.name}'")
    except ThanoSQLDataError as error:
        return f"refused: {error}"
    frame = session.execute("SELECT * FROM copied")
    return [[as_text(value) for value in row] for row in frame.itertuples(index=False)]


def as_text(value: Any) -> str:
    return "" if value is None or value is pd.NaT or (not isinstance(value, str) and pd.isna(value)) else str(value)


def alike(given: str, found: str) -> bool:
    """Whether a value in a typed column is the one that was written."""
    if given == found:
        return True
    try:
        return Decimal(given) == Decimal(found)
    except ArithmeticError:
        pass
    if given in ("true", "false"):
        return found.lower() == given
    try:
        return datetime.fromisoformat(given) == datetime.fromisoformat(found) or date.fromisoformat(
            given
        ) == date.fromisoformat(found)
    except ValueError:
        return False


def same(rows: Table, found: Table | str) -> bool:
    return (
        not isinstance(found, str)
        and len(rows) == len(found)
        and all(len(a) == len(b) and all(map(alike, a, b)) for a, b in zip(rows, found))
    )


def why_not(made: Made, found: Table | str) -> str | None:
    """The kind of a difference between what was written and what COPY gave; None is a defect."""
    quote = any('"' in value for row in made.rows for value in row)
    if isinstance(found, str):
        for sign, kind in (
            ("there are line ends between two quotation marks", "refused: one value or several rows"),
            ("a quotation mark begins a value and none ends it", "refused: a mark that nothing ends"),
            ("divide all its lines", "refused: more than one delimiter would do"),
            ("values, where line", "refused: marks that are text beside commas make rows uneven"),
            ("value, where line", "refused: marks that are text beside commas make rows uneven"),
        ):
            if sign in found and (quote or not sign.startswith("val")):
                return kind
        within = any(mark in value for row in made.rows for value in row for mark in ",;\t|")
        if len(made.names) == 1 and within and "where line" in found:
            return "refused: one column whose values hold delimiters"
        return None
    if made.style == "literal" and len(made.names) == 1 and quote and any("," in row[0] for row in made.rows):
        return "one column of marks and commas, which is a csv file of other rows"
    if made.style == "literal" and quote and same(unquoted(made.rows), found):
        return "marks around whole values taken for enclosing ones"
    if len(made.names) == 1 and same([row for row in made.rows if row != [""]], [row for row in found if row != [""]]):
        return "one column: lines without anything at the end are no rows"
    return None


def unquoted(rows: Table) -> Table:
    """The rows as one reads them who takes every mark around a value for an enclosing one."""

    def bare(value: str) -> str:
        whole = len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1].replace('""', "")
        return value[1:-1].replace('""', '"') if whole else value

    return [[bare(value) for value in row] for row in rows]


def test_copy_gives_the_rows_that_were_written_or_says_why_not(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    counted: Counter[str] = Counter()
    defects = []
    for seed in range(FILES):
        made = make(seed)
        ours = by_copy(made, session)
        right = same(made.rows, ours)
        kind = "COPY: the rows as written" if right else why_not(made, ours)
        if kind is None:
            defects.append(
                (seed, made.style, made.delimiter, made.content[:300], ours if isinstance(ours, str) else ours[:5])
            )
            continue
        counted[kind if right else f"COPY: {kind}"] += 1
        for name, other in (("csv", by_csv(made)), ("DuckDB", by_duckdb(made))):
            if same(made.rows, other):
                counted[f"{name}: the rows as written" + ("" if right else ", where COPY has not")] += 1
            elif isinstance(other, str):
                counted[f"{name}: refused" + (", where COPY has the rows" if right else "")] += 1
            else:
                fewer = len(other) < len(made.rows)
                counted[f"{name}: {'fewer rows' if fewer else 'other values'}, unsaid"] += 1
    print()
    for kind, count in sorted(counted.items()):
        print(f"{count:6,}  {kind}")
    assert not defects, f"{len(defects)}: {[defect[0] for defect in defects]} {defects[:3]}"
    assert counted["COPY: the rows as written"] > 0.8 * FILES


NOISE = [
    b'"',
    b'"',
    b",",
    b",",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b"|",
    b";",
    b"\\",
    b'""',
    b"a",
    b"1",
    b" ",
    b"\\.",
    b"\0",
    b"\xff",
]


def test_of_any_bytes_as_many_rows_are_read_as_were_counted_or_the_file_is_refused(tmp_path: Path) -> None:
    read = 0
    for seed in range(10 * FILES):
        chance = random.Random(seed)
        pool = chance.sample(NOISE, chance.randint(3, len(NOISE)))
        content = b"".join(chance.choice(pool) for _ in range(chance.randint(0, 40)))
        path = tmp_path / "x.csv"
        path.write_bytes(chance.choice([b"", b"n1,n2\n"]) + content)
        said = Said(
            quote=chance.choice([None, None, '"', "", "'"]),
            header=chance.choice([None, True, False]),
            header_row=chance.choice([None, 1, 2]),
            delimiter=chance.choice([None, None, ",", ";"]),
        )
        try:
            source = open_delimited(path, chance.choice([",", "\t", "|"]), said, {}, config.load())
        except ThanoSQLDataError:
            continue
        rows = list(source.records())
        assert len(rows) == source.rows, (seed, path.read_bytes(), said)
        assert all(len(row) == source.dialect.width for row in rows), (seed, path.read_bytes(), said)
        read += 1
    assert read > FILES / 2
