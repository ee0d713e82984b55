"""A path in, the operating system's lock on it out: shared among owners or one process's alone, with a time limit."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["Lock", "Timeout", "exclusive", "is_free", "shared"]

PAUSE = 0.02  # seconds between two looks


def exclusive(path: Path, seconds: float) -> AbstractContextManager[object]:
    """The lock of one process alone; raises Timeout when another keeps it for so long."""
    return FileLock(path, timeout=seconds, mode=0o600)


class Lock:
    """A hold that others have as well; it ends with its process, however that ends."""

    def __init__(self, number: int) -> None:
        self._number: int | None = number

    def is_last(self) -> bool:
        """Whether nobody else holds it; then nobody gets it before `close`. If not, this hold is gone."""
        assert self._number is not None
        return _taken(self._number, fcntl.LOCK_EX)

    def close(self) -> None:
        if self._number is not None:
            os.close(self._number)
            self._number = None


def shared(path: Path, seconds: float) -> Lock:
    """A hold on a file (made if it is not there). Raises Timeout while one that is not shared lasts."""
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + seconds
    try:
        while not _taken(number, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                raise Timeout(str(path))
            time.sleep(PAUSE)
    except BaseException:
        os.close(number)
        raise
    return Lock(number)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock of a file."""
    try:
        number = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    try:
        return _taken(number, fcntl.LOCK_EX)
    finally:
        os.close(number)


def _taken(number: int, kind: int) -> bool:
    try:
        fcntl.flock(number, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
