"""An executor over two spawned processes, for the tests: what it needs is what the protocol says, and no more."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from typing import Any

from thanosql.engine.executors.base import Workers
from thanosql.models.cancellation import Cancellation
from thanosql.models.options import TrainOptions, TranscribeOptions
from thanosql.models.results import TrainingProgress, TrainingReport
from thanosql.models.tasks import AudioRow, Outcome, TrainTask, TranscribeTask
from thanosql.models.worker import Worker, train

UNDER_WAY = 4  # batches

_workers: dict[int, Worker] = {}  # of this process, the last one


def work(number: int, task: TranscribeTask, rows: tuple[AudioRow, ...]) -> tuple[Outcome, ...]:
    """In a process of its own: the outcomes of a batch. The model is opened once for each task."""
    if number not in _workers:
        _workers.clear()
        _workers[number] = Worker(task)
    return _workers[number].work(rows)


def learn(task: TrainTask, steps: Any) -> TrainingReport:
    """In a process of its own: a training, its steps put into a queue."""
    return train(task, steps.put, Cancellation())


class ProcessExecutor:
    """Two processes that share nothing with this one but what is pickled into them."""

    def __init__(self, name: str, models: object) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(2, mp_context=self._context)
        self._tasks = 0

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        self._tasks += 1
        waiting: set[Future[tuple[Outcome, ...]]] = set()
        stream = iter(batches)
        try:
            while True:
                cancellation.check()
                for batch in islice(stream, UNDER_WAY - len(waiting)):
                    waiting.add(self._pool.submit(work, self._tasks, task, batch))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()

    def train(
        self, task: TrainTask, progress: Callable[[TrainingProgress], None], cancellation: Cancellation
    ) -> TrainingReport:
        with self._context.Manager() as manager:
            steps = manager.Queue()
            running = self._pool.submit(learn, task, steps)
            while not running.done() or not steps.empty():
                if steps.empty():
                    wait([running], timeout=0.05)
                else:
                    progress(steps.get())
            return running.result()

    def refuse(self, task: TrainTask) -> None:
        """Nothing: the processes are on this machine."""

    def workers(self, how: TrainOptions | TranscribeOptions) -> Workers:
        return Workers(2, 1.0, 0.0, "2 processes of this machine")

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
