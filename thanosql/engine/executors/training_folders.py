"""A training in; refused where a machine of the Ray cluster does not see its folders: the store, the base model, the audio.

Each machine that may get a worker is asked before any work. A worker looks once more before its first step, since a cluster
may have grown meanwhile.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql import private
from thanosql.engine.executors.ray_worker import paths_of, sizes, state
from thanosql.errors import ThanoSQLError, ThanoSQLOptionError, ThanoSQLResourceError
from thanosql.models.model_folder import DRAFT

if TYPE_CHECKING:
    from thanosql.models.tasks import TrainTask

ASKED_SECONDS = 120.0  # until a machine must have answered


@dataclass(frozen=True)
class Seen:
    """What a machine sees of a training: equal on two machines that share its folders. `base` is the state of the base
    model's files, `audio` the sizes in bytes of the first files, None for one that is not seen."""

    store: bool
    base: str
    audio: tuple[int | None, ...]

    @classmethod
    def of(cls, task: TrainTask) -> Seen:
        base = Path(task.model.checkpoint)
        try:
            files = state(base) if base.is_absolute() else ""
        except (OSError, ThanoSQLError):
            files = "not there"
        return cls(task.folder.is_dir(), files, sizes(task.audio, _paths(task)))

    def refuse_other(self, expected: Seen, task: TrainTask, machine: str) -> None:
        """Raise ThanoSQLOptionError where this differs from what the driver's machine sees."""
        missing = []
        if self.store != expected.store:
            missing.append(f"the store of models, {task.folder.parent}")
        if self.base != expected.base:
            missing.append(f"the base model, {task.model.checkpoint}")
        missing.extend(
            f"audio, {path}"
            for path, here, there in zip(_paths(task), self.audio, expected.audio, strict=True)
            if here != there
        )
        if missing:
            raise ThanoSQLOptionError(
                f"The machine {machine} of the Ray cluster cannot read the folders of this training: {missing[0]}.",
                hint="Put the store of models (the setting store; of a store in object storage, the home) and the audio into a "
                "folder that all machines share, or train on this machine: OPTIONS (executor='local').",
            )


def refuse_unshared(ray: Any, machines: Sequence[Mapping[str, Any]], task: TrainTask) -> None:
    """Ask the machines (of `ray.nodes()`). Raises ThanoSQLOptionError where one does not see what this one sees.

    The task's folder is the store: whether it is the same everywhere shows by a folder that is made in it.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    try:
        trial = Path(tempfile.mkdtemp(prefix=DRAFT, dir=private.folder(task.folder)))
    except OSError as error:
        raise ThanoSQLResourceError(f"The model store {task.folder} cannot be written: {error}") from error
    task = replace(task, folder=trial)
    ask = ray.remote(num_cpus=0, max_retries=1)(_seen)
    told = ray.put(task)
    answers = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(machine["NodeID"], soft=False)).remote(told)
        for machine in machines
    ]
    try:
        expected = Seen.of(task)
        for machine, seen in zip(machines, ray.get(answers, timeout=ASKED_SECONDS), strict=True):
            seen.refuse_other(expected, task, machine["NodeManagerAddress"])
    finally:
        trial.rmdir()


def _seen(task: TrainTask) -> Seen:
    return Seen.of(task)


def _paths(task: TrainTask) -> tuple[str, ...]:
    return paths_of(one.audio for one in task.utterances)
