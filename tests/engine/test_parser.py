"""The parser's limits, its speed, and what it looks like when it refuses."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from importlib import resources

import pytest

from thanosql.engine.language import mistakes
from thanosql.engine.language.lexer import Scanner
from thanosql.engine.language.limits import MAX_HEAD, MAX_LISTS, MAX_NESTED, MAX_PARENTHESES, MAX_WITH
from thanosql.engine.language.syntax import ModelReference, Option, Parameter, Query, Text, Word, walk
from thanosql.engine.language.vocabulary import vocabulary
from thanosql.engine.parser import _lark, _read_all, parse, parse_script, stopped
from thanosql.engine.statements import PlainSQL, Predict
from thanosql.errors import ThanoSQLSyntaxError


def test_a_statement_is_its_dataclass() -> None:
    assert parse("PREDICT USING m OPTIONS (batch_size=:n) AS SELECT * FROM calls") == Predict(
        ModelReference("m"), (Option("batch_size", Parameter("n")),), Query((Text("SELECT * FROM calls"),))
    )


def test_offsets_point_into_the_source() -> None:
    source = "PREDICT USING m OPTIONS (batch_size = :n) AS (SELECT 1)"
    statement = parse(source)
    assert isinstance(statement, Predict)
    (option,) = statement.options
    assert source[option.start :].startswith("batch_size")
    assert source[option.value_start :].startswith(":n")
    assert source[statement.model.start :].startswith("m OPTIONS")
    assert statement.query.start == source.index("SELECT")


@pytest.mark.parametrize(
    "source",
    [
        "SELECT 1",
        "SELECT 1;",
        " /* a */ SELECT :a, 'b;c' -- d\n ; -- e",
        "SELECT 1; SELECT 2",
        "SELECT 1;; LIST MODEL;",
        "(SELECT 1)",
        "SELECT * FROM (PREDICT USING m AS SELECT 1) p",
        "SELECT * FROM (PREDICT USING m AS SELECT 1) p; SELECT 2",
        "DO $$ BEGIN SELECT 1; END $$;",
        "\ufeffTABLE t;",
    ],
)
def test_plain_sql_is_read_without_the_grammar_as_it_is_with_it(source: str) -> None:
    assert _lark().parse(Scanner(source).tokens()) == tuple(_read_all(Scanner(source)))


@pytest.mark.parametrize("source", ["", "-- nothing", "SELECT 1; SELECT 2"])
def test_parse_takes_one_statement(source: str) -> None:
    with pytest.raises(ThanoSQLSyntaxError, match="One statement was expected here"):
        parse(source)


def test_an_error_shows_the_line_with_a_caret_under_the_word() -> None:
    with pytest.raises(ThanoSQLSyntaxError) as caught:
        parse("BUILD MODEL m\nUSNG Wav2Vec2En\nAS SELECT 1")
    assert str(caught.value) == (
        "'USNG' is no keyword here.\n"
        "line 2: USNG Wav2Vec2En\n"
        "        ^^^^\n"
        "Did you mean USING? BUILD MODEL name USING base [OPTIONS (…)] AS query"
    )


def nested(depth: int) -> str:
    return "SELECT * FROM (PREDICT USING m AS " * depth + "SELECT 1" + ") p" * depth


def test_statements_nest_to_the_stated_depth() -> None:
    statement = parse(nested(MAX_NESTED))
    assert len([*walk(statement)]) - 1 == MAX_NESTED == 50


def test_statements_nested_deeper_are_an_error() -> None:
    with pytest.raises(ThanoSQLSyntaxError, match="more than 50 deep"):
        parse(nested(MAX_NESTED + 1))
    with pytest.raises(ThanoSQLSyntaxError, match="more than 50 deep"):
        parse(nested(10_000))


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("[", "]"), ("f(a[", "])")])
def test_parentheses_nest_to_the_stated_depth(opening: str, closing: str) -> None:
    depth = MAX_PARENTHESES // len(closing)
    assert parse("SELECT " + opening * depth + "1" + closing * depth)
    with pytest.raises(ThanoSQLSyntaxError, match="More than 1,000 parentheses"):
        parse("SELECT " + opening * (depth + 1) + "1" + closing * (depth + 1))
    with pytest.raises(ThanoSQLSyntaxError, match="More than 1,000 parentheses"):
        parse("SELECT " + opening * 100_000)


def test_lists_in_options_nest_to_the_stated_depth() -> None:
    parse("PREDICT USING m OPTIONS (a=" + "[" * (MAX_LISTS - 1) + "]" * (MAX_LISTS - 1) + ") AS SELECT 1")
    with pytest.raises(ThanoSQLSyntaxError, match="More than 20 parentheses and lists"):
        parse("PREDICT USING m OPTIONS (a=" + "[" * 100_000)


def test_a_list_of_any_length_keeps_its_literals_in_order() -> None:
    strings = ", ".join(f"'it''s {number}', {number} -- a comment, 'that' is none\n" for number in range(MAX_HEAD))
    statement = parse(f"PREDICT USING m OPTIONS (a=[x, {strings}, True, 1e-4, [2, 'y']]) AS SELECT 1")
    assert isinstance(statement, Predict)
    (option,) = statement.options
    written = [item for number in range(MAX_HEAD) for item in (f"it's {number}", number)]
    assert option.value == (Word("x"), *written, True, 1e-4, (2, "y"))


@pytest.mark.parametrize(
    "head", ["PREDICT USING m OPTIONS (a=[{:x,})", "PREDICT USING m OPTIONS ({a=1,})", "COPY {a.}b FROM 'x'"]
)
def test_a_head_of_more_pieces_than_stated_is_an_error(head: str) -> None:
    begin, _, rest = head.partition("{")
    piece, _, end = rest.partition("}")
    with pytest.raises(ThanoSQLSyntaxError, match="More than 5,000 words, values and signs"):
        parse(begin + piece * MAX_HEAD + end)


def test_a_nested_statement_sees_as_many_with_queries_as_stated() -> None:
    def script(count: int) -> str:
        return f"WITH {', '.join(f'q{n} AS (SELECT {n})' for n in range(count))} SELECT * FROM (LIST MODEL) m"

    assert parse(script(MAX_WITH))
    with pytest.raises(ThanoSQLSyntaxError, match="More than 100 WITH queries"):
        parse(script(MAX_WITH + 1))


def test_empty_statements_are_left_out() -> None:
    assert parse_script(";; ; SELECT 1 ;/* ; */; -- ;\n; LIST MODEL;;") == (*parse_script("SELECT 1; LIST MODEL"),)


def test_the_deepest_texts_parse_where_little_stack_is_left() -> None:
    """In a notebook a hundred frames are in use before a statement is read."""
    limit, frames = sys.getrecursionlimit(), len(list(_frames()))
    sys.setrecursionlimit(frames + 500)
    try:
        parse(nested(MAX_NESTED))
    finally:
        sys.setrecursionlimit(limit)


def _frames():
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


@pytest.mark.parametrize("begin", ["", "SELECT * FROM (", "EXPLAIN ", "PREDICT ", "BUILD MODEL m "])
def test_a_word_of_any_length_is_read_at_once(begin: str) -> None:
    started = time.process_time()
    with contextlib.suppress(ThanoSQLSyntaxError):
        parse(f"{begin}{'predict' * 200_000} USING m AS SELECT 1")
    assert time.process_time() - started < 1


def test_numbers_of_any_length_are_numbers_or_errors() -> None:
    with pytest.raises(ThanoSQLSyntaxError, match="A number of more than 300"):
        parse(f"PREDICT USING m OPTIONS (a={'9' * 10_000}) AS SELECT 1")


EXAMPLES = [(label, example) for label, examples in mistakes.EXAMPLES.items() for example in examples]


@pytest.mark.parametrize(("label", "example"), EXAMPLES)
def test_a_malformed_example_gets_its_own_label(label: str, example: str) -> None:
    error = stopped(example)
    assert mistakes._labels(stopped)[frozenset(error.accepts), error.token.type] == label
    with pytest.raises(ThanoSQLSyntaxError) as caught:
        parse_script(example)
    assert "expected here, not" not in caught.value.message or label in ("missing AS", "no option")


def test_every_label_has_its_own_message() -> None:
    assert mistakes._MESSAGES.keys() == mistakes.EXAMPLES.keys()


@pytest.mark.parametrize("behind", ["/*", "*/*", "'", " $$", '"', "E'\\", "U&'"])
def test_a_mistake_is_explained_whatever_unreadable_text_follows_it(behind: str) -> None:
    """What comes behind the place where the grammar stops was not read before."""
    for _, example in EXAMPLES:
        for text in (example[:at] + behind for at in range(0, len(example) + 1, 3)):
            with pytest.raises(ThanoSQLSyntaxError) as caught:
                parse_script(text)
            assert caught.value.position is not None


def test_messages_name_no_tokens_of_the_grammar() -> None:
    terminals = {terminal.name for terminal in _lark().terminals} | {"SQL", "WORD", "QUOTED", "OPERATOR", "$END"}
    for _, example in EXAMPLES:
        with pytest.raises(ThanoSQLSyntaxError) as caught:
            parse_script(example)
        said = set(caught.value.message.replace("'", " ").replace(".", " ").split())
        assert not said & (terminals - vocabulary().keywords - {"SQL"})


def test_the_statements_keywords_are_the_grammars() -> None:
    written = resources.files("thanosql").joinpath("grammar.lark").read_text(encoding="utf-8")
    assert set(re.findall(r'"([A-Z]+)"i', written)) == vocabulary().keywords


def test_walk_gives_a_statement_and_all_those_in_it_once() -> None:
    """EXPLAIN's own, those in its query, in theirs, and in the WITH lists that they see."""
    (statement,) = parse_script(
        "EXPLAIN PREDICT USING a AS WITH w AS (SELECT * FROM (PREDICT USING b AS SELECT 1) b) "
        "SELECT * FROM (EVALUATE USING c AS SELECT * FROM w, (LIST MODEL) l) c, (PREDICT USING d AS SELECT * FROM w) d"
    )
    found = [*walk(statement)]
    assert [type(one).__name__ for one in found] == ["Explain", "Predict", "Predict", "Evaluate", "List", "Predict"]
    assert [one.model.text for one in found if hasattr(one, "model")] == ["a", "b", "c", "d"]
    assert len({id(one) for one in found}) == len(found)


def test_parsing_imports_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; from thanosql.engine.parser import parse; parse('PREDICT USING m AS SELECT 1');"
        "print(sorted({'torch', 'transformers', 'pandas', 'sqlalchemy', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def statement_of(size: int) -> str:
    column = "t.column{0} + f(x, 'it''s {0}')::int AS c{0}, -- a comment\n  "
    columns = "".join(column.format(number) for number in range(size // 60))
    return f"PREDICT USING m AS SELECT {columns}1 FROM t WHERE a = :a"


@pytest.mark.parametrize(
    "piece",
    ["(1)+", "a=:p,", "'x',", "$$x$$,", '"q",', "/*c*/", "a[1:n],", "E'\\'',", "--\n", "WITH ", "(select,1),", "case,"],
)
def test_long_runs_of_one_piece_come_through_whole(piece: str) -> None:
    source = "SELECT " + piece * (80_000 // len(piece)) + "1"
    statement = parse(source)
    assert isinstance(statement, PlainSQL)
    said = "".join(part.sql if isinstance(part, Text) else f":{part.name}" for part in statement.query.parts)
    assert said == source.rstrip()
