"""What is offered at a cursor; `|` is the cursor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from thanosql.engine.language.statement_syntax import StatementSyntax
from thanosql.engine.language.vocabulary import vocabulary
from thanosql.engine.session import Session
from thanosql.notebook import language
from thanosql.notebook.completion import complete
from thanosql.notebook.explanations import explain
from thanosql.notebook.highlighting import ThanoSQLLexer


@pytest.fixture(scope="module")
def session(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session(postgres_url, home=tmp_path_factory.mktemp("home")) as one:
        one.execute('CREATE TEMP TABLE phone_calls (id int, audio_path text, text text, "Odd Name" text)')
        one.execute("CREATE TEMP TABLE speakers (speaker text, age int)")
        yield one


def offered(session: Session, marked: str, **variables: object) -> list[str]:
    cursor = marked.index("|")
    return [one.text for one in complete(marked.replace("|", ""), cursor, session, variables).candidates]


@pytest.mark.parametrize(
    ("marked", "first"),
    [
        ("PRED|", ["PREDICT USING"]),
        ("build|", ["BUILD MODEL"]),
        ("SEL|", ["SELECT"]),
        ("SELECT 1; EVAL|", ["EVALUATE USING"]),
        ("PREDICT |", ["USING"]),
        ("PREDICT USING Wav2Vec2T|", ["Wav2Vec2Tiny", "Wav2Vec2TinyKo"]),
        ("PREDICT USING Wav2Vec2Tiny |", ["AS", "OPTIONS"]),
        ("PREDICT USING Wav2Vec2Tiny OPTIONS (bat|", ["batch_size="]),
        ("PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size=4, batch|", []),
        ("BUILD MODEL m USING b OPTIONS (overwrite=|", ["True", "False"]),
        ("PREDICT USING b OPTIONS (precision='bf|", ["bfloat16'"]),
        ("PREDICT USING b OPTIONS (precision=|", ["'float32'"]),
        ("PREDICT USING b OPTIONS (audio_col='aud|') AS SELECT * FROM phone_calls", ["audio_path'"]),
        ("EXPLAIN |", ["ALIGN USING", "BUILD MODEL", "EVALUATE USING", "FIT MODEL", "PREDICT USING", "SELECT"]),
        ("EXPLAIN BUILD MODEL m |", ["USING"]),
        ("DROP |", ["MODEL", "PREDICTIONS", "TABLE"]),
        ("LIST MODEL |", ["VERSIONS"]),
        ("ROLLBACK MODEL m |", ["TO"]),
        ("COPY public.calls |", ["FROM", "OPTIONS"]),
        ("COPY calls OPTIONS (if_exists='fail') |", ["FROM"]),
        ("LIST |", ["MODEL", "PREDICTIONS", "TABLE", "THANOSQL"]),
        ("GET THANOSQL DATASET spok|", ["spoken_numbers", "spoken_numbers_ko"]),
        ("GET THANOSQL MODEL Wav2Vec2T|", ["Wav2Vec2Tiny", "Wav2Vec2TinyKo"]),
        ("SELECT * FROM phone|", ["phone_calls"]),
        ("SELECT audio| FROM phone_calls", ["audio_path"]),
        ("SELECT c.aud| FROM phone_calls AS c JOIN speakers s ON true", ["c.audio_path"]),
        ('SELECT "Odd| FROM phone_calls', ['"Odd Name"']),
        ("PREDICT USING b AS SELECT audio| FROM phone_calls", ["audio_path"]),
        ("SELECT * FROM (PRED|", ["PREDICT USING"]),
        ("SELECT * FROM (PREDICT USING Wav2Vec2T|", ["Wav2Vec2Tiny", "Wav2Vec2TinyKo"]),
        ("SELECT 'PRED|", []),
        ("SELECT 1 -- PRED|", []),
        ("SELECT $$ PRED|", []),
    ],
)
def test_what_may_stand_at_the_cursor_is_offered(session: Session, marked: str, first: list[str]) -> None:
    found = offered(session, marked)
    assert found[: len(first)] == first
    assert bool(found) == bool(first)


def test_a_tables_columns_come_before_keywords(session: Session) -> None:
    found = offered(session, "SELECT | FROM speakers")
    assert found[:2] == ["speaker", "age"]


def test_variables_are_offered_behind_a_colon(session: Session) -> None:
    assert offered(session, "SELECT :da|", day="2026-11-22", data=len) == [":day"]


def test_models_of_the_store_are_offered(session: Session) -> None:
    (session.settings.store_folder).mkdir(parents=True, exist_ok=True)
    session.execute("GET THANOSQL MODEL Wav2Vec2Tiny OPTIONS (model_name='my_calls')")
    assert offered(session, "PREDICT USING my|") == ["my_calls"]
    assert offered(session, "DROP MODEL |") == ["my_calls", "IF EXISTS"]


def test_nothing_is_connected_for_a_tab(tmp_path: Path) -> None:
    with Session("postgresql://nobody@127.0.0.1:1/nowhere", home=tmp_path) as session:
        assert "SELECT" in offered(session, "SEL|")
        assert offered(session, "SELECT * FROM calls|") == []


def test_the_lexer_gives_every_character_back_and_marks_our_words() -> None:
    source = "BUILD MODEL m USING Wav2Vec2Tiny AS SELECT 'FROM it''s', :day FROM t -- FIT\n"
    tokens = list(ThanoSQLLexer().get_tokens(source))
    assert "".join(text for _, text in tokens) == source
    kinds = {text: str(kind) for kind, text in tokens}
    assert kinds["BUILD"] == kinds["MODEL"] == kinds["SELECT"] == "Token.Keyword"
    assert kinds["Wav2Vec2Tiny"] == "Token.Name.Builtin"


def test_every_statement_is_explained() -> None:
    for _, syntax in language.syntaxes():
        said = explain(syntax.title)
        assert all(vocabulary().shown(line) in said for line in syntax.lines), syntax.title
        assert all(f"  {entry.name}=" in said for kind in syntax.options() for entry in dataclasses.fields(kind))


@pytest.mark.parametrize("syntax", [syntax for _, syntax in language.syntaxes()], ids=lambda syntax: syntax.title)
def test_each_word_of_a_statement_is_offered_behind_those_before_it(session: Session, syntax: StatementSyntax) -> None:
    """Whatever a shape has, completion has: its keywords in their order, and the options of its own."""
    for way in syntax.ways:
        typed: list[str] = []
        for word in way:
            if word in ("query", "statement"):
                break
            found = offered(session, f"{' '.join(typed)} |")
            if word.isupper():
                assert any(one.split()[0] == word for one in found if one), (typed, word)
            filled = {"(…)": "()", "'path'": "'x'"}.get(word, word)
            if word == "(…)":
                names = [one for kind in syntax.options() for one in (entry.name for entry in dataclasses.fields(kind))]
                assert offered(session, f"{' '.join(typed)} (|") == [f"{name}=" for name in dict.fromkeys(names)]
            typed.append(filled)
