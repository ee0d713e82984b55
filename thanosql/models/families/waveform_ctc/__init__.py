"""Models that hear raw waveforms, with a CTC head (Wav2Vec2, HuBERT, WavLM … see `architectures`): the family's doors.

Each imports torch and transformers only when it is opened. A `checkpoint` is a folder or a hub id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.models.base import Capability
from thanosql.models.training.ranks import ALONE

if TYPE_CHECKING:
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.languages import Languages
    from thanosql.models.ctc.recognizer import FrameRecognizer
    from thanosql.models.families.waveform_ctc.model_facts import WaveformFacts
    from thanosql.models.options import TrainOptions, TranscribeOptions
    from thanosql.models.results import TrainingProgress, TrainingReport
    from thanosql.models.tasks import TrainTask
    from thanosql.models.text import Normalizer
    from thanosql.models.training.ranks import Ranks

capabilities = frozenset({Capability.CTC, Capability.TRAINING, Capability.ADAPTERS})


def load(checkpoint: str, options: TranscribeOptions) -> FrameRecognizer:
    """The recognizer of a checkpoint; see `loading.load`."""
    from thanosql.models.families.waveform_ctc import loading

    return loading.load(checkpoint, options)


def languages(checkpoint: str) -> Languages | None:
    """The languages that a checkpoint has adapters of; None for one without, and when its files are not on this machine."""
    from thanosql.models import checkpoint_files
    from thanosql.models.ctc.languages import read_languages

    folder = checkpoint_files.local_or_cached(checkpoint)
    return read_languages(folder) if folder else None


def normalizer(checkpoint: str, language: str | None = None) -> Normalizer:
    """What is done to texts before this checkpoint learns from them or is measured against them: the normalizer saved
    with it, or the one that its vocabulary asks for."""
    from thanosql.models.ctc import languages
    from thanosql.models.ctc.vocabulary import read_vocabulary
    from thanosql.models.text import Normalizer

    folder = languages.open(checkpoint, language).folder
    return Normalizer.read(folder, read_vocabulary(folder, language))


def prepare(checkpoint: str, texts: Iterable[tuple[int, str]], options: TrainOptions) -> None:
    """Check texts against the vocabulary that is trained; see `training.texts.prepare`."""
    from thanosql.models.ctc import languages
    from thanosql.models.training import texts as checks

    checks.prepare(languages.open(checkpoint, options.language).folder, texts, options)


def facts_for_training(checkpoint: str, texts: Iterable[str], options: TrainOptions) -> WaveformFacts:
    """What is known of a checkpoint, with the vocabulary and the normalizer that training makes of it and the texts."""
    from thanosql.models.ctc import languages
    from thanosql.models.families.waveform_ctc import model_facts

    return model_facts.facts_for_training(languages.open(checkpoint, options.language).folder, texts, options)


def train(
    task: TrainTask,
    progress: Callable[[TrainingProgress], None],
    cancellation: Cancellation,
    ranks: Ranks = ALONE,
) -> TrainingReport:
    """Train from a checkpoint and leave a Hugging Face folder; see `training.trainer.train`."""
    from thanosql.models.ctc import languages
    from thanosql.models.families.waveform_ctc.training import WaveformCheckpoint
    from thanosql.models.training import trainer

    found = languages.open(task.model.checkpoint, task.options.language)
    source = str(found.folder.absolute())
    if found.revision is not None:
        source = f"{task.model.checkpoint.partition('@')[0]}@{found.revision}"
    base = WaveformCheckpoint(found.folder, task.options, task.model.name, source)
    return trainer.train(base, task, progress, cancellation, ranks)


def import_checkpoint(checkpoint: str, folder: Path) -> None:
    """Put a checkpoint's files into a folder of the store; see `checkpoint_import.import_checkpoint`."""
    from thanosql.models.families.waveform_ctc import checkpoint_import

    checkpoint_import.import_checkpoint(checkpoint, folder)


def facts(checkpoint: str, language: str | None = None) -> WaveformFacts | None:
    """What can be said of a checkpoint without loading it; None when its files are not on this machine."""
    from thanosql.models import checkpoint_files
    from thanosql.models.families.waveform_ctc import model_facts

    folder = checkpoint_files.local_or_cached(checkpoint)
    return model_facts.facts(folder, language) if folder else None
