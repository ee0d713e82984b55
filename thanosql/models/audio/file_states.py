"""Absolute paths in; the size and the time of change of each file, asked of the system many at a time, out.

pyarrow asks outside of the interpreter's lock, so that two threads ask for a million files in half of the time that `os.stat`
takes, with which a second thread wins nothing. It keeps times in 64 bits, until the year 2262: what it says may prove that a
file is as it was, and of every other file `os.stat` has the last word.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

MOST_THREADS = 2


def state(size: int, changed: int) -> str:
    """What is said of a file of so many bytes, that was changed then (nanoseconds since 1970).

    >>> state(32044, 1764144000123456789)
    '.32044.1764144000123456789'
    """
    return f".{size}.{changed}"


def threads() -> int:
    """How many threads ask sooner than one does: the database needs a processor as well."""
    if _local_files() is None:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, cores - 1))


def states_at_once(paths: Sequence[str]) -> list[str | None]:
    """The state of each; None where it is not known: no such file, no file, or one that must be asked for by itself."""
    files = _local_files()
    if files is None:
        return [None] * len(paths)
    try:
        # Where nothing is there, size and time are None, and no file has such a state.
        return [f".{about.size}.{about.mtime_ns}" for about in files.get_file_info(paths)]
    except (OSError, ValueError):  # one of them may not be asked for, or is no text of UTF-8
        return [None] * len(paths)


@cache
def _local_files() -> Any:
    try:
        from pyarrow.fs import LocalFileSystem
    except ImportError:
        return None
    return LocalFileSystem()
