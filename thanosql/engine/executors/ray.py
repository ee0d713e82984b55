"""Batches of audio in, outcomes out: in the workers of a Ray cluster, on this machine or others."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql.engine.executors import ray_cluster
from thanosql.engine.executors.base import Workers
from thanosql.engine.executors.ray_pool import Pool, Share
from thanosql.engine.executors.ray_run import PoolRun
from thanosql.engine.executors.ray_worker import FileNeed, Preparation, paths_of, sizes
from thanosql.engine.executors.training_workers import rooms, training_workers
from thanosql.errors import ThanoSQLDataError
from thanosql.models import checkpoint_files
from thanosql.models.audio import Audio, AudioError, AudioPart, described
from thanosql.models.audio.references import is_remote
from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.devices import expected_device
from thanosql.models.options import TrainOptions

if TYPE_CHECKING:
    from thanosql.engine.executors.ray_pool import Rows
    from thanosql.engine.executors.ray_worker import WorkerFacts
    from thanosql.models.audio.access import AudioAccess
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.model_cache import ModelCache
    from thanosql.models.options import TranscribeOptions
    from thanosql.models.results import TrainingProgress, TrainingReport
    from thanosql.models.tasks import AudioRow, Outcome, TrainTask, TranscribeTask

IDLE_SECONDS = 60.0  # after which a cluster has its workers back
SENT_BYTES = 32 * 2**20  # of one audio file that only this machine has


class RayExecutor:
    """An executor (`base.Executor`) over a Ray cluster. It connects when there are rows; its workers stay for a minute."""

    def __init__(self, name: str, models: ModelCache) -> None:
        self._cluster = ray_cluster.Cluster.named(name)
        ray_cluster.module()
        self._ray: Any = None
        self._pools: dict[Share, Pool] = {}
        self._numbers = count()
        self._turn = threading.RLock()  # against the timer, which ends idle workers
        self._idle: threading.Timer | None = None
        self._driver: Driver | None = None

    def transcribe(
        self, task: TranscribeTask, batches: Iterable[tuple[AudioRow, ...]], cancellation: Cancellation
    ) -> Iterator[tuple[Outcome, ...]]:
        stream = iter(batches)
        for first in stream:
            if first:
                break
            yield ()  # what the cache has takes no cluster
        else:
            return
        with self._turn:
            self._stop_timer()
            ray = self._connected()
            task = _anywhere(task)
            if self._driver is None:
                self._driver = Driver(ray)
            paths = paths_of(row.audio for row in first)
            needs = _needs(task)
            self._driver.take_up(task.audio, paths, needs)
            on_gpu = task.model is not None and task.options.device != "cpu"
            share = Share.of(self._cluster, _resources(_machines(ray)), on_gpu=on_gpu)
            pool = self._pools.setdefault(share, Pool(ray, share))
            wanted = Preparation(next(self._numbers), task, needs, paths)
            try:
                yield from PoolRun(pool, wanted, self._driver).outcomes(chain([first], stream), cancellation)
            finally:
                self._idle = threading.Timer(IDLE_SECONDS, self._end_workers)
                self._idle.daemon = True
                self._idle.start()

    def train(
        self, task: TrainTask, progress: Callable[[TrainingProgress], None], cancellation: Cancellation
    ) -> TrainingReport:
        from thanosql.engine.executors.ray_training import train

        with self._turn:
            self._stop_timer()
            self._end_workers()  # they would hold what the training needs
            ray = self._connected()
            workers = training_workers(self._cluster, _resources(_machines(ray)), task.options)
            return train(workers, _placed(task), progress, cancellation)

    def refuse(self, task: TrainTask) -> None:
        from thanosql.engine.executors.training_folders import refuse_unshared

        with self._turn:
            ray = self._connected()
            machines = _machines(ray)
            one = training_workers(self._cluster, _resources(machines), task.options)
            asked = [machine for machine in machines if rooms(_resources([machine]), one.cpus, one.gpus)]
            refuse_unshared(ray, asked, _placed(task))

    def workers(self, how: TrainOptions | TranscribeOptions) -> Workers:
        with self._turn:
            ray = ray_cluster.module()
            if ray_cluster.running(ray, self._cluster):
                machines = _resources(_machines(self._connected()))
                whose = f"of the Ray cluster ({len(machines)} machine{'s' if len(machines) != 1 else ''})"
            else:
                gpus = 1.0 if expected_device(how.device) != "cpu" else 0.0
                machines = [{"CPU": float(os.cpu_count() or 1), "GPU": gpus}]
                whose = "of a Ray cluster that is started on this machine"
        if isinstance(how, TrainOptions):
            each = training_workers(self._cluster, machines, how)
            said = f"{each.count} {_size(each.count, each.cpus, each.gpus)} {whose}"
            return Workers(each.count, each.cpus, each.gpus, said)
        share = Share.of(self._cluster, machines, on_gpu=how.device != "cpu")
        said = f"up to {share.most} {_size(share.most, share.cpus, share.gpus)} {whose}"
        return Workers(share.most, share.cpus, share.gpus, said)

    def close(self) -> None:
        """End the workers, and the connection where it is the last one's."""
        with self._turn:
            self._stop_timer()
            self._end_workers()
            self._driver = None
            if self._ray is not None:
                self._ray = None
                ray_cluster.disconnect()

    def _connected(self) -> Any:
        if self._ray is None:
            self._ray = ray_cluster.connect(self._cluster)
        return self._ray

    def _end_workers(self) -> None:
        with self._turn:
            while self._pools:
                self._pools.popitem()[1].close()

    def _stop_timer(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None


def _machines(ray: Any) -> list[dict[str, Any]]:
    """Those of the cluster that are up, as Ray describes them."""
    return [machine for machine in ray.nodes() if machine["Alive"]]


def _resources(machines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, float]]:
    return [machine["Resources"] for machine in machines]


def _size(count: int, cpus: float, gpus: float) -> str:
    """How large so many workers are, in words."""
    parts = [
        f"{number:g} {kind}{'s' if number > 1 else ''}" for number, kind in ((cpus, "CPU"), (gpus, "GPU")) if number
    ]
    each = " each" if count > 1 else ""
    return f"worker{'s' if count > 1 else ''} with {' and '.join(parts) or 'no CPU'}{each}"


class Driver:
    """What the workers get from this machine (`ray_run.Source`)."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._stored: dict[FileNeed, Mapping[str, Any]] = {}

    def take_up(self, audio: AudioAccess, paths: tuple[str, ...], needs: tuple[FileNeed, ...]) -> None:
        """A new task; files of other versions leave the store."""
        self._audio = audio
        self._sizes = sizes(audio, paths)
        self._stored = {need: stored for need, stored in self._stored.items() if need in needs}

    def sent(self, rows: Rows, facts: WorkerFacts) -> Rows:
        if facts.sizes == self._sizes:
            return rows
        return tuple(replace(row, audio=self._content(row.audio)) for row in rows)

    def stored(self, need: FileNeed) -> Mapping[str, Any]:
        import numpy as np

        if need not in self._stored:
            place = Path(need.path)
            files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.is_file())
            root = place.parent if place.is_file() else place
            self._stored[need] = {
                str(file.relative_to(root)): self._ray.put(np.fromfile(file, np.uint8)) for file in files
            }
        return self._stored[need]

    def _content(self, audio: Audio) -> Audio:
        """The bytes of a file of this machine, or its part as a WAV; what is not here is left for the worker to say."""
        if isinstance(audio, AudioPart):
            return audio if self._audio.fetches(audio) else self._part(audio)
        if not isinstance(audio, str) or is_remote(audio):
            return audio
        try:
            file = self._audio.locate(audio)
            size = file.stat().st_size
        except (AudioError, OSError):
            return audio
        _refuse_too_large(audio, size)
        return file.read_bytes()

    def _part(self, part: AudioPart) -> Audio:
        import soundfile

        content = io.BytesIO()
        try:
            soundfile.write(content, self._audio.read(part), SAMPLING_RATE, format="WAV", subtype="FLOAT")
        except (AudioError, OSError):
            return part
        _refuse_too_large(described(part), content.tell())
        return content.getvalue()


def _refuse_too_large(audio: str, size: int) -> None:
    if size > SENT_BYTES:
        raise ThanoSQLDataError(
            f"Only this machine has {audio}, and it is too large to send to the workers of the Ray cluster: "
            f"{size / 2**20:.0f} MB, {SENT_BYTES / 2**20:.0f} at most.",
            hint="Put the audio where all workers can read it: a shared folder, or object storage (s3://…) with "
            "allow_remote=True.",
        )


def _anywhere(task: TranscribeTask) -> TranscribeTask:
    """The task with nothing left that depends on the working folder, or on the number of a GPU."""
    task = replace(task, audio=_absolute(task.audio))
    if isinstance(task.language_model, Path):
        task = replace(task, language_model=task.language_model.absolute())
    if task.model is not None and (folder := checkpoint_files.local_or_cached(task.model.checkpoint)) is not None:
        task = replace(task, model=replace(task.model, checkpoint=str(folder.absolute())))
    if task.options.device.startswith("cuda:"):
        task = replace(task, options=replace(task.options, device="cuda"))
    return task


def _placed(task: TrainTask) -> TrainTask:
    """The training with nothing left that depends on the working folder."""
    folder = checkpoint_files.local_or_cached(task.model.checkpoint)
    return replace(
        task,
        audio=_absolute(task.audio),
        model=task.model if folder is None else replace(task.model, checkpoint=str(folder.absolute())),
        folder=task.folder.absolute(),
        state=None if task.state is None else task.state.absolute(),
    )


def _absolute(audio: AudioAccess) -> AudioAccess:
    return replace(audio, roots=tuple(root.absolute() for root in audio.roots))


def _needs(task: TranscribeTask) -> tuple[FileNeed, ...]:
    needs = []
    if task.model is not None and Path(task.model.checkpoint).is_dir():
        needs.append(FileNeed.of(Path(task.model.checkpoint)))
    if isinstance(task.language_model, Path):
        needs.append(FileNeed.of(task.language_model))
    return tuple(needs)
