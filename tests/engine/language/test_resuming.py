"""The OPTIONS that resume a run are the statement's own, as they were written."""

from __future__ import annotations

import pytest

from thanosql.engine.language.resuming import resuming_options
from thanosql.engine.parser import parse_script


@pytest.mark.parametrize(
    ("written", "resuming"),
    [
        ("", "OPTIONS (resume=True)"),
        ("OPTIONS ()", "OPTIONS (resume=True)"),
        ("OPTIONS (max_epochs=4)", "OPTIONS (max_epochs=4, resume=True)"),
        ("OPTIONS ( seed = 1 ,\n  max_epochs=4 )", "OPTIONS (seed = 1, max_epochs=4, resume=True)"),
        ("OPTIONS (augment=['speed', 'noise'], seed=1)", "OPTIONS (augment=['speed', 'noise'], seed=1, resume=True)"),
        (
            "OPTIONS (seed=1, valid_query='SELECT '')'' FROM (t)')",
            "OPTIONS (seed=1, valid_query='SELECT '')'' FROM (t)', resume=True)",
        ),
        ("OPTIONS (resume=NULL, seed=1)", "OPTIONS (seed=1, resume=True)"),
        ("OPTIONS (seed=1, resume=NULL)", "OPTIONS (seed=1, resume=True)"),
        ("OPTIONS (seed=:n)", "OPTIONS (seed=:n, resume=True)"),
    ],
)
@pytest.mark.parametrize("before", ["", "SELECT 1; "])
def test_the_options_are_as_they_were_written(written: str, resuming: str, before: str) -> None:
    source = f"{before}BUILD MODEL m USING b {written} AS SELECT * FROM t WHERE x = (1)"
    statement = parse_script(source)[-1]
    assert resuming_options(statement.options, source) == resuming  # type: ignore[attr-defined]
