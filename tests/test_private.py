"""What lies under a home is its user's alone, outlasts kills, and can be read where nothing can be written."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import thanosql
from thanosql import private
from thanosql.engine.session import Session
from thanosql.models import datasets
from thanosql.models.store import Store

ROOT = Path(__file__).resolve().parents[1]
ROWS = "SELECT :folder || '/0001.flac' AS audio_path, 'one two' AS text FROM generate_series(1, 4)"


@pytest.fixture
def rows() -> dict[str, str]:
    return {"folder": str(datasets.DATASETS["spoken_numbers"].folder / "train")}


def test_everything_that_statements_leave_under_a_home_is_its_users_alone(
    database_url: str, tmp_path: Path, rows: dict[str, str]
) -> None:
    home = tmp_path / "above" / "home"
    before = os.umask(0o022)
    try:
        with thanosql.connect(database_url, home=home) as session:
            session.execute("GET THANOSQL DATASET spoken_numbers")
            build = "BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1, overwrite=True) AS " + ROWS
            session.execute(f"{build}; {build}; EVALUATE USING m AS {ROWS}; ROLLBACK MODEL m", rows)
            session.execute(f"PREDICT USING m AS {ROWS}", rows)
    finally:
        os.umask(before)
    assert (home / "predictions.sqlite").exists()
    assert (home / "models" / "m" / "2" / "model.safetensors").exists()
    open_to_others = {
        str(path.relative_to(home)): oct(path.stat().st_mode) for path in home.rglob("*") if path.stat().st_mode & 0o077
    }
    assert open_to_others == {}
    for folder in (home, home.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)


def test_folders_of_an_older_version_are_closed_and_the_home_itself_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "models").mkdir()
    (tmp_path / "models").chmod(0o755)
    with Store(tmp_path / "models").writing("mine") as draft:
        (draft.folder / "config.json").write_text("{}")
        draft.commit({})
    assert stat.S_IMODE((tmp_path / "models").stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_store_that_a_group_shares_stays_shared(tmp_path: Path) -> None:
    shared = tmp_path / "models"
    shared.mkdir()
    shared.chmod(0o2770)
    private.folder(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o2770


def test_a_killed_draft_is_swept_by_the_next_session_of_any_name(database_url: str, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from thanosql.models.store import Store\n"
        "with Store(Path(sys.argv[1])).writing(sys.argv[2]) as draft:\n"
        "    (draft.folder / 'config.json').write_text('{}'); sys.argv[3] == 'first' and draft.commit({})\n"
        "    if sys.argv[3] != 'first': os.kill(os.getpid(), 9)"
    )

    def write(name: str, how: str) -> int:
        command = [sys.executable, "-c", code.replace("writing(sys.argv[2])", "writing(sys.argv[2], overwrite=True)")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run([*command, tmp_path / "models", name, how], env=environment, check=False).returncode

    assert [write("kept", "first"), write("kept", "killed"), write("new", "killed")] == [0, -9, -9]
    assert len(list((tmp_path / "models").glob("*/.draft-*"))) == 2
    store = Store(tmp_path / "models")
    with store.writing("other"), thanosql.connect(database_url, home=tmp_path) as session:
        assert session.execute("LIST MODEL").name.tolist() == ["kept"]
        left = [path.parent.name for path in (tmp_path / "models").glob("*/.draft-*")]
        assert left == ["other"], "what is being written stays, all else goes"
    assert not (tmp_path / "models" / "new").exists()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_data_set_outlasts_a_kill_while_it_is_renewed(tmp_path: Path, moment: str) -> None:
    target = datasets.get("spoken_numbers", tmp_path)
    (target / "planted").write_text("mine")
    code = (
        "import os, sys; from pathlib import Path; from thanosql.models import datasets\n"
        "swap = datasets._swapped\n"
        "def killed(*pair):\n"
        "    if sys.argv[2] == 'after': assert swap(*pair)\n"
        "    os.kill(os.getpid(), 9)\n"
        "datasets._swapped = killed\n"
        "datasets.get('spoken_numbers', Path(sys.argv[1]), overwrite=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, moment], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert (target / "spoken_numbers_train.csv").exists()
    assert (target / "planted").exists() is (moment == "before")

    datasets.get("spoken_numbers", tmp_path, overwrite=True)
    assert not (target / "planted").exists()
    assert sorted(path.name for path in target.parent.iterdir()) == ["spoken_numbers"]


def test_a_data_set_is_renewed_where_folders_cannot_be_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "_swapped", lambda one, other: False)
    (datasets.get("spoken_numbers", tmp_path) / "planted").write_text("mine")
    assert not (datasets.get("spoken_numbers", tmp_path, overwrite=True) / "planted").exists()


READ_ONLY = """
import os, sys, thanosql
def attempt(sql):
    try: return str(session.execute(sql, {'folder': sys.argv[3]}))
    except thanosql.ThanoSQLError as error: return f'{type(error).__name__}: {error}'
with thanosql.connect(sys.argv[1], home=sys.argv[2]) as session:
    for sql in sys.argv[4:]: print(attempt(sql).replace('\\n', ' '))
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="a read-only disk is made by root (with unshare)"
)
def test_a_read_only_home_hinders_only_what_writes_to_it(
    session: Session, database_url: str, rows: dict[str, str]
) -> None:
    home = session.settings.home
    build = f"BUILD MODEL m USING Wav2Vec2Tiny OPTIONS (max_epochs=1, overwrite=True) AS {ROWS}"
    session.execute(f"{build}; {build}; PREDICT USING m AS {ROWS}", rows)
    asked = ["LIST PREDICTIONS", "LIST MODEL", f"EVALUATE USING m AS {ROWS}", f"PREDICT USING m AS {ROWS}"]
    asked += ["BEGIN; ROLLBACK", "ROLLBACK MODEL m TO 1", "DROP MODEL m"]
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    python = [sys.executable, "-c", READ_ONLY, database_url, str(home), rows["folder"], *asked]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(home), *python],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no read-only disk can be made here")
    said = done.stdout.splitlines()
    assert len(said) == len(asked), done.stderr
    refused = [sql for sql, line in zip(asked, said, strict=True) if line.startswith("ThanoSQL")]
    assert refused == ["ROLLBACK MODEL m TO 1", "DROP MODEL m"], said
    assert all("Read-only file system" in line for line in said[-2:])


def test_a_file_that_is_replaced_leaves_no_draft_when_its_writer_is_killed_or_the_disk_is_full(tmp_path: Path) -> None:
    path, hour_ago = tmp_path / "speeds.json", time.time() - 2 * private.LEFT_SECONDS
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom thanosql import private\n"
        "os.replace = lambda *_: os.kill(os.getpid(), 9)\nprivate.replace(Path(sys.argv[1]), 'half')"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    private.replace(path, "of another, who may be writing")
    assert left.exists()
    os.utime(left, (hour_ago, hour_ago))
    private.replace(path, "new")
    assert path.read_text() == "new"
    with pytest.raises(UnicodeEncodeError):
        private.replace(path, "\ud800")
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
