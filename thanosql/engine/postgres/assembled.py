"""Names and columns in, a DataFrame of them out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def assembled(names: tuple[str, ...], columns: Sequence[Any], count: int) -> pd.DataFrame:
    """The frame of columns as they are. pandas' constructor takes longer for one row than all else that is done for it."""
    import numpy as np
    import pandas as pd

    index, labels = pd.RangeIndex(count), _labels(names).view()  # a view: a user may name the axis
    try:
        from pandas.api.internals import create_dataframe_from_blocks  # type: ignore[import-not-found]
    except ImportError:  # pandas 2
        # A Series of objects, as pandas would take a column of strings alone for text.
        given = [
            pd.Series(column, index=index, dtype=object, copy=False) if isinstance(column, np.ndarray) else column
            for column in columns
        ]
        result = pd.DataFrame(dict(enumerate(given)), index=index, copy=False)
        result.columns = labels
        return result
    if not columns:
        return pd.DataFrame(index=index, columns=labels)
    blocks = [
        (column.reshape(1, -1) if isinstance(column, np.ndarray) else column, np.array([number]))
        for number, column in enumerate(columns)
    ]
    frame: pd.DataFrame = create_dataframe_from_blocks(blocks, index=index, columns=labels)
    return frame


@lru_cache(maxsize=256)
def _labels(names: tuple[str, ...]) -> pd.Index[Any]:
    """The labels of columns, made once for a query that is run again and again."""
    import pandas as pd

    return pd.Index(names, dtype=object)
