"""Sessions that replace one table: none is told of a defect, none is refused unless rows would be lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.engine.databases import Peer, said
from thanosql.engine.postgres import replacement
from thanosql.engine.postgres.database import Database
from thanosql.errors import ThanoSQLDatabaseError


@pytest.fixture
def shared(peer: Peer) -> Iterator[str]:
    peer("CREATE TABLE shared (n bigint PRIMARY KEY, said text DEFAULT 'x', id bigint GENERATED ALWAYS AS IDENTITY)")
    peer("INSERT INTO shared (n) VALUES (1), (2)")
    yield "shared"
    peer("DROP TABLE IF EXISTS shared CASCADE")


def test_two_sessions_that_replace_one_table_again_and_again_both_succeed(database_url: str, shared: str) -> None:
    def work(number: int) -> int:
        with Database(database_url, lock_timeout=120) as database:
            for count in range(1, 16):
                query = f"SELECT i AS n, {number} AS who FROM generate_series(1, {count}) i"
                with database.snapshot(said(query)) as snapshot:
                    assert snapshot.replace(snapshot.check_target(shared)) == count
        return number

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [0, 1, 2]


def test_a_table_replaced_since_it_was_looked_at_is_replaced(database: Database, peer: Peer, shared: str) -> None:
    with database.snapshot(said("SELECT 7::bigint AS n")) as snapshot:
        target = snapshot.check_target(shared)
        peer("BEGIN; DROP TABLE shared; CREATE TABLE shared (n bigint, PRIMARY KEY (n)); COMMIT")
        peer("INSERT INTO shared VALUES (8)")
        assert snapshot.replace(target) == 1
    assert peer("SELECT * FROM shared") == [(7,)]
    assert peer("SELECT count(*) FROM pg_constraint WHERE conrelid = 'shared'::regclass AND contype = 'p'") == [(1,)]


def test_a_table_that_the_query_read_and_another_session_replaced_is_left(
    database: Database, peer: Peer, shared: str
) -> None:
    with database.snapshot(said("SELECT n FROM shared")) as snapshot:
        target = snapshot.check_target(shared)
        peer("BEGIN; DROP TABLE shared; CREATE TABLE shared (n bigint); INSERT INTO shared VALUES (9); COMMIT")
        with pytest.raises(ThanoSQLDatabaseError, match="no row is lost") as caught:
            snapshot.replace(target)
    assert caught.value.sqlstate == "40001"
    assert peer("SELECT * FROM shared") == [(9,)]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE shared ADD COLUMN more int",
        "ALTER TABLE shared ALTER COLUMN said SET DEFAULT 'y'",
        "CREATE INDEX ON shared (said)",
        "GRANT SELECT ON shared TO PUBLIC",
        "COMMENT ON TABLE shared IS 'seen'",
        "ALTER TABLE shared DROP CONSTRAINT shared_pkey",
    ],
)
def test_a_change_between_the_look_and_the_lock_is_taken_over(
    database: Database, peer: Peer, shared: str, change: str
) -> None:
    with database.snapshot(said("SELECT i AS n, 'a' AS said FROM generate_series(1, 3) i")) as snapshot:
        target = snapshot.check_target(shared)
        peer(change)
        assert snapshot.replace(target) == 3
    if change.startswith("GRANT"):
        assert peer("SELECT has_table_privilege('public', 'shared', 'SELECT')") == [(True,)]
    if change.startswith("COMMENT"):
        assert peer("SELECT obj_description('shared'::regclass)") == [("seen",)]


def test_a_right_granted_while_the_new_table_is_filled_is_not_lost(
    database: Database, peer: Peer, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GRANT waits for no lock that a replacement takes before the last."""
    granted = threading.Event()
    definition_of = replacement.definition_of

    def then_granted(*given: Any) -> Any:
        found = definition_of(*given)
        if not granted.is_set():
            granted.set()
            peer("GRANT SELECT ON shared TO PUBLIC")
        return found

    monkeypatch.setattr(replacement, "definition_of", then_granted)
    with database.snapshot(said("SELECT 1 AS n")) as snapshot:
        assert snapshot.replace(snapshot.check_target(shared)) == 1
    assert granted.is_set()
    assert peer("SELECT has_table_privilege('public', 'shared', 'SELECT')") == [(True,)]


def test_a_session_waits_for_the_one_that_replaces(database_url: str, peer: Peer, shared: str) -> None:
    peer.raw.autocommit = False
    try:
        peer("LOCK TABLE shared IN ACCESS EXCLUSIVE MODE")
        with Database(database_url, lock_timeout=30) as database, ThreadPoolExecutor(1) as pool:
            database.run(said("SELECT 1"))
            pid = database.connection.raw.info.backend_pid

            def work() -> int:
                with database.snapshot(said("SELECT 5 AS n")) as snapshot:
                    return snapshot.replace(snapshot.check_target(shared))

            waiting = pool.submit(work)
            with Database(database_url) as watcher:
                look = f"SELECT count(*) AS n FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'"
                while not watcher.run(said(look))["n"][0]:  # type: ignore[index, call-overload]
                    assert not waiting.done()
            peer.raw.commit()
            assert waiting.result(30) == 1
    finally:
        peer.raw.rollback()
        peer.raw.autocommit = True


def test_a_table_made_after_the_querys_moment_is_replaced_unless_the_query_read_what_stood_there(
    database: Database, peer: Peer, shared: str
) -> None:
    anew = "BEGIN; DROP TABLE shared; CREATE TABLE shared (n int); INSERT INTO shared VALUES (9); COMMIT"
    with database.snapshot(said("SELECT 5 AS n")) as snapshot:
        peer(anew)
        assert snapshot.replace(snapshot.check_target(shared)) == 1
    assert peer("SELECT * FROM shared") == [(5,)]
    with database.snapshot(said("SELECT n FROM shared")) as snapshot:
        database.connection.settle()
        peer(anew)
        with pytest.raises(ThanoSQLDatabaseError, match="no row is lost"):
            snapshot.check_target(shared)
    assert peer("SELECT * FROM shared") == [(9,)]


@pytest.mark.parametrize("held", ["first", "second"])
def test_who_reads_two_tables_that_are_replaced_together_is_never_in_a_deadlock(
    database_url: str, peer: Peer, held: str
) -> None:
    """The reader has one of them and asks for the other, while the replacement has that and waits for the one."""
    peer("CREATE TABLE first AS SELECT 1 AS n; CREATE TABLE second AS SELECT 1 AS n")
    peer.raw.autocommit = False
    try:
        peer(f"SELECT n FROM {held}")
        with Database(database_url, lock_timeout=30) as database, ThreadPoolExecutor(1) as pool:
            pid = database.connection.raw.info.backend_pid

            def work() -> list[int]:
                with database.snapshot(said("SELECT 5 AS n")) as one, database.snapshot(said("SELECT 6 AS n")) as two:
                    return database.replace(
                        one.replacing(one.check_target("first")), two.replacing(two.check_target("second"))
                    )

            waiting = pool.submit(work)
            with Database(database_url) as watcher:
                look = f"SELECT count(*) AS n FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'"
                while not watcher.run(said(look))["n"][0]:  # type: ignore[index, call-overload]
                    assert not waiting.done()
            time.sleep(1.2)  # over deadlock_timeout: who asks from now on is the one that finds the deadlock
            assert peer("SELECT first.n + second.n FROM first, second") == [(2,)]
            peer.raw.commit()
            assert waiting.result(30) == [1, 1]
        assert peer("SELECT first.n, second.n FROM first, second") == [(5, 6)]
    finally:
        peer.raw.rollback()
        peer.raw.autocommit = True
        peer("DROP TABLE first, second")
