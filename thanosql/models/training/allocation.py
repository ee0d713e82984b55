"""A training in, the same with freed memory given back at once out: glibc otherwise lets a process grow past what it holds.

glibc's malloc begins to keep freed blocks of up to 32 MB for itself as soon as one has been freed. A training's tensors are
of many sizes, the kept blocks fit few of them, and the process was seen to grow to 1.4 times what it held at its peak
(Parakeet's shape, 4 layers, rows of 55 s). With a fixed threshold each block above it is the system's own and goes back
to it. See mallopt(3), M_MMAP_THRESHOLD.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

LARGE_BYTES = 8 << 20  # a tensor above this goes back to the system when it is freed; of smaller ones, little is kept
DEFAULT_BYTES = 32 << 20  # what glibc's own threshold grows to (DEFAULT_MMAP_THRESHOLD_MAX on 64 bits)
_M_MMAP_THRESHOLD = -3


@contextmanager
def freed_at_once() -> Iterator[None]:
    """While it lasts, large blocks go back to the system when they are freed; nothing happens where there is no glibc."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  # other C libraries take other numbers for their settings
        mallopt = libc.mallopt
    except (AttributeError, OSError, TypeError):
        yield
        return
    mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
    try:
        yield
    finally:
        mallopt(_M_MMAP_THRESHOLD, DEFAULT_BYTES)
