"""What every test may ask for: the human speech beside the checkout, and a PostgreSQL of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Nothing here may reach for a hub: what a test needs is made or shipped.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def fsdd() -> Path:
    """The Free Spoken Digit Dataset, `DIGIT_SPEAKER_INDEX.wav`."""
    folder = SHARED / "fsdd"
    if not folder.is_dir():
        pytest.skip("the recordings of the Free Spoken Digit Dataset are not at ../shared/data/fsdd")
    return folder


@pytest.fixture(scope="session")
def formats() -> Path:
    """A dozen recordings as other people's encoders wrote them."""
    folder = SHARED / "formats"
    if not folder.is_dir():
        pytest.skip("the recordings in other formats are not at ../shared/data/formats")
    return folder


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL for this run: the one THANOSQL_TEST_DATABASE_URL names, or an embedded one in a new folder."""
    named = os.environ.get("THANOSQL_TEST_DATABASE_URL")
    if named:
        yield named
        return
    from thanosql.engine import embedded

    # Under /var/tmp and open to all: as root the server runs as another user, who must reach its data.
    folder = Path(tempfile.mkdtemp(prefix="thanosql-tests-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    folder.chmod(0o755)
    try:
        yield embedded.start(folder / "postgres")
    finally:
        embedded.stop(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)
