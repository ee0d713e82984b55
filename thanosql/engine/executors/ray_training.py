"""A training in, its report out: in workers of a Ray cluster that see the same folders, its steps heard on the way.

Ray Train's TorchTrainer places the workers, starts them and connects them by torch.distributed; each is one rank of the
training (`models.training.ranks`). An actor runs it, so that this process hears of the steps and can end it at any time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thanosql.engine.executors.received_files import seen_home
from thanosql.engine.executors.training_folders import Seen
from thanosql.engine.executors.training_workers import TrainingWorkers
from thanosql.errors import ThanoSQLResourceError
from thanosql.models.cancellation import Cancellation, Cancelled
from thanosql.models.results import TrainingProgress, TrainingReport
from thanosql.models.tasks import TrainTask

LOOK_SECONDS = 0.2  # between two looks at the steps and at the cancellation
STOP_SECONDS = 4.0  # for the step under way and its checkpoint, before the workers are killed
ATTEMPTS = 3  # groups of workers of which one may die


@dataclass(frozen=True)
class RankTask:
    """What each rank is told: the task (a reference into Ray's store), what the driver's machine sees of it, and the actor
    that hears of its steps."""

    task: Any
    expected: Seen
    actor: Any


class WorkerDied(Exception):
    """A rank is gone, and the others with it."""


class RayTraining:
    """The actor: one call runs Ray Train, while others ask for the steps, or for an end."""

    def __init__(self) -> None:
        self._steps: list[TrainingProgress] = []
        self._reason: str | None = None

    def fit(self, workers: TrainingWorkers, task: list[Any], expected: Seen, folder: Path) -> TrainingReport | None:
        """The report; None where it was cancelled. Raises WorkerDied, and what the training raises."""
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig, WorkerGroupError
        from ray.train.torch import TorchConfig, TorchTrainer

        os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")  # Ray waits for two seconds between two looks
        os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "300")  # and begins anew where a start takes 60
        os.environ.setdefault(
            "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0"
        )  # a process more, and nothing here heeds its warning
        actor = ray.get_runtime_context().current_actor
        trainer = TorchTrainer(
            train_rank,
            train_loop_config={"rank_task": RankTask(task[0], expected, actor)},
            torch_config=TorchConfig(backend=workers.backend),
            scaling_config=ScalingConfig(
                num_workers=workers.count,
                use_gpu=workers.gpus > 0,
                resources_per_worker={"CPU": workers.cpus, "GPU": workers.gpus},
            ),
            run_config=RunConfig(storage_path=str(folder), failure_config=FailureConfig(max_failures=0)),
        )
        try:
            report: TrainingReport | None = trainer.fit().return_value
        except WorkerGroupError as error:
            raise _cause(error.worker_failures.values()) from None
        return report

    def hear(self, step: TrainingProgress) -> None:
        self._steps.append(step)

    def steps(self) -> list[TrainingProgress]:
        """Those since the last call."""
        steps, self._steps = self._steps, []
        return steps

    def cancel(self, reason: str) -> None:
        self._reason = reason

    def reason(self) -> str | None:
        """Why the training is to end; None as long as it is not."""
        return self._reason


def _cause(failures: Iterable[BaseException]) -> BaseException:
    """Of the ranks' errors the one that is not the end of a rank."""
    from thanosql.models.training.process_group import RankLost

    own = (error for error in failures if not isinstance(error, RankLost))
    return next((error for error in own if type(error).__module__.partition(".")[0] != "ray"), WorkerDied())


def train_rank(config: dict[str, RankTask]) -> TrainingReport | None:
    """Train as one rank, in a worker of Ray Train. The first rank tells of the steps. None where it was cancelled.

    Raises ThanoSQLOptionError where this machine does not see the folders, and what the training raises.
    """
    import ray
    import ray.train

    from thanosql.models.training.process_group import ProcessGroup
    from thanosql.models.training.ranks import ALONE
    from thanosql.models.worker import train

    mine = config["rank_task"]
    task: TrainTask = ray.get(mine.task)
    Seen.of(task).refuse_other(mine.expected, task, ray.util.get_node_ip_address())
    task = replace(task, home=seen_home(task.home))
    if task.options.device.startswith("cuda"):  # the one that Ray gave to this worker
        task = replace(task, options=replace(task.options, device="auto"))
    context = ray.train.get_context()
    alone = context.get_world_size() == 1
    ranks = ALONE if alone else ProcessGroup(context.get_local_world_size())
    hear = _told(mine.actor) if ranks.rank == 0 else _ignored
    cancellation = Cancellation()
    with _listening(mine.actor, cancellation):
        try:
            return train(task, hear, cancellation, ranks)
        except Cancelled:
            return None


def _told(actor: Any) -> Callable[[TrainingProgress], None]:
    def hear(step: TrainingProgress) -> None:
        actor.hear.remote(step)

    return hear


def _ignored(step: TrainingProgress) -> None:
    """The first rank tells of it."""


@contextmanager
def _listening(actor: Any, cancellation: Cancellation) -> Iterator[None]:
    """Ask now and then whether the training is to end."""
    import ray

    over = threading.Event()

    def listen() -> None:
        while not over.wait(LOOK_SECONDS):
            try:
                reason = ray.get(actor.reason.remote())
            except ray.exceptions.RayError:
                return  # the actor is gone, and so is this process at once
            if reason is not None:
                cancellation.cancel(reason)
                return

    thread = threading.Thread(target=listen, daemon=True, name="thanosql-listen")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def train(
    workers: TrainingWorkers,
    task: TrainTask,
    progress: Callable[[TrainingProgress], None],
    cancellation: Cancellation,
) -> TrainingReport:
    """Train in so many workers. Where one dies, all start again from the last checkpoint.

    Raises ThanoSQLOptionError where a worker does not see the folders, and what the training raises.
    """
    import ray

    expected = Seen.of(task)
    reached = 0

    def forward(steps: list[TrainingProgress]) -> None:
        nonlocal reached
        for step in steps:
            if step.step > reached:  # those after the checkpoint are done again
                reached = step.step
                progress(step)

    folder = Path(tempfile.mkdtemp(prefix="ray-", dir=task.folder.parent))  # Ray Train asks for one
    try:
        for _ in range(ATTEMPTS):
            try:
                return _attempt(workers, task, expected, folder, forward, cancellation)
            except (WorkerDied, ray.exceptions.RayActorError):
                if reached and task.state is not None and task.state.is_dir():
                    task = replace(task, options=replace(task.options, resume=True))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    raise ThanoSQLResourceError(
        f"Workers of the Ray cluster died {ATTEMPTS} times during this training.",
        hint="The usual reason is too little memory: choose a smaller batch_size.",
    )


def _attempt(
    workers: TrainingWorkers,
    task: TrainTask,
    expected: Seen,
    folder: Path,
    forward: Callable[[list[TrainingProgress]], None],
    cancellation: Cancellation,
) -> TrainingReport:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    kind = ray.remote(num_cpus=0, max_restarts=0, concurrency_groups={"fit": 1})(RayTraining)
    actor = kind.options(scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=True)).remote()
    try:
        # In a group of its own: the actor answers others meanwhile.
        running = actor.fit.options(concurrency_group="fit").remote(workers, [ray.put(task)], expected, folder)
        try:
            while not ray.wait([running], timeout=LOOK_SECONDS)[0]:
                cancellation.check()
                forward(ray.get(actor.steps.remote()))
        except KeyboardInterrupt as stop:
            actor.cancel.remote(str(stop))
            ray.wait([running], timeout=STOP_SECONDS)
            raise
        report: TrainingReport | None = ray.get(running)
        forward(ray.get(actor.steps.remote()))
        assert report is not None
        return report
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    finally:
        ray.kill(actor)  # what it started ends with it
