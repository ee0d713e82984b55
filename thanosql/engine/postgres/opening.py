"""A database URL in, an open psycopg2 connection set up as a session of ours out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from thanosql.engine.postgres.error_translation import unreachable
from thanosql.errors import ThanoSQLConnectionError

OLDEST = 130_000  # PostgreSQL 13
TEMP_BUFFERS = "64MB"  # at least, of the server's memory; taken when temporary tables need it
# What libpq is told where the URL says nothing of it, in seconds. Firewalls forget a silent connection after minutes,
# and a model may compute for hours: a probe every half a minute keeps it, and tells within two that it has gone.
PARAMETERS = {
    "connect_timeout": "10",
    "application_name": "thanosql",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "15",
    "keepalives_count": "6",
}
# Joins of a statement's temporary tables take a tenth less with more than the 8 MB that PostgreSQL has by itself. A
# session that computes is idle for the server, and is not to be ended for it; a setting that is not there is left out.
SETTINGS = f"""
SELECT set_config(name, wanted, false) FROM (VALUES
    ('temp_buffers', '{TEMP_BUFFERS}'), ('idle_session_timeout', '0'), ('idle_in_transaction_session_timeout', '0')
) v(name, wanted)
WHERE CASE name WHEN 'temp_buffers' THEN pg_size_bytes(current_setting(name)) < pg_size_bytes(wanted)
    ELSE current_setting(name, true) <> wanted END
"""

# A process that was killed, or whose machine has gone, would else keep its locks until its query ends, which may take hours:
# the server looks after the caller of a running query, and asks a silent one's machine whether it is still there. What the
# server is told to do by itself sooner stays; one that cannot do it (before 14, or on some systems) is left as it is.
LOOKED_AFTER = """
SELECT set_config(name, wanted, false) FROM (VALUES
    ('client_connection_check_interval', '2000'),
    ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '15'), ('tcp_keepalives_count', '6')
) v(name, wanted)
WHERE current_setting(name, true) = '0' OR name LIKE 'tcp%' AND current_setting(name)::bigint > wanted::bigint
"""
NOT_YET = re.compile(r"the database system is (starting up|in recovery mode|shutting down|not yet accepting)")
NOT_YET_SECONDS = 20.0  # in which a server that is starting, or recovers from a crash, is asked again
HUNG_UP = "server closed the connection unexpectedly"  # one that a crash ends just now, or what is no PostgreSQL
HUNG_UP_SECONDS = 3.0
PAUSE = 0.1  # seconds


def open_session(url: Callable[[], str]) -> Any:
    """The connection, in autocommit and UTF-8. `url` gives SQLAlchemy's. A server that is just starting is waited for.

    Raises ThanoSQLConnectionError for a URL that cannot be read, a server that cannot be reached or is too old. What shows
    the variables of a traceback (`%xmode Verbose`, `pytest -l`) shows no password: whatever holds one has returned by then.
    """
    opened = _opened(url)
    if isinstance(opened, ThanoSQLConnectionError):
        raise opened
    if opened.server_version < OLDEST:
        version = opened.server_version // 10_000
        opened.close()
        raise ThanoSQLConnectionError(f"ThanoSQL needs PostgreSQL 13 or newer; this server is version {version}.")
    return opened


def _opened(given: Callable[[], str]) -> Any:
    """The connection, or the error that there is none: it is returned, since the variables of this function hold the URL."""
    import psycopg2
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.pool import NullPool

    url = given()
    if url.startswith("postgres://"):
        url = "postgresql://" + url.removeprefix("postgres://")
    where = None
    with suppress(ArgumentError, ValueError):
        where = sqlalchemy.make_url(url)
    if where is None:  # without its cause: that quotes the URL, or a password that stands where the port does
        return ThanoSQLConnectionError(
            "The database URL cannot be read.", hint="It looks like postgresql://user:password@host:5432/database."
        )
    if where.get_backend_name() != "postgresql":
        return ThanoSQLConnectionError(
            f"ThanoSQL works on PostgreSQL; the database URL names {where.get_backend_name()}.",
            hint="It looks like postgresql://user:password@host:5432/database.",
        )
    where = where.set(drivername="postgresql+psycopg2")
    where = where.update_query_dict({name: said for name, said in PARAMETERS.items() if name not in where.query})
    try:
        engine = sqlalchemy.create_engine(
            where, poolclass=NullPool, isolation_level="AUTOCOMMIT", use_native_hstore=False
        )
        return _once_started(engine)
    except (sqlalchemy.exc.SQLAlchemyError, psycopg2.Error) as error:
        refused = unreachable(error, where)
        refused.__cause__ = _without_variables(error)
        return refused


def _without_variables(error: BaseException) -> BaseException:
    """The error and its causes, without the places that they passed: the variables there hold the password."""
    one: BaseException | None = error
    while one is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return error


def _once_started(engine: Any) -> Any:
    import psycopg2
    from sqlalchemy.exc import OperationalError

    begun = time.monotonic()
    while True:
        try:
            return _driver_connection(engine)
        except (OperationalError, psycopg2.OperationalError) as error:
            said = str(error)
            patience = NOT_YET_SECONDS if NOT_YET.search(said) else HUNG_UP_SECONDS if HUNG_UP in said else 0
            if time.monotonic() - begun >= patience:
                raise
        time.sleep(PAUSE)


def _driver_connection(engine: Any) -> Any:
    import psycopg2

    lent = engine.raw_connection()
    raw = lent.driver_connection
    lent.detach()  # ours to close: a statement's temporary tables live as long as it does
    raw.autocommit = True
    raw.set_client_encoding("UTF8")
    with raw.cursor() as cursor:
        cursor.execute(SETTINGS)
        with suppress(psycopg2.DatabaseError):
            cursor.execute(LOOKED_AFTER)
    return raw
