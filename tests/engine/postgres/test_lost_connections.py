"""A connection that a server, a pooler or an administrator ends: the result and the first error stay, the cure is said."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.engine.databases import Peer, said
from thanosql.engine.postgres.cursor_snapshot import CursorSnapshot
from thanosql.engine.postgres.database import Column, Database
from thanosql.engine.postgres.driver import Driver
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLDatabaseError

NUMBERS = said("SELECT i FROM generate_series(1, 3) i")


def end(database: Database, peer: Peer) -> None:
    """End the database's session from another one."""
    pid = database.connection.raw.info.backend_pid
    peer("SELECT pg_terminate_backend(%s, 5000)", pid)


def end_and_fail(database: Database, peer: Peer) -> None:
    end(database, peer)
    raise ZeroDivisionError


def setting(database: Database, name: str) -> str:
    return str(database.connection.values("SELECT current_setting(%s)", name)[0][0])


def test_a_server_that_died_since_it_was_named_is_asked_for_again(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    named = iter([f"postgresql://me@127.0.0.1:{port}/x", database_url])  # nobody listens at the first one any more
    driver = Driver(lambda: next(named))
    try:
        assert driver.raw.info.dbname
    finally:
        driver.close()


def test_a_session_is_never_ended_for_being_idle(database: Database, database_url: str, peer: Peer) -> None:
    timeouts = ["idle_in_transaction_session_timeout"]
    if database.server_version >= 140_000:
        timeouts.append("idle_session_timeout")
    name = peer("SELECT current_database()")[0][0]
    for timeout in timeouts:
        peer(f"ALTER DATABASE {name} SET {timeout} = '1min'")
    try:
        with Database(database_url) as other:
            assert [setting(other, timeout) for timeout in timeouts] == ["0"] * len(timeouts)
    finally:
        for timeout in timeouts:
            peer(f"ALTER DATABASE {name} RESET {timeout}")


def test_a_connection_is_kept_alive_unless_its_url_says_otherwise(database: Database, database_url: str) -> None:
    parameters = database.connection.raw.info.dsn_parameters
    assert (parameters["keepalives"], parameters["keepalives_idle"]) == ("1", "30")
    joint = "&" if "?" in database_url else "?"
    with Database(f"{database_url}{joint}keepalives_idle=7&keepalives=0") as other:
        parameters = other.connection.raw.info.dsn_parameters
        assert (parameters["keepalives"], parameters["keepalives_idle"]) == ("0", "7")


def test_a_users_own_timeout_does_not_end_a_statement_that_computes(database: Database) -> None:
    if database.server_version < 140_000:
        pytest.skip("idle_session_timeout is PostgreSQL 14's")
    database.run(said("SET idle_session_timeout = '500ms'"))
    with database.snapshot(NUMBERS) as snapshot:
        assert [number for number, _ in snapshot.stream(snapshot.columns[0])] == [1, 2, 3]
        time.sleep(1.0)
        assert len(snapshot.frame()) == 3
    assert setting(database, "idle_session_timeout") == "500ms"


def test_closing_a_snapshot_whose_connection_has_gone_is_logged_and_not_raised(
    database: Database, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "thanosql"), database.snapshot(NUMBERS) as snapshot:
        rows = list(snapshot.stream(snapshot.columns[0]))
        end(database, peer)
    assert len(rows) == 3
    assert "connection" in caplog.text


def test_closing_a_snapshot_does_not_hide_the_error_under_which_it_closes(database: Database, peer: Peer) -> None:
    with pytest.raises(ZeroDivisionError), database.snapshot(NUMBERS):
        end_and_fail(database, peer)


def test_closing_a_snapshot_of_a_read_only_session_does_not_raise(database: Database, peer: Peer) -> None:
    database.run(said("SET default_transaction_read_only = on"))
    with database.snapshot(NUMBERS) as snapshot:
        assert isinstance(snapshot, CursorSnapshot)
        end(database, peer)


def test_dropping_a_temporary_table_whose_session_has_gone_does_not_raise(database: Database, peer: Peer) -> None:
    table = database.temporary([Column("n", "bigint")], [(1,)])
    end(database, peer)
    database.drop_temporary(table)
    assert database.run(said("SELECT 1 AS n"))["n"].tolist() == [1]


def test_dropping_a_temporary_table_that_is_refused_does_not_raise(database: Database) -> None:
    table = database.temporary([Column("n", "bigint")], [(1,)])
    database.run(said(f"CREATE TEMP VIEW seen AS SELECT * FROM {table}"))
    database.drop_temporary(table)


def test_closing_a_session_that_has_gone_does_not_raise(database: Database, peer: Peer) -> None:
    database.snapshot(NUMBERS)
    end(database, peer)
    database.close()
    database.close()


def test_a_transaction_that_is_lost_keeps_the_first_error(database: Database, peer: Peer) -> None:
    with pytest.raises(ZeroDivisionError), database.connection.transaction():
        end_and_fail(database, peer)
    assert database.run(said("SELECT 1 AS n"))["n"].tolist() == [1]


@pytest.mark.parametrize("state", ["57P01", "57P02", "57P03", "08000", "08003", "08006"])
def test_a_connection_that_lives_is_never_called_lost(database: Database, state: str) -> None:
    pid = database.connection.raw.info.backend_pid
    with pytest.raises(ThanoSQLDatabaseError) as caught:
        database.run(said(f"DO $$ BEGIN RAISE EXCEPTION 'said by a function' USING ERRCODE = '{state}'; END $$"))
    assert caught.value.sqlstate == state
    assert database.connection.raw.info.backend_pid == pid


def test_a_socket_that_is_cut_is_a_lost_connection(database: Database) -> None:
    """What a pooler or a firewall does: no word of the server's, the line is dead."""
    descriptor = os.dup(database.connection.raw.fileno())
    with socket.socket(fileno=descriptor) as line:
        line.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ThanoSQLConnectionError, match="lost"):
        database.run(NUMBERS)
    assert len(database.run(NUMBERS)) == 3


def test_rows_that_a_lost_session_held_say_so(database: Database, peer: Peer) -> None:
    frame = database.run(said("SELECT i FROM generate_series(1, 500) i"), at_once=10)
    end(database, peer)
    with pytest.raises(ThanoSQLConnectionError):
        len(frame)


def test_a_server_stops_working_for_a_caller_that_was_killed(database: Database, database_url: str, peer: Peer) -> None:
    """Its query would else keep its locks until it ends, and nobody could replace what it reads."""
    if database.server_version < 140_000:
        pytest.skip("client_connection_check_interval is PostgreSQL 14's")
    peer("CREATE TABLE read_by_it AS SELECT 1 AS a")
    query = "SELECT count(*) FROM read_by_it, generate_series(1, 100000000000) g"
    code = (
        f"import sys; from tests.engine.databases import Database; Database(sys.argv[1]).connection.execute({query!r})"
    )
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM read_by_it%' AND state = 'active'"
    )
    child = subprocess.Popen([sys.executable, "-c", code, database_url])
    try:
        assert becomes(peer, running, 1)
    finally:
        child.kill()
        child.wait()
    assert becomes(peer, running, 0)
    peer("DROP TABLE read_by_it")


def becomes(peer: Peer, count: str, wanted: int) -> bool:
    deadline = time.monotonic() + 120
    while peer(count) != [(wanted,)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_silent_callers_of_other_machines_are_asked_whether_they_are_there(database: Database) -> None:
    raw = database.connection.raw
    if not raw.info.host or raw.info.host.startswith("/"):
        pytest.skip("this server is called by a socket of its machine")
    assert setting(database, "tcp_keepalives_idle") == "30"


def test_a_server_that_is_not_ready_yet_is_waited_for() -> None:
    """It says so to whoever calls while it recovers from a crash of one of its processes."""
    with socket.socket(socket.AF_INET) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        calls: list[str] = []
        words = ["", "the database system is in recovery mode", "the database system is starting up", "no such role"]

        def answer() -> None:
            for said in words:
                caller, _ = server.accept()
                with caller:
                    caller.recv(8)  # asks for TLS
                    caller.sendall(b"N")
                    caller.recv(1024)
                    calls.append(said)
                    if not said:  # as one whom the crash ends while it says hello
                        continue
                    body = b"SFATAL\0C57P03\0M" + said.encode() + b"\0\0"
                    caller.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"postgresql://someone@127.0.0.1:{server.getsockname()[1]}/any?gssencmode=disable"
        with pytest.raises(ThanoSQLConnectionError, match="no such role"), Database(address) as database:
            database.run(said("SELECT 1"))
        thread.join(30)
    assert calls == words
