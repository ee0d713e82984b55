"""A connection in; a transaction in which several queries see the database as it was at one moment, out.

A query with statements of ours in it is several queries to PostgreSQL, minutes apart: without this, a row that another
session deletes meanwhile would be recognized and then missing from the join. The price is PostgreSQL's own for a long
query: until it is over, what it reads cannot be altered or dropped, and VACUUM leaves what it may still see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from thanosql.engine.language.syntax import SQL
from thanosql.engine.language.terminals import SPACE, lexeme
from thanosql.engine.postgres.connection import Connection
from thanosql.engine.postgres.query_errors import first_word

STEP, WHOLE = "thanosql_step", "thanosql_whole"
READS = {"select", "with", "values", "table", "create"}  # what one moment is for begins with
CHANGES = {"INSERT", "UPDATE", "DELETE", "MERGE", "SHARE"}
SEQUENCES = frozenset({"NEXTVAL", "SETVAL"})
_CHANGES = re.compile("|".join([*CHANGES, *SEQUENCES]), re.IGNORECASE)

# A large table is else read from where another scan of it stopped, and its rows come in another order. While a model
# computes nothing is asked of the server, which is no reason to end the transaction.
UNHURRIED = (
    "SELECT set_config(name, CASE name WHEN 'synchronize_seqscans' THEN 'off' ELSE '0' END, true) FROM pg_settings"
    " WHERE name IN ('synchronize_seqscans', 'idle_in_transaction_session_timeout', 'transaction_timeout')"
)


@contextmanager
def one_moment(connection: Connection, begin: str = "BEGIN ISOLATION LEVEL REPEATABLE READ") -> Iterator[bool]:
    """What is asked for within sees the database as it was when the first of it was asked: one REPEATABLE READ transaction,
    which ends with COMMIT, or goes on where `leave_open` was called. False within a transaction of the user's, which is
    what it is, and within another such moment.
    """
    with connection.turn:
        if connection.in_transaction:
            yield False
            return
        connection.execute(begin)
        connection.in_one_moment = True
        try:
            connection.values(UNHURRIED)
            yield True
            if connection.in_transaction:
                connection.execute("COMMIT")
        except BaseException:
            connection.roll_back()
            raise
        finally:
            connection.in_one_moment = False


@contextmanager
def all_or_nothing(connection: Connection) -> Iterator[None]:
    """What is done within is done whole or not at all, also where the fault is none of PostgreSQL's: one transaction, of
    the session's default isolation (with READ COMMITTED each part sees what others have committed by then), or a part of
    the user's.
    """
    with one_moment(connection, "BEGIN") as began:
        if began:
            yield
            return
        with _savepoint(connection, WHOLE):
            yield


@contextmanager
def step(connection: Connection) -> Iterator[None]:
    """All or nothing; within `one_moment` a part of its transaction, which does not fail with it."""
    if not connection.in_one_moment:
        with connection.transaction():
            yield
        return
    with _savepoint(connection, STEP):
        yield


@contextmanager
def _savepoint(connection: Connection, name: str) -> Iterator[None]:
    """A part of a transaction, which is taken back alone where it fails."""
    connection.execute(f"SAVEPOINT {name}")
    try:
        yield
    except BaseException:
        connection.roll_back(name)
        raise
    connection.execute(f"RELEASE SAVEPOINT {name}")


def repeats_reads(connection: Connection) -> bool:
    """Whether the user's transaction sees the database at one moment."""
    ((level,),) = connection.values("SHOW transaction_isolation")
    return level in ("repeatable read", "serializable")


def only_reads(query: SQL, also: frozenset[str] = frozenset()) -> bool:
    """Whether a statement with others in it changes and locks no row that is there, as far as its words tell; none of those in
    `also` stands in it either.

    What changes a row must see the row as it is by then: in one moment with what ran for an hour before it, it would fail
    for every row that another session has changed meanwhile.

    >>> only_reads(SQL.of("SELECT 'update' FROM t")), only_reads(SQL.of("WITH d AS (DELETE FROM t RETURNING *) TABLE d"))
    (True, False)
    """
    plain = query.plain
    if first_word(query) not in READS and not plain.lstrip(SPACE).startswith("("):
        return False
    at = 0
    while _CHANGES.search(plain, at):
        word = lexeme(plain, at)
        if word.upper in CHANGES | also or not word.kind:
            return not word.kind
        at = word.end
    return True
