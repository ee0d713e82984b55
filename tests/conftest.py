"""What every test may ask for: the human speech beside the checkout, and a PostgreSQL of its own."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import thanosql
from tests.engine.databases import close
from thanosql.engine.session import Session

# Nothing here may reach for a hub: what a test needs is made or shipped.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# One thread a process: the models of the suite are small, and its workers share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Hypothesis fails an example that takes more than 200 ms, and a test whose examples are slow to draw: so does a busy machine.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

# A shell starts what runs in its background deaf to Ctrl-C, and what that starts as well; the tests of it need ears.
signal.signal(signal.SIGINT, signal.default_int_handler)

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
    from thanosql.engine.postgres import embedded

    # Under /var/tmp and open to all: as root the server runs as another user, who must reach its data.
    folder = Path(tempfile.mkdtemp(prefix="thanosql-tests-", dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    folder.chmod(0o755)
    try:
        yield embedded.start(folder / "postgres")
    finally:
        embedded.stop(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def database_url(postgres_url: str) -> Iterator[str]:
    """An empty database for one test module."""
    import uuid

    import sqlalchemy

    name = f"test_{uuid.uuid4().hex[:12]}"
    url = sqlalchemy.make_url(postgres_url).set(drivername="postgresql+psycopg2")
    server = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        server.dispose()


@pytest.fixture
def session(database_url: str, tmp_path: Path) -> Iterator[Session]:
    """A session with a database of the module's and a home of its own."""
    with thanosql.connect(database_url, home=tmp_path / "home") as opened:
        yield opened
        if (database := opened.__dict__.get("database")) is not None:
            close(database, database_url)


@pytest.fixture
def numbers(session: Session) -> Session:
    """A session whose workspace holds `spoken_numbers`, as the tables librispeech_train and librispeech_test.

    They bear the names of the tutorial's tables, so that its statements run as they are printed.
    """
    fill(session)
    return session


def fill(session: Session) -> None:
    """Put `spoken_numbers` into the workspace and its tables into the database."""
    session.execute("GET THANOSQL DATASET spoken_numbers")
    for part in ("train", "test"):
        session.execute(
            f"COPY librispeech_{part} OPTIONS (if_exists='replace') "
            f"FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_{part}.csv'"
        )
