"""What people type and what answers, in JupyterLab: cells, errors, variables, completion, colours, interrupts."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.notebook.browser import lab
from tests.notebook.browser.conftest import record


def test_variables_of_the_notebook_reach_the_query_and_the_result_reaches_python(notebook: lab.Notebook) -> None:
    notebook.run("said = '%hundred%'")
    notebook.run("%%thanosql kept <<\nSELECT text FROM numbers WHERE text LIKE :said AND text <> '{said} $said'")
    assert "kept: " in notebook.output()
    notebook.run("print(type(kept).__name__, len(kept) > 0, kept.text.str.contains('hundred').all())")
    assert "DataFrame True True" in notebook.output()


def test_an_error_is_one_short_block_and_stops_run_all(browser: Any, server: lab.Server) -> None:
    cells = ("%load_ext thanosql", "%%thanosql\nSELECT *\nFROM no_such_table", "print('went on')")
    one = lab.Notebook.opened(browser, server, "stops", cells=cells)
    one.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells').catch(() => null)")
    texts = one.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.outputArea.node.innerText)"
    )
    one.shot("error", whole=True)
    one.close()
    assert "FROM no_such_table" in texts[1]
    assert "^^^^" in texts[1]
    assert "Traceback" not in texts[1]
    assert len(texts[1].strip().splitlines()) <= 4
    assert "went on" not in texts[2]


def test_a_list_completes_what_is_typed_in_a_cell(notebook: lab.Notebook) -> None:
    notebook.run("")
    page = notebook.page
    page.locator(".jp-Notebook .jp-Cell").last.locator(".cm-content").click()
    page.keyboard.type("%%thanosql\n")
    page.keyboard.type("PREDICT USING Wav2", delay=20)
    page.keyboard.press("Tab")
    page.wait_for_selector(".jp-Completer >> text=Wav2Vec2Tiny")
    notebook.shot("completion")
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.keyboard.type(" OPTIONS (pre", delay=20)
    page.keyboard.press("Tab")
    page.wait_for_selector(".jp-Completer >> text=precision=")
    notebook.shot("completion-option")
    page.keyboard.press("Enter")
    page.keyboard.type("'auto') AS SELECT sp", delay=20)
    page.keyboard.press("Tab")
    expected = "PREDICT USING Wav2Vec2Tiny OPTIONS (precision='auto') AS SELECT sp"
    page.wait_for_function(f"() => {lab.LAST}.model.sharedModel.getSource().includes({expected!r})")
    page.keyboard.press("Escape")


def test_a_cell_has_the_colours_of_its_language(notebook: lab.Notebook) -> None:
    notebook.run("%%thanosql\nSELECT count(*) FROM numbers -- all of them")
    colours = colours_of(notebook)
    assert colours["SELECT"] == colours["FROM"]
    assert colours["-- all of them"] not in (colours["SELECT"], "rgb(0, 0, 0)")


@pytest.mark.parametrize("order", ["thanosql sql magic_duckdb", "magic_duckdb sql thanosql"])
def test_beside_jupysql_and_duckdbs_magic_each_keeps_colours_completion_and_results(
    browser: Any, server: lab.Server, order: str
) -> None:
    for name in ("jupysql_plugin", "magic_duckdb"):
        pytest.importorskip(name, reason="pip install thanosql-speech[browser]")
    one = lab.Notebook.opened(browser, server, f"three-{order.partition(' ')[0]}")
    assert one.page.evaluate("() => window.jupyterapp.listPlugins().includes('jupysql-plugin:syntax-highlighting')")
    one.run("\n".join(f"%load_ext {name}" for name in order.split()))
    assert "Error" not in one.output(), one.output()
    one.run("%sql sqlite://")
    one.run("%%sql\nCREATE TABLE of_jupysql AS SELECT 41 AS answer")
    one.run("%dql CREATE OR REPLACE TABLE of_duckdb AS SELECT 42 AS answer")
    one.run("%thanosql CREATE TABLE IF NOT EXISTS of_thanosql AS SELECT 43 AS answer")
    for magic, table, answer in (
        ("%%sql", "of_jupysql", "41"),
        ("%%dql", "of_duckdb", "42"),
        ("%%thanosql", "of_thanosql", "43"),
    ):
        one.run(f"{magic}\nSELECT answer FROM {table} -- x")
        assert answer in one.output(), f"{magic} answers with its own database: {one.output()}"
        assert one.count(".thanosql-table") == (magic == "%%thanosql")
        # jupysql's plugin says its word when the text of a cell changes.
        source = f"{magic}\nSELECT answer FROM {table} -- y"
        one.page.evaluate(f"source => {lab.LAST}.model.sharedModel.setSource(source)", source)
        one.page.wait_for_timeout(300)
        colours = colours_of(one)
        if magic != "%%dql":  # it has no colours of its own: a cell of it is Python to the editor
            assert colours["SELECT"] == colours["FROM"] not in ("rgb(0, 0, 0)", colours["-- y"])
        one.shot(f"beside-{magic.strip('%')}-{order.partition(' ')[0]}")
    assert completed(one, "%%dql\nSELECT * FROM of_d") == "%%dql\nSELECT * FROM of_duckdb"
    assert completed(one, "%%thanosql\nPREDICT USING Wav2Vec2TinyK") == "%%thanosql\nPREDICT USING Wav2Vec2TinyKo"
    assert completed(one, "%%thanosql\nSELECT * FROM of_t") == "%%thanosql\nSELECT * FROM of_thanosql"
    assert completed(one, "%%sql\nSELECT * FRO").upper() == "%%SQL\nSELECT * FROM"
    one.run("def f(n):\n    return n")
    assert colours_of(one)["def"] == colours_of(one)["return"] != "rgb(0, 0, 0)"
    one.close()


def completed(notebook: lab.Notebook, text: str) -> str:
    """What a new cell has once `text` was typed into it and Tab pressed, the first of a list taken."""
    notebook.run("")
    page = notebook.page
    page.locator(".jp-Notebook .jp-Cell").last.locator(".cm-content").click()
    page.keyboard.type(text, delay=20)
    page.keyboard.press("Tab")
    source = f"() => {lab.LAST}.model.sharedModel.getSource()"
    page.wait_for_function(
        f"typed => ({source})() !== typed || document.querySelector('.jp-Completer:not(.lm-mod-hidden) .jp-Completer-item')",
        arg=text,
    )
    if page.evaluate(source) == text:
        page.keyboard.press("Enter")
    return str(page.evaluate(source))


def colours_of(notebook: lab.Notebook) -> dict[str, str]:
    """The words of the last cell that an editor colours, and how."""
    found: dict[str, str] = notebook.page.evaluate(
        f"() => Object.fromEntries([...{lab.LAST}.node.querySelectorAll('.cm-line span')]"
        ".map(span => [span.textContent, getComputedStyle(span).color]))"
    )
    return found


@pytest.mark.parametrize("statement", ["SELECT pg_sleep(60)", "training"])
def test_an_interrupt_is_acknowledged_at_once_and_leaves_one_line(notebook: lab.Notebook, statement: str) -> None:
    if statement == "training":
        # Many passes over few recordings: it begins soon, and is long enough to be interrupted in the middle.
        rows = "SELECT audio_path, text FROM numbers LIMIT 32"
        statement = f"BUILD MODEL never_done USING Wav2Vec2Tiny\nOPTIONS (max_epochs=500) AS\n{rows}"
    notebook.run(f"%%thanosql\n{statement}", wait=False)
    shown = f"() => {lab.LAST}.outputArea.node.innerText"
    if "BUILD" in statement:
        seen = moving(notebook)
        assert len(seen) >= 2, f"the bar stood still: {seen}\n{notebook.output()}"
        notebook.shot("training")
    else:
        notebook.page.wait_for_function(f"{shown}.includes('running')")
    began = time.monotonic()
    notebook.command("notebook:interrupt-kernel")
    notebook.page.wait_for_function(f"() => /interrupting|Interrupted/.test(({shown})())")
    acknowledged = time.monotonic() - began
    record(f"interrupt of {statement.split()[0]} acknowledged", began)
    notebook.finished()
    record(f"interrupt of {statement.split()[0]} ended", began)
    notebook.shot(f"interrupt-{statement.split()[0].lower()}")
    # The figure is a second; the rest is for the way through kernel, server and page on a busy machine.
    assert acknowledged < 3
    lines = [line for line in notebook.output().strip().splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("Interrupted after ")


def moving(notebook: lab.Notebook) -> set[str]:
    """The values that a running cell's bar takes in training, until there are three, it ends or a minute has passed."""
    seen: set[str] = set()
    until = time.monotonic() + 60
    while len(seen) < 3 and time.monotonic() < until and "Error" not in notebook.output():
        value = notebook.page.evaluate(
            f"() => {lab.LAST}.outputArea.node.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')"
        )
        if value is not None and "training" in notebook.output():
            seen.add(value)
        notebook.page.wait_for_timeout(200)
    return seen
