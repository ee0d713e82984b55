"""The notebook about Ray runs from top to bottom, and what its cells show is what its text says."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.homes import RAY, empty_home
from tests.ray.conftest import started

nbformat = pytest.importorskip("nbformat", reason="the notebooks' tests need nbclient: pip install nbclient ipykernel")
nbclient = pytest.importorskip("nbclient", reason="the notebooks' tests need nbclient: pip install nbclient ipykernel")


@pytest.fixture
def home() -> Iterator[Path]:
    with empty_home() as folder:
        yield folder


def shown(cell: Any) -> str:
    """What a cell shows, as text."""
    parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(parts)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook_about_ray_shows_what_it_says(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: make ray")
    monkeypatch.delenv("THANOSQL_DATABASE_URL", raising=False)
    monkeypatch.setenv("THANOSQL_HOME", str(home))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("RAY_ADDRESS", "local")  # a cluster of its own, not that of the other tests
    monkeypatch.setenv("RAY_worker_niceness", "0")  # as in the other tests' cluster
    # The two workers have one CPU each, whatever this machine has.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run() -> dict[str, Any]:
        notebook = nbformat.read(RAY, as_version=4)
        folder = {"metadata": {"path": tmp_path}}
        nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder).execute()
        return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}

    cells = started(run)
    assert {name: text for name, cell in cells.items() if name != "killed" and (text := errors(cell))} == {}
    said = {name: shown(cell).strip() for name, cell in cells.items()}
    assert "2 workers with 1 CPU each" in said["explain"]
    assert "CPU-hours" in said["explain"]
    assert said["same"] == said["session"] == "True"
    here, there = literal_eval(said["evaluate"])
    assert here == there
    assert said["killed"].endswith("1 worker was killed; the rows are the same: True")
    by_two, by_one = literal_eval(said["compare"])
    assert len(by_two) == 2
    assert by_two == pytest.approx(by_one, abs=1e-4)
    assert literal_eval(said["shared-rows"]) == [90, 90, 90]


def errors(cell: Any) -> str:
    """What a cell writes to stderr."""
    return "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stderr")
