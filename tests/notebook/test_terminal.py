"""A terminal's tables: fitted to its width, whole where they are read by something else."""

from __future__ import annotations

import csv
import datetime
import io
import json
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from thanosql.notebook.formats import as_csv, as_json
from thanosql.notebook.terminal import as_text

TEXT = "오늘 오후 세 시에 전화 주세요 그리고 다시 한번 확인해 주시기 바랍니다"
FRAME = pd.DataFrame(
    {
        "audio_path": [f"calls/2026/a-long-folder-name/recording-{number:04}.wav" for number in (1, 2)],
        "text": [TEXT, "seven"],
        "n": [1_234_567, 2],
    }
)


def test_a_table_is_as_wide_as_the_terminal_and_cuts_paths_before_texts_and_no_numbers() -> None:
    lines = as_text(FRAME, width=60).splitlines()
    assert max(map(wcswidth, lines)) <= 60
    assert "1234567" in lines[2]
    assert "0001.wav" in lines[2]  # of a path its end says which file it is
    path, text = (wcswidth(rule) for rule in lines[1].split("  ")[:2])
    assert path < text


def test_a_column_that_has_no_room_is_named() -> None:
    frame = pd.DataFrame({f"column_{number}": ["one two three"] * 2 for number in range(9)})
    lines = as_text(frame, width=60).splitlines()
    assert max(map(wcswidth, lines)) <= 60 or lines[-1].startswith("(")
    assert "column_8; --expanded or \\x shows all" in lines[-1]


def test_without_a_width_values_are_whole() -> None:
    assert TEXT in as_text(FRAME, width=0)
    assert FRAME.audio_path[0] in as_text(FRAME, width=0)


def test_expanded_is_a_value_a_line_and_one_wide_row_is_so_by_itself() -> None:
    lines = as_text(FRAME, width=50, expanded=True).splitlines()
    assert max(map(wcswidth, lines)) <= 50
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["─", "audio_path", "text", "n"] * 2
    wide = pd.DataFrame([{f"column_{number}": 1.5 for number in range(20)}])
    assert as_text(wide, width=80) == as_text(wide, width=80, expanded=True)
    assert as_text(wide, width=400) != as_text(wide, width=400, expanded=True)


@given(st.lists(st.lists(st.text(max_size=30), min_size=3, max_size=3), min_size=2, max_size=4), st.integers(40, 90))
@settings(max_examples=100, deadline=None)
def test_no_line_is_wider_than_asked_for(values: list[list[str]], width: int) -> None:
    lines = as_text(pd.DataFrame(values, columns=["a", "b", "c"], dtype=object), width=width).splitlines()
    assert max(map(wcswidth, lines)) <= width


@pytest.mark.parametrize("value", ["a\nb,c", "한국", '"quoted"', " space "])
def test_csv_and_json_have_texts_whole(value: str) -> None:
    frame = pd.DataFrame({"a": [value, None]}, dtype=object)
    assert [*csv.reader(io.StringIO(as_csv(frame)))] == [["a"], [value], [""]]
    assert json.loads(as_json(frame)) == [{"a": value}, {"a": None}]


def test_csv_and_json_have_dates_as_iso_has_them_and_parts_as_json() -> None:
    at = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
    row = {
        "at": at,
        "day": at.date(),
        "words": [{"word": "오늘", "start": 0.5, "sure": float("nan")}],
        "price": Decimal("1.50"),
        "bytes": b"\x01",
        "yes": True,
        "n": pd.array([None], dtype="Int64")[0],
    }
    frame = pd.DataFrame([row])
    header, line = csv.reader(io.StringIO(as_csv(frame)))
    assert header == [*row]
    assert line[:2] == ["2026-11-22T09:00:00+00:00", "2026-11-22"]
    assert json.loads(line[2]) == [{"word": "오늘", "start": 0.5, "sure": None}]
    assert line[3:] == ["1.50", "\\x01", "true", ""]
    (found,) = json.loads(as_json(frame))
    assert found["at"] == "2026-11-22T09:00:00+00:00"
    assert (found["price"], found["yes"], found["n"]) == (1.5, True, None)
    assert found["words"][0]["word"] == "오늘"
