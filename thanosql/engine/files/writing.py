"""Rows of a snapshot → a parquet, csv, tsv, json lines or caption file, streamed, and put in its place when it is whole.

PostgreSQL writes each value as text, so that no type loses anything on the way: csv has these texts, json lines what
to_json makes of a value, and parquet is given the types that Arrow has for PostgreSQL's; others stay text.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import time
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from thanosql import confinement
from thanosql.engine.files.captions_out import captions
from thanosql.engine.files.tabular import refuse_missing
from thanosql.engine.postgres.naming import Column, quoted
from thanosql.errors import ThanoSQLDataError

if TYPE_CHECKING:
    from thanosql.engine.postgres.snapshot import Snapshot

SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".srt", ".vtt", ".ctm")
_CAPTIONS = (".srt", ".vtt", ".ctm")
BATCH = 10_000  # rows of a group in a parquet file
BATCH_OF_BYTES = 256  # where a column holds bytes
_TIMES = re.compile(r"(date|time|timestamp)\b")
_DECIMAL = re.compile(r"numeric\((\d+),(-?\d+)\)")
_NEEDS_QUOTES = {
    ",": re.compile(r'[",\t\r\n]|\A\Z|\A\s|\s\Z|\A\\\.\Z'),
    "\t": re.compile(r'[\t\r\n]|\A"|\A\Z'),  # text beside tabs is mostly taken as it stands
}


def _expression(column: Column, suffix: str) -> str:
    name = quoted(column.name)
    if column.type == "bytea":
        return name
    if suffix == ".jsonl" or (suffix == ".parquet" and column.type.endswith("[]")):
        return f"to_json({name})::text"
    if column.type.endswith("[]") and _TIMES.match(column.type):
        return f"translate(to_json({name})::text, '[]', '{{}}')"  # such texts have no brackets of their own
    # Dates as json has them, whatever DateStyle says.
    return f"(to_json({name}) #>> '{{}}')" if _TIMES.match(column.type) else f"{name}::text"


def write(snapshot: Snapshot, path: Path) -> int:
    """A query's rows in a file, which its suffix says the kind of; their number.

    Written beside and renamed: a reader sees the old file or the new one, and a failure leaves the old one. Raises
    ThanoSQLDataError where the file cannot be written, or a value is none of its column's type in parquet.
    """
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    columns, suffix = snapshot.columns, path.suffix.lower()

    def streamed() -> Iterator[Sequence[Any]]:
        stream = snapshot.stream(*columns, expression=lambda column: _expression(column, suffix))
        return (row[1:] for row in stream)

    rows = streamed()
    try:
        with open(beside, "xb") as file:
            confinement.check(file.fileno(), path)
            if suffix == ".parquet":
                _parquet(rows, columns, file, path)
            else:
                if suffix == ".jsonl":
                    lines = _json_lines(rows, columns)
                elif suffix == ".csv":
                    lines = _delimited(rows, columns, ",", frozenset())
                elif suffix in _CAPTIONS:
                    names = [column.name for column in columns]
                    lines = iter([captions(names, rows, suffix[1:])])
                else:
                    lines = _delimited(rows, columns, "\t", _enclosed(streamed(), columns))
                for line in lines:
                    file.write(line.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise ThanoSQLDataError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
    return snapshot.rows


def _delimited(
    rows: Iterator[Sequence[Any]], columns: Sequence[Column], delimiter: str, enclosed: frozenset[int]
) -> Iterator[str]:
    needs = _NEEDS_QUOTES[delimiter].search

    def field(place: int, text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if place in enclosed or needs(text) else text

    if enclosed:  # a name is in marks where one of its own would stand alone
        names = (field(min(enclosed) if '"' in column.name else -1, column.name) for column in columns)
    else:
        names = (field(-1, column.name) for column in columns)
    yield delimiter.join(names) + "\n"
    for row in rows:
        if row[:1] == (None,) and len(columns) == 1:
            raise ThanoSQLDataError(
                "A NULL in a file of one column is an empty line, which readers leave out.",
                hint="Give a column beside it, as an id; or write .jsonl or .parquet.",
            )
        line = delimiter.join("" if value is None else field(place, _plain(value)) for place, value in enumerate(row))
        yield line + "\n"


def _enclosed(rows: Iterator[Sequence[Any]], columns: Sequence[Column]) -> frozenset[int]:
    """The columns of which every value gets quotation marks beside tabs; none where no value needs them.

    Readers take marks there for letters unless a whole column has them, and no mark stands alone elsewhere.
    """
    needs = _NEEDS_QUOTES["\t"].search
    needing: set[int] = set()
    marked: set[int] = set()
    for row in rows:
        for place, value in enumerate(row):
            if isinstance(value, str) and place not in needing:
                if needs(value):
                    needing.add(place)
                elif '"' in value:
                    marked.add(place)
        if len(needing) == len(columns):
            break
    return frozenset(needing | marked if needing else ())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else "\\x" + bytes(value).hex()


def _json_lines(rows: Iterator[Sequence[Any]], columns: Sequence[Column]) -> Iterator[str]:
    keys = [json.dumps(column.name, ensure_ascii=False) for column in columns]
    for row in rows:
        values = (_json(value) for value in row)
        yield "{" + ", ".join(f"{key}: {value}" for key, value in zip(keys, values, strict=True)) + "}\n"


def _json(value: Any) -> str:
    if value is None:
        return "null"
    # A json column may hold line ends between its values; within a string they are always escaped.
    return value.replace("\n", " ").replace("\r", " ") if isinstance(value, str) else json.dumps(_plain(value))


def _parquet(rows: Iterator[Sequence[Any]], columns: Sequence[Column], file: IO[bytes], path: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        refuse_missing("pyarrow", path, error)
    schema = pa.schema([pa.field(column.name, _arrow(column.type)) for column in columns])
    batch = BATCH_OF_BYTES if any(column.type == "bytea" for column in columns) else BATCH
    with pq.ParquetWriter(file, schema) as writer:
        while some := list(islice(rows, batch)):
            arrays = []
            for place, entry in enumerate(schema):
                values = [row[place] for row in some]
                try:
                    arrays.append(_array(values, entry.type))
                except (pa.ArrowException, ValueError, TypeError) as error:
                    raise ThanoSQLDataError(
                        f"The column {entry.name} ({columns[place].type}) holds what parquet's {entry.type} does not: {error}.",
                        hint=f"Cast it: {quoted(entry.name)}::text.",
                    ) from error
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _array(values: list[Any], kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_list(kind):
        lists = [None if value is None else json.loads(value, parse_float=str, parse_int=str) for value in values]
        if pa.types.is_time(kind.value_type):
            lists = [some and [item and time.fromisoformat(item) for item in some] for some in lists]
        elif not pa.types.is_boolean(kind.value_type):
            return pa.array(lists, type=pa.list_(pa.string())).cast(kind)
        return pa.array(lists, type=kind)
    if pa.types.is_binary(kind):
        return pa.array([None if value is None else bytes(value) for value in values], type=kind)
    if pa.types.is_time(kind):
        return pa.array([None if value is None else time.fromisoformat(value) for value in values], type=kind)
    return pa.array(values, type=pa.string()).cast(kind)


_ARROW = {
    "boolean": "bool",
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "oid": "uint32",
    "real": "float",
    "double precision": "double",
    "date": "date32",
    "bytea": "binary",
}


def _arrow(type_: str) -> Any:
    """Arrow's type for PostgreSQL's; text for what it has no other for."""
    import pyarrow as pa

    if type_.endswith("[]"):
        # Bytes in a list would be read as audio nowhere, and are text as PostgreSQL writes them.
        return pa.list_(pa.string() if type_ == "bytea[]" else _arrow(type_[:-2]))
    if type_ in _ARROW:
        return pa.type_for_alias(_ARROW[type_])
    if type_.startswith("timestamp"):
        return pa.timestamp("us", "UTC" if "with time zone" in type_ else None)
    if type_.startswith("time") and "without" in type_:
        return pa.time64("us")
    if decimal := _DECIMAL.fullmatch(type_):
        digits, scale = int(decimal[1]), int(decimal[2])
        if 0 <= scale <= digits <= 76:
            return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)
    return pa.string()
