"""`make demo`, interrupted and repeated: it resumes, and touches nothing of anybody's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import thanosql
from tests.waiting import until

DEMO = Path(__file__).resolve().parents[1] / "demo"
SECONDS = 300  # for the first checkpoint to come, on a machine with other things to do


@pytest.fixture
def short_demo(tmp_path: Path) -> Path:
    """The demo with fewer epochs over fewer rows: what is tested is how it goes on."""
    folder = shutil.copytree(DEMO, tmp_path / "demo")
    script = (folder / "demo.sql").read_text(encoding="utf-8")
    assert script.count("max_epochs=10,") == 1
    script = script.replace("max_epochs=10,", "max_epochs=3,")
    rows = "AS\nSELECT * FROM numbers_train;"
    assert script.count(rows) == 2
    script = script.replace(rows, rows.replace(";", " LIMIT 120;"))
    (folder / "demo.sql").write_text(script, encoding="utf-8")
    return folder / "demo.py"


@pytest.mark.skipif(os.name == "nt", reason="sends the signal of Ctrl-C as POSIX does")
def test_the_demo_interrupted_and_repeated_resumes_and_touches_nothing_else(
    short_demo: Path, database_url: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with thanosql.connect(database_url, home=home) as mine:
        mine.execute("CREATE TABLE numbers_train AS SELECT 'mine' AS text")
    # The first run is interrupted after an epoch of BUILD, the second after one of FIT; the third goes to the end.
    for name in ("numbers", "numbers.fit"):
        said = interrupted(short_demo, tmp_path, database_url, name)
        assert "run the same statement again to resume it" in said
        assert "Traceback" not in said
    again = subprocess.run(
        [sys.executable, short_demo], capture_output=True, text=True, env=environment(tmp_path, database_url)
    )
    assert again.returncode == 0, again.stderr
    build, fit = again.stdout.split("\nFIT MODEL")
    assert "Done already, by a run that was interrupted later." in build
    assert "Resumed" not in build
    assert "Resumed the unfinished training of this statement after" in fit
    with thanosql.connect(database_url, home=home) as mine:
        assert mine.execute("SELECT text FROM numbers_train").text.tolist() == ["mine"]
        assert mine.store.names() == []
        assert not list((home / "demo" / "models" / ".training").iterdir())


HELD = """
from pathlib import Path
from thanosql.models.training.resume import SavedState

save = SavedState.save
def held(self, *content):
    save(self, *content)
    go_on = Path({folder!r}, self.folder.name)
    if not go_on.exists():
        Path({folder!r}, self.folder.name + ".saved").touch()
        while not go_on.exists():
            time.sleep(0.01)
SavedState.save = held
"""


def interrupted(demo: Path, folder: Path, database_url: str, name: str) -> str:
    """What the demo says when Ctrl-C comes as the training `name` has saved its first checkpoint."""
    (folder / "start").mkdir(exist_ok=True)
    (folder / "start" / "sitecustomize.py").write_text(HELD.format(folder=str(folder)))
    here = environment(folder, database_url)
    path = os.pathsep.join([str(folder / "start"), *filter(None, [here.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, demo],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=here | {"PYTHONPATH": path},
    )
    until(lambda: (folder / f"{name}.saved").exists() or process.poll() is not None, SECONDS)
    assert process.poll() is None, process.communicate()[0]
    process.send_signal(signal.SIGINT)
    (folder / name).touch()
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, said
    return said


def environment(folder: Path, database_url: str) -> dict[str, str]:
    return {**os.environ, "THANOSQL_HOME": str(folder / "home"), "THANOSQL_DATABASE_URL": database_url}
