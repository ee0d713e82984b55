"""The site builds strictly: no page is lost from the navigation, no link or anchor leads nowhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT

PICTURED = ROOT / "tests" / "notebook" / "browser" / "pictured"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the site is built with mkdocs-material (extra docs)")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reference = (tmp_path / "site" / "reference" / "statements" / "index.html").read_text(encoding="utf-8")
    assert '<span class="k">BUILD</span>' in reference, "the package's lexer is not registered: run make setup again"


def test_the_readme_links_to_files_that_are_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_module_that_the_pages_name_is_there() -> None:
    files = [path.as_posix() for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    made_by_a_recipe = {"engine/statements/count_rows.py", "loudness/__init__.py", "sequential.py"}
    for page in PAGES:
        named = set(re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8")))
        lost = {name for name in named - made_by_a_recipe if not any(file.endswith("/" + name) for file in files)}
        assert lost == set(), page


def test_every_package_of_the_engine_is_described() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "thanosql" / "engine").glob("*/__init__.py")}
    assert {name for name in folders if f"| `{name}/` |" not in page} == set()


def test_no_page_names_a_path_of_one_machine() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(?:work|root|home/\w+|tmp)/", text), page


def test_every_picture_is_shown_in_both_themes_and_is_one_that_the_browser_tests_make() -> None:
    """They hold its words (tests/notebook/browser/pictured) against what the page shows then."""
    made = {f"{words.stem}-{theme}" for words in PICTURED.glob("*.txt") for theme in ("light", "dark")}
    shown = {
        name
        for page in PAGES
        for name in re.findall(r"pictures/([\w-]+)\.png#only-(?:light|dark)", page.read_text(encoding="utf-8"))
    }
    assert shown == made == {picture.stem for picture in (ROOT / "docs" / "pictures").iterdir()}


def test_nobody_is_told_to_install_the_other_project_of_this_name() -> None:
    files = [*PAGES, *(ROOT / "thanosql").rglob("*.py"), *(ROOT / "notebooks").glob("*.ipynb"), ROOT / "Makefile"]
    told = [
        (path.name, found[0])
        for path in files
        for found in re.finditer(r"pip install [^`\n]*?thanosql(?![-\w]).{0,40}", path.read_text(encoding="utf-8"))
        if "installs another project" not in found[0]
    ]
    assert told == []


def test_every_test_that_the_pages_name_is_there() -> None:
    named = {
        place
        for page in [*PAGES, ROOT / "SECURITY.md"]
        for place in re.findall(r"`(?:tests/)?([\w/]+\.py(?:::\w+)?)`", page.read_text(encoding="utf-8"))
        if "test_" in place
    }
    assert len(named) > 60
    for place in named:
        file, _, test = place.partition("::")
        (path,) = [path for path in (ROOT / "tests").rglob("*.py") if path.as_posix().endswith("/" + file)]
        assert f"\ndef {test}(" in path.read_text(encoding="utf-8") or not test, place
