"""Models that hear log-mel frames, with a CTC head (Parakeet, Wav2Vec2-BERT): the family's doors.

They transcribe, and are not trained. Each door imports torch and transformers only when it is opened. A `checkpoint` is a
folder or a hub id.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from thanosql.models.base import Capability

if TYPE_CHECKING:
    from thanosql.models.ctc.recognizer import FrameRecognizer
    from thanosql.models.families.log_mel_ctc.model_facts import LogMelFacts
    from thanosql.models.options import TranscribeOptions
    from thanosql.models.text import Normalizer

capabilities = frozenset({Capability.CTC})


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
