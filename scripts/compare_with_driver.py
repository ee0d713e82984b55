"""SQL files in, each statement that the product answers otherwise than the bare driver out: pass-through is a promise.

    python scripts/compare_with_driver.py postgresql://…/one postgresql://…/other postgresql://…/third regress/sql/*.sql

The three databases are empty and equal, of a server each where the files make roles: the driver works on the first and on
the third, the product on the second. What is compared is the command's status, the names of columns, the rows, and the
SQLSTATE of an error; arrays that only the product reads are counted. A statement that the driver itself answers otherwise
on the third (the time, an oid, a process's number) tells nothing, and is counted. Statements are cut by the product;
psql's own lines (`\\d`, `\\set`, and the data behind COPY FROM stdin) are left out, and what has variables of psql's in
it (`:name`) too.
"""

from __future__ import annotations

import argparse
import datetime
import decimal
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg2
import psycopg2.extensions

import thanosql
from thanosql.engine.parser import parse_with_texts
from thanosql.engine.session import Session
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLError

Answer = tuple[str, list[str], list[list[Any]]]


# types.md: intervals and ranges are texts.
_TEXTS = psycopg2.extensions.new_type((1186, 3904, 3906, 3908, 3910, 3912, 3926), "TEXT", psycopg2.extensions.UNICODE)
_LISTS = psycopg2.extensions.new_array_type((1187, 3905, 3907, 3909, 3911, 3913, 3927), "TEXTS", _TEXTS)


def by_driver(connection: Any, text: str) -> Answer:
    """What the driver answers: status or SQLSTATE, columns, rows."""
    try:
        with connection.cursor() as cursor:
            psycopg2.extensions.register_type(_TEXTS, cursor)
            psycopg2.extensions.register_type(_LISTS, cursor)
            cursor.execute(text)
            if cursor.description is None:
                return str(cursor.statusmessage), [], []
            rows = [[plain(value) for value in row] for row in cursor.fetchall()]
            return "rows", [column.name for column in cursor.description], rows
    except psycopg2.Error as error:
        return f"error {error.pgcode}", [], []
    except (ValueError, OverflowError):  # a date before Christ
        return "error None", [], []


def by_product(session: Session, text: str) -> Answer:
    """What the product answers, in the same form."""
    try:
        value = session.execute(text)
    except ThanoSQLDatabaseError as error:
        return f"error {error.sqlstate}", [], []
    except ThanoSQLError as error:
        return f"{type(error).__name__}: {error}", [], []
    if not isinstance(value, pd.DataFrame):
        return str(value), [], []
    rows = [[plain(item) for item in row] for row in value.astype(object).itertuples(index=False, name=None)]
    return "rows", [str(name) for name in value.columns], rows


def read_further(driver: Answer, product: Answer) -> bool:
    """Whether the product reads what the driver cannot, or leaves as text: arrays with bounds of their own, and of types
    that the driver does not know (types.md)."""
    if driver[0] == "error None" and product[0] == "rows":
        return True
    if driver[:2] != product[:2] or len(driver[2]) != len(product[2]):
        return False
    pairs = (pair for rows in zip(driver[2], product[2], strict=True) for pair in zip(*rows, strict=True))
    return all(
        one == other or (isinstance(one, str) and isinstance(other, list) and one[:1] in "{[") for one, other in pairs
    )


def plain(value: Any) -> Any:
    """A value as both sides have it: missing ones are None, times are in UTC, numbers are decimal texts."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if value is None or (not isinstance(value, str | bytes | memoryview) and pd.isna(value)):
        return None
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        value = value.to_pydatetime() if isinstance(value, pd.Timestamp) else value.to_pytimedelta()
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC)
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool):
        return str(decimal.Decimal(str(value)).normalize())
    return value if isinstance(value, bool | bytes | datetime.date) else str(value)


def compared(
    first: Any, session: Session, third: Any, texts: Iterator[str]
) -> Iterator[tuple[str, Answer, Answer, Answer]]:
    """Each statement, and the three answers: the driver's, the product's, the driver's again."""
    for text in texts:
        yield text, by_driver(first, text), by_product(session, text), by_driver(third, text)


def statements(path: Path) -> Iterator[str]:
    """The statements of a file without psql's own; a file that cannot be cut whole is cut at the lines that end with `;`."""
    source = without_psql(path.read_text(encoding="utf-8", errors="replace"))
    try:
        texts = [text for _, text in parse_with_texts(source)]
    except ThanoSQLError as error:
        print(f"{path}: {error}", file=sys.stderr)
        texts = re.split(r"(?<=;)[ \t]*\n", source)
    yield from (text for text in texts if text.strip() and not _VARIABLE.search(text))


_VARIABLE = re.compile(r"(?:^|[\s=(,]):(?:['\"]\w|[a-z])")
_DATA = re.compile(r"\s*copy\b.*\bfrom\s+stdin\b.*;\s*$", re.IGNORECASE)
_SENDS = re.compile(r"[ \t]\\(?:g|gx|gset|gexec|gdesc|crosstabview|;)\b.*$")


def without_psql(source: str) -> str:
    """The text without the lines that psql keeps for itself: its commands, and the data of COPY FROM stdin up to `\\.`."""
    kept: list[str] = []
    in_data = False
    for line in source.split("\n"):
        if in_data:
            in_data = line.rstrip() != "\\."
        elif not line.startswith("\\"):
            kept.append(_SENDS.sub(";", line))
            in_data = _DATA.match(line) is not None
    return "\n".join(kept)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver", help="a database for the driver")
    parser.add_argument("product", help="an equal one for the product")
    parser.add_argument("control", help="an equal one for the driver again")
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("PGOPTIONS", "-c statement_timeout=20s -c lock_timeout=5s")
    connection, again = psycopg2.connect(given.driver), psycopg2.connect(given.control)
    connection.autocommit = again.autocommit = True
    found = count = itself = further = 0
    with tempfile.TemporaryDirectory() as home, thanosql.connect(given.product, home=home) as session:
        for path in given.files:
            texts = [*statements(path)]
            count += len(texts)
            for text, expected, answer, other in compared(connection, session, again, iter(texts)):
                if expected != other:
                    itself += 1
                elif expected != answer and read_further(expected, answer):
                    further += 1
                elif expected != answer:
                    found += 1
                    print(
                        f"{path}\n{text}\n  driver:  {str(expected)[:500]}\n  product: {str(answer)[:500]}\n",
                        flush=True,
                    )
    print(
        f"{count:,} statements: {itself:,} that the driver answers otherwise each time, {further:,} with arrays that the "
        f"driver does not read; {found:,} answered otherwise"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
