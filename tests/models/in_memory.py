"""Audio that is made, not read: an AudioAccess for training in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thanosql.models.audio.access import AudioAccess
from thanosql.models.cancellation import Cancellation
from thanosql.models.families import waveform_ctc
from thanosql.models.model import Model
from thanosql.models.options import TrainOptions
from thanosql.models.results import TrainingProgress, TrainingReport, TrainingUtterance
from thanosql.models.tasks import TrainTask


@dataclass(frozen=True, kw_only=True)
class Made(AudioAccess):
    """Reads what `make` makes of an audio's name."""

    make: Callable[[str | bytes], np.ndarray]

    def read(self, audio: str | bytes) -> np.ndarray:
        return self.make(audio)


def task(
    base: Path,
    utterances: Sequence[TrainingUtterance],
    options: TrainOptions,
    folder: Path,
    make: Callable[[str | bytes], np.ndarray],
    *,
    validation: Sequence[TrainingUtterance] = (),
    state: Path | None = None,
) -> TrainTask:
    return TrainTask(
        model=Model(base.name, str(base), "wav2vec2", base.name),
        options=options,
        utterances=tuple(utterances),
        validation=tuple(validation),
        audio=Made(roots=(), make=make),
        folder=folder,
        state=state,
    )


def train(
    task: TrainTask,
    progress: Callable[[TrainingProgress], None] = lambda step: None,
    cancellation: Cancellation | None = None,
) -> TrainingReport:
    return waveform_ctc.train(task, progress, cancellation or Cancellation())
