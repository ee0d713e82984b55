"""A thread of its own makes calls in their order; who waits may be interrupted, and what was begun goes on."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref

import pytest

from tests.waiting import interrupted, until, until_main_is_in
from thanosql.engine.postgres.worker_thread import WorkerThread


def alive(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def ends(name: str) -> bool:
    until(lambda: not alive(name))
    return not alive(name)


def test_calls_are_made_in_their_order_in_one_other_thread() -> None:
    worker, made = WorkerThread("order"), []

    def call(number: int) -> int:
        made.append((number, threading.current_thread().name))
        return number * 2

    begun = [worker.begin(lambda number=number: call(number)) for number in range(50)]  # type: ignore[misc]
    assert [work.result() for work in reversed(begun)] == [number * 2 for number in reversed(range(50))]
    assert made == [(number, "order") for number in range(50)]
    assert begun[0].result() == 0  # asked for again
    worker.end()
    assert ends("order")


def test_what_a_call_raises_is_raised_where_it_is_waited_for() -> None:
    worker = WorkerThread("raising")
    for error in (ValueError("a"), KeyboardInterrupt("b"), SystemExit(3)):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            worker.begin(fail).result()
        assert caught.value is error
    assert worker.begin(lambda: 1).result() == 1  # and the thread goes on
    worker.end()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_reaches_who_waits_and_the_call_goes_on() -> None:
    worker, may_end = WorkerThread("interrupted"), threading.Event()
    work = worker.begin(lambda: may_end.wait(120))
    with pytest.raises(KeyboardInterrupt), interrupted(lambda: until_main_is_in("wait", "worker_thread.py")):
        work.result()
    may_end.set()
    assert work.result()
    worker.end()


class Interrupting:
    """A lock that an interrupt comes upon just when it is taken."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def acquire(self, timeout: float = -1) -> bool:
        if self._lock.acquire(timeout=timeout):
            raise KeyboardInterrupt
        return False

    def release(self) -> None:
        self._lock.release()


def test_an_interrupt_that_comes_when_the_call_ends_leaves_nobody_waiting_for_ever() -> None:
    worker = WorkerThread("just over")
    work = worker.begin(lambda: time.sleep(0.3) or 7)
    work._going_on = Interrupting(work._going_on)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        work.result()
    waiting = threading.Thread(target=work.wait, daemon=True)
    waiting.start()
    waiting.join(120)
    assert not waiting.is_alive()
    assert work.result() == 7
    worker.end()


def test_the_thread_ends_with_the_object_and_holds_nothing_of_the_last_call() -> None:
    worker = WorkerThread("forgotten")

    class Large:
        pass

    large = Large()
    gone: list[bool] = []
    weakref.finalize(large, gone.append, True)
    assert isinstance(worker.begin(lambda large=large: large).result(), Large)  # type: ignore[misc]
    del large
    worker.begin(lambda: None).result()
    gc.collect()
    assert gone == [True]
    del worker
    gc.collect()
    assert ends("forgotten")
