"""Wav2Vec2 with a CTC head: the family's doors, each importing torch and transformers only when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.families.wav2vec2.model_facts import Facts
    from thanosql.models.families.wav2vec2.recognizer import Wav2Vec2Recognizer
    from thanosql.models.options import TrainOptions, TranscribeOptions
    from thanosql.models.results import TrainingProgress, TrainingReport
    from thanosql.models.tasks import TrainTask
    from thanosql.models.text import Normalizer


def load(checkpoint: str, options: TranscribeOptions) -> Wav2Vec2Recognizer:
    """The recognizer of a checkpoint; see `recognizer.load`."""
    from thanosql.models.families.wav2vec2 import recognizer

    return recognizer.load(checkpoint, None, options)


def normalizer(checkpoint: str) -> Normalizer:
    """What is done to texts before this checkpoint learns from them or is measured against them."""
    from thanosql.models.training import texts

    return texts.normalizer(checkpoint, None)


def prepare(checkpoint: str, texts: Iterable[tuple[int, str]], options: TrainOptions) -> None:
    """Check texts against the vocabulary that is trained; see `texts.prepare`."""
    from thanosql.models.training import texts as checks

    checks.prepare(checkpoint, None, texts, options)


def spelled(checkpoint: str, texts: Iterable[str], options: TrainOptions) -> Facts:
    """What is known of a checkpoint, with the vocabulary that training would make; see `texts.spelled`."""
    from thanosql.models.training import texts as checks

    return checks.spelled(checkpoint, None, texts, options)


def train(task: TrainTask, progress: Callable[[TrainingProgress], None], cancellation: Cancellation) -> TrainingReport:
    """Train as a task says and leave a Hugging Face folder; see `trainer.train`."""
    from thanosql.models.training import trainer

    def report(step: TrainingProgress) -> None:
        progress(step)
        cancellation.check()

    return trainer.train(
        task.model.checkpoint,
        None,
        task.utterances,
        task.options,
        task.folder,
        report,
        read=task.audio.read,
        valid=task.validation,
        state=task.state,
    )


def adopt(checkpoint: str, folder: Path) -> str | None:
    """Put a checkpoint's files into a folder of the store; see `adoption.adopt`."""
    from thanosql.models.families.wav2vec2 import checkpoint_import

    return checkpoint_import.adopt(checkpoint, None, folder)


def facts(checkpoint: str) -> Facts | None:
    """What can be said of a checkpoint without loading it; None when its files are not on this machine."""
    from thanosql.models.families.wav2vec2 import model_facts

    folder = model_facts.local_folder(checkpoint)
    return model_facts.facts(folder) if folder else None
