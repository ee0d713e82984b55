"""Files that came through Ray's store in, a folder of this machine that holds them out: once for each version of them.

A process that uses a folder holds a lock on it until it ends, so that no clock, however wrong, makes another remove it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

UNUSED_SECONDS = 7 * 24 * 3600.0  # after which a folder that nobody uses goes from a machine

_held: dict[Path, int] = {}  # the open lock of each folder that this process uses


def receive(path: str, state: str, content: Mapping[str, Any]) -> Path:
    """Write the files of a path and its state, name → uint8 `(bytes,)`, where the workers of this user find them.

    Gives the file, where it is one, or the folder. Raises OSError.
    """
    home = workers_home()
    sweep(home)
    folder = home / hashlib.blake2b(f"{path}\0{state}".encode(), digest_size=16).hexdigest()
    _hold(folder)
    if not folder.is_dir():
        draft = Path(tempfile.mkdtemp(dir=home, prefix=f"{folder.name}-"))
        for name, written in content.items():
            file = draft / name
            file.parent.mkdir(parents=True, exist_ok=True)
            written.tofile(file)
        try:
            draft.rename(folder)
        except OSError:  # another worker of this machine was faster
            shutil.rmtree(draft, ignore_errors=True)
    os.utime(folder)
    single = folder / Path(path).name
    return single if list(content) == [single.name] else folder


def workers_home() -> Path:
    """The folder that the workers of this user share on this machine. Raises OSError."""
    home = Path(tempfile.gettempdir()) / f"thanosql-files-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        raise PermissionError(f"{home} belongs to another user")
    return home


def seen_home(home: Path | None) -> Path | None:
    """Where this machine keeps what it measures: the driver's home where it is seen from here, else the folder that this
    machine's workers share, or nowhere."""
    if home is None or (home.is_dir() and os.access(home, os.W_OK)):
        return home
    with suppress(OSError):
        return workers_home()
    return None


def sweep(home: Path) -> None:
    """Remove folders that no process uses and none has asked for since long, and drafts of processes that were killed."""
    for folder in home.iterdir():
        with suppress(OSError):  # another process sweeps, too
            age = time.time() - folder.stat().st_mtime if folder.is_dir() else 0.0
            if age < 0:
                os.utime(folder)  # the clock was set back: counted from now on
            elif age > UNUSED_SECONDS:
                _remove_unused(folder)


def _lock_of(folder: Path) -> Path:
    """The lock of a folder and of its drafts."""
    return folder.with_name(folder.name.partition("-")[0] + ".lock")


def _hold(folder: Path) -> None:
    import fcntl

    path = _lock_of(folder)
    while folder not in _held:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(number, fcntl.LOCK_SH)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(number), path.stat()):
                _held[folder] = number
                return
        os.close(number)  # it was removed in between, with the folder


def _remove_unused(folder: Path) -> None:
    import fcntl

    path = _lock_of(folder)
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError where a process uses it
        shutil.rmtree(folder, ignore_errors=True)
        path.unlink(missing_ok=True)
    finally:
        os.close(number)
