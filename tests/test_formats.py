"""What a home holds bears a number: an older one is taken over, a newer one refused and left as it is."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import thanosql
from thanosql.engine.prediction import cache_file
from thanosql.errors import ThanoSQLDatabaseError, ThanoSQLError, ThanoSQLModelError
from thanosql.models import datasets, store_format
from thanosql.models.store import Store

AUDIO = datasets.DATASETS["spoken_numbers"].folder / "train" / "0001.flac"
ONE = f"SELECT '{AUDIO}' AS audio_path, 'one' AS text"
TINY = Path(thanosql.__file__).parent / "models" / "assets" / "Wav2Vec2Tiny"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def home(database_url: str, tmp_path: Path) -> Path:
    """A home with a model."""
    with thanosql.connect(database_url, home=tmp_path / "home") as session:
        session.execute(f"UPLOAD MODEL mine FROM '{TINY}'")
    return tmp_path / "home"


def test_a_store_bears_the_number_of_its_format(home: Path) -> None:
    assert (home / "models" / ".format").read_text() == f"{store_format.FORMAT}\n"
    assert (home / "models" / ".format").stat().st_mode & 0o077 == 0


def test_the_number_is_on_the_disk_before_it_is_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut may leave an empty file there, and a store that nothing can be read from."""
    sync, replace, done = os.fsync, os.replace, []
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("synced"), sync(number)))
    monkeypatch.setattr(os, "replace", lambda draft, path: (done.append("in place"), replace(draft, path)))
    store_format.mark(tmp_path)
    assert done == ["synced", "in place"]
    assert [path.name for path in tmp_path.iterdir()] == [".format"]


def test_a_store_of_the_time_before_there_were_numbers_is_used_and_gets_one(database_url: str, home: Path) -> None:
    (home / "models" / ".format").unlink()
    with thanosql.connect(database_url, home=home) as session:
        assert session.execute("LIST MODEL").name.tolist() == ["mine"]
        assert not (home / "models" / ".format").exists()
        session.execute(f"UPLOAD MODEL other FROM '{TINY}'")
    assert (home / "models" / ".format").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "LIST MODEL",
        "DESCRIBE MODEL mine",
        "DROP MODEL mine",
        "DROP MODEL IF EXISTS mine",
        "ROLLBACK MODEL mine",
        f"UPLOAD MODEL mine OPTIONS (overwrite=True) FROM '{TINY}'",
        f"UPLOAD MODEL other FROM '{TINY}'",
        f"PREDICT USING mine AS {ONE}",
        f"BUILD MODEL other USING Wav2Vec2Tiny AS {ONE}",
        f"FIT MODEL mine USING mine OPTIONS (overwrite=True) AS {ONE}",
    ],
)
def test_a_newer_store_is_refused_and_nothing_in_it_is_touched(database_url: str, home: Path, statement: str) -> None:
    (home / "models" / ".format").write_text("2\n")
    draft = home / "models" / "mine" / ".draft-of-a-newer-one"
    draft.mkdir()
    (draft / "file").touch()
    before = files(home / "models")
    newer = pytest.raises(ThanoSQLModelError, match="written by a newer ThanoSQL: its format is 2")
    with thanosql.connect(database_url, home=home) as session, newer:
        session.execute(statement)
    assert files(home / "models") == before


def test_a_newer_store_hinders_no_sql_and_no_base(database_url: str, home: Path) -> None:
    (home / "models" / ".format").write_text("2\n")
    with thanosql.connect(database_url, home=home) as session:
        assert session.execute("SELECT 1 AS n").n.tolist() == [1]
        with pytest.raises(ThanoSQLDatabaseError, match="nothing_there"):
            session.execute("SELECT * FROM nothing_there")


@pytest.mark.parametrize("content", ["", "one", "1.5", "1 2"])
def test_a_number_that_is_none_is_damage(home: Path, content: str) -> None:
    (home / "models" / ".format").write_text(content)
    with pytest.raises(ThanoSQLModelError, match="is damaged"):
        Store(home / "models").names()


def with_version(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {number}")


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_prediction_cache_bears_a_number_and_an_older_one_gets_it(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / cache_file.FILE
    with thanosql.connect(database_url, home=tmp_path) as session:
        session.execute(f"PREDICT USING Wav2Vec2Tiny AS {ONE}")
        assert version(path) == cache_file.FORMAT
        with_version(path, 0)
        session.execute(f"PREDICT USING Wav2Vec2Tiny AS {ONE}")
    assert version(path) == cache_file.FORMAT


def test_a_newer_prediction_cache_is_refused_and_a_prediction_does_without_it(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / cache_file.FILE
    with thanosql.connect(database_url, home=tmp_path) as session:
        session.execute(f"PREDICT USING Wav2Vec2Tiny AS {ONE}")
        with_version(path, cache_file.FORMAT + 1)
        done = session.run(f"PREDICT USING Wav2Vec2Tiny AS {ONE}")
        assert len(done.rows) == 1
        assert "a newer ThanoSQL has written it" in done.note
        for statement in ("LIST PREDICTIONS", "DROP PREDICTIONS"):
            with pytest.raises(ThanoSQLError, match="a newer ThanoSQL has written it") as refused:
                session.execute(statement)
            assert "removes them" not in str(refused.value)
    assert version(path) == cache_file.FORMAT + 1
