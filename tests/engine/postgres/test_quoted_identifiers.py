"""quote_all_identifiers makes the server write every name in quotes, those of types too: nothing of ours depends on it."""

from __future__ import annotations

import pytest

from tests.engine.databases import Peer, said
from thanosql.engine.postgres.database import Column, Database

TYPES = "bigint text bytea boolean jsonb numeric(10,2) text[] timestamptz varchar(3) character(2) interval date".split()


@pytest.fixture(autouse=True)
def quoting(database: Database) -> None:
    database.run(said("SET quote_all_identifiers = on"))


@pytest.mark.parametrize("type_name", TYPES)
def test_columns_have_the_types_they_have_without_it(database: Database, type_name: str) -> None:
    query = said(f"SELECT NULL::{type_name} AS v, ''::\"char\" AS c")
    with database.snapshot(query) as snapshot:
        found = snapshot.columns
    database.run(said("SET quote_all_identifiers = off"))
    with database.snapshot(query) as snapshot:
        assert snapshot.columns == found


def test_bytes_are_streamed_and_arrays_and_json_are_written(database: Database) -> None:
    with database.snapshot(said("SELECT '\\x00ff'::bytea AS audio")) as snapshot:
        assert list(snapshot.stream(*snapshot.columns)) == [(1, b"\x00\xff")]
        snapshot.write([Column("a", "jsonb"), Column("b", "text[]")], [(1, {"x": 1}, ["a,b", None])])
        frame = snapshot.frame()
    assert frame["a"].tolist() == [{"x": 1}]
    assert frame["b"].tolist() == [["a,b", None]]


def test_a_table_is_replaced_with_all_it_has(database: Database, peer: Peer) -> None:
    peer("DROP TABLE IF EXISTS quoting; CREATE TYPE \"Mood\" AS ENUM ('good')")
    peer(
        "CREATE TABLE quoting (n bigint PRIMARY KEY CHECK (n > 0), said text DEFAULT 'x', mood \"Mood\","
        " id bigint GENERATED ALWAYS AS IDENTITY, twice bigint GENERATED ALWAYS AS (n * 2) STORED)"
    )
    peer("CREATE INDEX quoting_said ON quoting (lower(said)) WHERE n > 1; GRANT SELECT ON quoting TO PUBLIC")
    peer("INSERT INTO quoting (n) VALUES (1), (2)")
    before = peer("SELECT indexdef FROM pg_indexes WHERE tablename = 'quoting' ORDER BY 1")
    with database.snapshot(said("SELECT * FROM quoting")) as snapshot:
        assert snapshot.replace(snapshot.check_target("quoting")) == 2
    assert peer("SELECT indexdef FROM pg_indexes WHERE tablename = 'quoting' ORDER BY 1") == before
    assert peer("SELECT has_table_privilege('public', 'quoting', 'SELECT')") == [(True,)]
    assert peer("SELECT n, said, id, twice FROM quoting ORDER BY n") == [(1, "x", 1, 2), (2, "x", 2, 4)]
    peer('DROP TABLE quoting; DROP TYPE "Mood"')
