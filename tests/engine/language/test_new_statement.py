"""A new statement is its file, its rule and three scripts: the recipe of docs/architecture.md, followed.

The package is copied, the recipe's blocks are put where it says, and the copy is asked. Nothing else is touched.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes import append, block, copy_package, run

PARSED = """
from thanosql.engine import parser
from thanosql.engine.parser import parse
from thanosql.engine.language.syntax import STATEMENTS

statement = parse("COUNT ROWS OPTIONS (distinct=True) AS SELECT 1")
assert type(statement) is STATEMENTS["count_rows"], statement
assert parser._lark().source_path == "<deserialized>"  # read from the table, not made anew
assert [option.name for option in statement.options] == ["distinct"]
assert parse("SELECT count FROM counts").query.parts[0].sql == "SELECT count FROM counts"
"""
REFUSED = """
import pytest
from thanosql.engine.parser import parse
from thanosql.errors import ThanoSQLSyntaxError

for text, message in [
    ("COUNT ROWS SELECT 1", "AS is missing before the query."),
    ("COUNT ROWS OPTIONS (distinct) AS SELECT 1", "= is missing after the option 'distinct'."),
    ("COUNTT ROWS AS SELECT 1", "There is no statement COUNTT."),
    ("SELECT * FROM (COUNT ROWS SELECT 1) q", "AS is missing before the query."),
]:
    with pytest.raises(ThanoSQLSyntaxError) as caught:
        parse(text)
    assert caught.value.message == message
    assert "COUNT ROWS [OPTIONS (…)] AS query" in caught.value.hint, text
"""
OFFERED = """
from thanosql.engine.session import Session
from thanosql.notebook.completion import complete

with Session() as session:
    for text, first in [
        ("COUN", "COUNT ROWS"),
        ("COUNT ", "ROWS"),
        ("COUNT ROWS ", "AS"),
        ("COUNT ROWS OPTIONS (", "distinct="),
    ]:
        assert complete(text, len(text), session).candidates[0].text == first, text
"""
EXPLAINED = """
from thanosql.notebook.explanations import explain

said = explain("COUNT ROWS")
assert "COUNT ROWS [OPTIONS (…)] AS query" in said
assert "a query in, how many rows it has out" in said
assert "distinct=False" in said
"""
COLOURED = """
from pathlib import Path
import thanosql
from thanosql.notebook.highlighting import ThanoSQLLexer

kinds = {text: str(kind) for kind, text in ThanoSQLLexer().get_tokens("COUNT ROWS AS TABLE t")}
assert kinds["ROWS"] == "Token.Keyword"
assert " ROWS " in (Path(thanosql.__file__).parent / "labextension/static/remoteEntry.js").read_text()
"""
RUN = """
from thanosql.engine.session import Session
from thanosql.notebook.views import Showing, as_html

with Session() as session:
    result = session.run("COUNT ROWS OPTIONS (distinct=True) AS SELECT n % 3 AS n FROM generate_series(1, 9) n")
    assert result.view == "whole"
    assert result.rows.values.tolist() == [[3]]
    assert "<table" in as_html(result, Showing())
    inside = "SELECT rows + 1 AS more FROM (COUNT ROWS AS SELECT 1) q"
    assert session.execute(inside).values.tolist() == [[2]]
"""
DESCRIBED = """
import make_reference

page = make_reference.pages()["statements.md"]
assert "\\n## COUNT ROWS\\n" in page
assert "| `distinct` | True or False | `False` | count equal rows once |" in page
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with the recipe's statement in it."""
    folder = copy_package(tmp_path_factory.mktemp("package"))
    statements = folder / "thanosql" / "engine" / "statements"
    (statements / "count_rows.py").write_text(block("class CountRows(Statement)") + "\n", encoding="utf-8")
    append(folder / "thanosql" / "grammar.lark", block('count_rows: "COUNT"i'))
    for script in ("make_statements", "make_parse_table", "make_highlighting"):
        run(folder, f"import runpy; runpy.run_module('{script}', run_name='__main__')")
    return folder


@pytest.mark.parametrize(
    "code",
    [PARSED, REFUSED, OFFERED, EXPLAINED, COLOURED],
    ids=["parsed", "refused", "offered", "explained", "coloured"],
)
def test_the_statement_of_the_recipe_is_known(copy: Path, code: str) -> None:
    run(copy, code)


def test_the_statement_of_the_recipe_runs(copy: Path, postgres_url: str) -> None:
    run(copy, RUN, THANOSQL_DATABASE_URL=postgres_url)


def test_the_statement_of_the_recipe_stands_in_the_reference(copy: Path) -> None:
    pytest.importorskip("railroad", reason="the diagrams are drawn with railroad-diagrams (extra docs)")
    run(copy, DESCRIBED)
