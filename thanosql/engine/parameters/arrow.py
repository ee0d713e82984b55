"""Types and arrays of Arrow in, PostgreSQL's types and Python's values out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thanosql.counting import counted
from thanosql.engine.postgres.json_values import json_text


def arrow_type(kind: Any) -> str:
    """PostgreSQL's type for a type of Arrow."""
    import pyarrow.types as is_

    if is_.is_dictionary(kind):
        return arrow_type(kind.value_type)
    if is_.is_boolean(kind):
        return "boolean"
    if is_.is_integer(kind):
        width = {"int8": "smallint", "uint8": "smallint", "int16": "smallint", "uint16": "integer", "int32": "integer"}
        return "numeric(20,0)" if str(kind) == "uint64" else width.get(str(kind), "bigint")
    if is_.is_floating(kind):
        return "double precision" if str(kind) == "double" else "real"
    if is_.is_decimal(kind):
        return f"numeric({kind.precision},{max(0, kind.scale)})"
    if is_.is_date(kind):
        return "date"
    if is_.is_timestamp(kind):
        return "timestamp with time zone" if kind.tz else "timestamp without time zone"
    if is_.is_time(kind):
        return "time without time zone"
    if is_.is_duration(kind):
        return "interval"
    if is_binary(kind):
        return "bytea"
    if is_.is_nested(kind):
        simple = hasattr(kind, "value_type") and not is_.is_nested(kind.value_type) and not is_.is_map(kind)
        return f"{arrow_type(kind.value_type)}[]" if simple else "jsonb"
    return "text"


def is_binary(kind: Any) -> bool:
    """Whether a type of Arrow is one of bytes."""
    import pyarrow.types as is_

    return bool(
        is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_fixed_size_binary(kind) or is_.is_binary_view(kind)
    )


def holds_bytes(kind: Any) -> bool:
    """Whether there are bytes anywhere in a type of Arrow."""
    return is_binary(kind) or any(holds_bytes(kind.field(place).type) for place in range(kind.num_fields))


def plain_values(column: Any) -> list[Any]:
    """The values of an Arrow array as Python's, times in microseconds."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        # PostgreSQL counts in microseconds, and Python's datetime with it.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    elif pa.types.is_duration(column.type):
        column = column.cast(pa.duration("us"), safe=False)
    elif pa.types.is_time64(column.type):
        column = column.cast(pa.time64("us"), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def text_values(column: Any) -> list[Any]:
    """The values of an Arrow array as texts, times with all their digits."""
    import pyarrow as pa

    values: list[Any] = column.cast(pa.string()).to_pylist()
    return values


def finer_values(column: Any) -> int:
    """How many values of an Arrow array have nanoseconds, which PostgreSQL does not keep; each in a list counts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if hasattr(column.type, "value_type") and not pa.types.is_map(column.type):
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return finer_values(column.flatten() if pa.types.is_nested(column.type) else column)
    if getattr(column.type, "unit", None) != "ns":
        return 0
    count = column.cast(pa.int64())
    thousands = pc.multiply(pc.divide(count, 1000), 1000)
    return int(pc.sum(pc.not_equal(count, thousands)).as_py() or 0)


def said_of_finer_values(counts: Mapping[str, int]) -> str:
    """A remark on columns that have such values, and how many; empty where there are none."""
    return "; ".join(
        f"{counted(count, 'value')} of {name} {'has' if count == 1 else 'have'} nanoseconds; PostgreSQL keeps microseconds"
        for name, count in counts.items()
        if count
    )


def nested_values(column: Any) -> list[Any]:
    """The values of a nested Arrow array as texts of json."""
    return [json_text(value) for value in column.to_pylist()]
