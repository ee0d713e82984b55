"""Batches of audio in, outcomes out: in this process, reading ahead in threads while the model runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from thanosql.models.tasks import AudioRow, Outcome, Output
from thanosql.models.worker import CHECKED_TOGETHER, Read, Worker, parts

if TYPE_CHECKING:
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.model_cache import ModelCache
    from thanosql.models.options import TrainOptions, TranscribeOptions
    from thanosql.models.results import TrainingProgress, TrainingReport
    from thanosql.models.tasks import TrainTask, TranscribeTask

READERS = 2  # threads that decode while a model runs; the model has the cores
DECODERS = 4  # threads where decoding is all there is to do
FETCHERS = 8  # threads that wait for other machines
BATCHES_AHEAD = 3


class LocalExecutor:
    """An executor (`base.Executor`) in this process; the models that it opens stay loaded for the session."""

    def __init__(self, name: str, models: ModelCache) -> None:
        self._models = models

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        worker = Worker(task, self._models, cancellation)
        threads = FETCHERS if task.audio.remote is not None else DECODERS if task.output is Output.AUDIO else READERS
        with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
            try:
                for batch in _read_ahead(iter(batches), pool, worker):
                    cancellation.check()
                    for group in parts(batch, task.batch_seconds):
                        yield worker.outcomes(group)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def train(
        self, task: TrainTask, progress: Callable[[TrainingProgress], None], cancellation: Cancellation
    ) -> TrainingReport:
        from thanosql.models.worker import train

        return train(task, progress, cancellation)

    def refuse(self, task: TrainTask) -> None:
        """Nothing: what this process sees can be trained on."""

    def workers(self, how: TrainOptions | TranscribeOptions) -> None:
        return None

    def close(self) -> None:
        """Nothing is held: the session has the models."""


def _read_ahead(
    batches: Iterator[tuple[AudioRow, ...]], pool: ThreadPoolExecutor, worker: Worker
) -> Iterator[list[Read]]:
    size = CHECKED_TOGETHER if worker.task.output is Output.AUDIO and worker.task.audio.remote is None else 1
    waiting: deque[list[Future[list[Read]]]] = deque()
    while True:
        for batch in islice(batches, BATCHES_AHEAD - len(waiting)):
            groups = (batch[first : first + size] for first in range(0, len(batch), size))
            waiting.append([pool.submit(worker.read, group) for group in groups])
        if not waiting:
            return
        yield [read for future in waiting.popleft() for read in future.result()]
