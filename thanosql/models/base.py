"""What a family of models is: the protocols it fulfils.

`models/` knows no SQL: it takes references to audio and texts, and gives transcripts and reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from thanosql.models.options import TrainOptions, TranscribeOptions
from thanosql.models.results import Assessment, TrainingProgress, TrainingReport, Transcript

if TYPE_CHECKING:
    import torch

    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.decoder import Decoder
    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.tasks import TrainTask
    from thanosql.models.text import Normalizer


class Recognizer(Protocol):
    """A loaded model that transcribes."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What the second axis of `log_probabilities` stands for."""

    @property
    def frame_seconds(self) -> float:
        """From one frame of `log_probabilities` to the next."""

    def log_probabilities(
        self, waveforms: Sequence[Waveform], *, batch_size: int, window_seconds: float
    ) -> list[torch.Tensor]:
        """Natural log-probabilities of each waveform, float32 `(frames, vocab)` on the CPU, in their order."""

    def transcribe(self, waveforms: Sequence[Waveform], options: TranscribeOptions) -> list[Transcript]:
        """Transcripts of float32 waveforms `(samples,)` at 16,000 Hz, in their order.

        The answer to one does not depend on its neighbours.
        """

    def assess(
        self,
        waveforms: Sequence[Waveform],
        references: Sequence[str],
        options: TranscribeOptions,
        hear: Decoder | None = None,
    ) -> list[Assessment]:
        """The same, decoded by `hear` where there is one, and how well each normalized reference fits its waveform."""


class Family(Protocol):
    """A kind of model: a module or object with these, registered by name in `registry.py`."""

    def load(self, checkpoint: str, options: TranscribeOptions) -> Recognizer:
        """The recognizer of a checkpoint (a folder, or a hub id)."""

    def normalizer(self, checkpoint: str) -> Normalizer:
        """What is done to texts before the checkpoint learns from them, or is measured against them."""

    def prepare(self, checkpoint: str, texts: Iterable[tuple[int, str]], options: TrainOptions) -> None:
        """Check the texts (row number, text) against the vocabulary that is trained, before anything is trained."""

    def spelled(self, checkpoint: str, texts: Iterable[str], options: TrainOptions) -> Any:
        """The facts of a checkpoint, with the vocabulary and normalizer that training on the texts would give it."""

    def train(
        self, task: TrainTask, progress: Callable[[TrainingProgress], None], cancellation: Cancellation
    ) -> TrainingReport:
        """Train as a task says: a Hugging Face folder is left in its folder, and a killed run resumes from its state."""

    def adopt(self, checkpoint: str, folder: Path) -> str | None:
        """Put a checkpoint's files into `folder`, checked; the hub's commit they are of, None for a folder's own."""

    def facts(self, checkpoint: str) -> Any:
        """What can be said of a checkpoint without loading it; None when its files are not on this machine."""
