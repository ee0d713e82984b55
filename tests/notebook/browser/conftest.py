"""One server, one Chromium and one notebook for all browser tests; how long things took is told at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.browser import lab
from tests.notebook.homes import empty_home

LOAD_NUMBERS = """%%thanosql --quiet
GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True);
COPY numbers OPTIONS (if_exists='replace') FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv'"""
_times: dict[str, float] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("THANOSQL_TEST_NOTEBOOKS"):
        here = Path(__file__).parent
        skip = pytest.mark.skip(reason="minutes long: `make browser` (THANOSQL_TEST_NOTEBOOKS=1)")
        for item in items:
            if here in item.path.parents:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Server]:
    with empty_home() as home:
        environment = {"THANOSQL_HOME": str(home), "THANOSQL_DATABASE_URL": ""}
        with lab.serving(tmp_path_factory.mktemp("lab"), environment) as running:
            yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    assert lab.CHROMIUM, "the browser tests need Chromium: scripts/install_chromium.sh"
    with sync_playwright() as tool:
        chromium = tool.chromium.launch(executable_path=lab.CHROMIUM, args=list(lab.ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def notebook(browser: Any, server: lab.Server) -> Iterator[lab.Notebook]:
    """A notebook in JupyterLab, as new as a newcomer's, with the magics loaded and a table `numbers`."""
    began = time.monotonic()
    one = lab.Notebook.opened(browser, server, "numbers")
    record("JupyterLab: notebook open, kernel ready", began)
    began = time.monotonic()
    first_cell = time.monotonic()
    one.run("%load_ext thanosql")
    record("%load_ext thanosql, with the way through the page", began)
    began = time.monotonic()
    one.run(LOAD_NUMBERS)
    record("first SQL cell: PostgreSQL made and started, 90 recordings in a table", began)
    began = time.monotonic()
    one.run("%%thanosql\nPREDICT USING Wav2Vec2Tiny AS SELECT * FROM numbers LIMIT 5")
    record("first PREDICT: torch imported, model loaded, 5 transcripts beside their players", began)
    record("first cell to first transcript", first_cell)
    assert one.count("audio[aria-label]") == 5, one.output()
    yield one
    one.close()


def record(what: str, began: float) -> None:
    """Keep how many seconds something took."""
    _times[what] = round(time.monotonic() - began, 2)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _times:
        return
    lab.SHOTS.mkdir(exist_ok=True)
    (lab.SHOTS / "times.json").write_text(json.dumps(_times, indent=1))
    terminalreporter.section("what people wait for, in seconds")
    for what, seconds in _times.items():
        terminalreporter.line(f"{seconds:7.2f}  {what}")
