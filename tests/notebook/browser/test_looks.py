"""What a result looks like in JupyterLab: players, shades, diffs, curves, cards, in both themes and on a phone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.notebook.browser import lab
from thanosql.notebook.style import framed
from thanosql.notebook.tables import as_html

HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=2</script>"
PHONE = 390  # pixels
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
READABLE = 4.5  # the lowest contrast of text: WCAG 2.2, 1.4.3


def test_transcripts_stand_beside_players_in_both_themes(notebook: lab.Notebook) -> None:
    notebook.run(
        "%%thanosql\nPREDICT USING Wav2Vec2Tiny OPTIONS (confidence=True) AS\n"
        "SELECT audio_path, text, speaker FROM numbers ORDER BY audio_path LIMIT 8"
    )
    assert notebook.count("audio[aria-label]") == 8
    assert notebook.count(".thanosql-heard") == 8
    in_both_themes(notebook, "predict")
    notebook.picture("predict")


def test_an_evaluation_shows_its_figures_groups_and_worst_rows(notebook: lab.Notebook) -> None:
    notebook.run(
        "%%thanosql\nEVALUATE USING Wav2Vec2Tiny OPTIONS (group_by='speaker') AS\nSELECT * FROM numbers LIMIT 40"
    )
    assert notebook.count("del") > 1
    assert notebook.count("ins") > 1
    assert notebook.count("td svg") >= 2
    in_both_themes(notebook, "evaluate")
    notebook.picture("evaluate")


def test_a_training_leaves_its_curves_and_a_model_has_a_card(notebook: lab.Notebook) -> None:
    notebook.run(
        "%%thanosql\nBUILD MODEL shown USING Wav2Vec2Tiny OPTIONS (max_epochs=3, valid_split=0.25, overwrite=True) AS\n"
        "SELECT audio_path, text FROM numbers LIMIT 24"
    )
    assert notebook.count("figure svg[role=img]") >= 2, notebook.output()  # loss and WER
    in_both_themes(notebook, "build")
    notebook.run("%thanosql DESCRIBE MODEL shown")
    assert "Trained by" in notebook.output()
    in_both_themes(notebook, "describe")
    notebook.run("%thanosql LIST MODEL")
    assert "shown" in notebook.output()
    notebook.shot("list")
    inner, outer = notebook.page.evaluate(
        f"() => (e => [e.scrollWidth, e.clientWidth])({lab.LAST}.outputArea.node.querySelector('.thanosql'))"
    )
    assert inner <= outer, "a list of a few columns is seen whole, an unfinished training's line too"


def test_a_player_plays(notebook: lab.Notebook) -> None:
    notebook.run("%%thanosql\nPRINT AUDIO AS SELECT audio_path, text FROM numbers ORDER BY audio_path LIMIT 3")
    assert notebook.count("svg[role=img]") == 3
    in_both_themes(notebook, "print-audio")
    notebook.page.evaluate(
        f"() => {{ window.heard = {lab.LAST}.outputArea.node.querySelector('audio'); heard.muted = true; heard.play() }}"
    )
    notebook.page.wait_for_function("() => window.heard.currentTime > 0.3")


def test_a_player_is_reached_and_played_by_keyboard(notebook: lab.Notebook) -> None:
    notebook.run("%%thanosql\nPRINT AUDIO AS SELECT audio_path, text FROM numbers ORDER BY audio_path LIMIT 1")
    page = notebook.page
    page.evaluate(f"() => {{ window.heard = {lab.LAST}.outputArea.node.querySelector('audio'); heard.muted = true }}")
    page.evaluate("() => window.heard.focus()")
    assert page.evaluate("() => document.activeElement === window.heard")
    page.keyboard.press("Space")
    page.wait_for_function("() => window.heard.currentTime > 0")


def test_a_screen_reader_is_told_what_is_shown(notebook: lab.Notebook) -> None:
    notebook.run(
        "%%thanosql\nPREDICT USING Wav2Vec2Tiny OPTIONS (confidence=True) AS\n"
        "SELECT audio_path FROM numbers ORDER BY audio_path LIMIT 2"
    )
    region = notebook.page.locator(".jp-Notebook .jp-Cell").last.get_by_role("region", name="ThanoSQL: PREDICT 2")
    table = region.get_by_role("table", name="2 rows")
    headers = table.get_by_role("columnheader")
    assert headers.all_text_contents() == ["audio", "predict_result", "predict_result_confidence", "audio_path"]
    assert table.locator("audio").first.get_attribute("aria-label").startswith("row 1, 1.")
    assert re.search(r"\(confidence \d{2,3}%\)", table.get_by_role("row").nth(1).text_content())


def test_hostile_strings_stay_text(notebook: lab.Notebook) -> None:
    notebook.page.evaluate("() => { window.hacked = 0 }")
    notebook.run(f"hostile = {HOSTILE!r}")
    notebook.run(f'%%thanosql\nSELECT :hostile AS "{HOSTILE}", :hostile AS text')
    assert notebook.output().count(HOSTILE) == 2
    notebook.run("%%thanosql\nPRINT AUDIO AS SELECT audio_path, :hostile AS text FROM numbers LIMIT 1")
    assert HOSTILE in notebook.output()
    notebook.run("%%thanosql\nPRINT AUDIO AS SELECT :hostile AS audio_path")
    assert HOSTILE in notebook.output()
    notebook.shot("hostile-path")
    notebook.run("%%thanosql\nPREDICT USING Wav2Vec2Tiny AS SELECT :hostile AS audio_path")
    assert HOSTILE in notebook.output()
    notebook.shot("hostile")
    notebook.run(f'%thanosql SELECT 1 AS a FROM "{HOSTILE}"')
    notebook.page.wait_for_timeout(500)
    assert notebook.page.evaluate("() => window.hacked") == 0
    assert notebook.page.evaluate("() => document.querySelectorAll('.jp-OutputArea img').length") == 0


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("predict", "PREDICT USING Wav2Vec2Tiny OPTIONS (confidence=True) AS SELECT * FROM numbers LIMIT 3"),
        ("evaluate", "EVALUATE USING Wav2Vec2Tiny OPTIONS (group_by='speaker') AS SELECT * FROM numbers LIMIT 20"),
        ("print", "PRINT AUDIO AS SELECT * FROM numbers LIMIT 3"),
        ("list", "LIST MODEL"),
    ],
)
def test_a_phones_width_shows_a_result_without_cutting_it(
    notebook: lab.Notebook, browser: Any, name: str, statement: str
) -> None:
    notebook.run(f"%%thanosql\n{statement}")
    phone = browser.new_page(viewport={"width": PHONE, "height": 844})
    phone.set_content(f"<!doctype html><meta name=viewport content='width=device-width'>{notebook.html()}")
    widths = phone.evaluate(
        "() => [document.documentElement, ...document.querySelectorAll('.thanosql')].map(e => [e.scrollWidth, e.clientWidth])"
    )
    phone.screenshot(path=str(lab.SHOTS / f"phone-{name}.png"))
    phone.close()
    assert all(inner <= outer <= PHONE for inner, outer in widths)


@pytest.mark.parametrize(
    "name",
    ["number_of_words_in_reference", "통화_내용을_요약한_결과", "Where it was recorded (site)", "a__b_c_d_e_f_g_h_i"],
)
def test_a_long_name_of_a_column_takes_two_lines_at_most(browser: Any, name: str) -> None:
    view = framed(as_html(pd.DataFrame({f"{name}{number}": [number] for number in range(8)}), 10), label="wide")
    page = browser.new_page(viewport={"width": 700, "height": 400})
    page.set_content(f"<!doctype html>{view}")
    lines, seen = page.evaluate(
        "() => [[...document.querySelectorAll('th')].map(head => {"
        " const walker = document.createTreeWalker(head, NodeFilter.SHOW_TEXT), tops = new Set();"
        " for (let node; node = walker.nextNode();) { const range = document.createRange(); range.selectNode(node);"
        " for (const box of range.getClientRects()) if (box.width) tops.add(Math.round(box.top)) } return tops.size}),"
        " document.querySelector('th').innerText]"
    )
    page.close()
    assert max(lines) <= 2
    assert seen == f"{name}0"


def in_both_themes(notebook: lab.Notebook, name: str) -> None:
    """Leave a picture in each theme; every text must stand out from its shade in both."""
    for theme in ("Light", "Dark"):
        notebook.theme(f"JupyterLab {theme}")
        notebook.shot(f"{name}-{theme.lower()}")
        faint = notebook.page.evaluate(
            f"() => ({CONTRAST})([...{lab.LAST}.outputArea.node.querySelectorAll('.thanosql')].at(-1))"
        )
        assert faint
        assert faint[0][0] >= READABLE, (name, theme, faint)
    notebook.theme("JupyterLab Light")
