"""A database for the tests of this folder, and sessions in it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import psycopg2
import pytest

from tests.engine.databases import Peer, close
from thanosql.engine.postgres.database import Database


@pytest.fixture(scope="module")
def database_url(postgres_url: str) -> Iterator[str]:
    """A database that goes when the module is done."""
    name = f"thanosql_test_{secrets.token_hex(4)}"
    server = Peer(postgres_url)
    server(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    server(f"ALTER DATABASE {name} SET synchronous_commit = off")  # hundreds of small commits
    parts = psycopg2.extensions.parse_dsn(postgres_url)
    user = parts.get("user", "")
    password = f":{parts['password']}" if parts.get("password") else ""
    yield f"postgresql://{user}{password}@/{name}?host={parts.get('host', '')}&port={parts.get('port', '5432')}"
    server(f"DROP DATABASE {name} WITH (FORCE)")
    server.raw.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url, lock_timeout=0.5) as session:
        yield session
        close(session, database_url)


@pytest.fixture
def peer(database_url: str) -> Iterator[Peer]:
    session = Peer(database_url)
    yield session
    session.raw.close()


@pytest.fixture
def role(peer: Peer, database_url: str) -> Iterator[Callable[[str], str]]:
    """Make a role that owns nothing: its name in, its URL out."""
    made = []

    def make(name: str) -> str:
        peer(f"CREATE ROLE {name} LOGIN")
        made.append(name)
        return f"postgresql://{name}@{database_url.partition('@')[2]}"

    yield make
    for name in made:
        peer(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")
