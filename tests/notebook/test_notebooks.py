"""Every notebook runs from top to bottom in an empty home, with the database and the model that come along."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook.homes import NOTEBOOKS, RAY, empty_home

nbformat = pytest.importorskip("nbformat", reason="the notebooks' tests need nbclient: pip install nbclient ipykernel")
nbclient = pytest.importorskip("nbclient", reason="the notebooks' tests need nbclient: pip install nbclient ipykernel")
pytest.importorskip("ipykernel", reason="the notebooks' tests need ipykernel: pip install nbclient ipykernel")


@pytest.fixture
def home() -> Iterator[Path]:
    with empty_home() as folder:
        yield folder


@pytest.mark.skipif(
    not os.environ.get("THANOSQL_TEST_NOTEBOOKS"), reason="minutes long: `make notebooks` (THANOSQL_TEST_NOTEBOOKS=1)"
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path != RAY], ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(
    path: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("THANOSQL_DATABASE_URL", raising=False)
    monkeypatch.setenv("THANOSQL_HOME", str(home))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("RAY_ADDRESS", "local")  # no cluster of other tests, which kill its workers
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert [cell.outputs for cell in cells if cell.cell_type == "code" and cell.outputs] == []
