"""The house holds together: grammar, statements, plans, families, reference and README agree, and imports stay light."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import time
import typing
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

import thanosql
from thanosql.engine import dispatcher, planner, statements
from thanosql.engine.language.syntax import Statement

ROOT = Path(__file__).resolve().parents[1]
BY_RULE = statements.statement_classes()
STATEMENTS = [*BY_RULE.values()]
SYNTAXES = [kind.syntax for kind in STATEMENTS if kind.syntax is not None]


def test_every_statement_is_named_in_the_package() -> None:
    assert {kind.__name__ for kind in STATEMENTS} == set(statements.__all__)
    files = {path.stem for path in (ROOT / "thanosql" / "engine" / "statements").glob("*.py")}
    assert {kind.__module__.rpartition(".")[2] for kind in STATEMENTS} == files - {"__init__", "rows"}


def test_every_statement_has_a_plan_of_its_own() -> None:
    fallback = planner.plan.dispatch(object)
    assert [kind.__name__ for kind in STATEMENTS if planner.plan.dispatch(kind) is fallback] == []


def _below(kind: type) -> list[type]:
    return [one for direct in kind.__subclasses__() for one in (direct, *_below(direct))]


def test_every_plan_has_something_that_runs_it() -> None:
    fallback = dispatcher.run.dispatch(object)
    plans = [plan for plan in _below(planner.Plan) if plan is not planner.RowsPlan]
    assert len(plans) >= len(STATEMENTS) - 1  # FIT runs BUILD's
    assert [kind.__name__ for kind in plans if dispatcher.run.dispatch(kind) is fallback] == []


def test_every_statement_is_a_frozen_dataclass_that_shows_its_sql() -> None:
    for kind in STATEMENTS:
        assert issubclass(kind, Statement)
        assert dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert kind.__doc__


def test_the_lists_of_colours_are_as_the_code_has_them() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_highlighting.py", "--check"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, f"run: python scripts/make_highlighting.py ({done.stdout}{done.stderr})"


def test_the_list_of_statements_is_as_their_classes_have_it() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_statements.py", "--check"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, f"run: python scripts/make_statements.py ({done.stdout}{done.stderr})"


def test_a_statement_imports_no_other_statements_file() -> None:
    code = (
        "import sys; from thanosql.engine.parser import parse; parse('LIST MODEL')\n"
        "print([name for name in sys.modules if name.startswith('thanosql.engine.statements.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    of_it = ["thanosql.engine.statements.listing", "thanosql.engine.statements.rows"]
    assert sorted(done.stdout.strip("[]\n").replace("'", "").split(", ")) == of_it


def test_colouring_imports_nothing_of_the_engine() -> None:
    code = (
        "import sys, thanosql.notebook.highlighting; print([m for m in sys.modules if m.startswith('thanosql.engine')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_statement_has_a_rule_in_the_grammar() -> None:
    grammar = (ROOT / "thanosql" / "grammar.lark").read_text(encoding="utf-8")
    rules = set(re.findall(r"^\??([a-z_]+)(?:\.\d+)?\s*:", grammar, re.MULTILINE))
    assert BY_RULE.keys() - rules == set()


def test_every_statement_but_plain_sql_says_all_of_itself() -> None:
    assert len(SYNTAXES) == len(STATEMENTS) - 1
    for syntax in SYNTAXES:
        assert syntax.gives, syntax.title
        assert all(dataclasses.is_dataclass(kind) for kind in syntax.options())
        takes_options = any("OPTIONS" in way for way in syntax.ways)
        assert takes_options == bool(syntax.options()), syntax.title


def test_what_may_stand_in_a_query_can_be_put_into_a_table() -> None:
    fallback = planner.materialize.dispatch(object)
    made = {kind: typing.get_type_hints(planner.plan.dispatch(kind))["return"] for kind in STATEMENTS}
    nested = {kind for kind in STATEMENTS if planner.materialize.dispatch(made[kind]) is not fallback}
    assert nested == {kind for kind in STATEMENTS if kind.syntax is not None and kind.syntax.nests}
    assert all(issubclass(made[kind], planner.RowsPlan) for kind in nested)


def test_every_option_has_help_and_a_default_within_its_limits() -> None:
    modules = [module for name, module in sys.modules.items() if name.startswith("thanosql.")]
    kinds = {
        kind
        for module in modules
        for name, kind in vars(module).items()
        if name.endswith("Options") and dataclasses.is_dataclass(kind)
    }
    assert {"BuildOptions", "CopyOptions", "PredictOptions", "TrainOptions"} <= {kind.__name__ for kind in kinds}
    for kind in kinds:
        for field in dataclasses.fields(kind):
            assert field.metadata["help"], field.name
            default = field.default
            # Beside a choice of words, True and False may stand for all of them and none, and NULL for none said.
            unsaid = default is None and type(None) in typing.get_args(typing.get_type_hints(kind)[field.name])
            if field.metadata["choices"] and not isinstance(default, bool) and not unsaid:
                assert default in field.metadata["choices"], field.name
            if field.metadata["low"] is not None and default is not None and default not in field.metadata["words"]:
                assert field.metadata["low"] <= default <= field.metadata["high"], field.name


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import thanosql", ("torch", "transformers", "pandas", "sqlalchemy", "lark", "numpy", "IPython")),
        ("import thanosql; thanosql.connect()", ("torch", "transformers", "pandas", "sqlalchemy", "lark")),
        ("from thanosql.engine.parser import parse; parse('SELECT 1')", ("torch", "transformers", "pandas")),
        (
            "import thanosql\nwith thanosql.connect() as s:\n    s.execute('LIST THANOSQL MODEL')",
            ("torch", "transformers", "sqlalchemy"),
        ),
        (
            "import contextlib, io, thanosql.__main__ as m\n"
            "with contextlib.redirect_stdout(io.StringIO()):\n    assert m.main(['LIST MODEL']) == 0",
            ("torch", "transformers", "sqlalchemy", "pandas", "numpy", "psycopg2", "urllib.request", "filelock"),
        ),
        (
            "import contextlib, io, thanosql.__main__ as m\n"
            "with contextlib.redirect_stdout(io.StringIO()):\n    assert m.main(['LIST MODEL']) == 0",
            ("thanosql.models.audio", "thanosql.engine.postgres.copying", "thanosql.engine.parameters.tables"),
        ),
    ],
)
def test_what_is_heavy_is_not_imported_before_it_is_needed(
    code: str, forbidden: tuple[str, ...], tmp_path: Path
) -> None:
    program = f"{code}\nimport sys; print([name for name in {forbidden!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "THANOSQL_HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(ROOT),
        },
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "[]"


def test_imports_point_down_only() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


def test_the_readme_names_every_statement_and_base() -> None:
    from thanosql.models.bases import BASES

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    titles = [syntax.title for syntax in SYNTAXES]
    assert [word for word in (*titles, *BASES) if word not in readme] == []
    assert readme.index("make demo") < readme.index("make test") < 1500


def test_a_module_is_read_in_one_go() -> None:
    package = Path(thanosql.__file__).parent
    long = {path.name: lines for path in package.rglob("*.py") if (lines := len(path.read_text().splitlines())) > 300}
    assert long == {}


def test_a_property_does_not_fail_because_the_machine_is_busy() -> None:
    slow = strategies.integers().map(lambda number: (time.sleep(0.3), number)[1])  # in drawing, and in the test itself

    @settings(max_examples=6)
    @given(slow)
    def waits(_: int) -> None:
        time.sleep(0.3)

    waits()
