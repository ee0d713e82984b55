"""A parquet file → typed columns and rows, a piece at a time. Audio as Hugging Face data sets hold it becomes bytes.

There, a column is struct<bytes: binary, path: string>: the file's content, or where it lies. Its bytes become bytea and the
path `file_name`; where no row has bytes, the paths alone become the column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql import confinement
from thanosql.counting import counted
from thanosql.engine.files import beside
from thanosql.engine.files.tabular import Records, checked_names, refuse_missing
from thanosql.engine.parameters.arrow import (
    arrow_type,
    finer_values,
    holds_bytes,
    is_binary,
    nested_values,
    plain_values,
    said_of_finer_values,
    text_values,
)
from thanosql.errors import ThanoSQLDataError, did_you_mean

if TYPE_CHECKING:
    from thanosql.config import Settings

BATCH = 10_000  # rows at a time
BATCH_OF_AUDIO = 64  # each may be megabytes
BUFFER = 1 << 20  # bytes of each column


@dataclass(frozen=True)
class _Column:
    """A column of the table: its type, and its values out of the file's column of that number."""

    name: str
    type: str
    number: int
    values: Callable[[Any], list[Any]]


def open_parquet(path: Path, settings: Settings, texts: Set[str] = frozenset()) -> Records:
    """A parquet file; its schema has the types. The columns named in `texts` are read as text.

    Raises ThanoSQLDataError when it is damaged, and for a column whose nested values hold bytes, which jsonb cannot.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        refuse_missing("pyarrow", path, error)
    try:
        with confinement.pinned(path) as pinned, pq.ParquetFile(pinned) as file:
            schema = file.schema_arrow
            columns = _columns(file, schema, path, texts)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ThanoSQLDataError(f"{path} cannot be read as parquet: {error}") from error
    batch_rows = BATCH_OF_AUDIO if any(column.type == "bytea" for column in columns) else BATCH
    counts = {"without bytes": 0}
    finer: Counter[str] = Counter()  # values that have nanoseconds, by the column's name
    audio = [place for place, column in enumerate(columns) if column.values is _bytes]

    def rows() -> Generator[Sequence[Any]]:
        counts["without bytes"] = 0
        finer.clear()
        try:
            # Else all columns that are still to come, and whole ones of a group of rows, are held in memory.
            with (
                confinement.pinned(path) as pinned,
                pq.ParquetFile(pinned, pre_buffer=False, buffer_size=BUFFER) as file,
            ):
                for batch in file.iter_batches(batch_rows):
                    values = [column.values(batch.column(column.number)) for column in columns]
                    for column in columns:
                        if column.values is plain_values:
                            finer[column.name] += finer_values(batch.column(column.number))
                    for place in audio:
                        counts["without bytes"] += sum(value is None for value in values[place])
                    found: Iterator[Sequence[Any]] = zip(*values, strict=True)
                    yield from (beside.moved(row, folders) for row in found) if folders else found
        except (pa.ArrowException, OSError) as error:
            raise ThanoSQLDataError(f"{path} cannot be read as parquet: {error}") from error

    folders: dict[int, str] = {}
    if any(column.type == "text" for column in columns):
        with closing(rows()) as some:
            folders = beside.folders_of(list(islice(some, beside.SAMPLE * 5)), path, settings)

    def said() -> str:
        parts = [f"{columns[place].name} holds audio files" for place in audio]
        if counts["without bytes"]:
            bare = counted(counts["without bytes"], "row")
            parts.append(f"{bare} of it {'has' if counts['without bytes'] == 1 else 'have'} a path alone, or nothing")
        if remark := said_of_finer_values(finer):
            parts.append(f"{remark}, and types=['{next(iter(+finer))} text'] all digits")
        if folders:
            parts.append(beside.said([column.name for column in columns], folders))
        return ", ".join(parts)

    return Records(path, tuple((column.name, column.type) for column in columns), rows, said)


def _columns(file: Any, schema: Any, path: Path, texts: Set[str]) -> list[_Column]:
    names = checked_names(schema.names, path.name)
    if unknown := [name for name in texts if name not in names]:
        raise ThanoSQLDataError(
            f"{path.name} has no column '{unknown[0]}', which the option types names.",
            hint=did_you_mean(unknown[0], names),
        )
    columns: list[_Column] = []
    for number, (name, entry) in enumerate(zip(names, schema, strict=True)):
        if _is_file(entry.type):
            columns.extend(_file_columns(file, number, name, [*names, *(column.name for column in columns)]))
            continue
        type_ = arrow_type(entry.type)
        if name in texts:
            nested = type_ == "jsonb" or type_.endswith("[]")
            columns.append(_Column(name, "text", number, nested_values if nested else text_values))
            continue
        if type_ == "jsonb" and holds_bytes(entry.type):
            raise ThanoSQLDataError(
                f"{path.name}: the column {name} ({entry.type}) holds bytes within other values, which jsonb cannot.",
                hint="Write the bytes as a column of their own, or as struct<bytes: binary, path: string>.",
            )
        columns.append(_Column(name, type_, number, nested_values if type_ == "jsonb" else plain_values))
    return columns


def _file_columns(file: Any, number: int, name: str, taken: Sequence[str]) -> Iterator[_Column]:
    has_bytes = has_paths = False
    field = file.schema_arrow.field(number).name
    for batch in file.iter_batches(BATCH_OF_AUDIO, columns=[f"{field}.path"]):
        has_paths = has_paths or batch.column(0).field("path").null_count < len(batch)
    for group in range(file.num_row_groups):
        has_bytes = has_bytes or _may_have_bytes(file, group, field)
    if has_bytes or not has_paths:
        yield _Column(name, "bytea", number, _bytes)
        name = "file_name" if "file_name" not in taken else f"{name}_file_name"
    if has_paths:
        yield _Column(name, "text", number, _paths)


def _may_have_bytes(file: Any, group: int, field: str) -> bool:
    """Whether a group of rows has bytes in that column; where the file does not say, it is looked at."""
    about = file.metadata.row_group(group)
    for place in range(about.num_columns):
        leaf = about.column(place)
        if leaf.path_in_schema == f"{field}.bytes" and leaf.statistics is not None and leaf.statistics.has_null_count:
            return bool(leaf.statistics.null_count < about.num_rows)
    return any(
        batch.column(0).field("bytes").null_count < len(batch)
        for batch in file.iter_batches(BATCH_OF_AUDIO, row_groups=[group], columns=[f"{field}.bytes"])
    )


def _is_file(kind: Any) -> bool:
    import pyarrow.types as is_

    if not is_.is_struct(kind) or {field.name for field in kind} != {"bytes", "path"}:
        return False
    content, place = kind.field("bytes").type, kind.field("path").type
    return is_binary(content) and (is_.is_string(place) or is_.is_large_string(place))


def _bytes(column: Any) -> list[Any]:
    return [None if value is None else value["bytes"] for value in column.to_pylist()]


def _paths(column: Any) -> list[Any]:
    return [None if value is None else value["path"] for value in column.to_pylist()]
