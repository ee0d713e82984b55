"""A training in, the same with freed memory given back to the system out: glibc otherwise lets a process grow past what it
holds.

Large blocks: glibc's malloc begins to keep freed blocks of up to 32 MB for itself as soon as one has been freed. A training's
tensors are of many sizes, the kept blocks fit few of them, and the process was seen to grow to 1.4 times what it held at its
peak (Parakeet's shape, 4 layers, rows of 55 s). With a fixed threshold each block above it is the system's own and goes back
to it. See mallopt(3), M_MMAP_THRESHOLD.
Small ones: what lies between two blocks in use stays, and rows of many lengths fill it badly. Of a process of 1,076 MB at
its peak, 520 MB were free after 40 steps of Wav2Vec2Tiny. See malloc_trim(3).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

LARGE_BYTES = 8 << 20  # a tensor above this goes back to the system when it is freed; of smaller ones, little is kept
DEFAULT_BYTES = 32 << 20  # what glibc's own threshold grows to (DEFAULT_MMAP_THRESHOLD_MAX on 64 bits)
GROWTH = 512 << 20  # that is worth giving back: what the next steps take again costs a page fault for each 4 kB
_M_MMAP_THRESHOLD = -3


@contextmanager
def freed_at_once() -> Iterator[None]:
    """While it lasts, large blocks go back to the system when they are freed, and at its end all that is free; nothing
    happens where there is no glibc."""
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
    try:
        yield
    finally:
        libc.mallopt(_M_MMAP_THRESHOLD, DEFAULT_BYTES)
        libc.malloc_trim(0)


class FreeBlocks:
    """Gives the free parts of the heap back whenever the process grew by GROWTH since it was done last."""

    def __init__(self) -> None:
        self._least: int | None = None  # resident bytes, after it was done last

    def give_back(self, growth: int = GROWTH) -> None:
        """If the process grew by `growth` bytes since; to be called between two steps, when little is in use. Nothing happens
        where there is no glibc."""
        libc = _glibc()
        if libc is None or (self._least is not None and resident_bytes() < self._least + growth):
            return
        libc.malloc_trim(0)
        self._least = resident_bytes()


@cache
def _glibc() -> Any:
    """None where there is another C library: those take other numbers for their settings."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version, libc.mallopt, libc.malloc_trim  # noqa: B018  # there, or it is not glibc
    except (AttributeError, OSError, TypeError):
        return None
    return libc


def resident_bytes() -> int:
    """Bytes of this process that lie in memory; 0 where Linux is not there to say it."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGESIZE")
