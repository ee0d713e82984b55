"""Where temporary tables are refused, a query is still read, predicted and shown; a table is not replaced, and why is
said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import thanosql
from tests.engine.databases import Peer, said
from thanosql.engine.postgres.cursor_snapshot import CursorSnapshot
from thanosql.engine.postgres.database import Column, Database
from thanosql.errors import ThanoSQLDatabaseError

PREDICTION = Column("predict_result", "text")
QUERY = """
SELECT i, 'p' || i AS path, decode('00ff', 'hex') AS raw, 1.5::numeric(10,2) AS n
FROM generate_series(1, 130) i ORDER BY -i
"""


@pytest.fixture(params=["a role without the TEMP privilege", "a session that is read only", "a read-only database"])
def restricted(
    request: pytest.FixtureRequest, peer: Peer, role: Callable[[str], str], database_url: str
) -> Iterator[Database]:
    ((name,),) = peer("SELECT current_database()")
    if request.param == "a role without the TEMP privilege":
        url = role("thanosql_restricted")
        peer(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
        with Database(url) as session:
            yield session
        peer(f"GRANT TEMPORARY ON DATABASE {name} TO PUBLIC")
    elif request.param == "a session that is read only":
        with Database(database_url) as session:
            session.run(said("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
            yield session
    else:
        url = role("thanosql_restricted")
        peer("ALTER ROLE thanosql_restricted SET default_transaction_read_only = on")
        with Database(url) as session:
            yield session


def test_a_query_is_streamed_predicted_and_shown(restricted: Database) -> None:
    with restricted.snapshot(said(QUERY)) as snapshot:
        assert isinstance(snapshot, CursorSnapshot)
        assert snapshot.rows == 130
        assert [(column.name, column.type) for column in snapshot.columns] == [
            ("i", "integer"),
            ("path", "text"),
            ("raw", "bytea"),
            ("n", "numeric"),
        ]
        path = snapshot.column("PATH", option="audio_col")
        assert list(snapshot.stream(snapshot.columns[2], path, chunk=7))[-1] == (130, b"\x00\xff", "p1")
        pairs = ((row, f"heard {text}") for row, text in snapshot.stream(path, chunk=7) if row != 2)
        snapshot.write([PREDICTION, Column("i", "double precision")], ((row, text, 0.5) for row, text in pairs))
        frame = snapshot.frame()
    assert frame.columns.tolist() == ["i", "path", "raw", "n", "predict_result"]
    assert frame["predict_result"].tolist()[:3] == ["heard p130", pd.NA, "heard p128"]
    assert frame["i"].tolist()[:3] == [0.5, pd.NA, 0.5]
    assert frame.dtypes.astype(str).tolist() == ["Float64", "string", "object", "object", "string"]


def test_an_empty_result_has_its_columns(restricted: Database) -> None:
    with restricted.snapshot(said("SELECT 1 AS a WHERE false")) as snapshot:
        snapshot.write([PREDICTION], [])
        frame = snapshot.frame()
    assert frame.dtypes.astype(str).to_dict() == {"a": "Int64", "predict_result": "string"}


def test_a_table_is_not_replaced_and_why_is_said(restricted: Database) -> None:
    with restricted.snapshot(said("SELECT 1 AS a")) as snapshot:
        for refused in (lambda: snapshot.check_target("t"), snapshot.into_temporary):
            with pytest.raises(ThanoSQLDatabaseError, match=r"may not make temporary tables.*(permission|read-only)"):
                refused()


def test_what_is_refused_elsewhere_is_refused_here(restricted: Database, peer: Peer) -> None:
    peer("CREATE TABLE IF NOT EXISTS public.guarded (a int); GRANT ALL ON public.guarded TO PUBLIC")
    peer(
        "CREATE OR REPLACE FUNCTION public.put() RETURNS int LANGUAGE sql AS 'INSERT INTO public.guarded VALUES "
        "(9) RETURNING a'"
    )
    for query, words in (
        ("SELECT 1 AS a, 2 AS a", "specified more than once"),
        ("SELECT put()", "only read"),
        ("WITH d AS (DELETE FROM guarded RETURNING a) TABLE d", "only read"),
        ("SELECT nope", "nope"),
    ):
        with pytest.raises(ThanoSQLDatabaseError, match=words):
            restricted.snapshot(said(query))
        assert not restricted.in_transaction
    assert peer("TABLE public.guarded") == []


def test_an_error_still_points_at_the_users_text(restricted: Database) -> None:
    with pytest.raises(ThanoSQLDatabaseError) as caught:
        restricted.snapshot(said("SELECT 1,\n  nope"))
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == (2, 3)


def test_a_table_that_may_not_be_read_is_said_in_postgresqls_words(peer: Peer, role: Callable[[str], str]) -> None:
    peer("CREATE TABLE IF NOT EXISTS public.secret (a int)")
    with (
        Database(role("thanosql_outsider")) as session,
        pytest.raises(ThanoSQLDatabaseError, match="permission denied for table secret"),
    ):
        session.snapshot(said("TABLE public.secret"))


def test_predict_and_evaluate_work_and_a_table_is_refused_with_the_cure(restricted: Database, tmp_path: Path) -> None:
    with thanosql.connect("postgresql://unused/", home=tmp_path) as session:
        session.__dict__["database"] = restricted
        session.execute("GET THANOSQL DATASET spoken_numbers")
        paths = sorted((session.settings.workspace / "thanosql-dataset").rglob("*.flac"))[:2]
        query = "SELECT path AS audio_path, 'one' AS text, 1.50::numeric(5,2) AS n FROM unnest(:paths::text[]) path"
        heard = session.execute(f"PREDICT USING Wav2Vec2Tiny AS {query}", {"paths": [str(path) for path in paths]})
        assert heard.audio_path.tolist() == [str(path) for path in paths]
        assert heard.predict_result.notna().all()
        assert [str(value) for value in heard.n] == ["1.50", "1.50"]
        judged = session.execute(f"EVALUATE USING Wav2Vec2Tiny AS {query}", {"paths": [str(path) for path in paths]})
        assert judged.words[0] == 2
        with pytest.raises(ThanoSQLDatabaseError, match="may not make temporary tables"):
            session.execute(
                f"PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard') AS {query}", {"paths": [str(paths[0])]}
            )
