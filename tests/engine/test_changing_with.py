"""A WITH query that changes or locks rows and that a statement in the query reads: PostgreSQL's own answer, or a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import psycopg2
import pytest

from tests.engine.test_with_queries import Hashing, as_function, as_statement
from tests.engine.test_with_queries import calls as calls
from thanosql import ThanoSQLDatabaseError, ThanoSQLError
from thanosql.engine.session import Session
from thanosql.models.cancellation import Cancellation
from thanosql.models.tasks import AudioRow, Outcome, TranscribeTask

DROPS = """
ROLLBACK; DROP TABLE IF EXISTS calls, done, owned, parts, other, kept CASCADE; DROP SEQUENCE IF EXISTS numbers;
"""
TABLES = """
CREATE SEQUENCE numbers;
CREATE TABLE done (n int, audio_path text, predict_result text);
CREATE TABLE other AS SELECT n, 'o' || n AS word FROM generate_series(1, 12) n;
ALTER TABLE calls ADD PRIMARY KEY (n);
CREATE VIEW reads AS SELECT count(*) AS all_of_them FROM calls;
CREATE TABLE parts (n int, audio_path text) PARTITION BY RANGE (n);
CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (7);
CREATE TABLE high PARTITION OF parts FOR VALUES FROM (7) TO (99);
INSERT INTO parts SELECT n, audio_path FROM calls;
CREATE OR REPLACE FUNCTION number_of_calls() RETURNS bigint STABLE LANGUAGE plpgsql AS
    $$BEGIN RETURN (SELECT count(*) FROM calls); END$$;
"""
STATE = (
    "SELECT coalesce((SELECT json_agg(c ORDER BY n)::text FROM calls c), '') AS calls,"
    " coalesce((SELECT json_agg(d ORDER BY n)::text FROM done d), '') AS done,"
    " coalesce((SELECT json_agg(p ORDER BY n)::text FROM parts p), '') AS parts,"
    " coalesce((SELECT json_agg(o ORDER BY n)::text FROM other o), '') AS other"
)

SAME = [
    "WITH d AS (DELETE FROM calls WHERE n < 5 RETURNING *) SELECT * FROM ⟦SELECT * FROM d⟧ p ORDER BY n",
    "WITH d (i, audio_path) AS (DELETE FROM calls RETURNING n * 2, audio_path) SELECT d.i, p.* FROM d JOIN ⟦TABLE d⟧ p"
    " USING (i) ORDER BY d.i",
    "WITH d AS (UPDATE calls SET n = n + 100 WHERE n > 3 RETURNING *) SELECT * FROM ⟦SELECT * FROM d WHERE n < 106⟧ p"
    " ORDER BY n",
    "WITH d AS (INSERT INTO calls SELECT 50, 'x.wav' RETURNING *) SELECT * FROM ⟦SELECT * FROM d⟧ p, other ORDER BY other.n",
    "WITH d AS (MERGE INTO calls c USING other o ON c.n = o.n AND o.n < 4 WHEN MATCHED THEN DELETE RETURNING c.*)"
    " SELECT * FROM ⟦SELECT * FROM d⟧ p ORDER BY n",
    "WITH b AS (SELECT n FROM calls ORDER BY n LIMIT 4 FOR UPDATE SKIP LOCKED), d AS (DELETE FROM calls USING b"
    " WHERE calls.n = b.n RETURNING calls.*) SELECT * FROM ⟦SELECT * FROM d⟧ p ORDER BY n",
    "WITH d AS (SELECT * FROM calls ORDER BY n LIMIT 3 FOR UPDATE SKIP LOCKED) SELECT * FROM ⟦SELECT * FROM d⟧ p ORDER BY n",
    "WITH d AS (SELECT * FROM calls ORDER BY n LIMIT 3 FOR SHARE), k AS (DELETE FROM other RETURNING n)"
    " SELECT p.*, (SELECT count(*) FROM k) AS k FROM ⟦SELECT * FROM d⟧ p ORDER BY n",
    "WITH d AS (SELECT n, audio_path, nextval('numbers') - currval('numbers') AS zero FROM calls)"
    " SELECT * FROM ⟦SELECT * FROM d⟧ p ORDER BY n",
    "WITH d AS (DELETE FROM calls WHERE n > 9 RETURNING *) INSERT INTO done SELECT n, audio_path, predict_result"
    " FROM ⟦SELECT * FROM d⟧ p RETURNING *",
    "WITH d AS (DELETE FROM calls WHERE n > 9 RETURNING *) UPDATE other SET word = predict_result"
    " FROM ⟦SELECT * FROM d⟧ p WHERE p.n = other.n",
    "WITH d AS (DELETE FROM calls RETURNING *), w AS (SELECT * FROM d WHERE n % 2 = 0) SELECT count(*), min(p.n), max(q.n)"
    " FROM ⟦SELECT * FROM w⟧ p, ⟦SELECT n, audio_path FROM ⟦SELECT * FROM d⟧ i⟧ q",
    "WITH d AS (DELETE FROM calls RETURNING *), i AS (INSERT INTO done SELECT n, audio_path, predict_result FROM"
    " ⟦SELECT * FROM d⟧ p RETURNING *) SELECT * FROM i ORDER BY n",
    "WITH d AS (DELETE FROM parts WHERE n > 4 RETURNING *) SELECT * FROM ⟦SELECT * FROM d⟧ p ORDER BY n",
    "WITH d AS (DELETE FROM calls WHERE n > (SELECT avg(n) FROM calls) RETURNING *) SELECT * FROM ⟦SELECT * FROM d⟧ p"
    " ORDER BY n",
    "WITH d AS (DELETE FROM calls WHERE n < 0 RETURNING *) SELECT count(*) FROM ⟦SELECT * FROM d⟧ p",
    "CREATE TABLE kept AS WITH d AS (DELETE FROM calls RETURNING *) SELECT * FROM ⟦SELECT * FROM d⟧ p",
]
D = "WITH d AS (DELETE FROM calls WHERE n < 5 RETURNING *)"
REFUSED = [
    (f"{D} SELECT *, (SELECT count(*) FROM calls) FROM ⟦SELECT * FROM d⟧ p", "reads or writes the same table"),
    (f"{D} SELECT * FROM ⟦SELECT * FROM d UNION SELECT * FROM calls⟧ p", "reads or writes the same table"),
    (f"{D}, w AS (SELECT n FROM calls) SELECT * FROM w, ⟦SELECT * FROM d⟧ p", "reads or writes the same table"),
    (
        f"WITH w AS (SELECT n FROM calls), {D[5:]} SELECT * FROM w, ⟦SELECT * FROM d⟧ p",
        "reads or writes the same table",
    ),
    (
        f"{D}, u AS (UPDATE calls SET n = -n RETURNING n) SELECT * FROM u, ⟦SELECT * FROM d⟧ p",
        "reads or writes the same table",
    ),
    (f"{D} INSERT INTO calls SELECT n, audio_path FROM ⟦SELECT * FROM d⟧ p", "reads or writes the same table"),
    (f"{D} SELECT * FROM reads, ⟦SELECT * FROM d⟧ p", "reads or writes the same table"),
    (f"{D} SELECT *, number_of_calls() FROM ⟦SELECT * FROM d⟧ p", "the function number_of_calls"),
    (f"{D} SELECT * FROM ⟦SELECT d.*, number_of_calls() AS k FROM d⟧ p", "the function number_of_calls"),
    (
        f"{D} SELECT *, query_to_xml('TABLE calls', true, true, '')::text FROM ⟦SELECT * FROM d⟧ p",
        "the function query_to_xml",
    ),
    (f"{D} SELECT * FROM ⟦SELECT * FROM d⟧ p, ⟦SELECT audio_path FROM calls⟧ q", "reads or writes the same table"),
    (
        "WITH d AS (INSERT INTO parts VALUES (3, 'x.wav') RETURNING *) SELECT * FROM ⟦SELECT * FROM d⟧ p, low",
        "reads or writes the same table",
    ),
    (f"CREATE TABLE IF NOT EXISTS done AS {D} SELECT * FROM ⟦SELECT * FROM d⟧ p", "would not run"),
    (f"CREATE TABLE kept AS {D} SELECT * FROM ⟦SELECT * FROM d⟧ p WITH NO DATA", "top level"),
    (f"SELECT * FROM ({D} SELECT * FROM ⟦SELECT * FROM d⟧ p) q", "top level"),
    (f"SELECT * FROM ⟦{D} SELECT * FROM d⟧ p", "top level"),
]


@pytest.fixture
def queue(calls: Session) -> Iterator[Session]:
    calls.execute(TABLES)
    yield calls
    calls.execute(DROPS)


def _state(session: Session) -> list[object]:
    return session.execute(STATE).values.tolist()


@pytest.mark.parametrize("sql", SAME)
def test_a_change_that_a_statement_reads_is_what_postgresql_makes_of_it(queue: Session, sql: str) -> None:
    if "MERGE" in sql and queue.database.server_version < 170000:
        pytest.skip("MERGE … RETURNING is PostgreSQL 17's")
    ends = []
    for statement in (as_function(sql), as_statement(sql)):
        queue.execute("BEGIN")
        answer = queue.execute(statement)
        ends.append((answer if isinstance(answer, str) else answer.values.tolist(), _state(queue)))
        queue.execute("ROLLBACK")
    assert ends[0] == ends[1]
    answer = queue.execute(as_statement(sql))  # the same in a transaction of its own
    assert ((answer if isinstance(answer, str) else answer.values.tolist()), _state(queue)) == ends[0]


@pytest.mark.parametrize(("sql", "said"), REFUSED)
def test_a_change_that_another_part_would_see_is_refused(queue: Session, sql: str, said: str) -> None:
    before = _state(queue)
    with pytest.raises(ThanoSQLDatabaseError, match=said):
        queue.execute(as_statement(sql))
    assert _state(queue) == before


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("CREATE TRIGGER noted AFTER DELETE ON calls FOR EACH ROW EXECUTE FUNCTION note()", "the trigger noted"),
        ("CREATE TABLE owned (n int REFERENCES calls ON DELETE CASCADE)", "the trigger RI_"),
        ("CREATE TRIGGER noted BEFORE INSERT ON done FOR EACH STATEMENT EXECUTE FUNCTION note()", "the trigger noted"),
        ("ALTER TABLE done ADD CHECK (n < number_of_calls() + 99)", "the constraint done_"),
    ],
)
def test_what_a_plan_does_not_show_is_refused(queue: Session, made: str, said: str) -> None:
    queue.execute(
        "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;" + made
    )
    before = _state(queue)
    sql = f"{D} INSERT INTO done SELECT n, audio_path, predict_result FROM ⟦SELECT * FROM d⟧ p"
    with pytest.raises(ThanoSQLDatabaseError, match=said) as refused:
        queue.execute(as_statement(sql))
    assert refused.value.position is not None
    assert _state(queue) == before


def test_a_foreign_key_that_only_looks_is_no_hindrance(queue: Session) -> None:
    queue.execute("CREATE TABLE owned (n int REFERENCES calls); INSERT INTO owned VALUES (12)")
    assert len(queue.execute(as_statement(f"{D} SELECT * FROM ⟦SELECT * FROM d⟧ p"))) == 4


class Failing(Hashing):
    """An executor that looks from outside, and then fails as a model may, or is interrupted."""

    url = ""
    seen: int | None = None
    error: type[BaseException] | None = ThanoSQLError

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        yield next(super().transcribe(task, batches, cancellation))
        other = psycopg2.connect(Failing.url)
        try:
            with other.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM calls")
                Failing.seen = cursor.fetchone()[0]
                if self.error is None:
                    cursor.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
                    )
        finally:
            other.close()
        if self.error is not None:
            raise self.error("It failed.")


@pytest.mark.parametrize("error", [ThanoSQLError, KeyboardInterrupt, RuntimeError, None])
@pytest.mark.parametrize("inside", [False, True])
def test_a_change_is_undone_when_the_statement_fails(
    queue: Session, database_url: str, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | None, inside: bool
) -> None:
    monkeypatch.setattr("tests.engine.test_with_queries.Hashing", Failing)
    monkeypatch.setattr(Failing, "error", error)
    monkeypatch.setattr(Failing, "seen", None)
    monkeypatch.setattr(Failing, "url", database_url)
    before = _state(queue)
    if inside and error is not None:
        queue.execute("BEGIN; INSERT INTO other VALUES (99, 'mine')")
        before = _state(queue)
    with pytest.raises(BaseException):  # noqa: B017
        queue.execute(as_statement(f"{D} SELECT * FROM ⟦SELECT * FROM d⟧ p"))
    assert Failing.seen == 12
    assert _state(queue) == before
    if inside and error is not None:
        assert queue.execute("COMMIT") == "COMMIT"
        assert queue.execute("SELECT count(*) FROM other").iloc[0, 0] == 13


def test_two_workers_share_a_queue(queue: Session, database_url: str) -> None:
    """Rows that another session has locked are left to it, and none of those it has deleted meanwhile is in the way."""
    other = psycopg2.connect(database_url)
    with other, other.cursor() as cursor:
        cursor.execute("DELETE FROM calls WHERE n <= 3")
        sql = (
            "WITH b AS (SELECT n FROM calls ORDER BY n LIMIT 2 FOR UPDATE SKIP LOCKED), d AS (DELETE FROM calls USING b"
            " WHERE calls.n = b.n RETURNING calls.*) SELECT n FROM ⟦SELECT * FROM d⟧ p ORDER BY n"
        )
        assert queue.execute(as_statement(sql))["n"].tolist() == [4, 5]
    other.close()
    assert queue.execute("SELECT count(*) FROM calls").iloc[0, 0] == 7


def test_explain_deletes_nothing(queue: Session) -> None:
    before = _state(queue)
    said = queue.execute("EXPLAIN " + as_statement(f"{D} SELECT * FROM ⟦SELECT * FROM d⟧ p"))
    assert "Delete on calls" in "\n".join(said["QUERY PLAN"]).replace("public.", "")
    assert any(line.startswith("rows: not known") for line in said["QUERY PLAN"])
    assert _state(queue) == before


def test_the_query_of_a_language_model_is_a_part_too(queue: Session) -> None:
    sql = (
        f"{D} SELECT * FROM (PREDICT USING Wav2Vec2Tiny OPTIONS (decoder='beam', lm_query='{{}}') AS SELECT * FROM d) p"
    )
    with pytest.raises(ThanoSQLDatabaseError, match="reads or writes the same table"):
        queue.execute(sql.format("SELECT audio_path AS text FROM calls"))


def test_the_cure_of_a_refusal_can_be_pasted(queue: Session) -> None:
    rest = "SELECT p.*, (SELECT count(*) FROM calls) AS left_there FROM ⟦SELECT * FROM d⟧ p"
    listed = (
        "WITH b AS (SELECT n FROM calls WHERE n < :n), d AS (DELETE FROM calls c USING b WHERE c.n = b.n RETURNING c.*)"
    )
    with pytest.raises(ThanoSQLDatabaseError) as refused:
        queue.execute(as_statement(f"{listed} {rest}"), params={"n": 5})
    before, _, _ = str(refused.value.hint).partition("\nthen the query")
    queue.execute(before[before.index("BEGIN;") :], params={"n": 5})
    assert queue.execute(as_statement(rest))["left_there"].tolist() == [8] * 4
    queue.execute("COMMIT")
    assert queue.execute("SELECT to_regclass('d') IS NULL").iloc[0, 0]


def test_a_function_that_changes_data_is_refused_where_rows_are_locked(queue: Session) -> None:
    queue.execute("CREATE OR REPLACE FUNCTION emptied() RETURNS int LANGUAGE sql AS 'DELETE FROM calls; SELECT 1'")
    sql = "WITH d AS (SELECT *, emptied() FROM calls FOR UPDATE) SELECT * FROM ⟦SELECT * FROM d⟧ p"
    with pytest.raises(ThanoSQLDatabaseError, match="the function emptied"):
        queue.execute(as_statement(sql))
    assert queue.execute("SELECT count(*) FROM calls").iloc[0, 0] == 12
