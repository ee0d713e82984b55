"""The first hour as a newcomer has it: the cells of two pages, run one after the other in JupyterLab, and looked at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import ROOT, blocks
from tests.docs.sheets import sheet_of_calls
from tests.notebook.browser import lab
from thanosql.models.datasets import ASSETS

MAGIC = "%%thanosql\n"
PHONE = 400  # pixels
KOREAN = f"""{MAGIC}GET THANOSQL DATASET spoken_numbers_ko OPTIONS (overwrite=True);
COPY numbers_ko OPTIONS (if_exists='replace') FROM 'thanosql-dataset/spoken_numbers_ko/spoken_numbers_ko_test.csv';
PREDICT USING Wav2Vec2TinyKo OPTIONS (confidence=True) AS SELECT * FROM numbers_ko ORDER BY audio_path LIMIT 5;"""


@pytest.fixture
def fresh(browser: Any, server: lab.Server, request: pytest.FixtureRequest) -> Iterator[lab.Notebook]:
    """A notebook of its own beside a folder `recordings`, one of which is broken."""
    recordings = server.folder / "recordings"
    recordings.mkdir(exist_ok=True)
    for number in range(1, 5):
        shutil.copy(ASSETS / "spoken_numbers" / "test" / f"{number:04}.flac", recordings)
    (recordings / "broken.wav").write_bytes(b"RIFF, but no more")
    sheet_of_calls(server.folder)
    one = lab.Notebook.opened(browser, server, request.node.name.partition("[")[0])
    yield one
    one.close()


def cells_of(page: Path) -> Iterator[tuple[str, bool]]:
    """The cells that a page has, and whether each is there to show an error."""
    for block in blocks(page):
        if block.language in ("sql", "python") and "needs" not in block.attributes:
            magic = MAGIC if block.language == "sql" and not block.text.startswith("%") else ""
            yield magic + block.text, "raises" in block.attributes


@pytest.mark.parametrize("name", ["start", "guides/recordings"])
def test_the_cells_of_a_page_show_what_they_say(fresh: lab.Notebook, name: str) -> None:
    if name != "start":
        fresh.run("%load_ext thanosql")
        fresh.run(f"{MAGIC}GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True)")
    for number, (code, raises) in enumerate(cells_of(ROOT / "docs" / f"{name}.md"), start=1):
        fresh.run(code)
        said = fresh.output()
        fresh.shot(f"hour-{Path(name).name}-{number:02}")
        assert ("Error: " in said) == raises, f"{code}\n{said}"
        assert "Traceback" not in said, said
        wide = fresh.page.evaluate(
            f"() => [...{lab.LAST}.outputArea.node.querySelectorAll('.thanosql-lead, .thanosql-card')]"
            ".map(e => [e.scrollWidth, e.clientWidth])"
        )
        assert all(inner <= outer for inner, outer in wide), (code, wide)


def test_a_wrong_label_is_heard_edited_and_gone(fresh: lab.Notebook) -> None:
    fresh.run("%load_ext thanosql")
    fresh.run(
        f"{MAGIC}GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True);\n"
        "COPY numbers OPTIONS (if_exists='replace') FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv';\n"
        "DROP TABLE IF EXISTS calls;\n"
        "CREATE TABLE calls AS SELECT id, audio_path, CASE WHEN id = 2 THEN 'elephants; one''s' ELSE text END AS text\n"
        "FROM (SELECT row_number() OVER (ORDER BY audio_path) AS id, * FROM numbers) n WHERE id <= 12"
    )
    evaluate = f"{MAGIC}EVALUATE USING Wav2Vec2Tiny OPTIONS (row_key='id') AS SELECT * FROM calls"
    fresh.run(evaluate)
    row = fresh.page.locator(".jp-Notebook .jp-Cell").last.locator("tr", has_text="elephants").last
    assert row.locator("audio").count() == 1, fresh.output()
    row.locator("summary").click()
    fresh.picture("label")
    heard = row.locator("ins").all_inner_texts()
    written = row.locator("pre").inner_text()
    assert row.locator("pre").evaluate("e => getComputedStyle(e).wordBreak") == "normal", "no line ends within a word"
    assert "SET text = 'elephants; one''s' WHERE id = 2" in written
    fresh.run(written)
    fresh.run("%thanosql SELECT text FROM calls WHERE id = 2")
    assert "elephants; one's" in fresh.output(), "run as it stands, it changes nothing"
    fresh.run(written.replace("elephants; one''s", " ".join(heard)))
    fresh.run(evaluate)
    assert "elephants" not in fresh.output()


def test_korean_breaks_between_words_in_both_themes_and_on_a_phone(fresh: lab.Notebook, browser: Any) -> None:
    fresh.run("%load_ext thanosql")
    fresh.run(KOREAN)
    assert fresh.count("[lang=ko]") > 5, fresh.output()
    fresh.shot("korean-light")
    fresh.theme("JupyterLab Dark")
    fresh.shot("korean-dark")
    fresh.theme("JupyterLab Light")
    phone = browser.new_page(viewport={"width": PHONE, "height": 844})
    phone.set_content(f"<!doctype html><meta name=viewport content='width=device-width'>{fresh.html()}")
    broken = phone.evaluate("() => [...document.querySelectorAll('[lang=ko]')].map(e => getComputedStyle(e).wordBreak)")
    phone.screenshot(path=str(lab.SHOTS / "korean-phone.png"))
    phone.close()
    assert set(broken) == {"keep-all"}
