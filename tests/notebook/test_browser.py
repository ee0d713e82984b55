"""What people see and do in JupyterLab, in a real browser. Pictures and times are left in screenshots/."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("jupyterlab", reason="the browser tests need JupyterLab: pip install jupyterlab playwright")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser tests need playwright: pip install playwright"
)

import sys  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))

import lab  # noqa: E402

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("THANOSQL_TEST_NOTEBOOKS"), reason="it takes minutes: set THANOSQL_TEST_NOTEBOOKS=1"
    ),
    pytest.mark.skipif(lab.CHROMIUM is None, reason="the browser tests need Chromium: apt-get install chromium"),
]

HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=2</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def url(folder: Path, postgres_url: str) -> Iterator[str]:
    recordings = folder / "home" / "workspace" / "calls"
    recordings.mkdir(parents=True)
    noise = np.random.default_rng(0)
    for index in range(4):
        time_axis = np.arange(16_000 + 4_000 * index) / 16_000
        tone = 0.2 * np.sin(2 * np.pi * (220 + 110 * index) * time_axis) + 0.01 * noise.standard_normal(len(time_axis))
        soundfile.write(recordings / f"{index}.wav", tone.astype(np.float32), 16_000)
    with lab.serving(folder, {"THANOSQL_DATABASE_URL": postgres_url, "THANOSQL_HOME": str(folder / "home")}) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tool:
        chromium = tool.chromium.launch(executable_path=lab.CHROMIUM, args=list(lab.ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def notebook(browser: Any, url: str, folder: Path) -> Iterator[lab.Notebook]:
    """A notebook with the magics loaded and a table `calls` of four recordings."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(lab.CELL_SECONDS * 1000)
    began = time.monotonic()
    one = lab.Notebook.opened(page, url, folder, "calls")
    record("notebook open", began)
    began = time.monotonic()
    one.run("%load_ext thanosql")
    record("%load_ext", began)
    one.run(
        "%%thanosql --quiet\nDROP TABLE IF EXISTS calls;\nCREATE TABLE calls AS SELECT i AS id, "
        "'calls/' || i || '.wav' AS audio_path, 'one two ' || i AS text FROM generate_series(0, 3) i"
    )
    yield one
    page.close()


def record(what: str, began: float) -> None:
    """Keep how long something took, in seconds, in screenshots/times.json."""
    lab.SHOTS.mkdir(exist_ok=True)
    path = lab.SHOTS / "times.json"
    times = json.loads(path.read_text()) if path.exists() else {}
    times[what] = round(time.monotonic() - began, 2)
    path.write_text(json.dumps(times, indent=1))


def test_first_transcripts_stand_beside_players_in_both_themes(notebook: lab.Notebook) -> None:
    began = time.monotonic()
    notebook.run("%%thanosql\nPREDICT USING Wav2Vec2Tiny AS SELECT * FROM calls ORDER BY id")
    record("first PREDICT", began)
    assert notebook.count("audio[aria-label]") == 4
    assert "predict_result" in notebook.output()
    notebook.shot("predict-light")
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    notebook.page.wait_for_timeout(1500)
    notebook.shot("predict-dark")
    colours = notebook.page.evaluate(
        f"() => [{lab.LAST}.outputArea.node.querySelector('td'), document.querySelector('.jp-Notebook')]"
        ".map((element, index) => getComputedStyle(element)[index ? 'backgroundColor' : 'color'])"
    )
    assert brightness(colours[0]) > 150 > 100 > brightness(colours[1])
    notebook.command("apputils:change-theme", theme="JupyterLab Light")
    notebook.page.wait_for_timeout(1000)


def brightness(colour: str) -> float:
    """The mean of `rgb(1, 2, 3)`'s parts, from 0 to 255."""
    parts = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(parts) / 3


def test_a_player_plays(notebook: lab.Notebook) -> None:
    notebook.run("%%thanosql\nPRINT AUDIO AS SELECT * FROM calls ORDER BY id LIMIT 2")
    assert notebook.count("svg[role=img]") == 2
    notebook.shot("print-audio")
    seconds = notebook.page.evaluate(
        f"async () => {{ const audio = {lab.LAST}.outputArea.node.querySelector('audio'); audio.muted = true;"
        "await audio.play(); await new Promise(done => setTimeout(done, 600)); return audio.currentTime }"
    )
    assert seconds > 0.2  # of the recording were heard in 0.6 s


def test_hostile_strings_stay_text(notebook: lab.Notebook) -> None:
    notebook.page.evaluate("() => { window.hacked = 0 }")
    notebook.run(f"hostile = {HOSTILE!r}")
    notebook.run(f'%%thanosql\nSELECT :hostile AS "{HOSTILE}", :hostile AS text')
    assert notebook.output().count(HOSTILE) == 2
    notebook.run("%%thanosql\nPRINT AUDIO AS SELECT audio_path, :hostile AS text FROM calls LIMIT 1")
    assert HOSTILE in notebook.output()
    notebook.run("%%thanosql\nPREDICT USING Wav2Vec2Tiny AS SELECT :hostile AS audio_path")
    assert HOSTILE in notebook.output()
    notebook.shot("hostile")
    notebook.run(f'%thanosql SELECT 1 AS a FROM "{HOSTILE}"')
    notebook.page.wait_for_timeout(500)
    assert notebook.page.evaluate("() => window.hacked") == 0
    assert notebook.page.evaluate("() => document.querySelectorAll('.jp-OutputArea img').length") == 0


def test_variables_of_the_notebook_reach_the_query_and_the_result_reaches_python(notebook: lab.Notebook) -> None:
    notebook.run("n = 2")
    notebook.run("%%thanosql kept <<\nSELECT id FROM calls WHERE id < :n ORDER BY id")
    notebook.run("print(type(kept).__name__, kept.id.tolist())")
    assert "DataFrame [0, 1]" in notebook.output()


def test_an_error_is_one_short_block_and_stops_run_all(browser: Any, url: str, folder: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(lab.CELL_SECONDS * 1000)
    cells = ["%load_ext thanosql", "%%thanosql\nSELECT *\nFROM no_such_table", "print('went on')"]
    one = lab.Notebook.opened(page, url, folder, "stops", cells)
    one.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells').catch(() => null)")
    texts = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.outputArea.node.innerText)"
    )
    assert "FROM no_such_table" in texts[1]
    assert "^^^^" in texts[1]
    assert "Traceback" not in texts[1]
    assert len(texts[1].strip().splitlines()) <= 4
    assert "went on" not in texts[2]
    page.screenshot(path=str(lab.SHOTS / "error.png"))
    page.close()


def test_a_list_completes_what_is_typed_in_a_cell(notebook: lab.Notebook) -> None:
    notebook.run("")
    page = notebook.page
    editor = page.locator(".jp-Notebook .jp-Cell").last.locator(".cm-content")
    editor.click()
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
    page.keyboard.press("Enter")
    expected = "PREDICT USING Wav2Vec2Tiny OPTIONS (precision="
    page.wait_for_function(f"() => {lab.LAST}.model.sharedModel.getSource().includes('{expected}')")


def test_a_cell_has_the_colours_of_its_language(notebook: lab.Notebook) -> None:
    notebook.run("%%thanosql\nSELECT count(*) FROM calls -- all of them")
    colours = notebook.page.evaluate(
        f"() => Object.fromEntries([...{lab.LAST}.node.querySelectorAll('.cm-line span')]"
        ".map(span => [span.textContent, getComputedStyle(span).color]))"
    )
    assert colours["SELECT"] == colours["FROM"]
    assert colours["-- all of them"] not in (colours["SELECT"], "rgb(0, 0, 0)")


@pytest.mark.parametrize("statement", ["SELECT pg_sleep(60)", "training"])
def test_an_interrupt_is_acknowledged_within_a_second_and_leaves_one_line(
    notebook: lab.Notebook, statement: str
) -> None:
    if statement == "training":
        # Many passes over few recordings: it begins soon, and is long enough to be interrupted in the middle.
        rows = "SELECT audio_path, 'one two' AS text FROM calls, generate_series(1, 8)"
        statement = f"BUILD MODEL never_done USING Wav2Vec2Tiny OPTIONS (max_epochs=500) AS {rows}"
    notebook.run(f"%%thanosql\n{statement}", wait=False)
    bar = f"() => {lab.LAST}.outputArea.node.innerText"
    if "BUILD" in statement:
        seen = moving(notebook)
        assert len(seen) >= 2, f"the bar stood still: {seen}"
        notebook.shot("training")
    else:
        notebook.page.wait_for_function(f"{bar}.includes('running')")
    began = time.monotonic()
    notebook.command("notebook:interrupt-kernel")
    notebook.page.wait_for_function(f"() => /interrupting|Interrupted/.test(({bar})())")
    acknowledged = time.monotonic() - began
    notebook.finished()
    record(f"interrupt of {statement[:5]} acknowledged", began)
    notebook.shot(f"interrupt-{statement[:5].lower()}")
    assert acknowledged < 1.5  # a second, and the time of a round through kernel, server and page
    lines = [line for line in notebook.output().strip().splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("Interrupted after ")


def moving(notebook: lab.Notebook) -> set[str]:
    """The values that a running cell's bar takes, until there are three or a minute has passed."""
    seen: set[str] = set()
    until = time.monotonic() + 120
    while len(seen) < 3 and time.monotonic() < until:
        value = notebook.page.evaluate(
            f"() => {lab.LAST}.outputArea.node.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')"
        )
        training = "training" in notebook.output()
        if value is not None and training:
            seen.add(value)
        notebook.page.wait_for_timeout(200)
    return seen


def test_a_phones_width_shows_a_result_without_cutting_it(notebook: lab.Notebook, browser: Any) -> None:
    notebook.run("%%thanosql\nPRINT AUDIO AS SELECT * FROM calls LIMIT 2")
    page_html = notebook.page.evaluate(f"() => {lab.LAST}.outputArea.node.querySelector('.thanosql').outerHTML")
    phone = browser.new_page(viewport={"width": 390, "height": 800})
    phone.set_content(f"<!doctype html><meta name=viewport content='width=device-width'>{page_html}")
    assert phone.evaluate("() => document.documentElement.scrollWidth") <= 390
    inner = phone.evaluate(
        "() => [document.querySelector('.thanosql').scrollWidth, document.querySelector('.thanosql').clientWidth]"
    )
    assert inner[0] <= inner[1]
    phone.screenshot(path=str(lab.SHOTS / "phone.png"))
    phone.close()
