"""A task and batches in, outcomes out, in a process of a Ray cluster: the actor, and what it says of itself.

Files that are not seen from its machine come through Ray's store, once for each version and machine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from thanosql.engine.executors.received_files import receive, seen_home
from thanosql.errors import ThanoSQLModelError
from thanosql.models import checkpoint_files
from thanosql.models.audio import Audio, AudioError, AudioPart
from thanosql.models.audio.access import AudioAccess
from thanosql.models.audio.references import is_remote
from thanosql.models.model_cache import ModelCache
from thanosql.models.tasks import AudioRow, Outcome, TranscribeTask
from thanosql.models.worker import Worker
from thanosql.version import __version__

PATHS = 16  # that are looked for


@dataclass(frozen=True)
class FileNeed:
    """A file or folder of the driver's machine that a task names, and which state of it is meant."""

    path: str
    state: str

    @classmethod
    def of(cls, path: Path) -> FileNeed:
        return cls(str(path.absolute()), state(path))


@dataclass(frozen=True)
class WorkerFacts:
    """What a worker says before it gets rows: its version, its node, the needs it does not see, and of some audio paths
    the sizes in bytes of those it sees."""

    version: str
    node: str
    missing: tuple[FileNeed, ...]
    sizes: tuple[int | None, ...]


@dataclass(frozen=True)
class Preparation:
    """What a worker is to do next: the task, the files it needs, some paths of its audio."""

    number: int
    task: TranscribeTask
    needs: tuple[FileNeed, ...] = ()
    paths: tuple[str, ...] = field(default=(), repr=False)


class RayWorker:
    """The actor. Two calls may run at once: one reads while the other's model works."""

    def __init__(self) -> None:
        self._models = ModelCache()
        self._model_turn = threading.Lock()
        self._worker: Worker | None = None
        self._number = -1
        self._received: dict[FileNeed, Path] = {}

    def prepare(self, wanted: Preparation, files: Mapping[FileNeed, Mapping[str, Any]]) -> WorkerFacts:
        """Take up a task; `files` are those that an earlier call found missing, as references into Ray's store."""
        import ray

        for need, content in files.items():
            received = dict(zip(content, ray.get(list(content.values()))))
            self._received[need] = receive(need.path, need.state, received)
        where = {need.path: self._place(need) for need in wanted.needs}
        missing = tuple(need for need in wanted.needs if where[need.path] is None)
        if not missing and self._number != wanted.number:
            self._worker = Worker(_placed(wanted.task, where), self._models)
            self._number = wanted.number
        node = ray.get_runtime_context().get_node_id()
        return WorkerFacts(__version__, node, missing, sizes(wanted.task.audio, wanted.paths))

    def work(self, rows: Sequence[AudioRow]) -> tuple[Outcome, ...]:
        """The outcomes of a batch, in its order."""
        worker = self._worker
        assert worker is not None
        read = worker.read(rows)
        with self._model_turn:
            return worker.in_parts(read)

    def _place(self, need: FileNeed) -> Path | None:
        path = self._received.get(need, Path(need.path))
        try:
            return path if need in self._received or state(path) == need.state else None
        except (OSError, ThanoSQLModelError):
            return None


def state(path: Path) -> str:
    """What changes with a folder's or a file's content: names, sizes, times. Raises OSError where there is nothing."""
    about = path.stat()
    return checkpoint_files.state(path) if path.is_dir() else f"{about.st_size} {about.st_mtime_ns}"


def paths_of(audio: Iterable[Audio]) -> tuple[str, ...]:
    """The first paths of files among audio, which tell whether a worker sees them."""
    recordings = (AudioPart.of(one).audio for one in audio)
    return tuple(islice((one for one in recordings if isinstance(one, str) and not is_remote(one)), PATHS))


def sizes(access: AudioAccess, paths: Sequence[str]) -> tuple[int | None, ...]:
    """The sizes in bytes of audio files as they are seen from here; None for one that is not."""
    return tuple(_size(access, path) for path in paths)


def _size(access: AudioAccess, path: str) -> int | None:
    try:
        return access.locate(path).stat().st_size
    except (AudioError, OSError):
        return None


def _placed(task: TranscribeTask, where: Mapping[str, Path | None]) -> TranscribeTask:
    """The task with the places that its files have on this machine."""
    if task.model is not None and task.model.checkpoint in where:
        task = replace(task, model=replace(task.model, checkpoint=str(where[task.model.checkpoint])))
    if isinstance(task.language_model, Path):
        task = replace(task, language_model=where[str(task.language_model)])
    return replace(task, home=seen_home(task.home))
