"""Calls of the C library that fail or lie: the library that does it, and how a process asks it to.

`system_faults.c` is compiled where there is a compiler; processes of `world.children()` have it loaded and asleep.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


@cache
def library() -> Path | None:
    """The compiled library; None where nothing compiles it."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    made = Path(tempfile.mkdtemp(prefix="torture-")) / "system_faults.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return made


@contextmanager
def loaded() -> Iterator[None]:
    """Processes that are started inside have the library."""
    before = os.environ.get("LD_PRELOAD")
    if (made := library()) is not None:
        os.environ["LD_PRELOAD"] = f"{made} {before or ''}".strip()
    try:
        yield
    finally:
        os.environ.pop("LD_PRELOAD", None)
        if before is not None:
            os.environ["LD_PRELOAD"] = before


def fail_reading_and_writing(folder: Path, calls: int) -> None:
    """From now on, reading and writing below `folder` is an input/output error once so many calls went well."""
    _begin("THANOSQL_TORTURE_IO", f"{folder}:{calls}")


def set_clock(ahead: str) -> None:
    """From now on, the wall clock is so many seconds ahead, or 'jumping'."""
    _begin("THANOSQL_TORTURE_CLOCK", ahead)


def _begin(name: str, value: str) -> None:
    os.environ[name] = value
    ctypes.CDLL(None).begin_faults()
