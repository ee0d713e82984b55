"""The notebooks, and homes as a newcomer's: empty, with an embedded PostgreSQL that starts in them, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thanosql.engine.postgres import embedded

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
RAY = next(path for path in NOTEBOOKS if path.stem == "9_ray")  # `make ray` runs it


@contextmanager
def empty_home() -> Iterator[Path]:
    """A folder for THANOSQL_HOME. A server that a process of it left behind is stopped with it."""
    # Under /var/tmp and open to all: as root the server runs as another user, who must reach its data.
    home = Path(tempfile.mkdtemp(prefix="thanosql-home-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    home.chmod(0o755)
    postgres = home / "postgres"
    try:
        yield home
    finally:
        if (postgres / "postmaster.pid").exists():
            embedded.start(postgres)
            embedded.stop(postgres)
        shutil.rmtree(home, ignore_errors=True)
