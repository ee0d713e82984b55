"""The table that the grammar is parsed by is read where it was made of this grammar, and then parses as one made anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lark import Lark
from lark.exceptions import UnexpectedToken

from tests.recipes import append, copy_package, run
from thanosql.engine.language import grammar, parse_table
from thanosql.engine.language.lexer import Scanner
from thanosql.engine.parser import StatementLexer, _Builder

ROOT = Path(__file__).parents[3]
OURS = {**os.environ, "PYTHONPATH": str(ROOT)}
FIXTURES = ROOT / "tests" / "fixtures"
# Lark calls this to make a table of a grammar.
MADE = (
    "import lark.parsers.lalr_analysis as a, thanosql.engine.parser as p\n"
    "made = []; before = a.LALR_Analyzer.compute_lalr\n"
    "a.LALR_Analyzer.compute_lalr = lambda self: (made.append(1), before(self))[1]\n"
    "assert str(p.parse('LIST MODEL')) == 'List(what=\\'MODEL\\')', p.parse('LIST MODEL')\n"
    "print(bool(made))"
)


@pytest.fixture(scope="module")
def read() -> Lark:
    parser = parse_table._read(grammar.text(), StatementLexer, _Builder())
    assert parser is not None
    return parser


@pytest.fixture(scope="module")
def made() -> Lark:
    return parse_table._made(grammar.text(), StatementLexer, _Builder())


def test_the_table_is_of_this_grammar_and_this_lark() -> None:
    script = ROOT / "scripts" / "make_parse_table.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, env=OURS, check=False)
    assert done.returncode == 0, f"run: python scripts/make_parse_table.py ({done.stdout}{done.stderr})"


@pytest.mark.parametrize("fixture", ["statements.sql", "slips.txt", "messages.txt"])
def test_it_parses_and_stops_as_one_that_is_made_anew(read: Lark, made: Lark, fixture: str) -> None:
    sections = (FIXTURES / fixture).read_text(encoding="utf-8").split("\n\n")
    texts = ["\n".join(line for line in one.splitlines() if not line.startswith(("!", "--"))) for one in sections]
    answers = [(_answer(read, text), _answer(made, text)) for text in texts]
    assert len(answers) > 20
    assert [one for one, other in answers if one != other] == []


def _answer(parser: Lark, text: str) -> object:
    try:
        return parser.parse(Scanner(text).tokens())
    except UnexpectedToken as error:
        return error.token, error.token.start_pos, error.expected
    except Exception as error:  # what a Scanner or a rule refuses
        return str(error)


def test_no_table_is_made_for_a_statement() -> None:
    done = subprocess.run([sys.executable, "-c", MADE], capture_output=True, text=True, env=OURS, check=False)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("change", ["grammar", "lark", "missing"])
def test_a_table_of_something_else_is_not_used(tmp_path: Path, change: str) -> None:
    package = copy_package(tmp_path)
    table = package / "thanosql" / parse_table.FILE
    if change == "grammar":
        append(package / "thanosql" / "grammar.lark", "// another text")
    elif change == "lark":
        first, _, rest = table.read_text(encoding="utf-8").partition("\n")
        table.write_text(first.replace("lark 1.", "lark 0.") + "\n" + rest, encoding="utf-8")
    else:
        table.unlink()
    assert run(package, MADE) == "True\n"
