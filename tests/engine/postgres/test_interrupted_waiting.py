"""A wait for another thread's call hears an interrupt, whichever thread the system gave the signal to."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.waiting import interrupted, until_main_is_in
from thanosql.engine.postgres.worker_thread import WorkerThread


@pytest.mark.skipif(os.name == "nt", reason="signals are given to threads by POSIX alone")
def test_an_interrupt_that_another_thread_was_given_is_heard() -> None:
    """A signal that comes just before the wait begins is lost to it in the same way."""
    worker, going, done = WorkerThread("waiting"), threading.Event(), threading.Event()
    ident: list[int] = []

    def call() -> None:
        ident.append(threading.get_ident())
        going.set()
        done.wait(60)

    work = worker.begin(call)
    going.wait()
    limit = threading.Timer(50, done.set)
    limit.start()
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            interrupted(
                lambda: until_main_is_in("wait", "worker_thread.py"),
                lambda: signal.pthread_kill(ident[0], signal.SIGINT),
            ),
        ):
            work.wait()
        assert not done.is_set(), "it was heard only when the call was over"
    finally:
        limit.cancel()
        done.set()
        worker.end()
