"""How a test waits for what it needs: until a condition holds, never for a time in which it is hoped to."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def until(there: Callable[[], object], seconds: float = 120.0) -> None:
    """Come back when a condition holds. The limit is for a defect: a crowded machine may take its time."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.005)


def _ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def interrupted(after: Callable[[], object], send: Callable[[], object] = _ctrl_c) -> Iterator[None]:
    """`send` an interrupt to what is done within, once `after` has come back, which another thread calls meanwhile."""

    def interrupt() -> None:
        after()
        send()

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    try:
        yield
    finally:
        interrupting.join()


def until_main_is_in(name: str, file: str) -> None:
    """Come back when this process's main thread is in the function `name` of a file."""

    def there() -> bool:
        frame = sys._current_frames()[threading.main_thread().ident or 0]
        codes = [one.f_code for one, _ in traceback.walk_stack(frame)]
        return any(code.co_name == name and code.co_filename.endswith(file) for code in codes)

    until(there)
