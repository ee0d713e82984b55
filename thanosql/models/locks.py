"""A path in, the operating system's lock on it out: waited for, and ended with its process, however that ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from thanosql import private
from thanosql.models.json_file import read_text

LOCK_TIMEOUT = 10.0  # seconds, where a caller says nothing
LOOK = 0.2  # seconds after which a waiting statement asks whether it is to stop


class LockTimeout(Exception):
    """Somebody else holds the lock; `holder` is the process, in words for a message."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@contextmanager
def locked(path: Path, seconds: float, check: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a file (made if it is not there) against other processes and threads.

    `check` is called while it is waited for, and may raise. Raises LockTimeout when another holds the lock for that many
    seconds, OSError when the file cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, mode=private.FILE)
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            lock.acquire(timeout=max(0.0, min(LOOK, left)), poll_interval=0.02)
            break
        except Timeout:
            check()
            if left <= LOOK:
                raise LockTimeout(_holder(path)) from None
    try:
        # The number tells a message who holds the lock, no more: a disk too full for it does not hinder the holder.
        with suppress(OSError):
            private.file(_number_file(path)).write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        lock.release()


def _number_file(path: Path) -> Path:
    return path.with_suffix(".pid")


def _holder(path: Path) -> str:
    try:
        number = int(read_text(_number_file(path), own=True))
    except (OSError, ValueError):
        return "another process"
    return "this process" if number == os.getpid() else f"process {number}"
