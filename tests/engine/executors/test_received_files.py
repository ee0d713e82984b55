"""Files sent to a machine stay as long as a process there uses them, whatever the clock says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from thanosql.engine.executors import received_files
from thanosql.engine.executors.received_files import UNUSED_SECONDS, receive, seen_home, workers_home

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Ray's workers are those of a cluster of POSIX machines"
)

CONTENT = {"weights": np.arange(250, dtype=np.uint8)}


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(received_files, "_held", {})
    return tmp_path


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() + seconds)


def received_elsewhere(path: str, temporary: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another process that has received the same files and lives on."""
    code = (
        "import sys, numpy, tempfile; tempfile.tempdir = sys.argv[2]\n"
        "from thanosql.engine.executors.received_files import receive\n"
        "print(receive(sys.argv[1], 'one', {'weights': numpy.arange(250, dtype='uint8')}), flush=True)\n"
        "sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, path, str(temporary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    return other, Path(other.stdout.readline().strip())


def test_a_clock_that_jumps_removes_nothing_that_another_process_uses(
    temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, folder = received_elsewhere("/models/m", temporary_folder)
    try:
        set_clock(monkeypatch, 10 * UNUSED_SECONDS)
        receive("/models/another", "one", CONTENT)
        assert (folder / "weights").read_bytes() == CONTENT["weights"].tobytes()
        other.send_signal(signal.SIGKILL)  # however it ends, its lock ends with it
        other.wait()
        receive("/models/another", "one", CONTENT)
        assert not folder.exists()
    finally:
        other.kill()
        other.communicate()


def test_a_clock_that_jumps_removes_nothing_that_this_process_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = receive("/models/m", "one", CONTENT)
    set_clock(monkeypatch, 10 * UNUSED_SECONDS)
    receive("/models/another", "one", CONTENT)
    assert (folder / "weights").read_bytes() == CONTENT["weights"].tobytes()


def test_a_folder_from_the_future_goes_in_the_end(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time was written before the clock was set back."""
    other, folder = received_elsewhere("/models/m", temporary_folder)
    other.communicate()
    future = time.time() + 100 * UNUSED_SECONDS
    os.utime(folder, (future, future))
    receive("/models/another", "one", CONTENT)
    assert folder.exists()
    set_clock(monkeypatch, 2 * UNUSED_SECONDS)
    receive("/models/another", "one", CONTENT)
    assert not folder.exists()


def test_drafts_of_killed_processes_go_and_no_lock_stays_behind(
    temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, folder = received_elsewhere("/models/m", temporary_folder)
    draft = folder.with_name(folder.name + "-killed")
    draft.mkdir()
    set_clock(monkeypatch, 2 * UNUSED_SECONDS)
    receive("/models/another", "one", CONTENT)
    assert draft.exists()  # its process may live
    other.communicate()
    receive("/models/another", "one", CONTENT)
    assert not draft.exists()
    assert not folder.exists()
    assert len(list(folder.parent.iterdir())) == 2  # the other's folder and its lock


def test_a_worker_measures_into_the_home_that_it_sees(temporary_folder: Path) -> None:
    home = temporary_folder / "home"
    assert seen_home(home) == workers_home() != home
    home.mkdir()
    assert seen_home(home) == home
    assert seen_home(None) is None
    home.rmdir()
    workers_home().rmdir()
    (temporary_folder / f"thanosql-files-{os.getuid()}").symlink_to(temporary_folder)
    assert seen_home(home) is None  # the folder is not of our making
