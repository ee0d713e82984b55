"""A path in, the operating system's lock on it out; it ends with its process, however that ends."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, closing
from pathlib import Path


class Lock:
    """An open file that holds the lock."""

    def __init__(self, number: int) -> None:
        self._number: int | None = number

    def close(self) -> None:
        if self._number is not None:
            os.close(self._number)
            self._number = None


def lock(path: Path) -> AbstractContextManager[Lock] | None:
    """The lock of a file (made if it is not there), or None when someone else holds it, in this process too.

    Raises OSError when the file cannot be made.
    """
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(number)
        return None
    except BaseException:
        os.close(number)
        raise
    return closing(Lock(number))
