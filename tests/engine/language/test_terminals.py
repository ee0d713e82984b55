"""The terminals read SQL as PostgreSQL reads it: a real server is asked what each literal says."""

from __future__ import annotations

import psycopg2
import pytest

from thanosql.engine.language.lexer import Scanner
from thanosql.engine.language.syntax import Query, Text
from thanosql.engine.language.terminals import Refusal, lexeme, skip_blank, string_value
from thanosql.engine.parser import parse, parse_script
from thanosql.engine.statements import PlainSQL

LITERALS = [
    "'plain'",
    "'it''s'",
    "''",
    "''''",
    r"'back\slash'",
    r"E'tab\tnewline\nreturn\rfeed\fback\b'",
    r"E'quote\' and '' and \\'",
    r"E'\x41\101\u00e9\U0001F600\q'",
    r"e'lower'",
    "$$it's$$",
    "$tag$a $$ b $tagg$ c$tag$",
    "$é$x$é$",
    r"U&'d\0061t\+000061 \\'",
    "N'national'",
    "'one '\n'two'",
    "'one '  -- comment\n  -- another\n  'two'''",
    "E'one\\' '\n'\\'two'",
    "'semi;colon -- no comment /* none */ :p'",
]


@pytest.fixture(scope="module")
def cursor(database_url):
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


@pytest.mark.parametrize("literal", LITERALS)
def test_a_string_says_what_postgresql_reads(cursor, literal: str) -> None:
    cursor.execute(f"SELECT {literal}")
    piece = lexeme(literal, 0)
    assert (piece.kind, piece.end) == ("STRING", len(literal))
    assert string_value(piece) == cursor.fetchone()[0]


@pytest.mark.parametrize("literal", LITERALS)
def test_sql_goes_on_behind_a_string(literal: str) -> None:
    first, second = parse_script(f"SELECT {literal}; SELECT 2")
    assert (first.query, second.query) == (Query((Text(f"SELECT {literal}"),)), Query((Text("SELECT 2"),)))


STATEMENTS = [
    "SELECT 1 /* a /* nested ; */ comment */ AS a",
    "SELECT 1 -- ; comment\n AS a",
    "SELECT 2 -1 --1\n AS a",
    "SELECT 6 /2/* ; */ AS a",
    'SELECT 1 AS "a;""b"',
    "SELECT E'\\';' AS a",
    "SELECT date'2020-01-01' AS a",
    "SELECT (ARRAY[1,2,3])[1:2] AS a",
    "SELECT (ARRAY[1,2,3])[a:b], (ARRAY[1,2])[a::int:b] FROM (SELECT 1 AS a, 2 AS b) t",
    "SELECT $$;$$ || $b$;$$;$b$ AS a",
    "SELECT '1'::int AS a",
    "SELECT U&'\\0041' || U&\"\\0061\" FROM (SELECT 'x' AS a) t",
    "SELECT a$b FROM (SELECT 1 AS a$b) t",
    "SELECT 1 /**/ AS a",
    "SELECT 1 /*/ ; */ AS a",
    "SELECT 5 * -- ;\n 2 AS a",
    "SELECT @ -5 AS a, 'x'\n';y' AS b",
    "SELECT '{\"a\": 1}'::jsonb -> 'a' AS a",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_that_postgresql_takes_whole_is_left_whole(cursor, statement: str) -> None:
    cursor.execute(f"PREPARE whole AS {statement}")  # one statement, or a syntax error
    cursor.execute("DEALLOCATE whole")
    assert parse(statement).query == Query((Text(statement),))
    assert len(parse_script(f"{statement}; {statement}")) == 2


def test_postgresql_s_own_views_and_functions_are_left_whole(cursor) -> None:
    """Some hundred thousand characters of SQL that nobody wrote for us: a statement each, without a parameter."""
    cursor.execute("SELECT definition FROM pg_views UNION ALL SELECT definition FROM pg_rules")
    texts = [definition.strip().removesuffix(";") for (definition,) in cursor.fetchall()]
    cursor.execute("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE prolang = 14 AND prokind = 'f'")
    texts += [definition.strip() for (definition,) in cursor.fetchall()]
    assert sum(map(len, texts)) > 100_000
    for text in texts:
        assert parse(text) == PlainSQL(Query((Text(text),))), text


def test_the_colon_of_a_json_object_is_left_alone(cursor) -> None:
    if cursor.connection.server_version < 160_000:
        pytest.skip("JSON_OBJECT with colons came with PostgreSQL 16")
    statement = "SELECT JSON_OBJECT('a':b, 'c' : b) FROM (SELECT 1 AS b) t"
    cursor.execute(statement)
    assert parse(statement).query == Query((Text(statement),))


@pytest.mark.parametrize("text", ["'a", "E'a\\'", '"a', "$a$ x $b$", "/* /* */", "$$"])
def test_what_is_not_closed_is_refused_where_it_opens(cursor, text: str) -> None:
    with pytest.raises(psycopg2.errors.SyntaxError, match="unterminated"):
        cursor.execute(f"SELECT {text}")
    with pytest.raises(Refusal) as caught:
        list(Scanner(f"SELECT {text}").tokens())
    assert caught.value.start in (7, 8)


def test_blank_is_white_space_and_comments() -> None:
    text = " \t\n-- c\n/* a /* b */ c */ x"
    assert text[skip_blank(text, 0)] == "x"
