"""The reference is what the code says: its pages are not stale, and what people wrote in it holds for what runs."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from thanosql import errors
from thanosql.engine import statements
from thanosql.engine.language.heads import SHAPES
from thanosql.engine.session import Session

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    pytest.importorskip("railroad", reason="the diagrams are drawn with railroad-diagrams (extra docs)")
    sys.path.insert(0, str(SCRIPTS))
    try:
        return importlib.import_module("make_reference")
    finally:
        sys.path.remove(str(SCRIPTS))


def test_the_reference_is_as_the_code_has_it(reference: ModuleType) -> None:
    assert reference.stale() == [], "run: python scripts/make_reference.py"


def test_every_statement_stands_in_the_reference(reference: ModuleType) -> None:
    rules = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in statements.__all__} - {"plain_sql"}
    assert rules - {rule for entry in reference.STATEMENTS for rule in entry.rules} == set()
    assert SHAPES.keys() - {key for entry in reference.STATEMENTS for key in entry.shapes} == set()


def test_every_error_has_a_cure(reference: ModuleType) -> None:
    kinds = {kind.__name__ for kind in errors.ThanoSQLError.__subclasses__()}
    assert kinds == set(reference.CURES)


@pytest.mark.parametrize(
    "statement",
    [
        "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (no_such_option=1) AS SELECT 1",
        "FIT MODEL m USING Wav2Vec2Tiny OPTIONS (no_such_option=1) AS SELECT 1",
        "PREDICT USING Wav2Vec2Tiny OPTIONS (no_such_option=1) AS SELECT 1",
        "EVALUATE USING Wav2Vec2Tiny OPTIONS (no_such_option=1) AS SELECT 1",
        "ALIGN USING Wav2Vec2Tiny OPTIONS (no_such_option=1) AS SELECT 1",
        "PRINT AUDIO OPTIONS (no_such_option=1) AS SELECT 1",
        "COPY t OPTIONS (no_such_option=1) FROM 'x.csv'",
        "GET THANOSQL DATASET spoken_numbers OPTIONS (no_such_option=1)",
        "GET THANOSQL MODEL Wav2Vec2Tiny OPTIONS (no_such_option=1)",
        "UPLOAD MODEL m OPTIONS (no_such_option=1) FROM 'x'",
    ],
)
def test_a_statement_takes_the_options_that_its_entry_lists(
    statement: str, reference: ModuleType, session: Session
) -> None:
    entry = next(one for one in reference.STATEMENTS if statement.startswith(one.title))
    with pytest.raises(errors.ThanoSQLOptionError) as caught:
        session.execute(statement)
    listed = re.search(r"takes ([\w, ]+)\.", str(caught.value))
    assert listed
    assert listed[1].split(", ") == [option.name for option in entry.options]


@pytest.mark.parametrize(
    ("title", "statement"),
    [
        ("BUILD MODEL", "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS {rows}"),
        ("EVALUATE", "EVALUATE USING Wav2Vec2Tiny AS {rows}"),
        ("DESCRIBE MODEL", "DESCRIBE MODEL Wav2Vec2Tiny"),
        ("EXPLAIN", "EXPLAIN PREDICT USING Wav2Vec2Tiny AS {rows}"),
        ("CHECK", "CHECK PREDICT USING Wav2Vec2Tiny AS {rows}"),
    ],
)
def test_a_statement_gives_the_columns_that_its_entry_lists(
    title: str, statement: str, reference: ModuleType, numbers: Session
) -> None:
    entry = next(one for one in reference.STATEMENTS if one.title == title)
    given: Any = numbers.execute(statement.format(rows="SELECT * FROM librispeech_test LIMIT 4"))
    frame = given.frame() if hasattr(given, "frame") else given
    assert tuple(frame.columns) == entry.columns
