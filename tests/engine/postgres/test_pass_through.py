"""What is not ours goes to PostgreSQL as written: some hundred statements, answered as the bare driver answers them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg2
import pytest

from thanosql.engine.session import Session

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"

VALUES = r"""
1; -1.5; 1e3::float8; 'it''s'; E'tab\tand \'quote\''; $$dollar ' quoted$$; $tag$ $$ in it $tag$; U&'d\0061ta'; B'101'
X'1F'
'a' || 'b'; /* a /* nested */ comment */ 2; 1::int; CAST('2' AS int); '2026-11-25'::date; interval '1 day 2 hours'
timestamptz '2026-11-25 12:00+09'; timestamp 'epoch'; time '12:30'; NULL; NULL::text; true; ARRAY[1, 2, NULL]; '{a,b}'::text[]
(ARRAY[1, 2, 3])[2]; (ARRAY[1, 2, 3])[1:2]; (ARRAY[1, 2, 3])[:2]; ARRAY[[1, 2], [3, 4]]; '{"a": [1, 2]}'::jsonb
'{"a": 1}'::jsonb ? 'a'; '{"a": 1}'::jsonb ->> 'a'; '{"a": {"b": 2}}'::jsonb #>> '{a,b}'; jsonb_build_object('k', 1)
'[1, "two"]'::json; 7 % 4; @ -5; |/ 16; 2 ^ 3; 5 & 3; 1 << 4; 'abc' ~ '^a'; 'abc' LIKE 'a%'; 'a' < 'b'; 1 <> 2
1 = ANY (ARRAY[1]); 'a' COLLATE "C" < 'b'; (1, 2) < (1, 3); ARRAY[1] || 2; ARRAY[1, 2] @> ARRAY[1]
ROW(1, 'a') = ROW(1, 'a'); CASE WHEN 1 > 0 THEN 'yes' ELSE 'no' END; coalesce(NULL, 3); nullif(1, 1); greatest(1, 2)
extract(year FROM date '2026-11-25'); substring('abcdef' FROM 2 FOR 3); position('b' IN 'abc'); trim(both 'x' FROM 'xax')
overlay('abcdef' PLACING 'X' FROM 2 FOR 1); to_char(1234.5, 'FM9,999.0'); format('%s %I %L', 'a', 'b c', 'd'); md5('x')
'한국어'; '日本語' || '🙂'; length('안녕'); upper('straße'); 'a:b'; ':name'; '::'; 'x'::varchar(3); '10'::numeric(5, 2)
1.10::numeric; numeric 'NaN'; 1e-30::numeric
'\x00ff'::bytea; '00000000-0000-0000-0000-000000000001'::uuid; '127.0.0.1'::inet; '(1,2)'::point; int4range(1, 5)
'a b'::tsvector; '{1,2}'::int[]; '[1,3]'::int[] IS NULL
to_tsvector('english', 'the cats'); xmlelement(name a, 1)::text; 'infinity'::float8; '-0'::float8; 9223372036854775807
1234567890123456789012345678901234567890; 0.1 + 0.2; 0.1::float4; (SELECT max(n) FROM t); EXISTS (SELECT 1 FROM t WHERE n = 2)
(SELECT count(*) FROM t WHERE "Odd Name" IS NULL); current_setting('server_version_num')::int > 0; pg_typeof(1)::text
"""
QUERIES = r"""
SELECT
SELECT * FROM t ORDER BY n
SELECT n AS a, n AS b FROM t WHERE n > 1 ORDER BY 1
TABLE t ORDER BY n LIMIT 1
VALUES (1, 'a'), (2, NULL)
SELECT DISTINCT ON (text) text, n FROM t ORDER BY text, n
SELECT text, count(*), sum(n), avg(n), array_agg(n ORDER BY n) FROM t GROUP BY text HAVING count(*) > 0 ORDER BY text
SELECT n, row_number() OVER (ORDER BY n DESC) FROM t ORDER BY n
SELECT count(*) FILTER (WHERE n > 1) FROM t
SELECT text, n, grouping(text) FROM t GROUP BY ROLLUP (text, n) ORDER BY 1, 2
WITH w AS (SELECT n FROM t) SELECT sum(n) FROM w
WITH w AS MATERIALIZED (SELECT n FROM t), v (m) AS (SELECT n FROM w) SELECT * FROM v ORDER BY m
WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r
WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 3) SEARCH DEPTH FIRST BY n SET o SELECT n FROM r
SELECT a.n, b.n FROM t a JOIN t b USING (n) ORDER BY 1
SELECT a.n, s FROM t a, LATERAL (SELECT a.n * 2 AS s) q ORDER BY 1
SELECT * FROM t LEFT JOIN (SELECT 1 AS n, 'x' AS y) q USING (n) ORDER BY n
SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g (v, i)
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS u (a, b)
SELECT * FROM json_to_recordset('[{"a": 1}]') AS x (a int)
SELECT n FROM t UNION SELECT 9 ORDER BY 1
SELECT n FROM t EXCEPT SELECT 1 ORDER BY 1
SELECT * FROM t TABLESAMPLE SYSTEM (100) ORDER BY n
SELECT n FROM t FOR UPDATE
SELECT list, predict, model, audio, options FROM words
SELECT predict.list FROM words AS predict
SELECT * FROM (SELECT 1 AS build) AS "evaluate"
SELECT align(1)
SELECT * FROM ONLY t ORDER BY n OFFSET 1 ROWS FETCH FIRST 1 ROW ONLY
EXPLAIN (COSTS OFF) SELECT 1
SHOW server_encoding
"""
COMMANDS = r"""
CREATE TABLE made (list text, model int, predict text DEFAULT 'x''y;z')
CREATE TABLE kept AS SELECT * FROM t
INSERT INTO made (model) VALUES (1), (2)
INSERT INTO made SELECT 'a', n FROM t RETURNING model
INSERT INTO made (model) VALUES (3) ON CONFLICT DO NOTHING
UPDATE made SET list = 'b' WHERE model = 1
UPDATE made SET list = DEFAULT WHERE model = 99 RETURNING *
DELETE FROM made WHERE model = 2
MERGE INTO kept USING t ON kept.n = t.n WHEN MATCHED THEN UPDATE SET text = 'merged'
TRUNCATE kept
ALTER TABLE made ADD COLUMN audio bytea, ADD CHECK (model > 0)
CREATE INDEX ON made (model)
CREATE VIEW evaluate AS SELECT model FROM made
SELECT count(*) FROM evaluate
COMMENT ON TABLE made IS 'BUILD MODEL m; PREDICT USING m'
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql AS $$ SELECT x * 2; $$
CREATE FUNCTION thrice(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT x; SELECT CASE WHEN true THEN x * 3 END; END
CREATE PROCEDURE nothing() LANGUAGE plpgsql AS $body$ BEGIN PERFORM 1; END $body$
SELECT twice(2), thrice(2)
CALL nothing()
DO $$ BEGIN RAISE NOTICE 'a; b'; END $$
CREATE TYPE mood AS ENUM ('fit', 'drop')
SELECT 'fit'::mood
CREATE DOMAIN posint AS int CHECK (VALUE > 0)
CREATE SEQUENCE counter
SELECT nextval('counter')
CREATE TEMP TABLE fleeting (a int) ON COMMIT PRESERVE ROWS
CREATE SCHEMA thanosql
CREATE TABLE thanosql.model (name text)
SET search_path TO public, thanosql
SHOW search_path
RESET search_path
BEGIN
INSERT INTO made (model) VALUES (50)
SAVEPOINT one
INSERT INTO made (model) VALUES (51)
ROLLBACK TO SAVEPOINT one
RELEASE SAVEPOINT one
COMMIT
SELECT count(*) FROM made WHERE model >= 50
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY
SELECT count(*) > 0 FROM made
ROLLBACK
PREPARE asked (int) AS SELECT n FROM t WHERE n = $1
EXECUTE asked (2)
DEALLOCATE asked
BEGIN
DECLARE c CURSOR FOR SELECT n FROM t ORDER BY n
FETCH 2 FROM c
MOVE 1 FROM c
CLOSE c
COMMIT
LISTEN channel
NOTIFY channel, 'hello'
UNLISTEN *
ANALYZE made
VACUUM made
LOCK TABLE made
GRANT SELECT ON made TO public
REVOKE SELECT ON made FROM public
CREATE RULE quiet AS ON DELETE TO kept DO INSTEAD NOTHING
DELETE FROM kept
DROP VIEW evaluate
DROP TABLE IF EXISTS nosuch
DROP TABLE made, kept CASCADE
DROP SCHEMA thanosql CASCADE
"""
REFUSED = r"""
SELEC 1
SELECT * FROM nosuch
SELECT nosuch FROM t
SELECT nosuch(1)
SELECT 1 / 0
SELECT 'a'::int
SELECT n FROM t GROUP BY text
SELECT FROM FROM
INSERT INTO t (n) VALUES ('x')
INSERT INTO t (nosuch) VALUES (1)
CREATE TABLE t (a int)
DROP TABLE nosuch
DROP VIEW t
SELECT * FROM t WHERE n = ALL
SELECT (SELECT n FROM t)
SELECT * FROM t a, t a
SELECT 1 UNION SELECT 'a'
ROLLBACK TO SAVEPOINT nosuch
EXECUTE nosuch
SET nosuch_setting TO 1
SHOW nosuch_setting
SELECT '2026-99-99'::date
SELECT '{'::json
SELECT array[1, 'a']
SELECT 1 LIMIT -1
ALTER TABLE t DROP COLUMN nosuch
CREATE INDEX ON t (nosuch)
SELECT ?
SELECT %s
SELECT $1
SELECT * FROM t WHERE
CREATE TABLE u (list nosuch)
DELETE FROM nosuch
UPDATE t SET nosuch = 1
CALL nosuch()
SELECT 99999999999999999999::int
WITH w AS (SELECT 1) SELECT * FROM v
LISTEN 1
VALUES (1), (2, 3)
"""


def texts() -> Iterator[str]:
    for listed in VALUES.strip().splitlines():
        # A value may go on in the next line, behind a comment: it stands there without a semicolon.
        yield from (
            f"SELECT {value.strip()} AS v" for value in listed.split("; ") if "--" not in value and value != "'pieces'"
        )
    yield "SELECT 'two ' -- a comment; and a 'quote'\n'pieces' AS v"
    for part in (QUERIES, REFUSED):
        yield from part.strip().splitlines()


@pytest.fixture(scope="module")
def compare() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        yield importlib.import_module("compare_with_driver")


@pytest.fixture(scope="module")
def both(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Session]]:
    """The driver and the product, each with a database of its own in which the same was done."""
    import sqlalchemy

    url = sqlalchemy.make_url(database_url)
    other = url.set(database=f"{url.database}_driver").render_as_string(hide_password=False)
    server = psycopg2.connect(database_url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {url.database}_driver TEMPLATE template0 ENCODING 'UTF8'")
    connection = psycopg2.connect(other)
    connection.autocommit = True
    try:
        with Session(database_url, home=tmp_path_factory.mktemp("home")) as session:
            for text in (
                "CREATE TABLE t AS SELECT n, 'text ' || n % 2 AS text, NULL::int AS \"Odd Name\" FROM generate_series(1, 3) n",
                "CREATE TABLE words (list int, predict text, model int, audio bytea, options jsonb)",
                "INSERT INTO words VALUES (1, 'a', 2, '\\x00', '{}')",
            ):
                session.execute(text)
                with connection.cursor() as cursor:
                    cursor.execute(text)
            yield connection, session
    finally:
        connection.close()
        with server.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {url.database}_driver WITH (FORCE)")
        server.close()


@pytest.mark.parametrize("text", [*texts()])
def test_a_statement_is_answered_as_the_driver_answers_it(
    text: str, both: tuple[Any, Session], compare: ModuleType
) -> None:
    connection, session = both
    assert compare.by_product(session, text) == compare.by_driver(connection, text)


def test_a_script_leaves_the_same_behind(both: tuple[Any, Session], compare: ModuleType) -> None:
    """Definitions, changes, transactions, cursors: one after the other."""
    given = [line for line in COMMANDS.strip().splitlines() if line]
    driver, session = both
    for text in given:
        assert compare.by_product(session, text) == compare.by_driver(driver, text), text


def test_there_are_some_hundred() -> None:
    assert len([*texts()]) + len(COMMANDS.strip().splitlines()) > 220
