"""A table replaced in one step: what others see meanwhile, what is taken over, what is refused, and that no row is
lost."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import psycopg2
import pytest

from tests.engine.databases import Peer, said
from thanosql.engine.language.syntax import SQL
from thanosql.engine.postgres.database import Column, Database, Snapshot
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLOptionError

PREDICTION = Column("predict_result", "text")


def predict(database: Database, query: str, table: str, between: Callable[[], object] = lambda: None) -> int:
    """What PREDICT … table_name does, with a recognizer that says 'heard N' of row N."""
    with database.snapshot(said(query)) as snapshot:
        target = snapshot.check_target(table)
        between()
        snapshot.write([PREDICTION], ((row, f"heard {row}") for row in range(1, snapshot.rows + 1)))
        return snapshot.replace(target)


@pytest.fixture
def clean(peer: Peer) -> Iterator[Peer]:
    """The other session in a schema of this test's own."""
    peer("DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s; SET search_path = s, public")
    yield peer
    peer("DROP SCHEMA IF EXISTS s CASCADE")


@pytest.fixture
def calls(clean: Peer) -> Peer:
    clean(
        "CREATE TABLE s.calls (id int, path text); INSERT INTO s.calls SELECT i, 'p' || i FROM generate_series(1, "
        "100) i"
    )
    return clean


def columns(peer: Peer, table: str) -> list[tuple[str, str]]:
    return peer(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass"
        " AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        table,
    )


def test_a_table_that_is_not_there_is_made(database: Database, calls: Peer) -> None:
    assert predict(database, "SELECT * FROM s.calls ORDER BY id DESC", "s.heard") == 100
    assert columns(calls, "s.heard") == [("id", "integer"), ("path", "text"), ("predict_result", "text")]
    assert calls("SELECT * FROM s.heard LIMIT 2") == [(100, "p100", "heard 1"), (99, "p99", "heard 2")]


def test_a_table_is_replaced_by_a_query_that_reads_it(database: Database, calls: Peer) -> None:
    for _ in range(2):
        assert predict(database, "SELECT * FROM s.calls", "s.calls") == 100
    assert columns(calls, "s.calls") == [("id", "integer"), ("path", "text"), ("predict_result", "text")]
    assert calls("SELECT count(*), count(DISTINCT predict_result) FROM s.calls") == [(100, 100)]


@pytest.mark.parametrize(
    ("name", "schema", "table"),
    [
        ("S.New", "s", "new"),
        ('"s"."New Table"', "s", "New Table"),
        ('s."a""b"', "s", 'a"b'),
        (" s . 가나다 ", "s", "가나다"),
        ('s."' + "x" * 63 + '"', "s", "x" * 63),
        ("unqualified", "public", "unqualified"),
    ],
)
def test_a_name_is_read_as_postgresql_reads_it(
    database: Database, clean: Peer, name: str, schema: str, table: str
) -> None:
    for _ in range(2):
        assert predict(database, "SELECT 1 AS a", name) == 1
    assert clean("SELECT count(*) FROM pg_tables WHERE schemaname = %s AND tablename = %s", schema, table) == [(1,)]
    clean(f'DROP TABLE {schema}."{table.replace(chr(34), chr(34) * 2)}"')


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "cannot be a table's name"),
        ("a b", "cannot be a table's name"),
        ('"open', "cannot be a table's name"),
        ("a.b.c.d", "cannot be a table's name"),
        ("other.s.t", "another database"),
        ("x" * 64, "63 bytes"),
        ("가" * 22, "63 bytes"),
        ("a\0b", "cannot be a table's name: SQL cannot hold the character NUL"),
        ('s."\0"', "cannot hold the character NUL"),
        ("\ud800", "cannot hold half a surrogate pair"),
    ],
)
def test_a_name_that_can_be_none_is_refused(database: Database, name: str, words: str) -> None:
    with database.snapshot(said("SELECT 1 AS a")) as snapshot, pytest.raises(ThanoSQLOptionError, match=words):
        snapshot.check_target(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.t", "nowhere.*does not exist"),
        ("pg_class", "PostgreSQL's own"),
        ("pg_catalog.mine", "PostgreSQL's own"),
    ],
)
def test_a_place_where_no_table_may_stand_is_refused(database: Database, name: str, words: str) -> None:
    with database.snapshot(said("SELECT 1 AS a")) as snapshot, pytest.raises(ThanoSQLDatabaseError, match=words):
        snapshot.check_target(name)


def test_readers_see_the_old_table_or_the_new_one_and_nothing_else(
    database: Database, calls: Peer, database_url: str
) -> None:
    seen: set[tuple[int, int]] = set()
    over = threading.Event()
    failures: list[BaseException] = []

    def poll() -> None:
        reader = Peer(database_url)
        try:
            while not over.is_set():
                ((text,),) = reader("SELECT json_agg(c)::text FROM (SELECT * FROM s.calls) c")
                seen.add((text.count('"id"'), text.count('"predict_result"')))
        except BaseException as error:  # kept for the test's own thread
            failures.append(error)
        finally:
            reader.raw.close()

    polling = threading.Thread(target=poll)
    polling.start()
    try:
        for _ in range(4):
            predict(database, "SELECT id, path FROM s.calls", "s.calls")
            predict_nothing(database)
    finally:
        over.set()
        polling.join()
    assert not failures
    assert seen == {(100, 0), (100, 100)}


def predict_nothing(database: Database) -> None:
    with database.snapshot(said("SELECT id, path FROM s.calls")) as snapshot:
        snapshot.replace(snapshot.check_target("s.calls"))


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO s.calls VALUES (101, 'late')",
        "UPDATE s.calls SET path = 'late' WHERE id = 7",
        "DELETE FROM s.calls WHERE id = 7",
        "TRUNCATE s.calls",
        "ALTER TABLE s.calls ADD COLUMN late int",
        "ALTER TABLE s.calls RENAME COLUMN path TO late",
        "DROP TABLE s.calls; CREATE TABLE s.calls AS SELECT 1 AS late",
    ],
)
def test_what_another_session_wrote_meanwhile_is_not_lost(database: Database, calls: Peer, write: str) -> None:
    after: list[object] = []

    def meddle() -> None:
        calls(write)
        after.append((columns(calls, "s.calls"), calls("SELECT * FROM s.calls")))

    with pytest.raises(ThanoSQLDatabaseError, match="nother session") as caught:
        predict(database, "SELECT * FROM s.calls", "s.calls", meddle)
    assert caught.value.sqlstate == "40001"
    assert [(columns(calls, "s.calls"), calls("SELECT * FROM s.calls"))] == after
    assert calls("SELECT count(*) FROM pg_class WHERE relname LIKE 'thanosql_staging%'") == [(0,)]


def test_a_write_between_the_query_and_the_check_of_the_target_is_seen_too(database: Database, calls: Peer) -> None:
    with database.snapshot(said("SELECT * FROM s.calls")) as snapshot:
        calls("DELETE FROM s.calls WHERE id = 7")
        target = snapshot.check_target("s.calls")
        with pytest.raises(ThanoSQLDatabaseError, match="no row is lost"):
            snapshot.replace(target)
    assert calls("SELECT count(*) FROM s.calls") == [(99,)]


def test_a_query_that_reads_the_target_through_a_function_has_read_it(database: Database, calls: Peer) -> None:
    calls(
        "CREATE FUNCTION s.all_calls() RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT path "
        "FROM s.calls; END$$"
    )
    with pytest.raises(ThanoSQLDatabaseError, match="no row is lost"):
        predict(
            database, "SELECT * FROM s.all_calls()", "s.calls", lambda: calls("INSERT INTO s.calls VALUES (0, 'late')")
        )


@pytest.mark.parametrize("late", [False, True])
def test_a_target_that_a_nested_statement_read_is_one_that_the_query_read(
    database: Database, calls: Peer, late: bool
) -> None:
    def query() -> SQL:
        with database.snapshot(said("SELECT * FROM s.calls WHERE id < 5")) as nested:
            return said(f"SELECT * FROM {nested.into_temporary()}")

    with database.snapshot_at_one_moment(query) as snapshot:
        target = snapshot.check_target("s.calls")
        if late:
            calls("INSERT INTO s.calls VALUES (0, 'late')")
            with pytest.raises(ThanoSQLDatabaseError, match="no row is lost"):
                snapshot.replace(target)
        else:
            assert snapshot.replace(target) == 4
    assert calls("SELECT count(*) FROM s.calls") == [(101 if late else 4,)]


def test_a_target_that_the_query_did_not_read_is_replaced_whatever_was_written(database: Database, calls: Peer) -> None:
    calls("CREATE TABLE s.heard AS SELECT 1 AS a")
    predict(database, "SELECT * FROM s.calls", "s.heard", lambda: calls("INSERT INTO s.heard VALUES (2)"))
    assert calls("SELECT count(*) FROM s.heard") == [(100,)]


def test_vacuum_and_analyze_are_no_writes(database: Database, calls: Peer) -> None:
    calls("DELETE FROM s.calls WHERE id = 1")
    predict(database, "SELECT * FROM s.calls", "s.calls", lambda: calls("VACUUM (FREEZE, ANALYZE) s.calls"))
    assert calls("SELECT count(predict_result) FROM s.calls") == [(99,)]


def test_a_lock_that_is_not_to_be_had_is_said_and_nothing_changes(
    database: Database, calls: Peer, database_url: str
) -> None:
    holder = Peer(database_url)
    holder.raw.autocommit = False
    holder("SELECT count(*) FROM s.calls")
    with pytest.raises(ThanoSQLDatabaseError, match=r"in use: no lock on it was to be had within 0.5 s"):
        predict(database, "SELECT * FROM s.calls", "s.calls")
    holder.raw.close()
    assert columns(calls, "s.calls") == [("id", "integer"), ("path", "text")]
    assert database.run(said("SHOW lock_timeout")).iloc[0, 0] == "0"


def test_an_older_repeatable_read_transaction_sees_it_empty_as_after_truncate(
    database: Database, calls: Peer, database_url: str
) -> None:
    reader = Peer(database_url)
    reader.raw.set_session(isolation_level="REPEATABLE READ", autocommit=False)
    reader("SELECT 1")
    predict(database, "SELECT * FROM s.calls", "s.calls")
    assert reader("SELECT count(*) FROM s.calls") == [(0,)]
    reader.raw.close()


def test_everything_of_columns_that_survive_is_taken_over(database: Database, clean: Peer) -> None:
    clean(
        """
        CREATE ROLE thanosql_reader; CREATE ROLE thanosql_owner; GRANT ALL ON SCHEMA s TO thanosql_owner;
        CREATE TABLE s.parents (id int PRIMARY KEY); INSERT INTO s.parents VALUES (1), (2);
        CREATE TABLE s.rich (
            id int GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5),
            code serial,
            parent int REFERENCES s.parents (id) DEFERRABLE,
            path varchar(40) COLLATE "C" NOT NULL DEFAULT 'none',
            length int GENERATED ALWAYS AS (length(path)) STORED,
            gone int,
            span int4range,
            CONSTRAINT rich_key PRIMARY KEY (id) WITH (fillfactor = 80),
            CONSTRAINT rich_code UNIQUE (code),
            CONSTRAINT rich_check CHECK (length(path) > 0),
            CONSTRAINT rich_gone CHECK (gone > 0),
            CONSTRAINT rich_spans EXCLUDE USING gist (span WITH &&)
        ) WITH (fillfactor = 70);
        CREATE INDEX rich_lower ON s.rich (lower(path)) WHERE parent IS NOT NULL;
        CREATE UNIQUE INDEX "Rich Index" ON s.rich (path DESC NULLS LAST, id) INCLUDE (code);
        CREATE INDEX rich_gone_index ON s.rich (gone);
        CREATE STATISTICS s.rich_stats (dependencies) ON parent, path FROM s.rich;
        ALTER TABLE s.rich ALTER path SET STATISTICS 77, ALTER path SET STORAGE EXTERNAL, ALTER path SET (n_distinct =
        5);
        ALTER TABLE s.rich CLUSTER ON rich_key;
        ALTER TABLE s.rich REPLICA IDENTITY USING INDEX rich_key;
        COMMENT ON TABLE s.rich IS 'it''s \\ rich'; COMMENT ON COLUMN s.rich.path IS 'the path';
        COMMENT ON CONSTRAINT rich_key ON s.rich IS 'the key'; COMMENT ON INDEX s.rich_lower IS 'folded';
        COMMENT ON STATISTICS s.rich_stats IS 'known';
        GRANT SELECT, UPDATE ON s.rich TO thanosql_reader; GRANT INSERT (path), SELECT (path) ON s.rich TO PUBLIC;
        GRANT USAGE ON SEQUENCE s.rich_id_seq TO thanosql_reader;
        ALTER TABLE s.rich OWNER TO thanosql_owner; REVOKE TRUNCATE ON s.rich FROM thanosql_owner;
        ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT DELETE ON TABLES TO thanosql_reader;
        INSERT INTO s.rich (parent, path, gone, span) VALUES (1, 'a', 1, '[1,2)'), (2, 'bbb', 2, '[3,4)');
        """
    )
    try:
        before = dump(clean, "s.rich")
        predict(database, "SELECT id, code, parent, path, length, span FROM s.rich ORDER BY id", "s.rich")
        after = dump(clean, "s.rich")
        lost = {item for item in before if "gone" in item}
        assert before - after == lost
        assert after - before == {"column predict_result text"}
        assert len(lost) == 4
        clean("INSERT INTO s.rich (path) VALUES ('dddd')")
        assert clean("SELECT id, code, parent, path, length FROM s.rich ORDER BY id") == [
            (10, 1, 1, "a", 1),
            (15, 2, 2, "bbb", 3),
            (20, 3, None, "dddd", 4),
        ]
        predict(database, "SELECT id, path || 'x' AS path FROM s.rich", "s.rich")
        kept = dump(clean, "s.rich")
        assert not {item for item in kept if "path" in item and item.startswith(("constraint", "index", "statistics"))}
        assert any("rich_key" in item for item in kept)
    finally:
        clean("DROP SCHEMA s CASCADE; DROP ROLE thanosql_reader; DROP ROLE thanosql_owner")


def dump(peer: Peer, table: str) -> set[str]:
    """All that is known of a table, in lines: what a replacement is compared by."""
    lines: set[str] = set()
    for sql in (
        "SELECT 'column ' || attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        "SELECT concat_ws(' ', 'settings', attname, attnotnull, attidentity, attgenerated, pg_get_expr(adbin, adrelid),"
        " nullif(attstattarget, -1), attstorage, attoptions, attcollation::regcollation, col_description(attrelid, "
        "attnum))"
        " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'predict_result'",
        "SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint'))"
        " FROM pg_constraint WHERE conrelid = %s::regclass",
        "SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisclustered, indisreplident,"
        " obj_description(indexrelid, 'pg_class')) FROM pg_index WHERE indrelid = %s::regclass",
        "SELECT concat_ws(' ', 'statistics', pg_get_statisticsobjdef(oid), obj_description(oid, 'pg_statistic_ext'))"
        " FROM pg_statistic_ext WHERE stxrelid = %s::regclass",
        "SELECT concat_ws(' ', 'table', pg_get_userbyid(relowner), reloptions, relpersistence, relreplident,"
        " obj_description(oid, 'pg_class')) FROM pg_class WHERE oid = %s::regclass",
        "SELECT concat_ws(' ', 'grant', grantee::regrole, privilege_type, is_grantable) FROM pg_class, "
        "aclexplode(relacl)"
        " WHERE oid = %s::regclass",
        "SELECT concat_ws(' ', 'grant', attname, grantee::regrole, privilege_type, is_grantable)"
        " FROM pg_attribute, aclexplode(attacl) WHERE attrelid = %s::regclass",
        "SELECT concat_ws(' ', 'sequence', c.relname, s.seqstart, s.seqincrement, c.relacl, a.attname) FROM pg_depend d"
        " JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_sequence s ON s.seqrelid = c.oid"
        " JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
        " WHERE d.refobjid = %s::regclass AND d.refclassid = 'pg_class'::regclass",
    ):
        lines |= {line for (line,) in peer(sql, table)}
    return lines


def test_an_unlogged_table_stays_unlogged_and_a_temporary_one_temporary(database: Database, clean: Peer) -> None:
    clean("CREATE UNLOGGED TABLE s.fast AS SELECT 1 AS a")
    predict(database, "TABLE s.fast", "s.fast")
    assert clean("SELECT relpersistence FROM pg_class WHERE oid = 's.fast'::regclass") == [("u",)]
    database.run(said("CREATE TEMP TABLE mine (a int PRIMARY KEY)"))
    database.run(said("INSERT INTO mine VALUES (1)"))
    for name in ("mine", "pg_temp.fresh", "pg_temp.fresh"):
        assert predict(database, "SELECT a FROM mine", name) == 1
    found = database.run(
        said("SELECT relpersistence::text AS p FROM pg_class WHERE relname IN ('mine', 'fresh', 'mine_pkey')")
    )
    assert found["p"].tolist() == ["t", "t", "t"]


def test_a_predicted_column_is_neither_computed_nor_counted_any_more(database: Database, clean: Peer) -> None:
    clean(
        "CREATE TABLE s.t (a text, predict_result text GENERATED ALWAYS AS (upper(a)) STORED); INSERT INTO s.t "
        "VALUES ('x')"
    )
    predict(database, "TABLE s.t", "s.t")
    assert clean("TABLE s.t") == [("x", "heard 1")]


def test_rows_that_a_constraint_refuses_leave_the_table_as_it_was(database: Database, clean: Peer) -> None:
    clean("CREATE TABLE s.t (a int PRIMARY KEY); INSERT INTO s.t VALUES (1)")
    with pytest.raises(ThanoSQLDatabaseError, match="left as it was"):
        predict(database, "SELECT a FROM s.t, generate_series(1, 2)", "s.t")
    assert columns(clean, "s.t") == [("a", "integer")]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        ("ALTER TABLE s.calls ENABLE ROW LEVEL SECURITY", "row-level security"),
        ("CREATE POLICY own ON s.calls USING (true)", "policy own"),
        (
            "CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER watch AFTER INSERT ON s.calls EXECUTE FUNCTION s.f()",
            "trigger watch",
        ),
        ("CREATE RULE quiet AS ON DELETE TO s.calls DO INSTEAD NOTHING", "rule quiet"),
        ("CREATE PUBLICATION thanosql_pub FOR TABLE s.calls", "publication thanosql_pub"),
        ("CREATE PUBLICATION thanosql_pub FOR ALL TABLES", "publication thanosql_pub"),
        (
            "DROP TABLE s.calls; CREATE TYPE s.call AS (id int); CREATE TABLE s.calls OF s.call",
            "it is a table OF a type",
        ),
        ("CREATE TABLE s.child () INHERITS (s.calls)", "s.child inherits from it"),
        ("CREATE TABLE s.parent (id int); ALTER TABLE s.calls INHERIT s.parent", "it inherits from s.parent"),
        (
            "CREATE TABLE s.whole (id int, path text) PARTITION BY RANGE (id);"
            "ALTER TABLE s.whole ATTACH PARTITION s.calls FOR VALUES FROM (0) TO (1000)",
            "it is a partition",
        ),
        ("CREATE VIEW s.seen AS SELECT path FROM s.calls", "view s.seen depends on it"),
        ("CREATE MATERIALIZED VIEW s.kept AS SELECT path FROM s.calls", "materialized view s.kept depends on it"),
        (
            "ALTER TABLE s.calls ADD PRIMARY KEY (id); CREATE TABLE s.notes (call int CONSTRAINT to_calls "
            "REFERENCES s.calls)",
            "constraint to_calls on table s.notes depends on it",
        ),
        (
            "ALTER TABLE s.calls ADD PRIMARY KEY (id), ADD COLUMN up int CONSTRAINT upwards REFERENCES s.calls",
            "constraint upwards on table s.calls depends on it",
        ),
        ("CREATE FUNCTION s.g(s.calls) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function s.g(s.calls) depends on it"),
        ("CREATE TABLE s.holds (one s.calls)", "column one of table s.holds depends on it"),
    ],
)
def test_what_a_new_table_could_not_take_over_is_refused_before_any_work(
    database: Database, calls: Peer, make: str, named: str
) -> None:
    calls("SET search_path = public")
    calls(make)
    try:
        with (
            database.snapshot(said("SELECT 1 AS a")) as snapshot,
            pytest.raises(ThanoSQLDatabaseError, match=r"s.calls cannot be replaced") as caught,
        ):
            snapshot.check_target("s.calls")
        assert named in str(caught.value)
    finally:
        calls("DROP PUBLICATION IF EXISTS thanosql_pub")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        ("CREATE VIEW s.it AS SELECT 1 AS a", "a view"),
        ("CREATE MATERIALIZED VIEW s.it AS SELECT 1 AS a", "a materialized view"),
        ("CREATE TABLE s.it (a int) PARTITION BY LIST (a)", "a partitioned table"),
        ("CREATE SEQUENCE s.it", "a sequence"),
        (
            "CREATE FOREIGN DATA WRAPPER thanosql_fdw; CREATE SERVER thanosql_server FOREIGN DATA WRAPPER thanosql_fdw;"
            "CREATE FOREIGN TABLE s.it (a int) SERVER thanosql_server",
            "a foreign table",
        ),
    ],
)
def test_what_is_no_ordinary_table_is_refused(database: Database, clean: Peer, make: str, kind: str) -> None:
    clean(make)
    try:
        with (
            database.snapshot(said("SELECT 1 AS a")) as snapshot,
            pytest.raises(ThanoSQLDatabaseError, match=f"it is {kind}"),
        ):
            snapshot.check_target("s.it")
    finally:
        clean("DROP FOREIGN DATA WRAPPER IF EXISTS thanosql_fdw CASCADE")


def test_all_that_stands_in_the_way_is_listed_at_once(database: Database, calls: Peer) -> None:
    calls("CREATE VIEW s.seen AS TABLE s.calls; ALTER TABLE s.calls ENABLE ROW LEVEL SECURITY")
    with database.snapshot(said("SELECT 1 AS a")) as snapshot, pytest.raises(ThanoSQLDatabaseError) as caught:
        snapshot.check_target("s.calls")
    assert "row-level security is on; view s.seen depends on it" in str(caught.value)


def test_a_table_of_somebody_elses_and_a_schema_without_create_are_refused(
    calls: Peer, role: Callable[[str], str]
) -> None:
    url = role("thanosql_stranger")
    calls("GRANT USAGE ON SCHEMA s TO thanosql_stranger; GRANT SELECT ON s.calls TO thanosql_stranger")
    with Database(url) as stranger, stranger.snapshot(said("SELECT * FROM s.calls")) as snapshot:
        with pytest.raises(ThanoSQLDatabaseError, match=r"it belongs to .*not a member"):
            snapshot.check_target("s.calls")
        with pytest.raises(ThanoSQLDatabaseError, match="permission denied to create a table in schema s"):
            snapshot.check_target("s.mine")


def test_a_view_made_meanwhile_is_not_dropped(database: Database, calls: Peer) -> None:
    with pytest.raises(ThanoSQLDatabaseError, match=r"view s.seen depends on it"):
        predict(database, "TABLE s.calls", "s.calls", lambda: calls("CREATE VIEW s.seen AS SELECT id FROM s.calls"))
    assert calls("SELECT count(*) FROM s.seen") == [(100,)]


def test_a_table_made_meanwhile_under_the_targets_name_is_left(database: Database, clean: Peer) -> None:
    with pytest.raises(ThanoSQLDatabaseError, match="was made by another session meanwhile"):
        predict(database, "SELECT 1 AS a", "s.late", lambda: clean("CREATE TABLE s.late AS SELECT 5 AS five"))
    assert clean("TABLE s.late") == [(5,)]


def predict_both(database: Database, between: Callable[[], object] = lambda: None) -> list[int]:
    """What PREDICT with a table_name and a words_table does."""
    with database.snapshot(said("SELECT * FROM s.calls")) as snapshot:
        target, words = snapshot.check_target("s.calls"), snapshot.check_target("s.words")
        snapshot.write([PREDICTION], ((row, f"heard {row}") for row in range(1, snapshot.rows + 1)))
        between()
        with database.snapshot(said("SELECT i AS place FROM generate_series(1, 200) i")) as rows:
            return database.replace(rows.replacing(words), snapshot.replacing(target))


@pytest.fixture
def both(calls: Peer) -> Peer:
    """`s.calls`, which is read and replaced, and `s.words`, replaced beside it; each with a key."""
    calls(
        "ALTER TABLE s.calls ADD CONSTRAINT calls_key PRIMARY KEY (id);"
        "CREATE TABLE s.words AS SELECT 1 AS place; ALTER TABLE s.words ADD CONSTRAINT words_key PRIMARY KEY (place)"
    )
    return calls


def test_two_tables_are_replaced_in_one_step(database: Database, both: Peer, database_url: str) -> None:
    seen: set[tuple[int, int]] = set()
    over = threading.Event()
    failures: list[BaseException] = []

    def poll() -> None:
        reader = Peer(database_url)
        try:
            while not over.is_set():
                # One statement has one view of both, unless it waited for a lock in between: then it is asked again.
                with contextlib.suppress(psycopg2.errors.LockNotAvailable, psycopg2.errors.UndefinedTable):
                    reader("BEGIN; LOCK TABLE s.calls, s.words IN ACCESS SHARE MODE NOWAIT")
                    ((text, words),) = reader(
                        "SELECT (SELECT json_agg(c)::text FROM s.calls c), (SELECT count(*) FROM s.words)"
                    )
                    seen.add((text.count('"predict_result"'), words))
                reader("ROLLBACK")
        except BaseException as error:  # kept for the test's own thread
            failures.append(error)
        finally:
            reader.raw.close()

    polling = threading.Thread(target=poll)
    polling.start()
    try:
        while (0, 1) not in seen and not failures:
            time.sleep(0.01)
        assert predict_both(database) == [200, 100]
        while (100, 200) not in seen and not failures:
            time.sleep(0.01)
    finally:
        over.set()
        polling.join()
    assert not failures
    assert seen == {(0, 1), (100, 200)}


@pytest.mark.parametrize("held", ["s.calls", "s.words"])
def test_when_one_of_two_tables_cannot_be_replaced_neither_is(
    database: Database, both: Peer, database_url: str, held: str
) -> None:
    holder = Peer(database_url)
    holder.raw.autocommit = False
    holder(f"SELECT count(*) FROM {held}")
    with pytest.raises(ThanoSQLDatabaseError, match=f"The table {held} is in use"):
        predict_both(database)
    holder("ROLLBACK")
    holder.raw.close()
    assert columns(both, "s.calls") == [("id", "integer"), ("path", "text")]
    assert both("TABLE s.words") == [(1,)]
    with pytest.raises(ThanoSQLDatabaseError, match=r"Another session wrote to the table s\.calls"):
        predict_both(database, lambda: both("INSERT INTO s.calls VALUES (0, 'late')"))
    assert both("TABLE s.words") == [(1,)]


def die_in_the_second(url: str, phase: str) -> None:
    """Replace two tables in a process that is killed as the second of them reaches the phase."""
    from thanosql.engine.postgres import replacement
    from thanosql.engine.postgres.table_rebuild import TableRebuild

    def second(work: Callable[..., object]) -> Callable[..., object]:
        times = []

        def dying(*given: object) -> object:
            times.append(1)
            if len(times) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(*given)

        return dying

    if phase == "filled":
        TableRebuild.fill = second(TableRebuild.fill)  # type: ignore[method-assign, assignment]
    elif phase == "staged":
        TableRebuild.constrain = second(TableRebuild.constrain)  # type: ignore[method-assign, assignment]
    elif phase == "locked":
        replacement._refuse_if_changed = second(replacement._refuse_if_changed)  # type: ignore[assignment]
    elif phase == "dropped":
        TableRebuild.take_place_of = second(TableRebuild.take_place_of)  # type: ignore[method-assign, assignment]
    elif phase == "renamed":
        TableRebuild._rename = second(TableRebuild._rename)  # type: ignore[method-assign, assignment]
    predict_both(Database(url))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("phase", ["filled", "staged", "locked", "dropped", "renamed"])
def test_a_kill_between_two_tables_leaves_both_as_they_were(
    database: Database, both: Peer, database_url: str, phase: str
) -> None:
    assert killed(die_in_the_second, database_url, phase) == -signal.SIGKILL
    assert left_behind(both) == 0
    assert columns(both, "s.calls") == [("id", "integer"), ("path", "text")]
    assert both("TABLE s.words") == [(1,)]
    assert predict_both(database) == [200, 100]


def killed(work: Callable[[str, str], None], url: str, phase: str) -> int | None:
    """The exit code of a process that does this work."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=(url, phase))
    process.start()
    process.join(300)
    return process.exitcode


def left_behind(peer: Peer) -> int:
    """Tables and indexes of ours that are there once the server has seen that their session is gone."""
    deadline = time.monotonic() + 120
    while True:
        ((count,),) = peer("SELECT count(*) FROM pg_class WHERE relname LIKE 'thanosql%'")
        if not count or time.monotonic() > deadline:
            return int(count)
        time.sleep(0.05)


def die_in(url: str, phase: str) -> None:
    """Run PREDICT … table_name in a process that is killed as the phase is reached."""

    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    from thanosql.engine.postgres import replacement
    from thanosql.engine.postgres.table_rebuild import TableRebuild

    if phase == "write":
        Snapshot.write = die  # type: ignore[method-assign]
    elif phase == "staged":
        TableRebuild.constrain = die  # type: ignore[method-assign]
    elif phase == "locked":
        replacement._refuse_if_changed = die
    elif phase == "dropped":
        TableRebuild._rename = die  # type: ignore[method-assign]
    predict(Database(url), "SELECT * FROM s.calls", "s.calls", die if phase == "snapshot" else lambda: None)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("phase", ["snapshot", "write", "staged", "locked", "dropped"])
def test_a_kill_in_any_phase_leaves_the_table_as_it_was_and_nothing_behind(
    database: Database, calls: Peer, database_url: str, phase: str
) -> None:
    calls("ALTER TABLE s.calls ADD CONSTRAINT calls_key PRIMARY KEY (id)")
    assert killed(die_in, database_url, phase) == -signal.SIGKILL
    assert left_behind(calls) == 0
    assert columns(calls, "s.calls") == [("id", "integer"), ("path", "text")]
    assert calls("SELECT count(*) FROM s.calls") == [(100,)]
    assert predict(database, "SELECT * FROM s.calls", "s.calls") == 100


def test_a_terminated_backend_leaves_the_table_as_it_was(database: Database, calls: Peer) -> None:
    from thanosql.errors import ThanoSQLConnectionError

    pid = int(database.run(said("SELECT pg_backend_pid() AS pid"))["pid"][0])
    with pytest.raises(ThanoSQLConnectionError):
        predict(database, "SELECT * FROM s.calls", "s.calls", lambda: calls("SELECT pg_terminate_backend(%s)", pid))
    assert columns(calls, "s.calls") == [("id", "integer"), ("path", "text")]


def test_a_table_that_was_dropped_meanwhile_is_not_made_again(database: Database, calls: Peer) -> None:
    with database.snapshot(said("SELECT * FROM s.calls")) as snapshot:
        target = snapshot.check_target("s.calls")
        calls("DROP TABLE s.calls")
        with pytest.raises(ThanoSQLDatabaseError, match="meanwhile"):
            snapshot.replace(target)
