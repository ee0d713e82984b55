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
from thanosql.engine.language.options import declared_by
from thanosql.engine.session import Session
from thanosql.engine.statements import statement_classes

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
    page = reference.pages()["statements.md"]
    titles = [kind.syntax.title for kind in statement_classes().values() if kind.syntax]
    assert len(titles) > 15
    assert [title for title in titles if f"\n## {title}\n" not in page] == []


def test_every_error_has_a_cure(reference: ModuleType) -> None:
    kinds = {kind.__name__ for kind in errors.ThanoSQLError.__subclasses__()}
    assert kinds == set(reference.CURES)


def test_a_statement_takes_the_options_that_its_class_declares(session: Session) -> None:
    """Of each whose shape has OPTIONS: one that it does not have is refused, with the list of those it has."""
    tried = 0
    for kind in statement_classes().values():
        syntax = kind.syntax
        for way in syntax.ways if syntax else ():
            if "OPTIONS" not in way:
                continue
            assert syntax is not None
            filled = {"(…)": "(no_such_option=1)", "query": "SELECT 1", "'path'": "'x.csv'", "name": "m", "table": "t"}
            known = {"base": "Wav2Vec2Tiny", "data set": "spoken_numbers", "model or base": "Wav2Vec2Tiny"}
            words = [known.get(syntax.kind_of(word), filled.get(word, word)) for word in way]
            with pytest.raises(errors.ThanoSQLOptionError) as caught:
                session.execute(" ".join(words))
            listed = re.search(r"takes ([\w, ]+)\.", str(caught.value))
            assert listed
            assert listed[1].split(", ") == [option.name for option in declared_by(*syntax.options())]
            tried += 1
    assert tried >= 10


@pytest.mark.parametrize(
    ("title", "statement"),
    [
        ("BUILD MODEL", "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1) AS {rows}"),
        ("EVALUATE", "EVALUATE USING Wav2Vec2Tiny AS {rows}"),
        ("DESCRIBE MODEL", "DESCRIBE MODEL Wav2Vec2Tiny"),
        ("EXPLAIN", "EXPLAIN PREDICT USING Wav2Vec2Tiny AS {rows}"),
        ("LIST MODEL VERSIONS", "LIST MODEL VERSIONS of_base"),
        ("CHECK", "CHECK PREDICT USING Wav2Vec2Tiny AS {rows}"),
    ],
)
def test_a_statement_gives_the_columns_that_its_entry_lists(title: str, statement: str, numbers: Session) -> None:
    syntax = next(kind.syntax for kind in statement_classes().values() if kind.syntax and kind.syntax.title == title)
    numbers.execute("GET THANOSQL MODEL Wav2Vec2Tiny OPTIONS (model_name='of_base')")
    given: Any = numbers.execute(statement.format(rows="SELECT * FROM librispeech_test LIMIT 4"))
    frame = given.frame() if hasattr(given, "frame") else given
    assert list(frame.columns) == list(syntax.columns())
