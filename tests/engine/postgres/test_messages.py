"""tests/fixtures/messages.txt, habits.txt and slips.txt: what is said of each mistake, word for word and with its caret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from thanosql.engine.language import dialects
from thanosql.engine.language.cures import COLUMN, FUNCTION, GROUPING, NOT_SUPPORTED, SYNTAX
from thanosql.engine.session import Session
from thanosql.errors import Position, ThanoSQLDatabaseError, ThanoSQLError, ThanoSQLSyntaxError

FIXTURES = [Path(__file__).parents[2] / "fixtures" / name for name in ("messages.txt", "habits.txt", "slips.txt")]


def pairs() -> Iterator[tuple[str, str]]:
    for part in (part for path in FIXTURES for part in path.read_text(encoding="utf-8").split("\n\n")[1:]):
        lines = part.rstrip("\n").split("\n")
        yield (
            "\n".join(line for line in lines if not line.startswith("! ")),
            "\n".join(line[2:] for line in lines if line.startswith("! ")),
        )


PAIRS = [*pairs()]


@pytest.fixture(scope="module")
def session(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session(postgres_url, home=tmp_path_factory.mktemp("home")) as one:
        one.execute("DROP TABLE IF EXISTS calls")
        one.execute(
            "CREATE TABLE calls AS SELECT 'x.wav' AS audio_path, 'seven' AS text, n FROM generate_series(1, 3) n"
        )
        yield one
        one.execute("DROP TABLE calls")


@pytest.mark.parametrize(("text", "message"), PAIRS, ids=[text[:60] for text, _ in PAIRS])
def test_a_mistake_is_said_as_the_fixture_has_it(session: Session, text: str, message: str) -> None:
    with pytest.raises(ThanoSQLError) as caught:
        session.execute(text)
    assert f"{type(caught.value).__name__}: {caught.value}" == message
    assert caught.value.position is not None


def test_a_name_that_was_probably_meant_is_written_as_sql_takes_it(session: Session) -> None:
    session.execute('CREATE TABLE "Rates per Day" AS SELECT 1 AS "Call No.", 2 AS units')
    try:
        for text, meant in (
            ('SELECT call_no FROM "Rates per Day"', '"Call No."'),
            ("SELECT * FROM rates_per_day", '"Rates per Day"'),
            ("SELECT * FROM cals", "calls"),
        ):
            with pytest.raises(ThanoSQLDatabaseError) as caught:
                session.execute(text)
            assert caught.value.hint == f"Did you mean {meant}?"
    finally:
        session.execute('DROP TABLE "Rates per Day"')


@pytest.mark.parametrize("comment", ["", "/**/", " --x", "/**/" * 1000, " !"])
@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM predict USING",
        "EXPLAIN DELETE FROM ONLY predict USING",
        "MERGE INTO evaluate USING",
        "WITH a AS (SELECT 1) MERGE INTO align USING",
        "SELECT * FROM calls JOIN predict USING (n) WHERE",
    ],
)
def test_a_table_of_a_statements_name_is_not_taken_for_the_statement(session: Session, text: str, comment: str) -> None:
    with pytest.raises(ThanoSQLDatabaseError) as caught:
        session.execute(text + comment)
    assert "The query stands in the statement" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["SELECT * FROM predict USING", "SELECT * FROM calls, evaluate USING/**/", "INSERT INTO calls predict USING --"],
)
def test_a_statement_that_ends_at_its_model_is_shown_whole(session: Session, text: str) -> None:
    with pytest.raises(ThanoSQLDatabaseError, match=r"SELECT \* FROM \((PREDICT|EVALUATE) USING model AS SELECT"):
        session.execute(text)


def test_a_mistake_in_what_suggests_never_hides_the_error(
    session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dialects, "cure", lambda *_: [][0])
    with pytest.raises(ThanoSQLDatabaseError, match="syntax error"):
        session.execute("SELECT 1 FRM calls x y")
    assert "IndexError" in caplog.text


def test_there_are_many() -> None:
    assert len(PAIRS) >= 350


CURES = [
    (text, found[1])
    for text, message in PAIRS
    if (found := re.search(r"(?:; write|\nWrite|in parentheses|[Ss]tatement|query): (.*)\Z", message))
    and "…" not in found[1]
]


@pytest.mark.parametrize(("text", "cure"), CURES, ids=[text[:60] for text, _ in CURES])
def test_a_cure_is_a_statement(
    session: Session, text: str, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may fail for what it is about (no such file, model or column of the example), but not for how it is written."""
    monkeypatch.chdir(tmp_path)  # COPY (…) TO 'x.csv' writes
    said: ThanoSQLError | None = None
    session.execute("BEGIN")
    try:
        session.execute(cure)
    except ThanoSQLError as error:
        said = error
    finally:
        session.execute("ROLLBACK")
    about = said is not None and "more expressions than target columns" in said.message
    assert not isinstance(said, ThanoSQLSyntaxError), said
    assert about or getattr(said, "sqlstate", None) not in (SYNTAX, FUNCTION, GROUPING, NOT_SUPPORTED), said


def test_many_cures_are_statements() -> None:
    assert len(CURES) >= 150


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffSELECT 1 AS a",
        "SELECT 1 AS a; \ufeffSELECT 1 AS a",
        "\u3000\u00a0SELECT 1 AS a",
        "SELECT 'a\u00a0b，＝' AS a",
        'SELECT 1 AS "a\u200bb"',
        "SELECT * FROM (SELECT 1 AS predict) t WHERE predict = 1",
        "SELECT jsonb '{\"a\": 1}' ? 'a'",
        "SELECT 7 % 4, @ -5",
        "SELECT @n FROM (SELECT -1 AS n) t",
        "SHOW search_path",
        "CREATE TEMP TABLE keeps (list tables_of, model int)",
        "SELECT (ARRAY[10, 20, 30])[:2], (ARRAY[1, 2])[2]",
        "CREATE TEMP TABLE wav2vec2tiny AS SELECT 1 AS a; SELECT * FROM Wav2Vec2Tiny",
    ],
)
def test_what_postgresql_takes_is_never_looked_at(session: Session, text: str) -> None:
    session.execute("DROP DOMAIN IF EXISTS tables_of CASCADE; CREATE DOMAIN tables_of AS int")
    session.execute(text)


@pytest.mark.parametrize("text", ["SELECT (ARRAY[1, 2, 3])[:y] FROM (SELECT 2 AS y) t", "SELECT a[:y] FROM bounds"])
def test_a_slice_from_the_first_is_no_parameter(session: Session, text: str) -> None:
    session.execute("DROP TABLE IF EXISTS bounds; CREATE TEMP TABLE bounds AS SELECT ARRAY[1, 2, 3] AS a, 2 AS y")
    assert session.execute(text, {"y": 3}).iloc[0, 0] == [1, 2]
    assert session.execute("SELECT a[(:y)], a[:y:y] FROM bounds", {"y": 3}).iloc[0, 0] == 3
    assert session.execute("SELECT ARRAY[:y, 4]", {"y": 3}).iloc[0, 0] == [3, 4]


@pytest.mark.parametrize(
    "query", ["SELECT * FROM calls WHERE", "SELECT 1 UNION", "SELECT * FROM calls ORDER BY n,", "TABLE"]
)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "PREDICT USING Wav2Vec2Tiny AS {}",
        "PREDICT USING Wav2Vec2Tiny AS (\n{}\n)",
        "{};",
        "SELECT * FROM (LIST MODEL) l, {}",
    ],
)
def test_a_query_that_ends_too_early_has_its_caret_at_its_end(session: Session, query: str, around: str) -> None:
    text = around.format(query)
    with pytest.raises(ThanoSQLDatabaseError) as caught:
        session.execute(text)
    position = caught.value.position
    if caught.value.message == "The query ends too early.":
        assert position == Position.at(text, text.index(query) + len(query))
    else:  # `SELECT * FROM …, SELECT` stops before its end
        assert around.startswith("SELECT * FROM (LIST"), caught.value


def test_the_caret_counts_what_a_terminal_shows() -> None:
    text = "SELECT '안녕', e\u0301, 日本語 FROM t"
    for word, cells in (("日本語", 6), ("FROM", 4), ("'안녕'", 6)):
        shown, caret = str(Position.at(text, text.index(word), len(word))).split("\n")
        before = {"日本語": 18, "FROM": 25, "'안녕'": 7}[word]
        assert caret == " " * (len("line 1: ") + before) + "^" * cells, shown


def test_a_cure_is_for_what_postgresql_refused_alone() -> None:
    assert dialects.cure("SELECT * FROM `t`", "22012", ()) is None
    assert dialects.cure("SELECT predict(x), nosuch FROM t", COLUMN, ()) is None
    assert dialects.cure("SELECT x ? 'a' FRM t", SYNTAX, ()) is None
    assert dialects.cure("SELECT " + "1," * 60_000 + "?", SYNTAX, ()) is None
