"""A DataFrame becomes a table of the same columns, types and rows."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from thanosql.engine.postgres.dataframe_columns import column_type
from thanosql.engine.session import Session


@pytest.mark.parametrize(
    ("series", "type_"),
    [
        (pd.Series([1, 2], dtype="int32"), "bigint"),
        (pd.Series([1, None], dtype="Int64"), "bigint"),
        (pd.Series([2**64 - 1], dtype="uint64"), "numeric"),
        (pd.Series([0.5, None]), "double precision"),
        (pd.Series([True, False]), "boolean"),
        (pd.Series([True, None], dtype="boolean"), "boolean"),
        (pd.Series(["a", None]), "text"),
        (pd.Series([None, None], dtype=object), "text"),
        (pd.Series(["a", 1], dtype=object), "text"),
        (pd.Series([1, None], dtype=object), "bigint"),
        (pd.Series([Decimal("1.5")]), "numeric"),
        (pd.Series([b"a"]), "bytea"),
        (pd.Series([{"a": 1}]), "jsonb"),
        (pd.Series([datetime.date(2024, 1, 1)]), "date"),
        (pd.Series(pd.to_datetime(["2024-01-01"])), "timestamp without time zone"),
        (pd.Series(pd.to_datetime(["2024-01-01"], utc=True)), "timestamp with time zone"),
        (pd.Series(pd.to_timedelta([1], unit="s")), "interval"),
    ],
)
def test_each_dtype_has_a_type(series: pd.Series, type_: str) -> None:
    assert column_type(series) == type_


def test_values_come_back_as_they_went_in_and_missing_ones_as_null(session: Session) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None], dtype="Int64"),
            "x": pd.array([np.nan, 0.25], dtype="float64"),
            'a "b"': ["tab\t\\N", None],
            "b": pd.array([True, None], dtype="boolean"),
        }
    )
    back = session.execute("SELECT * FROM :frame", {"frame": frame})
    assert list(back.columns) == list(frame.columns)
    assert [[None if pd.isna(value) else value for value in row] for row in back.values.tolist()] == [
        [1, None, "tab\t\\N", True],
        [None, 0.25, None, None],
    ]


def test_an_empty_frame_is_an_empty_table_with_its_columns(session: Session) -> None:
    frame = pd.DataFrame({"a": pd.array([], dtype="Int64"), "b": []})
    back = session.execute("SELECT * FROM :frame", {"frame": frame})
    assert list(back.columns) == ["a", "b"]
    assert back.empty


def test_list_and_describe_stand_in_a_join(session: Session) -> None:
    frame = session.execute(
        "SELECT b.name, d.value FROM (LIST THANOSQL MODEL) b JOIN (DESCRIBE MODEL Wav2Vec2Ko) d"
        " ON d.section = 'model' AND d.name = 'name' AND d.value = b.name"
    )
    assert frame.values.tolist() == [["Wav2Vec2Ko", "Wav2Vec2Ko"]]
    left = session.execute("SELECT relname FROM pg_class WHERE relname LIKE 'thanosql%'")
    assert left.empty
