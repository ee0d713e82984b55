"""A WITH query runs once, however many statements inside a query read it: as PostgreSQL would, were PREDICT a function."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models.recordings import wav
from thanosql import ThanoSQLDatabaseError, ThanoSQLSyntaxError
from thanosql.engine.executors.base import EXECUTORS
from thanosql.engine.session import Session
from thanosql.models.cancellation import Cancellation
from thanosql.models.options import TrainOptions, TranscribeOptions
from thanosql.models.results import Transcript
from thanosql.models.tasks import AudioRow, Outcome, TrainTask, TranscribeTask

EXAMPLES = int(os.environ.get("THANOSQL_EXAMPLES", "25"))
NAMES = ["a", "b", '"Käse %s"', "c"]


class Hashing:
    """An executor whose transcript is a pure function of the audio's path, which SQL knows as well."""

    def __init__(self, name: str, models: object) -> None:
        self.rows = 0

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        for batch in batches:
            self.rows += len(batch)
            yield tuple(
                Outcome(row.row, Transcript(hashlib.md5(str(row.audio).encode()).hexdigest(), 1.0), row.seconds)
                for row in batch
            )

    def train(self, *_: Any) -> Any:
        raise NotImplementedError

    def refuse(self, task: TrainTask) -> None:
        """Nothing is trained here."""

    def workers(self, how: TrainOptions | TranscribeOptions) -> None:
        return None

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def calls(session: Session, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Twelve rows of three recordings, and PREDICT as a function of SQL."""
    monkeypatch.setitem(EXECUTORS, "hashing", f"{__name__}:Hashing")
    monkeypatch.setattr("importlib.import_module", _importing(__name__))
    folder = session.settings.workspace
    folder.mkdir(parents=True)
    for name in "xyz":
        (folder / f"{name}.wav").write_bytes(wav(np.zeros((800, 1)), 8000, 16))
    session.settings = session.settings.__class__(**{**vars(session.settings), "executor": "hashing"})
    # What is inlined many times over would be run again for each row of an outer loop.
    session.execute(
        "SET enable_nestloop = off; DROP TABLE IF EXISTS calls; CREATE TABLE calls AS"
        " SELECT n, substr('xyz', 1 + n % 3, 1) || '.wav' AS audio_path FROM generate_series(1, 12) n"
    )
    return session


def _importing(here: str) -> Any:
    import importlib
    import sys

    found = importlib.import_module
    return lambda name, *more: sys.modules[here] if name == here else found(name, *more)


PREDICT = "PREDICT USING Wav2Vec2Tiny AS "


def as_function(sql: str) -> str:
    """The same query for PostgreSQL alone, each PREDICT (marked by brackets) a call of md5."""
    return sql.replace("⟦", "(SELECT q.*, md5(q.audio_path) AS predict_result FROM (").replace("⟧", ") q)")


def as_statement(sql: str) -> str:
    return sql.replace("⟦", f"({PREDICT}").replace("⟧", ")")


def _source(names: list[str]) -> st.SearchStrategy[str]:
    """A query with the columns n and audio_path over the table or a WITH query in sight."""
    tables = st.sampled_from(["calls", *names])
    modulo = st.integers(1, 4)
    plain = st.builds("SELECT n, audio_path FROM {} WHERE n % {} = 0".format, tables, modulo)
    joined = st.builds(
        "SELECT l.n, r.audio_path FROM {} l JOIN {} r USING (n) ORDER BY 1, 2 LIMIT 9".format, tables, tables
    )
    both = st.builds("SELECT n, audio_path FROM {} UNION SELECT n + 1, audio_path FROM {}".format, tables, tables)
    heard = st.builds(
        "SELECT n, audio_path FROM ⟦{}⟧ p WHERE predict_result > '{}'".format, plain, st.sampled_from("05a")
    )
    return st.one_of(plain, joined, both, heard)


@st.composite
def queries(draw: st.DrawFn, depth: int = 2, outer: tuple[str, ...] = ()) -> str:
    """WITH queries that read each other and those around them, or hide them; statements in them, behind them and around
    them, in scopes of their own."""
    own = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=3))
    recursive = draw(st.booleans())
    # In WITH RECURSIVE a name of the list hides outer ones everywhere in it, its own query included: it would be without end.
    entries, names = [], [name for name in outer if not (recursive and name in own)]
    for name in own:
        columns = draw(st.sampled_from(["", " (n, audio_path)"]))
        how = draw(st.sampled_from(["", "MATERIALIZED ", "NOT MATERIALIZED "]))
        body = draw(queries(depth - 1, tuple(names)) if depth > 1 and draw(st.booleans()) else _source(names))
        entries.append(f"{name}{columns} AS {how}({body})")
        names.append(name)
    if recursive and not any("⟦" in entry for entry in entries) and draw(st.booleans()):
        entries.reverse()  # what is read may follow
    left, right = draw(_source(names)), draw(_source(names))
    if depth > 1 and draw(st.booleans()):
        right = draw(queries(depth - 1, tuple(names)))
    final = draw(st.sampled_from(["⟦{0}⟧", "({0})"]))
    listed = f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(entries)}"
    joined = f"{listed} SELECT l.n, r.audio_path FROM {final.format(left)} l JOIN ⟦{right}⟧ r USING (n)"
    return f"{joined} ORDER BY 1, 2 LIMIT 8"


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=queries())
def test_a_nest_of_with_queries_is_what_postgresql_makes_of_it(calls: Session, sql: str) -> None:
    ordered = "SELECT * FROM ({}) o ORDER BY n, audio_path"
    theirs = calls.execute(ordered.format(as_function(sql)))
    ours = calls.execute(ordered.format(as_statement(sql)))
    assert ours.values.tolist() == theirs.values.tolist(), as_statement(sql)


SAMPLE = "SELECT n, audio_path, random() AS r FROM calls ORDER BY random() LIMIT 5"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"WITH w AS ({SAMPLE}) SELECT count(*) FROM w JOIN ⟦SELECT * FROM w⟧ p USING (n, r)", 5),
        (f"WITH w AS NOT MATERIALIZED ({SAMPLE}) SELECT count(*) FROM ⟦TABLE w⟧ p JOIN ⟦TABLE w⟧ q USING (n, r)", 5),
        (f"WITH w (i, audio_path, x) AS ({SAMPLE}) SELECT count(*) FROM w JOIN ⟦SELECT * FROM w⟧ p USING (i, x)", 5),
        (f"WITH v AS ({SAMPLE}), w AS (SELECT * FROM v) SELECT count(*) FROM v JOIN ⟦TABLE w⟧ p USING (r)", 5),
        (
            f"WITH RECURSIVE w AS (SELECT * FROM v), v AS ({SAMPLE}) SELECT count(*) FROM v JOIN ⟦TABLE w⟧ p USING (r)",
            5,
        ),
        (
            "WITH RECURSIVE w AS (SELECT 1 AS n, 'x.wav' AS audio_path, random() AS r UNION ALL"
            " SELECT n + 1, audio_path, random() FROM w WHERE n < 6) SELECT count(*) FROM w JOIN ⟦TABLE w⟧ p USING (n, r)",
            6,
        ),
        (
            f"SELECT (WITH w AS ({SAMPLE}) SELECT count(*) FROM w JOIN ⟦SELECT * FROM (SELECT * FROM w) i⟧ p USING (r))",
            5,
        ),
        (
            f"WITH w AS (SELECT * FROM ⟦{SAMPLE}⟧ p) SELECT count(*) FROM w a JOIN ⟦SELECT n, audio_path, r FROM w⟧ b"
            " USING (predict_result, r)",
            5,
        ),
        # A name that hides another one further out.
        (
            f"WITH w AS (SELECT 0 AS r) SELECT count(*) FROM w, (WITH w AS ({SAMPLE}) SELECT w.r FROM w JOIN ⟦TABLE w⟧ p"
            " USING (r)) inner_ones",
            5,
        ),
        (
            f"WITH w AS ({SAMPLE}), v AS (SELECT * FROM w) SELECT count(*) FROM (WITH w AS (SELECT * FROM w LIMIT 3), u AS"
            " (SELECT * FROM w) SELECT u.r FROM u JOIN ⟦SELECT v.*, w.n AS i FROM v JOIN w USING (r)⟧ p ON p.r = u.r) q",
            3,
        ),
        (
            f"WITH w AS ({SAMPLE}) SELECT count(*) FROM w, ⟦WITH RECURSIVE w AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM w"
            " WHERE i < 4) SELECT i, 'x.wav' AS audio_path FROM w⟧ p WHERE i = 4",
            5,
        ),
        (
            f"WITH RECURSIVE a AS (WITH b AS ({SAMPLE}) TABLE b), b AS (SELECT r FROM ⟦TABLE a⟧ p)"
            " SELECT count(*) FROM a JOIN b USING (r)",
            5,
        ),
        # Two columns of one name, which nobody asks for by it.
        (
            "WITH w AS (SELECT n, audio_path, 1 AS d, 2 AS d FROM calls) SELECT count(*) FROM w, ⟦SELECT audio_path FROM w⟧ p",
            144,
        ),
    ],
)
def test_a_with_query_runs_once(calls: Session, sql: str, expected: int) -> None:
    assert calls.execute(as_statement(sql)).iloc[0, 0] == expected


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE a AS (SELECT * FROM calls UNION SELECT * FROM b), b AS (SELECT n, audio_path FROM ⟦TABLE a⟧ p) TABLE b",
        "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT * FROM c), c AS (SELECT n, audio_path FROM ⟦TABLE a⟧ p) TABLE b",
        "WITH b AS (TABLE calls) SELECT * FROM (WITH RECURSIVE a AS (TABLE b), b AS (SELECT n FROM ⟦TABLE a⟧ p) TABLE b) q",
        "WITH RECURSIVE b AS (TABLE calls UNION SELECT * FROM (WITH x AS (TABLE b) SELECT n FROM ⟦TABLE x⟧ p) q) TABLE b",
    ],
)
def test_a_statement_cannot_be_part_of_a_recursion(calls: Session, sql: str) -> None:
    with pytest.raises(ThanoSQLSyntaxError, match="inside the recursive query '[bc]' cannot read '[bc]'"):
        calls.execute(as_statement(sql))


def test_what_a_statement_does_not_read_is_left_where_it_stands(calls: Session) -> None:
    sql = (
        "WITH gone AS (DELETE FROM calls WHERE n > 10 RETURNING n), w AS (SELECT n, audio_path FROM calls WHERE n < 4)"
        " SELECT (SELECT count(*) FROM gone) AS gone, count(*) AS heard FROM ⟦SELECT * FROM w⟧ p"
    )
    assert calls.execute(as_statement(sql)).values.tolist() == [[2, 3]]
    assert calls.execute("SELECT count(*) FROM calls").iloc[0, 0] == 10


def test_no_table_is_left_when_it_is_over(calls: Session, tmp_path: Path) -> None:
    left = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
    sql = f"WITH w AS ({SAMPLE}) SELECT 1 / count(p.n) FROM ⟦SELECT * FROM w LIMIT 0⟧ p"
    with pytest.raises(ThanoSQLDatabaseError, match="division by zero"):
        calls.execute(as_statement(sql))
    assert calls.execute(left).iloc[0, 0] == 0
