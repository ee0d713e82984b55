"""Jupyter Notebook 7: the first cell, colours, progress that moves, and an interrupt that leaves one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.notebook.browser import lab
from tests.notebook.browser.conftest import LOAD_NUMBERS
from tests.notebook.browser.test_cells import colours_of, moving


@pytest.fixture(scope="module")
def page(browser: Any, server: lab.Server) -> Iterator[lab.Notebook]:
    one = lab.Notebook.opened(browser, server, "seven", app="notebook")
    one.run("%load_ext thanosql")
    one.run(LOAD_NUMBERS)
    yield one
    one.close()


def test_the_first_cell_shows_players_in_the_cells_own_colours(page: lab.Notebook) -> None:
    page.run("%%thanosql\nPREDICT USING Wav2Vec2Tiny AS SELECT * FROM numbers LIMIT 3")
    assert page.count("audio[aria-label]") == 3
    colours = colours_of(page)
    assert colours["PREDICT"] == colours["SELECT"] != "rgb(0, 0, 0)"
    page.shot("notebook7-predict")


def test_progress_moves_and_an_interrupt_leaves_one_line(page: lab.Notebook) -> None:
    page.run(
        "%%thanosql\nBUILD MODEL seven USING Wav2Vec2Tiny OPTIONS (max_epochs=500) AS\n"
        "SELECT audio_path, text FROM numbers LIMIT 32",
        wait=False,
    )
    seen = moving(page)
    assert len(seen) >= 2, f"the bar stood still: {seen}\n{page.output()}"
    page.shot("notebook7-training")
    page.command("notebook:interrupt-kernel")
    page.finished()
    assert page.output().strip().startswith("Interrupted after ")
