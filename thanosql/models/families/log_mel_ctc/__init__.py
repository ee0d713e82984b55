"""Models that hear log-mel frames, with a CTC head (Parakeet, LASR, Granite Speech, Wav2Vec2-BERT): the family's doors.

Each door imports torch and transformers only when it is opened. A `checkpoint` is a
folder or a hub id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.errors import ThanoSQLModelError
from thanosql.models.base import Capability
from thanosql.models.training.ranks import ALONE

if TYPE_CHECKING:
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.recognizer import FrameRecognizer
    from thanosql.models.families.log_mel_ctc.model_facts import LogMelFacts
    from thanosql.models.options import TrainOptions, TranscribeOptions
    from thanosql.models.results import TrainingProgress, TrainingReport
    from thanosql.models.tasks import TrainTask
    from thanosql.models.text import Normalizer
    from thanosql.models.training.ranks import Ranks

capabilities = frozenset({Capability.CTC, Capability.TRAINING})


def load(checkpoint: str, options: TranscribeOptions) -> FrameRecognizer:
    """The recognizer of a checkpoint; see `loading.load`."""
    from thanosql.models.families.log_mel_ctc import loading

    return loading.load(checkpoint, options)


def normalizer(checkpoint: str) -> Normalizer:
    """What is done to texts before this checkpoint is measured against them."""
    from thanosql.models import checkpoint_files
    from thanosql.models.ctc.vocabulary import read_vocabulary
    from thanosql.models.text import Normalizer

    folder = checkpoint_files.open(checkpoint).folder
    return Normalizer.read(folder, read_vocabulary(folder))


def prepare(checkpoint: str, texts: Iterable[tuple[int, str]], options: TrainOptions) -> None:
    """Check texts against the vocabulary that is trained; see `training.texts.prepare`.

    Raises ThanoSQLModelError where letters are to be added to a vocabulary of pieces of words, and where a model that keeps
    its vocabulary is to get another.
    """
    from thanosql.models import checkpoint_files
    from thanosql.models.ctc.vocabulary import has_vocabulary, read_vocabulary
    from thanosql.models.families.log_mel_ctc.geometry import refuse_other_vocabulary
    from thanosql.models.training import texts as checks

    folder = checkpoint_files.open(checkpoint).folder
    if options.vocabulary != "keep":
        refuse_other_vocabulary(folder)
    if options.vocabulary == "extend" and has_vocabulary(folder) and read_vocabulary(folder).pieces:
        raise ThanoSQLModelError(
            f"{folder.name} has a vocabulary of parts of words (SentencePiece), which takes no single letters more.",
            hint="Say vocabulary='rebuild' for one of the texts' letters, or choose a base that has them.",
        )
    checks.prepare(folder, texts, options)


def facts_for_training(checkpoint: str, texts: Iterable[str], options: TrainOptions) -> LogMelFacts:
    """What is known of a checkpoint, with the vocabulary and the normalizer that training makes of it and the texts."""
    from thanosql.models import checkpoint_files
    from thanosql.models.families.log_mel_ctc import model_facts

    return model_facts.facts_for_training(checkpoint_files.open(checkpoint).folder, texts, options)


def train(
    task: TrainTask,
    progress: Callable[[TrainingProgress], None],
    cancellation: Cancellation,
    ranks: Ranks = ALONE,
) -> TrainingReport:
    """Train from a checkpoint and leave a Hugging Face folder; see `training.trainer.train`."""
    from thanosql.models import checkpoint_files
    from thanosql.models.families.log_mel_ctc.training import LogMelCheckpoint
    from thanosql.models.training import trainer

    base = LogMelCheckpoint(checkpoint_files.open(task.model.checkpoint).folder, task.options)
    return trainer.train(base, task, progress, cancellation, ranks)


def import_checkpoint(checkpoint: str, folder: Path) -> None:
    """Put a checkpoint's files into a folder of the store; see `loading.import_checkpoint`."""
    from thanosql.models.families.log_mel_ctc import loading

    loading.import_checkpoint(checkpoint, folder)


def facts(checkpoint: str) -> LogMelFacts | None:
    """What can be said of a checkpoint without loading it; None when its files are not on this machine."""
    from thanosql.models import checkpoint_files
    from thanosql.models.families.log_mel_ctc import model_facts

    folder = checkpoint_files.local_or_cached(checkpoint)
    return model_facts.facts(folder) if folder else None
