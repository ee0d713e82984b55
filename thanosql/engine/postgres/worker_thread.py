"""A call in, its value or what it raised out, from a thread of its own: who waits for it can be interrupted meanwhile.

A thread pool does the same and takes twice the processor time, most of what a short query takes (benchmarks/select_rows.py).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# A signal that comes just before a wait begins, or that another thread is given, does not end the wait: it is heard then.
HEARD_SECONDS = 0.2


class Work(Generic[T]):
    """One call that a WorkerThread has begun, or soon will."""

    __slots__ = ("_call", "_error", "_going_on", "_over", "_value")

    def __init__(self, call: Callable[[], T]) -> None:
        self._call: Callable[[], T] | None = partial(copy_context().run, call)  # what holds for the caller holds in it
        self._error: BaseException | None = None
        self._over = False
        self._going_on = threading.Lock()
        self._going_on.acquire()

    def do(self) -> None:
        """Make the call, in the thread that this is run in."""
        assert self._call is not None
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error
        finally:
            self._call = None  # what it holds may be large
            self._over = True
            self._going_on.release()

    def wait(self) -> None:
        """Come back when it is done; an interrupt comes through, and leaves it to go on."""
        while not self._over:  # and not the lock alone: an interrupt may come when it is taken and not given back
            if self._going_on.acquire(timeout=HEARD_SECONDS):
                self._going_on.release()

    def result(self) -> T:
        """What the call gave, once it is done. Raises what the call raised."""
        self.wait()
        if self._error is not None:
            try:
                raise self._error
            finally:
                del self  # the error's traceback holds this frame
        return self._value


class WorkerThread:
    """A thread that makes calls one after the other. It ends by `end`, or with this object, and never holds up the process."""

    def __init__(self, name: str) -> None:
        self._waiting: SimpleQueue[Work[Any] | None] = SimpleQueue()
        threading.Thread(target=_work, args=(self._waiting,), name=name, daemon=True).start()
        weakref.finalize(self, self._waiting.put, None)

    def begin(self, call: Callable[[], T]) -> Work[T]:
        """Have it made when those before it are done, and come back at once."""
        work = Work(call)
        self._waiting.put(work)
        return work

    def end(self) -> None:
        """Let the thread end once it has made the calls that were begun."""
        self._waiting.put(None)


def _work(waiting: SimpleQueue[Work[Any] | None]) -> None:
    while (work := waiting.get()) is not None:
        work.do()
        del work  # its value is not to live until the next call
