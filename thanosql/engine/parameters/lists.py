"""A list of values in, PostgreSQL's array of them as text out."""

from __future__ import annotations

from collections.abc import KeysView, Set, ValuesView
from typing import Any

from thanosql.engine.postgres.copying import array_text
from thanosql.imported import imported


def as_list(value: Any) -> list[Any] | None:
    """The items of a list, tuple, set, range, view of a dict, pandas Series, Index or array, or NumPy array of one
    dimension; None for anything else.

    >>> as_list((1, 2)), as_list({3}), as_list("ab"), as_list({"a": 1}.keys())
    ([1, 2], [3], None, ['a'])
    """
    if isinstance(value, list | tuple | range | Set | KeysView | ValuesView):
        return list(value)
    pandas, numpy = imported("pandas"), imported("numpy")
    if pandas is not None and isinstance(value, pandas.Series | pandas.Index | pandas.api.extensions.ExtensionArray):
        return [None if missing else item for item, missing in zip(value.tolist(), value.isna(), strict=True)]
    if numpy is not None and isinstance(value, numpy.ndarray) and value.ndim == 1:
        times = value.dtype.kind in "mM"  # tolist makes whole numbers of times in nanoseconds
        return list(value) if times else list(value.tolist())
    if hasattr(value, "__arrow_c_stream__") or hasattr(
        value, "__arrow_c_array__"
    ):  # a Series of polars, an array of Arrow
        listed = getattr(value, "to_pylist", None) or getattr(value, "to_list", None)
        return list(listed()) if listed is not None and not hasattr(value, "columns") else None
    return None


def array_of(items: list[Any]) -> str | None:
    """The items as the text of an array, whose type is then that of what it is compared with; None where one of them is
    a list itself, and so a row.

    >>> array_of([1, None, "{so}"]), array_of([]), array_of([(1, 2)])
    ('{"1",NULL,"{so}"}', '{}', None)
    """
    if any(as_list(item) is not None for item in items):
        return None
    return array_text(items)
