"""One thread at a time: who asks for the turn waits until no other thread has it; first come, first served."""

from __future__ import annotations

import os
import threading
import time
import weakref


class Turn:
    """A lock that the thread which has it may take again; a context manager.

    Who gives it back and asks again comes after those who wait. A forked child has the threads of its parent no more:
    a turn that one of them had there is free.
    """

    def __init__(self) -> None:
        self._renew()
        _all.add(self)

    def _renew(self) -> None:
        self._next = threading.Lock()  # of the first in the queue
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._depth = 0

    def take(self, seconds: float | None = None) -> bool:
        """Whether the turn was to be had within these seconds; without any it waits as long as it takes."""
        if self._owner == threading.get_ident():
            self._depth += 1
            return True
        until = None if seconds is None else time.monotonic() + seconds
        if not self._next.acquire(timeout=-1 if seconds is None else seconds):
            return False
        try:
            taken = self._lock.acquire(timeout=-1 if until is None else max(0, until - time.monotonic()))
        finally:
            self._next.release()
        if taken:
            self._owner, self._depth = threading.get_ident(), 1
        return taken

    def give(self) -> None:
        """Let the next one have it."""
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._lock.release()

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_: object) -> None:
        self.give()


_all: weakref.WeakSet[Turn] = weakref.WeakSet()


def _in_a_child() -> None:
    for turn in list(_all):
        if turn._owner == threading.get_ident():
            turn._next = threading.Lock()  # the forking thread gives its turn back when it is done
        else:
            turn._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
