"""`make demo`, interrupted and repeated: it resumes, and touches nothing of anybody's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import thanosql

DEMO = Path(__file__).resolve().parents[1] / "demo"
SECONDS = 120  # for the first checkpoint to come, on a machine with other things to do


@pytest.fixture
def short_demo(tmp_path: Path) -> Path:
    """The demo with fewer epochs over fewer rows: what is tested is how it goes on."""
    folder = shutil.copytree(DEMO, tmp_path / "demo")
    script = (folder / "demo.sql").read_text(encoding="utf-8")
    for much, little in (
        ("max_epochs=10,", "max_epochs=3,"),
        ("max_epochs=2, learning_rate", "max_epochs=1, learning_rate"),
    ):
        assert script.count(much) == 1
        script = script.replace(much, little)
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
    environment = os.environ | {"THANOSQL_HOME": str(home), "THANOSQL_DATABASE_URL": database_url}

    first = subprocess.Popen(
        [sys.executable, short_demo], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    checkpoint = home / "demo" / "models" / ".training" / "numbers" / "state.safetensors"
    until = time.monotonic() + SECONDS
    while not checkpoint.exists():
        assert first.poll() is None, first.communicate()[0]
        assert time.monotonic() < until, "no checkpoint came"
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 130, said
    assert "run the same statement again to resume it" in said
    assert "Traceback" not in said

    again = subprocess.run([sys.executable, short_demo], capture_output=True, text=True, env=environment)
    assert again.returncode == 0, again.stderr
    assert "Resumed the unfinished training of this statement after" in again.stdout
    assert not checkpoint.exists()
    with thanosql.connect(database_url, home=home) as mine:
        assert mine.execute("SELECT text FROM numbers_train").text.tolist() == ["mine"]
        assert mine.store.names() == []
