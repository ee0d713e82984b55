"""A session among threads and processes: who waits for whom, how a statement is stopped, what is said of it."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import thanosql
from tests.engine.databases import Peer, until_it_sleeps, until_it_waits
from tests.waiting import interrupted, until_main_is_in
from thanosql.default_session import use
from thanosql.engine.lifecycle.interruption import Interrupted, Left
from thanosql.engine.planner import Environment
from thanosql.engine.session import Session
from thanosql.errors import (
    ThanoSQLCancelledError,
    ThanoSQLConnectionError,
    ThanoSQLDatabaseError,
    ThanoSQLOptionError,
    ThanoSQLSyntaxError,
)

LONG = 120.0  # seconds: the limit of what takes none, for a defect


@pytest.fixture
def session(database_url: str, tmp_path: Path) -> Any:
    with thanosql.connect(database_url, home=tmp_path / "home") as opened:
        opened.execute("SELECT 1")
        yield opened


def in_a_thread(work: Callable[[], Any]) -> Future[Any]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


@contextmanager
def held(peer: Peer) -> Iterator[str]:
    """A query that lasts until the block's end."""
    peer("SELECT pg_advisory_lock(7)")
    try:
        yield "SELECT pg_advisory_lock(7), pg_advisory_unlock(7), 7 AS n"
    finally:
        peer("SELECT pg_advisory_unlock_all()")


def backend(session: Session) -> int:
    return int(session.execute("SELECT pg_backend_pid() AS pid")["pid"][0])


def test_rows_that_are_fetched_later_wait_for_the_statement_of_another_thread(session: Session, peer: Peer) -> None:
    pid = backend(session)
    frame = session.run("SELECT i FROM generate_series(1, 20000) i", at_once=10).rows
    assert frame is not None
    released = threading.Event()

    def release() -> None:
        until_main_is_in("take", "turn.py")
        released.set()

    with held(peer) as query:
        holding = in_a_thread(lambda: session.execute(query))
        until_it_waits(peer, pid)
        releasing = in_a_thread(lambda: (release(), peer("SELECT pg_advisory_unlock(7)")))
        assert len(frame) == 20000
        assert released.is_set()
        releasing.result()
    assert holding.result(LONG)["n"].tolist() == [7]


def test_another_threads_rows_do_not_end_the_moment_of_a_statement(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thanosql.engine.postgres import snapshot

    session.execute("CREATE TABLE moment AS SELECT 'a.wav' AS audio_path, 'a' AS text")
    frame = session.run("SELECT i FROM generate_series(1, 20000) i", at_once=10).rows
    looked: list[Future[Any]] = []
    find = snapshot.find

    def slowly(*given: Any) -> Any:
        looked.append(in_a_thread(lambda: len(frame)))  # type: ignore[arg-type]
        time.sleep(0.3)
        return find(*given)

    monkeypatch.setattr(snapshot, "find", slowly)
    session.execute(
        "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='moment', on_error='null') AS SELECT audio_path, text FROM moment"
    )
    assert [one.result(LONG) for one in looked] == [20000]
    session.execute("DROP TABLE moment")


def test_many_threads_share_a_session(session: Session) -> None:
    def work(number: int) -> int:
        frame = session.run(f"SELECT i FROM generate_series(1, {1000 + number}) i", at_once=10).rows
        assert frame is not None
        return len(frame.index)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(100))) == list(range(1000, 1100))


def test_who_waits_is_not_passed_by_who_asks_again_and_again(session: Session) -> None:
    over = threading.Event()
    passed: list[None] = []

    def again() -> None:
        while not over.is_set():
            session.execute("SELECT pg_sleep(0.02)")
            passed.append(None)

    busy = in_a_thread(again)
    for _ in range(10):
        session.execute("SELECT 1")
    over.set()
    busy.result()
    assert len(passed) < 1000  # by turns it is 10 or 20


def test_cancel_stops_a_query_of_another_thread(session: Session, peer: Peer) -> None:
    running = in_a_thread(lambda: session.execute("SELECT pg_sleep(60)"))
    until_it_sleeps(peer, session.database)
    session.cancel()
    with pytest.raises(ThanoSQLCancelledError, match="cancelled"):
        running.result(LONG)
    assert session.execute("SELECT 1 AS n")["n"].tolist() == [1]


def test_cancel_stops_work_between_its_steps_and_leaves_no_table(session: Session, fsdd: Path, peer: Peer) -> None:
    begun, stopped = threading.Event(), threading.Event()
    wavs = ", ".join(f"('{path}')" for path in sorted(fsdd.glob("*.wav"))[:200])

    def progress(_: Any) -> None:
        begun.set()
        stopped.wait(LONG)

    running = in_a_thread(
        lambda: session.run(
            "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='stopped', batch_size=1) AS "
            f"SELECT * FROM (VALUES {wavs}) v(audio_path)",
            progress=progress,
        )
    )
    assert begun.wait(LONG)
    session.cancel()
    stopped.set()
    with pytest.raises(ThanoSQLCancelledError):
        running.result(LONG)
    assert peer("SELECT to_regclass('stopped')") == [(None,)]
    assert session.execute("SELECT 1 AS n")["n"].tolist() == [1]


def test_cancel_without_a_statement_does_nothing(session: Session) -> None:
    session.cancel()
    assert session.execute("SELECT 1 AS n")["n"].tolist() == [1]


def test_cancel_stops_the_statements_behind_as_well(session: Session, peer: Peer) -> None:
    running = in_a_thread(lambda: session.execute("SELECT pg_sleep(60); CREATE TABLE behind (n int)"))
    until_it_sleeps(peer, session.database)
    session.cancel()
    with pytest.raises(ThanoSQLCancelledError):
        running.result(LONG)
    assert peer("SELECT to_regclass('behind')") == [(None,)]


@pytest.mark.parametrize("closing", ["close", "use"])
def test_a_session_that_is_closed_stops_its_statement_and_says_so(session: Session, peer: Peer, closing: str) -> None:
    running = in_a_thread(lambda: session.execute("SELECT pg_sleep(60)"))
    until_it_sleeps(peer, session.database)
    if closing == "close":
        session.close()
    else:
        use(session)
        use(Session(session.settings.database_url))
    with pytest.raises(ThanoSQLConnectionError, match="closed while"):
        running.result(LONG)


def test_an_error_that_came_first_is_not_called_cancelled(session: Session) -> None:
    def progress(_: Any) -> None:
        session.cancel()

    with pytest.raises(ThanoSQLDatabaseError, match="does not exist"):
        session.run("SELECT * FROM nowhere", progress=progress)
    with pytest.raises(ThanoSQLSyntaxError):
        session.run("PREDICT USING", progress=progress)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT pg_sleep(60)", "Tables and models are as they were."),
        ("SELECT pg_sleep(60); SELECT 1", "statement 1 of 2, which left tables and models as they were."),
        ("CREATE TABLE first (n int); SELECT pg_sleep(60)", "statement 2 of 2.*The one before it stays done."),
        (
            "DO $$ BEGIN CREATE TABLE first (n int); COMMIT; PERFORM pg_sleep(60); END $$",
            "What it had committed.*stays",
        ),
        (
            "CREATE PROCEDURE two() LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE first (n int); COMMIT;"
            " PERFORM pg_sleep(60); END $$; CALL two()",
            "statement 2 of 2, and what it had committed by then stays. The one before it stays done.",
        ),
        ("SELECT 1; SELECT 2; SELECT pg_sleep(60)", "statement 3 of 3.*Those before it stay done."),
    ],
)
def test_an_interrupt_says_which_statement_it_ended(session: Session, peer: Peer, sql: str, said: str) -> None:
    with pytest.raises(Interrupted, match=said), interrupted(lambda: until_it_sleeps(peer, session.database)):
        session.execute(sql)
    if "first" in sql:
        assert peer("SELECT to_regclass('first')") == [("first",)]
    peer("DROP TABLE IF EXISTS first")
    peer("DROP PROCEDURE IF EXISTS two")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("", "Its tables and models were saved before."),
        ("SELECT 1; ", "statement 2 of 2, whose tables and models were saved"),
    ],
)
def test_an_interrupt_behind_the_last_step_says_that_all_is_saved(
    session: Session, peer: Peer, monkeypatch: pytest.MonkeyPatch, before: str, said: str
) -> None:
    replace = session.database.replace

    def replace_and_be_interrupted(*changes: Any) -> list[int]:
        replaced = replace(*changes)
        monkeypatch.setattr(Environment, "__setattr__", interrupted_at("left"))
        return replaced

    def interrupted_at(name: str) -> Any:
        def assign(environment: Environment, attribute: str, value: Any) -> None:
            object.__setattr__(environment, attribute, value)
            if attribute == name and value is Left.SAVED:
                monkeypatch.undo()
                raise KeyboardInterrupt

        return assign

    monkeypatch.setattr(session.database, "replace", replace_and_be_interrupted)
    with pytest.raises(Interrupted, match=said):
        session.execute(
            before + "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard', on_error='null') AS "
            "SELECT 'nowhere.wav' AS audio_path"
        )
    assert peer("SELECT count(*) FROM heard") == [(1,)]
    peer("DROP TABLE heard")


def answer(queue: Any, session: Session, sql: str) -> None:
    queue.put(session.execute(sql).iloc[:, 0].tolist())


def from_a_child(session: Session, sql: str) -> list[Any]:
    """What a forked process hears in its parent's session."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=answer, args=(queue, session, sql))
    child.start()
    try:
        return list(queue.get(timeout=LONG))
    finally:
        child.kill()
        child.join()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(session: Session) -> None:
    session.execute("CREATE TEMP TABLE ours (n int)")
    ours = session.execute("SELECT pg_backend_pid() AS pid")["pid"].tolist()
    frame = session.run("SELECT i FROM generate_series(1, 500) i", at_once=10).rows
    assert from_a_child(session, "SELECT pg_backend_pid() AS pid") != ours
    assert session.execute("SELECT pg_backend_pid() AS pid")["pid"].tolist() == ours
    assert session.execute("SELECT count(*) AS n FROM ours")["n"].tolist() == [0]
    assert frame is not None
    assert len(frame) == 500


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_another_thread_works_does_not_wait_for_it(session: Session, peer: Peer) -> None:
    pid = backend(session)
    with held(peer) as query:
        running = in_a_thread(lambda: session.execute(query))
        until_it_waits(peer, pid)
        assert from_a_child(session, "SELECT 5 AS n") == [5]
        assert not running.done()
    assert running.result(LONG)["n"].tolist() == [7]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_predicts(session: Session, fsdd: Path) -> None:
    sql = f"PREDICT USING Wav2Vec2Tiny AS SELECT '{fsdd / '7_george_0.wav'}' AS audio_path"
    heard = session.execute(sql).iloc[:, 1].tolist()
    assert from_a_child(session, f"SELECT predict_result FROM ({sql}) p") == heard


def test_a_list_that_holds_itself_is_no_parameter(session: Session) -> None:
    endless: list[Any] = []
    endless.append(endless)
    deep: dict[str, Any] = {}
    deep["deep"] = deep
    for given in (endless, (endless,), deep):
        with pytest.raises(ThanoSQLOptionError, match="cannot be sent"):
            session.execute("SELECT :p", {"p": given})


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        (r"SELECT 'it\'s; fine' AS v", "it's; fine"),
        (r"SELECT 'a\\' AS v", "a\\"),
        (r"SELECT 'a'''||'\n'||'''' AS v", "a'\n'"),
        (r"SELECT $$a\$$ || E'\'' || '\'' AS v", r"a\''"),
        (r"""SELECT 1 AS "x\" WHERE 'a' = 'b' UNION ALL SELECT 2 -- it's \'""", 2),
        (r"/* it's \' */ SELECT CASE WHEN true THEN'\'' END AS v", "'"),
        ("SELECT 'plain' AS v", "plain"),
        (r"SELECT N'a\'b' AS v", "a'b"),
        (r"SELECT n'\\' || N'c' AS v", "\\c"),
        (r"SELECT pg_typeof(N'a\'')::text AS v", "character"),
    ],
)
def test_backslashes_escape_where_standard_conforming_strings_is_off(session: Session, sql: str, value: Any) -> None:
    session.execute("SET standard_conforming_strings = off; SET escape_string_warning = off")
    assert session.execute(sql).iloc[0, 0] == value


def test_a_unicode_string_is_left_to_the_server_where_backslashes_escape(session: Session) -> None:
    session.execute("SET standard_conforming_strings = off")
    with pytest.raises(ThanoSQLDatabaseError, match="unsafe use of string constant"):
        session.execute(r"SELECT U&'a\' || 'b'")


def test_an_unclosed_string_is_refused_as_ever_where_backslashes_escape(session: Session) -> None:
    session.execute("SET standard_conforming_strings = off")
    with pytest.raises(ThanoSQLSyntaxError, match="never closed"):
        session.execute(r"SELECT 'a\'")


def test_what_the_caller_s_progress_raises_is_no_defect_of_ours(session: Session, peer: Peer) -> None:
    def progress(_: Any) -> None:
        raise KeyError("the caller's own")

    session.execute("GET THANOSQL DATASET spoken_numbers")
    with pytest.raises(KeyError, match="the caller's own"):
        session.run(
            "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='reported') AS "
            "SELECT 'thanosql-dataset/spoken_numbers/test/0001.flac' AS audio_path",
            progress=progress,
        )
    assert peer("SELECT to_regclass('reported')") == [(None,)]
    assert session.execute("SELECT 1 AS n")["n"].tolist() == [1]
