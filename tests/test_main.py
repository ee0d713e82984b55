"""The terminal: what is printed where, and with which exit status."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from thanosql.__main__ import main


@pytest.fixture(autouse=True)
def settings(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_DATABASE_URL", postgres_url)
    monkeypatch.setenv("THANOSQL_HOME", str(tmp_path))


def test_a_statements_rows_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["SELECT 1 AS a, 'x' AS b"]) == 0
    assert capsys.readouterr().out.splitlines() == ["a  b", "─  ─", "1  x"]


def test_csv_and_json_hold_rows_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    script = "CREATE TEMP TABLE t AS SELECT 1 AS a, '한국' AS b; SELECT * FROM t"
    assert main(["--format", "csv", script]) == 0
    printed = capsys.readouterr()
    assert printed.out == "a,b\n1,한국\n"
    assert printed.err == "SELECT 1\n"
    assert main(["--format", "json", script]) == 0
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "b": "한국"}]


def test_a_table_has_the_width_asked_for_or_a_value_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT repeat('word ', 40) AS a, 1 AS n FROM generate_series(1, 2)"
    assert main(["--width", "40", query]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 40
    assert main([query]) == 0  # not to a terminal: whole
    assert "word " * 40 in capsys.readouterr().out
    assert main(["--expanded", query]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("─ row 1 ─")


def test_every_statement_of_a_script_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SELECT 1 AS first;\n-- a comment\nSELECT 2 AS second;\n")
    assert main(["--file", str(script)]) == 0
    out = capsys.readouterr().out
    assert out.index("first") < out.index("second")


def test_a_script_comes_from_standard_input_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 'piped' AS a"))
    assert main([]) == 0
    assert "piped" in capsys.readouterr().out


def test_parameters_are_typed_as_they_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--with", "n=5", "--with", "s='5'", "--format", "json", "SELECT :n + 1 AS n, :s || 'x' AS s"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 6, "s": "5x"}]


@pytest.mark.parametrize(
    "asked", [["help"], ["?"], ["help", "PREDICT"], ["help PREDICT"], ["PREDICT?"], [r"\h", "predict"]]
)
def test_help_is_asked_for_as_people_do(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(asked) == 0
    assert "PREDICT USING model [OPTIONS (…)] AS query" in capsys.readouterr().out


def test_a_failed_statement_is_one_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["SELECT * FROM no_such_table"]) == 1
    error = capsys.readouterr().err
    assert "no_such_table" in error
    assert "^^^" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments", [["--format", "xml", "SELECT 1"], ["--with", "no", "SELECT 1"], ["--limit", "x", "S"]]
)
def test_a_wrong_command_line_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    capsys.readouterr()


def test_a_script_that_cannot_be_read_is_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--file", str(tmp_path / "none.sql")]) == 2
    assert "none.sql" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m thanosql 'SELECT * FROM generate_series(1, 200000)' | head -n 2"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0].strip() == "generate_series"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_the_prompt_runs_what_is_typed_and_goes_on_after_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text(
            "SELECT 'two' ||\n' lines' AS a;\nSELECT nonsense;\nPREDICT?\n\\d\n\\x\nSELECT 'still here' AS b;\nexit()\n"
        )
        assert main([]) == 0
    printed = capsys.readouterr()
    assert "two lines" in printed.out
    assert "nonsense" in printed.err
    assert "result_col" in printed.out
    assert "List tables with a statement: LIST TABLE" in printed.err
    assert "─ row 1 ─" in printed.out.partition("result_col")[2]
    assert "still here" in printed.out


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_sigterm_ends_a_statement_as_ctrl_c_does_and_leaves_the_table(postgres_url: str) -> None:
    assert main(["CREATE TABLE kept AS SELECT 1 AS n"]) == 0
    script = "BEGIN; DELETE FROM kept; SELECT 'begun' AS said; SELECT pg_sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "thanosql", "--format", "csv", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "begun" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "Interrupted." in said
    assert "Traceback" not in said
    assert main(["DELETE FROM kept WHERE n = 1; DROP TABLE kept"]) == 0
