"""One thread at a time: who asks for the turn waits until no other thread has it."""

from __future__ import annotations

import os
import threading
import weakref


class Turn:
    """A lock that the thread which has it may take again; a context manager.

    A forked child has the threads of its parent no more: a turn that one of them had there is free.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _all.add(self)

    def take(self, seconds: float = -1) -> bool:
        """Whether the turn was to be had within these seconds; for ever without any."""
        return self._lock.acquire(timeout=seconds)

    def give(self) -> None:
        """Let the next one have it."""
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_all: weakref.WeakSet[Turn] = weakref.WeakSet()


def _in_a_child() -> None:
    for turn in list(_all):
        # To be had where it was free, or the forking thread's own, who gives it back when it is done.
        if turn.take(0):
            turn.give()
        else:
            turn._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
