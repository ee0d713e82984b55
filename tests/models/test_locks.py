"""Who writes a name is waited for, and named when that takes too long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from thanosql.errors import ThanoSQLDataError, ThanoSQLModelError
from thanosql.models import datasets
from thanosql.models.cancellation import Cancellation, Cancelled
from thanosql.models.store import Store

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from thanosql.models.locks import locked
path = Path(sys.argv[1])
path.parent.mkdir(parents=True, exist_ok=True)
with locked(path, 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(path: Path, seconds: float | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of a file, for that long or until the end."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        timer = threading.Timer(seconds or 0, process.stdin.close)
        if seconds is not None:
            timer.start()
        try:
            yield process
        finally:
            if seconds is not None:
                timer.join()


def save(store: Store, name: str) -> None:
    with store.writing(name, overwrite=True) as draft:
        (draft.folder / "config.json").write_text("{}")
        draft.commit({})


def write(store: Store) -> None:
    save(store, "m")


def roll_back(store: Store) -> None:
    store.roll_back("m", 1)


def drop(store: Store) -> None:
    store.drop("m")


def record(store: Store) -> None:
    store.record_evaluation("m", 2, {"wer": 0.5})


WRITERS = [(write, "m"), (roll_back, "m"), (drop, "m"), (record, "m.card")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = Store(tmp_path / "models")
    write(store)
    write(store)
    return store.folder


@pytest.mark.parametrize(("writer", "lock"), WRITERS)
def test_every_writer_waits_for_another_process(folder: Path, writer: object, lock: str) -> None:
    with another_process(folder / ".locks" / f"{lock}.lock", seconds=0.5):
        writer(Store(folder, lock_timeout=30))  # type: ignore[operator]


@pytest.mark.parametrize(("writer", "lock"), WRITERS)
def test_a_writer_that_has_waited_in_vain_names_the_process(folder: Path, writer: object, lock: str) -> None:
    with another_process(folder / ".locks" / f"{lock}.lock") as process:
        with pytest.raises(ThanoSQLModelError, match=rf"\(process {process.pid}\) is writing the model m") as raised:
            writer(Store(folder, lock_timeout=0.3))  # type: ignore[operator]
        assert "THANOSQL_LOCK_TIMEOUT" in str(raised.value)
    assert Store(folder).get("m").version == 2


def test_a_killed_process_leaves_no_lock(folder: Path) -> None:
    with another_process(folder / ".locks" / "m.lock") as process:
        process.kill()
        process.wait()
        write(Store(folder, lock_timeout=0))
    assert Store(folder).get("m").version == 3


def test_a_thread_of_this_process_is_waited_for_as_well(folder: Path) -> None:
    store, begun = Store(folder, lock_timeout=0.3), threading.Event()
    end = threading.Event()

    def hold() -> None:
        with store.writing("m", overwrite=True):
            begun.set()
            end.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait(60)
    with pytest.raises(ThanoSQLModelError, match=r"\(this process\)"):
        store.drop("m")
    threading.Timer(0.3, end.set).start()
    assert Store(folder, lock_timeout=30).drop("m")
    thread.join()


def test_who_waits_can_be_stopped(folder: Path) -> None:
    cancellation = Cancellation()
    store = Store(folder, lock_timeout=600, check=cancellation.check)
    with another_process(folder / ".locks" / "m.lock"):
        threading.Timer(0.3, cancellation.cancel, ("stopped",)).start()
        with pytest.raises(Cancelled, match="stopped"):
            store.drop("m")


def test_what_was_built_while_one_waited_is_not_replaced_unasked(folder: Path) -> None:
    store, there = Store(folder, lock_timeout=30), threading.Event()

    def build() -> None:
        with store.writing("new") as draft:
            there.set()
            time.sleep(0.3)
            (draft.folder / "config.json").write_text("{}")
            draft.commit({"note": "first"})

    thread = threading.Thread(target=build)
    thread.start()
    there.wait(60)
    with pytest.raises(ThanoSQLModelError, match="new exists already"), store.writing("new"):
        pytest.fail("the body ran")
    thread.join()
    assert store.get("new").card["note"] == "first"


def test_a_data_set_waits_for_another_process(tmp_path: Path) -> None:
    lock = tmp_path / ".locks" / "spoken_numbers.lock"
    with another_process(lock) as process, pytest.raises(ThanoSQLDataError, match=rf"process {process.pid}"):
        datasets.get("spoken_numbers", tmp_path, lock_timeout=0.2)
    with another_process(lock, seconds=0.3):
        assert datasets.get("spoken_numbers", tmp_path, lock_timeout=30).is_dir()
