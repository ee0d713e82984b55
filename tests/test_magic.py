"""The magics in a real IPython, on a real PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg2
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.extensions.autoreload import superreload
from IPython.utils.capture import capture_output

from tests.shells import interactive_shell
from tests.waiting import interrupted, until
from thanosql import default_session as sessions
from thanosql.errors import ThanoSQLConnectionError, ThanoSQLDatabaseError, ThanoSQLOptionError
from thanosql.notebook import progress


@pytest.fixture
def shell(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("THANOSQL_DATABASE_URL", postgres_url)
    monkeypatch.setenv("THANOSQL_HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    with interactive_shell() as one:
        yield one


def run(shell: Any, code: str) -> tuple[Any, str]:
    """A cell's result as IPython has it, and all that was printed."""
    with capture_output() as captured:
        result = shell.run_cell(textwrap.dedent(code).strip(), store_history=True)
    displayed = [output.data.get("text/plain", "") for output in captured.outputs]
    return result, "\n".join([captured.stdout, captured.stderr, *displayed])


def test_loading_takes_less_than_the_stated_time_and_imports_nothing_heavy() -> None:
    code = """
    import sys, time
    from IPython.core.interactiveshell import InteractiveShell
    shell = InteractiveShell.instance()
    before = time.process_time()
    shell.run_line_magic("load_ext", "thanosql")
    print(time.process_time() - before)
    print([name for name in ("pandas", "numpy", "sqlalchemy", "lark", "torch", "transformers") if name in sys.modules])
    """
    answer = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    seconds, heavy = answer.stdout.strip().splitlines()[-2:]
    assert heavy == "[]"
    assert float(seconds) < 0.3


def test_the_value_of_a_cell_is_the_frame_that_execute_returns(shell: Any) -> None:
    result, shown = run(shell, "%%thanosql\nSELECT 1 AS a, 'x' AS b;")
    assert isinstance(result.result, pd.DataFrame)
    assert result.result.to_dict("records") == [{"a": 1, "b": "x"}]
    assert shell.user_ns["_"] is result.result
    assert "a" in shown


def test_a_line_magic_can_be_assigned(shell: Any) -> None:
    run(shell, "x = %thanosql SELECT 2 AS b")
    assert shell.user_ns["x"].b.tolist() == [2]


def test_variables_of_the_notebook_are_parameters_and_braces_and_dollars_stay(shell: Any) -> None:
    result, _ = run(shell, 'n = 3; name = "O\'Brien"')
    result, _ = run(shell, "%%thanosql\nSELECT :n + 1 AS m, :name AS who, '{n}' AS braces, '$n' AS dollars")
    assert result.result.iloc[0].to_dict() == {"m": 4, "who": "O'Brien", "braces": "{n}", "dollars": "$n"}


def test_a_value_given_with_the_magic_stands_before_the_notebooks_variable(shell: Any) -> None:
    shell.user_ns["n"] = 1
    result, _ = run(shell, "%thanosql --with n=5 --with word='two words' SELECT :n AS n, :word AS word")
    assert result.result.iloc[0].to_dict() == {"n": 5, "word": "two words"}


def test_a_result_kept_in_a_variable_is_not_shown(shell: Any) -> None:
    result, shown = run(shell, "%%thanosql kept <<\nSELECT 'seen' AS a")
    assert result.result is None
    assert shell.user_ns["kept"].a.tolist() == ["seen"]
    assert "seen" not in shown
    assert "kept: 1 row, 1 column" in shown


def test_the_limit_is_on_what_is_shown_never_on_the_value(shell: Any) -> None:
    run(shell, "%config ThanoSQL.limit = 3")
    result, shown = run(shell, "%thanosql SELECT 'row ' || x AS x FROM generate_series(1, 50) x")
    assert len(result.result) == 50
    assert "row 3" in shown
    assert "row 4" not in shown
    assert "50 rows, the first 3 shown" in shown
    _, shown = run(shell, "%thanosql --limit 5 SELECT 'row ' || x AS x FROM generate_series(1, 50) x")
    assert "row 5" in shown


MANY = "SELECT 'row ' || x AS x FROM generate_series(1, 20000) x"


def test_of_many_rows_the_first_are_shown_and_the_others_come_when_the_value_is_used(shell: Any) -> None:
    from thanosql.engine.postgres.server_cursor import server_cursor_of

    result, shown = run(shell, f"%%thanosql\n{MANY}")
    assert "row 10" in shown
    assert "row 11" not in shown
    assert "20,000 rows, the first 10 shown" in shown
    bundle, _ = shell.display_formatter.format(result.result)
    assert "20,000 rows, the first 10 shown" in bundle["text/html"]
    assert server_cursor_of(result.result) is not None
    assert shell.user_ns["_"] is result.result
    run(shell, "again = _")
    assert server_cursor_of(shell.user_ns["again"]) is not None
    assert isinstance(result.result, pd.DataFrame)
    assert result.result.x.iloc[-1] == "row 20000"
    assert server_cursor_of(result.result) is None
    bundle, _ = shell.display_formatter.format(result.result)
    assert "20,000 rows, the first 10 shown" in bundle["text/html"]


def test_rows_kept_in_a_variable_are_there_at_once(shell: Any) -> None:
    from thanosql.engine.postgres.server_cursor import server_cursor_of

    run(shell, f"%%thanosql kept <<\n{MANY}")
    assert server_cursor_of(shell.user_ns["kept"]) is None
    assert len(shell.user_ns["kept"]) == 20_000
    run(shell, "%config ThanoSQL.at_once = 30000")
    result, _ = run(shell, f"%thanosql {MANY}")
    assert server_cursor_of(result.result) is None


def test_a_predict_shows_its_first_rows_with_players_and_its_count(shell: Any) -> None:
    from thanosql.engine.postgres.server_cursor import server_cursor_of

    run(shell, "%thanosql GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)")
    run(shell, "%config ThanoSQL.at_once = 20")
    source = "'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'"
    run(shell, f"%thanosql COPY many_calls OPTIONS (if_exists='replace') FROM {source}")
    query = "SELECT c.audio_path FROM (SELECT * FROM many_calls LIMIT 1) c, generate_series(1, 50)"
    for options in ("", "OPTIONS (table_name='many_heard') "):
        result, shown = run(shell, f"%thanosql --limit 3 PREDICT USING Wav2Vec2Tiny {options}AS {query}")
        assert "50 rows, the first 3 shown" in shown
        bundle, _ = shell.display_formatter.format(result.result)
        assert bundle["text/html"].count("<audio") == 3
        assert server_cursor_of(result.result) is not None
        run(shell, "%thanosql DROP TABLE IF EXISTS many_heard")
        assert result.result.predict_result.notna().sum() == 50


def test_every_statement_of_a_cell_says_what_it_did_and_the_last_one_is_the_value(shell: Any) -> None:
    result, shown = run(
        shell, "%%thanosql\nCREATE TEMP TABLE t AS SELECT 1 AS a;\nSELECT 'between' AS b;\nSELECT a + 1 AS c FROM t;"
    )
    assert "SELECT 1" in shown
    assert "between" in shown
    assert result.result.c.tolist() == [2]


def test_a_quiet_cell_says_no_status(shell: Any) -> None:
    result, shown = run(shell, "%thanosql --quiet CREATE TEMP TABLE quiet_table (a int)")
    assert result.success
    assert shown.strip() == ""


def test_a_status_is_a_string_shown_without_quotes(shell: Any) -> None:
    result, shown = run(shell, "%thanosql CREATE TEMP TABLE spoken (a int)")
    assert result.result == "CREATE TABLE"
    assert "Out[1]: CREATE TABLE" in shown.splitlines()


def test_a_frame_that_was_changed_is_shown_by_pandas_again(shell: Any) -> None:
    run(shell, "x = %thanosql SELECT 1 AS a")
    bundle, _ = shell.display_formatter.format(shell.user_ns["x"])
    assert "thanosql-table" in bundle["text/html"]
    shell.user_ns["x"]["more"] = 2
    bundle, _ = shell.display_formatter.format(shell.user_ns["x"])
    assert "thanosql-table" not in bundle["text/html"]


def test_frames_that_are_not_ours_are_left_to_pandas(shell: Any) -> None:
    run(shell, "%thanosql SELECT 1 AS a")
    bundle, _ = shell.display_formatter.format(pd.DataFrame({"a": [1]}))
    assert "thanosql" not in bundle["text/html"]


def test_a_view_does_not_keep_its_frame_alive(shell: Any) -> None:
    import gc
    import weakref

    run(shell, "x = %thanosql SELECT 1 AS a")
    frame = weakref.ref(shell.user_ns["x"])
    del shell.user_ns["x"]
    gc.collect()
    assert frame() is None


def test_an_error_is_one_short_block_with_a_caret_and_fails_the_cell(shell: Any) -> None:
    result, shown = run(shell, "%%thanosql\nSELECT *\nFROM no_such_table")
    assert isinstance(result.error_in_exec, ThanoSQLDatabaseError)
    assert not result.success
    assert "Traceback" not in shown
    assert ".py" not in shown
    line, caret = shown.strip().splitlines()[1:3]
    assert line == "line 2: FROM no_such_table"
    assert caret.strip() == "^" * len("no_such_table")
    assert line.index("no_such_table") == caret.index("^")


def test_a_misspelt_option_of_the_magic_is_told_with_the_right_one(shell: Any) -> None:
    result, shown = run(shell, "%thanosql --limt 3 SELECT 1")
    assert isinstance(result.error_in_exec, ThanoSQLOptionError)
    assert "Did you mean --limit?" in shown


def test_the_magic_says_where_the_session_works_from_now_on(shell: Any) -> None:
    for name, told in (("ray?workers=2", "executor   ray?workers=2"), ("local", "")):
        _, shown = run(shell, f"%thanosql --executor {name}")
        assert [line for line in shown.splitlines() if line.startswith("executor")] == ([told] if told else [])
        _, shown = run(shell, "%thanosql")
        assert told in shown


@pytest.mark.parametrize(
    ("line", "told"),
    [("--executor raay", "Did you mean ray?"), ("--executor", "needs a name"), ("--executor --quiet", "needs a name")],
)
def test_a_mistake_in_the_executor_of_a_magic_is_told(shell: Any, line: str, told: str) -> None:
    result, shown = run(shell, f"%thanosql {line} SELECT 1" if "raay" in line else f"%thanosql {line}")
    assert isinstance(result.error_in_exec, ThanoSQLOptionError)
    assert told in shown


def test_a_name_that_is_no_connection_is_told(shell: Any) -> None:
    result, _ = run(shell, "%thanosql warehouse")
    assert isinstance(result.error_in_exec, ThanoSQLConnectionError)


def test_the_origins_token_is_answered_and_not_repeated(shell: Any) -> None:
    result, shown = run(shell, "%thanosql API_TOKEN=s3cret")
    assert result.success
    assert "No token is needed" in shown
    assert "s3cret" not in shown


def test_the_magic_alone_tells_what_is_connected(shell: Any, tmp_path: Path) -> None:
    _, shown = run(shell, "%thanosql")
    for word in ("ThanoSQL", "database", str(tmp_path / "models"), "device", "cpu"):
        assert word in shown


def test_connecting_never_shows_the_password(shell: Any) -> None:
    result, shown = run(shell, "%thanosql postgresql://ann:s3cret@127.0.0.1:1/calls")
    assert isinstance(result.error_in_exec, ThanoSQLConnectionError)
    assert "s3cret" not in shown


def test_a_cell_can_name_its_connection(shell: Any, postgres_url: str) -> None:
    result, shown = run(shell, f"%%thanosql {postgres_url} kept <<\nSELECT 7 AS a")
    assert result.success
    assert shell.user_ns["kept"].a.tolist() == [7]
    assert "PostgreSQL" in shown


def test_a_connection_has_a_name_in_the_configuration_and_its_password_is_never_shown(
    shell: Any, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlalchemy

    url = sqlalchemy.make_url(postgres_url).set(password="s3cret").render_as_string(hide_password=False)
    (tmp_path / "thanosql.toml").write_text(f'[connections]\ncalls = "{url}"\n')
    monkeypatch.setenv("THANOSQL_CONFIG", str(tmp_path / "thanosql.toml"))
    sessions.use(sessions.Session())
    result, connected = run(shell, "%thanosql calls")
    assert result.success
    assert "PostgreSQL" in connected
    _, status = run(shell, "%thanosql")
    _, broken = run(shell, "%thanosql calls SELECT * FROM no_such_table")
    _, listed = run(shell, "%config ThanoSQL")
    assert "s3cret" not in connected + status + broken + listed


def test_a_result_that_stays_in_the_database_is_told_and_not_fetched(shell: Any) -> None:
    run(shell, "%thanosql GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)")
    source = "'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'"
    run(shell, f"%thanosql COPY kept_there OPTIONS (if_exists='replace') FROM {source}")
    predict = "PREDICT USING Wav2Vec2Tiny OPTIONS (table_name='heard_there') AS SELECT * FROM kept_there LIMIT 2"
    result, shown = run(shell, f"%%thanosql --no-fetch\n{predict}")
    assert isinstance(result.result, str)
    assert "heard_there" in shown
    assert run(shell, "%thanosql SELECT count(*) AS n FROM heard_there")[0].result.n.tolist() == [2]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("%thanosql PREDICT?", "result_col='predict_result'"),
        ("%%thanosql\nBUILD MODEL?", "max_epochs=5"),
        ("%thanosql ? Wav2Vec2En", "facebook/wav2vec2-base-960h"),
        ("%thanosql batch_size?", "from 1 to 4096"),
        ("%thanosql PREDCT?", "Did you mean PREDICT?"),
        ("%thanosql?", "--with NAME=VALUE"),
        ("%thanosql help", "any other SQL, as PostgreSQL has it"),
        ("%thanosql help batch_size", "from 1 to 4096"),
        ("%%thanosql\nhelp;", "any other SQL, as PostgreSQL has it"),
        ("%%thanosql\n?", "any other SQL, as PostgreSQL has it"),
        ("%%thanosql\n\\h PREDICT", "result_col='predict_result'"),
    ],
)
def test_a_question_mark_explains(shell: Any, asked: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "cat")
    result, shown = run(shell, asked)
    assert result.success
    assert said in shown


@pytest.mark.parametrize("written", ["'{who}'", "'{{who}}'", "'%{who}%'"])
def test_a_variable_in_braces_in_a_text_is_pointed_out(shell: Any, written: str) -> None:
    run(shell, "who = 'seven'")
    result, shown = run(shell, f"%thanosql SELECT 1 AS one WHERE 'seven' LIKE {written}")
    assert len(result.result) == 0
    assert "write a parameter as :who, without quotes" in shown
    for meant in ("'{nobody}'", "'{\"who\": 1}'", "'{who}'::text[]"):
        _, shown = run(shell, f"%thanosql SELECT {meant}")
        assert "write a parameter as" not in shown


def test_what_ran_before_a_mistake_is_shown(shell: Any) -> None:
    result, shown = run(shell, "%%thanosql\nSET search_path TO public; SELECT 'first' AS a; SELECT nonsense")
    assert isinstance(result.error_in_exec, ThanoSQLDatabaseError)
    assert shown.index("SET") < shown.index("first")


def test_a_status_stands_above_the_bar_of_the_statement_behind_it(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)  # so that it is there long before the statement's end
    _, shown = run(shell, "%%thanosql\nSET search_path TO public; SELECT pg_sleep(1.6)")
    assert shown.index("SET") < shown.index("running")


def test_loading_twice_keeps_one_of_everything(shell: Any) -> None:
    shell.run_line_magic("reload_ext", "thanosql")
    assert [type(one).__name__ for one in shell.configurables].count("ThanoSQL") == 1
    assert [one.__name__ for one in shell.Completer.custom_matchers].count("thanosql_matcher") == 1


def shown_as(shell: Any, value: Any) -> str:
    """The HTML that the shell displays for a value."""
    data, _ = shell.display_formatter.format(value)
    return str(data.get("text/html", ""))


@pytest.mark.parametrize("again", ["%reload_ext thanosql", "%unload_ext thanosql\n%load_ext thanosql", "autoreload"])
def test_loaded_again_it_keeps_the_views_the_settings_and_one_of_everything(shell: Any, again: str) -> None:
    run(shell, "%config ThanoSQL.limit = 3")
    before = run(shell, "%thanosql SELECT generate_series(1, 9) AS n")[0].result
    assert "9 rows, the first 3 shown" in shown_as(shell, before)  # from now on its type's printer is remembered
    if again == "autoreload":
        run(shell, "%load_ext autoreload\n%autoreload 2")
        for name in ("thanosql.notebook.ipython_integration", "thanosql.magic", "thanosql"):
            superreload(sys.modules[name])
        assert sys.modules["thanosql"].models is sys.modules["thanosql.models"]
        again = "%reload_ext thanosql"
    run(shell, again)
    after = run(shell, "%thanosql SELECT generate_series(1, 8) AS n")[0].result
    assert "9 rows, the first 3 shown" in shown_as(shell, before)
    assert "8 rows, the first 3 shown" in shown_as(shell, after)
    assert [one.__name__ for one in shell.Completer.custom_matchers].count("thanosql_matcher") == 1


def test_unloaded_the_shell_is_as_before(shell: Any) -> None:
    value = run(shell, "%thanosql SELECT 1 AS n")[0].result
    assert "thanosql-table" in shown_as(shell, value)
    run(shell, "%unload_ext thanosql")
    assert "thanosql-table" not in shown_as(shell, value)
    assert "thanosql" not in shell.magics_manager.magics["line"]
    assert "thanosql_matcher" not in [one.__name__ for one in shell.Completer.custom_matchers]
    run(shell, "%load_ext thanosql")
    assert "thanosql-table" in shown_as(shell, value)


def test_unloading_leaves_what_another_extension_made_of_the_prompt(shell: Any) -> None:
    def options() -> dict[str, Any]:
        return {"lexer": None}

    run(shell, "%unload_ext thanosql")
    shell._extra_prompt_options = options
    run(shell, "%load_ext thanosql")
    ours = shell._extra_prompt_options
    assert ours is not options
    run(shell, "%unload_ext thanosql")
    assert shell._extra_prompt_options is options
    run(shell, "%load_ext thanosql")
    shell._extra_prompt_options = options  # of one that was loaded after ours
    run(shell, "%unload_ext thanosql")
    assert shell._extra_prompt_options is options


def test_the_variables_of_the_function_around_a_line_are_parameters(shell: Any) -> None:
    run(
        shell,
        "q = 'global'\nother = 'too'\ndef g(q):\n    x = %thanosql SELECT :q || ' ' || :other AS said\n    return x.said[0]",
    )
    assert run(shell, "g('local')")[0].result == "local too"
    assert run(shell, "[g(one) for one in 'ab']")[0].result == ["a too", "b too"]


def test_a_parameter_without_a_value_is_answered_with_the_variables_that_somebody_made(shell: Any) -> None:
    run(shell, "import os\nfrom pathlib import Path\ndef f(): return 1\nspeaker, _private = 'a', 1")
    result, _ = run(shell, "%thanosql SELECT :nothing_like_it")
    assert str(result.error_in_exec).splitlines()[-1] == "Parameters given: :speaker."
    assert run(shell, "%thanosql SELECT :_private AS n")[0].result.n.tolist() == [1]
    result, _ = run(shell, "%thanosql PREDICT USING Wav2Vec2Tiny OPTIONS (batch_size=:n) AS SELECT 'x' AS audio_path")
    assert str(result.error_in_exec).splitlines()[-1] == "Parameters given: :speaker."


@pytest.mark.parametrize("order", [("sql", "magic_duckdb", "thanosql"), ("thanosql", "magic_duckdb", "sql")])
def test_beside_jupysql_and_duckdbs_magic_each_has_its_own(shell: Any, order: tuple[str, ...]) -> None:
    for name in order:
        pytest.importorskip(name, reason="pip install jupysql magic-duckdb")
    run(shell, "%unload_ext thanosql")
    for name in order:
        run(shell, f"%load_ext {name}")
    assert {"thanosql", "sql", "dql"} <= shell.magics_manager.magics["cell"].keys()
    value = run(shell, "%thanosql SELECT 1 AS n")[0].result
    assert "thanosql-table" in shown_as(shell, value)
    text = "%%thanosql\nPREDICT USING Wav2Vec2Ti"
    with provisionalcompleter():
        assert [one.text for one in shell.Completer.completions(text, len(text))] == ["Wav2Vec2Tiny", "Wav2Vec2TinyKo"]


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_interrupt_ends_a_query_before_it_is_over_with_one_line(shell: Any, postgres_url: str) -> None:
    run(shell, "%thanosql SELECT 1")
    database = sessions.default_session().database
    with contextlib.closing(psycopg2.connect(postgres_url)) as raw, raw.cursor() as cursor:
        raw.autocommit = True

        def asleep() -> bool:
            pid = database.connection._session.info.backend_pid
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", (pid,))
            return cursor.fetchone() is not None

        began = time.monotonic()
        with interrupted(lambda: until(asleep)):
            result, shown = run(shell, "%thanosql SELECT pg_sleep(120)")
    assert time.monotonic() - began < 110
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert [line for line in shown.splitlines() if line.startswith("Interrupted after ")] != []
    assert "Traceback" not in shown
    result, _ = run(shell, "%thanosql SELECT 8 AS a")
    assert result.result.a.tolist() == [8]


def test_a_player_plays_only_what_its_statement_may_read(shell: Any, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    inside, outside = tmp_path / "calls", tmp_path / "secret.wav"
    inside.mkdir()
    for path in (inside / "one.wav", outside):
        soundfile.write(path, np.zeros(1600, np.float32), 16_000)
    session = sessions.default_session()
    session.settings = replace(session.settings, audio_roots=(inside,), confined=True)
    result, _ = run(shell, f"%thanosql PRINT AUDIO AS SELECT * FROM (VALUES ('one.wav'), ('{outside}')) v(audio_path)")
    bundle, _ = shell.display_formatter.format(result.result)
    assert bundle["text/html"].count("<audio") == 1
    assert "outside of the folders that audio may be read from" in bundle["text/html"]
