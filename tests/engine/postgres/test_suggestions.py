"""A misspelt table, column or keyword gets the word that was meant, at its place in the user's text."""

from __future__ import annotations

import pytest

from thanosql import ThanoSQLDatabaseError, ThanoSQLError
from thanosql.engine.language import dialects
from thanosql.engine.session import Session


@pytest.fixture
def calls(session: Session) -> Session:
    session.execute(
        "DROP TABLE IF EXISTS calls; CREATE TABLE calls (audio_path text, spoken text); CREATE SCHEMA IF NOT EXISTS "
        "archive; CREATE TABLE IF NOT EXISTS archive.letters (n int); INSERT INTO calls VALUES ('none.wav', 'one')"
    )
    return session


def refused(session: Session, sql: str) -> tuple[str | None, str]:
    """The hint, and what stands over the caret."""
    with pytest.raises(ThanoSQLError) as caught:
        session.execute(sql)
    at = caught.value.position
    return caught.value.hint, at.text[at.column - 1 :][: at.width] if at else ""


@pytest.mark.parametrize(
    ("sql", "meant", "place"),
    [
        ("SELECT * FROM cals", "calls", "cals"),
        ("PREDICT USING Wav2Vec2Tiny AS\nSELECT *\nFROM cals", "calls", "cals"),
        ("SELECT * FROM (PREDICT USING Wav2Vec2Tiny AS SELECT * FROM cals) p", "calls", "cals"),
        ("INSERT INTO cals VALUES ('a')", "calls", "cals"),
        ("SELECT * FROM archive.leters", "archive.letters", "archive"),
        ("UPDATE calls SET audiopath = 'x'", "audio_path", "audiopath"),
        ("INSERT INTO calls (spokn) VALUES ('x')", "spoken", "spokn"),
        ("SELEC * FROM calls", "SELECT", "SELEC"),
        ("DROP TABL calls", "TABLE", "TABL"),
        ("SELECT * FROM calls WHRE spoken = 'one'", "WHERE", "WHRE"),
        ("PREDICT USING Wav2Vec2Tiny OPTIONS (audio_col=audiopath) AS SELECT * FROM calls", "audio_path", "audiopath"),
        ("PREDICT USING Wav2Vec2Tiny OPTIONS (audio_col='audiopath') AS TABLE calls", "audio_path", "'audiopath'"),
        ("EXPLAIN EVALUATE USING Wav2Vec2Tiny OPTIONS (text_col=spokn) AS TABLE calls", "spoken", "spokn"),
        ("SELECT * FROM (EVALUATE USING Wav2Vec2Tiny OPTIONS (text_col=spokn) AS TABLE calls) e", "spoken", "spokn"),
    ],
)
def test_what_was_meant_is_named_at_its_place(calls: Session, sql: str, meant: str, place: str) -> None:
    assert refused(calls, sql) == (f"Did you mean {meant}?", place)


def test_nothing_is_suggested_where_nothing_is_near(calls: Session) -> None:
    assert refused(calls, "SELECT * FROM zebra") == (None, "zebra")
    assert refused(calls, "SELECT 1 1") == (None, "1")


def test_postgresql_s_own_suggestion_stays(calls: Session) -> None:
    hint, place = refused(calls, "SELECT spokn FROM calls")
    assert hint == 'Perhaps you meant to reference the column "calls.spoken".'
    assert place == "spokn"


def test_a_suggested_column_with_capitals_is_shown_in_its_quotes(calls: Session) -> None:
    calls.execute('CREATE TEMPORARY TABLE sheet AS SELECT 1 AS "File", 2 AS "Called on"')
    hint, _ = refused(calls, "SELECT s.file FROM sheet s")
    assert hint is not None
    assert hint.endswith('\nWrite s."File": names with capitals, spaces or signs need double quotes.')
    assert calls.execute('SELECT s."File" FROM sheet s').iloc[0, 0] == 1


def test_an_open_transaction_is_asked_nothing(calls: Session) -> None:
    calls.execute("BEGIN")
    assert refused(calls, "SELECT * FROM cals") == (None, "cals")
    calls.execute("ROLLBACK")


def test_a_reference_to_the_query_around_a_statement_is_refused_with_the_cure(calls: Session) -> None:
    hint, place = refused(calls, "SELECT * FROM calls c, (PREDICT USING Wav2Vec2Tiny AS SELECT c.audio_path) p")
    assert place == "c"
    assert hint is not None
    assert "cannot see that query's columns" in hint


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM predict USING",
        "SELECT * FROM predict USING;",
        "SELECT * FROM evaluate USING/**/tiny !",
        "DELETE FROM predict USING/**//**/",
        "EXPLAIN DELETE FROM transcribe, predict USING -- who",
        "SELECT (1 + (SELECT a FROM predict USING))",
        "UPDATE calls SET id = predict USING",
    ],
)
def test_a_statement_that_ends_after_using_is_postgresqls_error(calls: Session, sql: str) -> None:
    """What is sought for a hint never stands in the place of the error."""
    with pytest.raises(ThanoSQLDatabaseError) as caught:
        calls.execute(sql)
    assert caught.value.sqlstate == "42601"


@pytest.mark.parametrize("text", ["", " ", "-- a", "'a", "/* a"])
@pytest.mark.parametrize("sqlstate", sorted(dialects.STATES))
def test_a_text_without_a_word_has_no_cure(text: str, sqlstate: str) -> None:
    assert dialects.cure(text, sqlstate, ["tiny"]) is None
