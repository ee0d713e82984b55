"""Planning does no work: it reads no row and no audio, opens no cache, and its plans are data that can be pickled."""

from __future__ import annotations

import builtins
import pickle
from contextlib import ExitStack
from typing import Any

import pytest

from thanosql import ThanoSQLDatabaseError, ThanoSQLDataError, ThanoSQLSyntaxError
from thanosql.engine import planner
from thanosql.engine.parser import parse
from thanosql.engine.planner import Environment
from thanosql.engine.session import Session
from thanosql.models import model_cache

STATEMENTS = [
    "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard', words_table='w') AS SELECT f(audio_path) AS audio_path FROM t",
    "EVALUATE USING Wav2Vec2Tiny OPTIONS (table_name='e', confusions_table='c') AS SELECT f(audio_path) AS audio_path, text"
    " FROM t",
    "ALIGN USING Wav2Vec2Tiny AS SELECT f(audio_path) AS audio_path, text FROM t",
    "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (valid_query='SELECT f(audio_path) AS audio_path, text FROM t') AS"
    " SELECT f(audio_path) AS audio_path, text FROM t",
    "FIT MODEL m USING Wav2Vec2Tiny AS SELECT f(audio_path) AS audio_path, text FROM t",
    "EXPLAIN PREDICT USING Wav2Vec2Tiny AS SELECT f(audio_path) AS audio_path FROM t",
    "CHECK BUILD MODEL m USING Wav2Vec2Tiny AS SELECT f(audio_path) AS audio_path, text FROM t",
    "PRINT AUDIO AS SELECT f(audio_path) AS audio_path FROM t",
    "SELECT * FROM (PREDICT USING Wav2Vec2Tiny AS SELECT f(audio_path) AS audio_path FROM t) p",
    "LIST MODEL",
]


def environment(session: Session, source: str, resources: ExitStack) -> Environment:
    return Environment(
        settings=session.settings,
        open_database=lambda: session.database,
        open_executor=lambda name: pytest.fail("an executor was opened"),
        store=session.store,
        statement=source,
        source=source,
        resources=resources,
    )


@pytest.fixture
def watched(session: Session) -> Session:
    """A table of audio that is not there, and a function that cannot be called without leaving a trace."""
    session.execute(
        "DROP TABLE IF EXISTS t; DROP SEQUENCE IF EXISTS calls CASCADE; CREATE SEQUENCE calls;"
        "CREATE TABLE t AS SELECT '/nowhere.wav' AS audio_path, 'one' AS text FROM generate_series(1, 3);"
        "CREATE OR REPLACE FUNCTION f(text) RETURNS text VOLATILE LANGUAGE sql AS"
        " $$SELECT $1 || CASE WHEN nextval('calls') < 0 THEN '' ELSE '' END$$"
    )
    return session


@pytest.mark.parametrize("source", STATEMENTS)
def test_a_plan_is_made_without_running_the_query_or_reading_audio(
    watched: Session, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = builtins.open

    def noted(file: Any, *arguments: Any, **more: Any) -> Any:
        assert "nowhere" not in str(file)
        assert "predictions" not in str(file)
        return opened(file, *arguments, **more)

    monkeypatch.setattr(builtins, "open", noted)
    with ExitStack() as resources:
        plan = planner.plan(parse(source), environment(watched, source, resources))
        assert pickle.loads(pickle.dumps(plan)) == plan
    assert not (watched.settings.home / "predictions.sqlite").exists()
    assert not watched.execute("SELECT is_called FROM calls").is_called[0]
    assert watched.execute("SELECT count(*) AS n FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'").n[0] == 0


OF_T = "(PREDICT USING Wav2Vec2Tiny AS SELECT * FROM t) p"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"SELECT no_such_column FROM {OF_T}", "no_such_column"),
        (f"SELECT audio_path FROM {OF_T} WHERE predict_result > 1", "operator does not exist"),
        (f"SELECT * FROM {OF_T} ORDER", "ends too early"),
        (f"(SELECT 1 UNION SELECT no_such_column FROM {OF_T})", "no_such_column"),
        (f"TABLE no_such_table UNION SELECT * FROM {OF_T}", "no_such_table"),
        (f"WITH w AS (SELECT no_such_function(1) FROM {OF_T}) TABLE w", "no_such_function"),
        (f"CREATE TABLE t AS SELECT * FROM {OF_T}", "already exists"),
        (f"CREATE TEMP TABLE heard AS SELECT no_such_column FROM {OF_T}", "no_such_column"),
        (f"SELECT * INTO TEMP heard FROM {OF_T} WHERE no_such_column", "no_such_column"),
        (f"INSERT INTO no_such_table SELECT * FROM {OF_T}", "no_such_table"),
        (f"INSERT INTO t SELECT audio_path, text, 1 FROM {OF_T}", "more expressions than target columns"),
        (f"UPDATE t SET txt = predict_result FROM {OF_T} WHERE p.audio_path = t.audio_path", "txt"),
        (f"DELETE FROM t USING {OF_T} WHERE p.no_such_column = t.audio_path", "no_such_column"),
    ],
)
def test_the_query_around_a_statement_is_checked_before_the_statement_runs(
    watched: Session, source: str, said: str
) -> None:
    with ExitStack() as resources, pytest.raises(ThanoSQLDatabaseError) as caught:
        planner.plan(parse(source), environment(watched, source, resources))
    assert said in str(caught.value)
    assert not watched.database.in_transaction
    with pytest.raises(ThanoSQLDatabaseError, match=said):  # and not that the audio is missing
        watched.execute(source)


def test_what_is_checked_before_is_neither_run_nor_reckoned_with(watched: Session) -> None:
    for source in (
        f"SELECT f(audio_path), coalesce(predict_result, 'no number')::int FROM {OF_T}",
        f"PREDICT USING Wav2Vec2Tiny AS SELECT audio_path, coalesce(predict_result, 'no number')::int AS n FROM {OF_T}",
        f"INSERT INTO t SELECT f(audio_path), predict_result FROM {OF_T} RETURNING f(text)",
        f"CREATE TABLE IF NOT EXISTS heard AS SELECT f(audio_path) FROM {OF_T}",
        "SELECT * FROM (LIST MODEL) m FOR UPDATE",
        "CREATE TABLE heard (n bigint DEFAULT (1), model text)",
    ):
        with ExitStack() as resources:
            planner.plan(parse(source), environment(watched, source, resources))
    assert not watched.execute("SELECT is_called FROM calls").is_called[0]
    assert watched.execute("SELECT to_regclass('heard') IS NULL, (SELECT count(*) FROM t)").values.tolist() == [
        [True, 3]
    ]


@pytest.mark.parametrize("word", ["EXPLAIN", "CHECK"])
@pytest.mark.parametrize(
    "statement",
    [
        "PREDICT USING Wav2Vec2Tiny AS SELECT audio_path FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM {t}) p",
        "PREDICT USING Wav2Vec2Tiny AS SELECT audio_path FROM {t} WHERE exists (SELECT 1 FROM"
        " (EVALUATE USING Wav2Vec2Tiny AS SELECT * FROM {t}) e)",
        "BUILD MODEL m USING Wav2Vec2Tiny AS SELECT audio_path, predict_result AS text FROM"
        " (PREDICT USING Wav2Vec2Tiny AS SELECT audio_path FROM (ALIGN USING Wav2Vec2Tiny AS SELECT * FROM {t}) a) p",
    ],
)
def test_explain_and_check_recognize_nothing(
    numbers: Session, word: str, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_cache.ModelCache, "recognizer", lambda *_: pytest.fail("a model was loaded"))
    rows = "(SELECT * FROM librispeech_test ORDER BY audio_path LIMIT 3) q"
    result = numbers.run(f"{word} {statement.format(t=rows)}")
    if word == "EXPLAIN":
        items = list(result.rows.itertuples(index=False, name=None))
        assert items[0][0] == "statement"
        assert ("rows", "not known before the statement inside the query has run") in items
        assert ("rows", "3") in items  # of the innermost statement, whose query was counted
        assert any(item == "inside the query" for item, _ in items)
    else:
        assert "3 rows" in result.note
        assert "known once the statement inside its query has run" in result.note


def test_explain_of_a_query_over_a_statement_reads_no_audio_and_shows_both_plans(watched: Session) -> None:
    source = "EXPLAIN SELECT count(*) FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM t) p"
    lines = list(watched.execute(source)["QUERY PLAN"])
    assert lines[0].startswith("Aggregate")
    assert "inside the query: PREDICT at line 1" in lines
    assert "rows: 3" in lines
    with pytest.raises(ThanoSQLSyntaxError, match=r"EXPLAIN ANALYZE would run[\s\S]*\^\^\^\^\^\^\^"):
        watched.execute(source.replace("EXPLAIN", "EXPLAIN (VERBOSE, ANALYZE)"))
    assert watched.execute(source.replace("EXPLAIN", "EXPLAIN (ANALYZE false, FORMAT JSON)")).iloc[0, 0]


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("PREDICT USING Wav2Vec2Tiny AS SELECT * FROM t WHERE false", "PREDICT 0"),
        (
            "PREDICT USING Wav2Vec2Tiny OPTIONS (timestamps='word', confidence=True) AS SELECT * FROM t LIMIT 0",
            "PREDICT 0",
        ),
        ("ALIGN USING Wav2Vec2Tiny AS SELECT * FROM t WHERE false", "ALIGN 0"),
        ("CHECK PREDICT USING Wav2Vec2Tiny AS SELECT * FROM t WHERE false", "CHECK 0"),
        ("CHECK BUILD MODEL m USING Wav2Vec2Tiny AS SELECT * FROM t WHERE false", "CHECK 0"),
        ("EXPLAIN BUILD MODEL m USING Wav2Vec2Tiny AS SELECT * FROM t WHERE false", "EXPLAIN BUILD"),
        ("EXPLAIN PREDICT USING Wav2Vec2Tiny AS SELECT * FROM t WHERE false", "EXPLAIN PREDICT"),
    ],
)
def test_no_rows_in_no_rows_out(watched: Session, statement: str, status: str) -> None:
    assert watched.run(statement).status == status
    if not statement.startswith("EXPLAIN"):
        nested = statement if statement.startswith(("PREDICT", "ALIGN")) else None
        assert nested is None or watched.execute(f"SELECT count(*) AS n FROM ({nested}) p").n[0] == 0


def test_an_empty_result_is_an_empty_table_with_all_its_columns(watched: Session) -> None:
    watched.execute(
        "DROP TABLE IF EXISTS heard; CREATE TABLE heard AS SELECT 'yesterday' AS audio_path;"
        "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard', words_table='words_of_it', confidence=True) AS"
        " SELECT * FROM t WHERE false"
    )
    assert list(watched.execute("SELECT * FROM heard").columns) == [
        *("audio_path", "text", "predict_result", "predict_result_words", "predict_result_confidence"),
    ]
    assert len(watched.execute("SELECT * FROM heard")) == len(watched.execute("SELECT * FROM words_of_it")) == 0


@pytest.mark.parametrize("head", ["EVALUATE", "BUILD MODEL m", "FIT MODEL m"])
def test_nothing_can_be_measured_or_learned_from_no_rows(watched: Session, head: str) -> None:
    with pytest.raises(ThanoSQLDataError, match="no rows"):
        watched.execute(f"{head} USING Wav2Vec2Tiny AS SELECT * FROM t WHERE false")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT ROW(1, 2) AS audio_path", "pseudo-type record"),
        ("SELECT 1 AS a, 2 AS a", "specified more than once"),
        ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "data-modifying"),
    ],
)
def test_what_cannot_be_a_query_of_rows_is_refused_when_it_is_planned(watched: Session, query: str, said: str) -> None:
    source = f"PREDICT USING Wav2Vec2Tiny AS {query}"
    with ExitStack() as resources, pytest.raises(ThanoSQLDatabaseError, match=said):
        planner.plan(parse(source), environment(watched, source, resources))
    assert watched.execute("SELECT count(*) AS n FROM t").n[0] == 3


def test_a_plan_in_an_open_transaction_leaves_it_as_it_was(watched: Session) -> None:
    watched.execute("BEGIN; CREATE TEMP TABLE mine AS SELECT 1 AS x")
    source = "PREDICT USING Wav2Vec2Tiny AS SELECT * FROM t"
    with ExitStack() as resources:
        planner.plan(parse(source), environment(watched, source, resources))
        bad = "PREDICT USING Wav2Vec2Tiny AS SELECT * FROM no_such_table"
        with pytest.raises(ThanoSQLDatabaseError):
            planner.plan(parse(bad), environment(watched, bad, resources))
    assert watched.execute("SELECT x FROM mine").x[0] == 1
    watched.execute("ROLLBACK")
