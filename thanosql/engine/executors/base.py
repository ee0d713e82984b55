"""What an executor is: tasks and rows of audio in, outcomes out; and how one is found by its name.

An executor knows no SQL and no statement. It gets tasks that can be pickled (`models.tasks`), opens models and audio where
the work is done, and gives outcomes as values. To add one, write a module with a class that has these methods and name
it in EXECUTORS.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from thanosql.errors import ThanoSQLOptionError, did_you_mean

if TYPE_CHECKING:
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.model_cache import ModelCache
    from thanosql.models.options import TrainOptions, TranscribeOptions
    from thanosql.models.results import TrainingProgress, TrainingReport
    from thanosql.models.tasks import AudioRow, Outcome, TrainTask, TranscribeTask

# What stands before the first ':' or '?' of the setting → the module and class that it is.
EXECUTORS: dict[str, str] = {
    "local": "thanosql.engine.executors.local:LocalExecutor",
    "ray": "thanosql.engine.executors.ray:RayExecutor",
}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a statement is: `done` of `total` in `unit`, and what else is worth a glance (RTFx, loss)."""

    what: str
    done: float
    total: float
    unit: str
    detail: str = ""


@dataclass(frozen=True)
class Workers:
    """So many processes with `cpus` and `gpus` each, at most; `said` is the same in words, for EXPLAIN."""

    count: int
    cpus: float
    gpus: float
    said: str


class Executor(Protocol):
    """Does the work of a task. Made for one session; used for one statement at a time."""

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        """An outcome for every row, in groups as they are done, in any order; an empty batch may give an empty group.

        Batches are drawn as they are needed, a few ahead of the work. What is a row's own fault is its outcome's
        Failure; anything else is raised and ends the work, as does closing the iterator, which leaves nothing running.
        Raises Cancelled between two batches once `cancellation` asks for it.
        """

    def train(
        self, task: TrainTask, progress: Callable[[TrainingProgress], None], cancellation: Cancellation
    ) -> TrainingReport:
        """Train, leave the model in the task's folder, and say how it went. Raises what the family's trainer raises."""

    def refuse(self, task: TrainTask) -> None:
        """Raise ThanoSQLError for a training that cannot be done here, by its options, its base model, the few of its
        utterances that are known, and `folder`, the store of models. Asked before any work, first without a row."""

    def workers(self, how: TrainOptions | TranscribeOptions) -> Workers | None:
        """The processes that a task of these options may have at most; none is started for the answer. None where it is
        this one alone."""

    def close(self) -> None:
        """Let go of what is open beyond one statement."""


def check_name(name: str, option: str = "executor") -> str:
    """The executor's name, if there is one. Raises ThanoSQLOptionError with the names there are."""
    kind = _kind(name)
    if kind not in EXECUTORS:
        raise ThanoSQLOptionError(
            f"There is no executor '{name[:80]}' ({option}).", hint=did_you_mean(kind[:80], EXECUTORS)
        )
    return name


def open_executor(name: str, models: ModelCache, registered: Mapping[str, str] = EXECUTORS) -> Executor:
    """The executor of that name ('local', 'ray', 'ray://host:10001'); `models` are those loaded in this process."""
    check_name(name)
    module, _, kind = registered[_kind(name)].partition(":")
    made = getattr(importlib.import_module(module), kind)
    return cast("Executor", made(name, models))


def _kind(name: str) -> str:
    return re.split("[:?]", name, maxsplit=1)[0]
