"""What the driver takes to deal out a batch to a pool of Ray workers, by their number: processor time of its own bookkeeping.

    python benchmarks/dealing.py [--workers 2 100 1000] [--rounds 5]

The real pool runs over workers that answer at once, one at a time, which is its worst case; Ray itself (some 0.5 ms for a call
and its answer, and 1 ms for a look at 2,000 calls that are under way) is left out. Medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import ray
from predict import processor

from thanosql.engine.executors.ray_pool import Pool, Rows, Share
from thanosql.engine.executors.ray_run import PoolRun
from thanosql.engine.executors.ray_worker import FileNeed, Preparation, WorkerFacts
from thanosql.models.audio.access import AudioAccess
from thanosql.models.cancellation import Cancellation
from thanosql.models.tasks import AudioRow, Output, TranscribeTask
from thanosql.version import __version__

BATCH = tuple(AudioRow(row, "a.wav", 1.0) for row in range(1, 17))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 100, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(processor())
    for workers in given.workers:
        taken = statistics.median(deal(workers, 500) for _ in range(given.rounds))
        print(f"{workers:,} workers: {1000 * taken:.3f} ms a batch", flush=True)


def deal(workers: int, batches: int) -> float:
    """Processor seconds for each of so many batches, once all workers run."""
    pool = Pool(SimulatedRay(), Share(cpus=1, gpus=0, most=workers))
    begun = 0.0

    def stream() -> Iterator[Rows]:
        nonlocal begun
        while len(pool.members) < workers or not all(member.facts for member in pool.members):
            yield BATCH
        begun = time.process_time()
        for _ in range(batches):
            yield BATCH

    wanted = Preparation(0, TranscribeTask(output=Output.AUDIO, audio=AudioAccess(roots=())))
    for _ in PoolRun(pool, wanted, NothingToSend()).outcomes(stream(), Cancellation()):
        pass
    return (time.process_time() - begun) / batches


@dataclass(eq=False)
class Answer:
    value: Any


@dataclass(frozen=True)
class Remote:
    call: Callable[..., Any]

    def remote(self, *given: Any) -> Any:
        return self.call(*given)


class SimulatedRay:
    """The part of Ray that a pool uses; each call is answered at once, and told of in its turn."""

    exceptions = ray.exceptions

    def __init__(self) -> None:
        self._told: deque[Answer] = deque()

    def put(self, value: Any) -> Any:
        return value

    def get(self, answer: Answer) -> Any:
        return answer.value

    def wait(self, answers: list[Answer], num_returns: int, timeout: float) -> tuple[list[Answer], list[Answer]]:
        return ([self._told.popleft()], answers) if timeout else ([], answers)

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(options=lambda **_: Remote(self._worker))

    def _worker(self) -> Any:
        facts = WorkerFacts(__version__, "node", (), ())
        return SimpleNamespace(prepare=Remote(lambda *_: self._answer(facts)), work=Remote(lambda _: self._answer(())))

    def _answer(self, value: Any) -> Answer:
        self._told.append(Answer(value))
        return self._told[-1]


class NothingToSend:
    def sent(self, rows: Rows, facts: WorkerFacts) -> Rows:
        return rows

    def stored(self, need: FileNeed) -> Mapping[str, Any]:
        return {}


if __name__ == "__main__":
    main()
