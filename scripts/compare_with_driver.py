"""SQL files in, each statement that the product answers otherwise than the bare driver out: pass-through is a promise.

    python scripts/compare_with_driver.py postgresql://…/one postgresql://…/other regress/sql/*.sql

The two databases are empty and equal: the driver works on the one, the product on the other. What is compared is the
command's status, the names of columns, the rows, and the SQLSTATE of an error. Statements are cut by the product.
"""

from __future__ import annotations

import argparse
import datetime
import decimal
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


def by_driver(connection: Any, text: str) -> Answer:
    """What the driver answers: status or SQLSTATE, columns, rows."""
    try:
        with connection.cursor() as cursor:
            psycopg2.extensions.register_type(_TEXTS, cursor)
            cursor.execute(text)
            if cursor.description is None:
                return str(cursor.statusmessage), [], []
            rows = [[plain(value) for value in row] for row in cursor.fetchall()]
            return "rows", [column.name for column in cursor.description], rows
    except psycopg2.Error as error:
        return f"error {error.pgcode}", [], []


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


def differences(connection: Any, session: Session, texts: Iterator[str]) -> Iterator[tuple[str, Answer, Answer]]:
    """The statements that the two answer otherwise, and both answers."""
    for text in texts:
        expected, given = by_driver(connection, text), by_product(session, text)
        if expected != given:
            yield text, expected, given


def statements(path: Path) -> Iterator[str]:
    """The statements of a file; a file that cannot be cut is one statement."""
    source = path.read_text(encoding="utf-8", errors="replace")
    try:
        yield from (text for _, text in parse_with_texts(source))
    except ThanoSQLError as error:
        print(f"{path}: {error}", file=sys.stderr)
        yield source


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver", help="a database for the driver")
    parser.add_argument("product", help="an equal one for the product")
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args()
    connection = psycopg2.connect(given.driver)
    connection.autocommit = True
    found = count = 0
    with tempfile.TemporaryDirectory() as home, thanosql.connect(given.product, home=home) as session:
        for path in given.files:
            texts = [*statements(path)]
            count += len(texts)
            for text, expected, answer in differences(connection, session, iter(texts)):
                found += 1
                print(f"{path}\n{text}\n  driver:  {str(expected)[:500]}\n  product: {str(answer)[:500]}\n")
    print(f"{count:,} statements, {found:,} answered otherwise")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
