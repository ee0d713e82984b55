"""A training in, its report out: in one worker of a Ray cluster that sees the same folders, its steps heard on the way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.executors.ray_worker import paths_of, sizes, state
from thanosql.errors import ThanoSQLError, ThanoSQLOptionError, ThanoSQLResourceError
from thanosql.models.cancellation import Cancellation, Cancelled

if TYPE_CHECKING:
    from thanosql.models.results import TrainingProgress, TrainingReport
    from thanosql.models.tasks import TrainTask

LOOK_SECONDS = 0.2  # between two looks at the steps and at the cancellation
STOP_SECONDS = 4.0  # for the step under way and its checkpoint, before the worker is killed
ATTEMPTS = 3  # workers that may die


class RayTrainer:
    """The actor: one call trains while others ask for the steps, or for an end."""

    def __init__(self) -> None:
        self._steps: deque[TrainingProgress] = deque()
        self._cancellation = Cancellation()
        self._asked = threading.Lock()

    def seen(self, task: TrainTask, paths: tuple[str, ...]) -> tuple[Any, ...]:
        """What this machine sees of a training: its folder, the state of its base model, sizes of some audio."""
        return seen(task, paths)

    def train(self, task: TrainTask) -> TrainingReport | None:
        """The report; None where it was cancelled."""
        from thanosql.models.worker import train

        try:
            return train(task, self._steps.append, self._cancellation)
        except Cancelled:
            return None

    def steps(self) -> list[TrainingProgress]:
        """Those since the last call."""
        with self._asked:
            return [self._steps.popleft() for _ in range(len(self._steps))]

    def cancel(self, reason: str) -> None:
        self._cancellation.cancel(reason)


def seen(task: TrainTask, paths: tuple[str, ...]) -> tuple[Any, ...]:
    """What the machine that calls this sees of a training: equal on two machines that share its folders."""
    base = Path(task.model.checkpoint)
    try:
        files = state(base) if base.is_absolute() else ""
    except (OSError, ThanoSQLError):
        files = "not there"
    return task.folder.is_dir(), files, sizes(task.audio, paths)


def train(
    ray: Any,
    share: tuple[float, float],
    task: TrainTask,
    progress: Callable[[TrainingProgress], None],
    cancellation: Cancellation,
) -> TrainingReport:
    """Train in a worker with so many CPUs and GPUs. One that dies is replaced, and resumes from the last checkpoint.

    Raises ThanoSQLOptionError where the worker does not see the folders, and what the training raises.
    """
    actor = ray.remote(RayTrainer).options(num_cpus=share[0], num_gpus=share[1], max_concurrency=3, max_restarts=0)
    paths = paths_of(one.audio for one in task.utterances)
    reached = 0

    def forward(steps: list[TrainingProgress]) -> None:
        nonlocal reached
        for step in steps:
            if step.step > reached:  # those after the checkpoint are done again
                reached = step.step
                progress(step)

    for _ in range(ATTEMPTS):
        worker = actor.remote()
        try:
            looked = worker.seen.remote(replace(task, utterances=(), validation=()), paths)
            while not ray.wait([looked], timeout=LOOK_SECONDS)[0]:
                cancellation.check()
            if ray.get(looked) != seen(task, paths):
                raise ThanoSQLOptionError(
                    "The machines of the Ray cluster cannot read the folders of this training: the "
                    "model store, the base model and the audio.",
                    hint="Put the home folder and the audio into a shared folder, or train on this machine: OPTIONS "
                    "(executor='local').",
                )
            running = worker.train.remote(ray.put(task))
            try:
                while not ray.wait([running], timeout=LOOK_SECONDS)[0]:
                    cancellation.check()
                    forward(ray.get(worker.steps.remote()))
            except KeyboardInterrupt as stop:
                worker.cancel.remote(str(stop))
                ray.wait([running], timeout=STOP_SECONDS)
                raise
            report: TrainingReport | None = ray.get(running)
            forward(ray.get(worker.steps.remote()))
            assert report is not None
            return report
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError):
            if task.state is not None and task.state.is_dir():
                task = replace(task, options=replace(task.options, resume=True))
            time.sleep(LOOK_SECONDS)
        finally:
            ray.kill(worker)
    raise ThanoSQLResourceError(
        f"{ATTEMPTS} workers of the Ray cluster died during this training, one after the other.",
        hint="The usual reason is too little memory: choose a smaller batch_size.",
    )
