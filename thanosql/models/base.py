"""What a family of models is: what it can do, and the protocols it fulfils.

`models/` knows no SQL: it takes references to audio and texts, and gives transcripts and reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from thanosql.models.audio.waveform import Waveform
    from thanosql.models.cancellation import Cancellation
    from thanosql.models.ctc.decoder import Decoder
    from thanosql.models.ctc.languages import Languages
    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.options import TrainOptions, TranscribeOptions
    from thanosql.models.results import Assessment, TrainingProgress, TrainingReport, Transcript
    from thanosql.models.tasks import TrainTask
    from thanosql.models.text import Normalizer
    from thanosql.models.training.memory import TrainingSizes
    from thanosql.models.training.ranks import Ranks


class Capability(StrEnum):
    """What a family's models may be able to do, beyond transcribing."""

    CTC = "CTC"  # log-probabilities of frames: alignment, beams, language models, suspicion
    TRAINING = "training"
    ADAPTERS = "adapters"


class Recognizer(Protocol):
    """A loaded model that transcribes."""

    @property
    def nbytes(self) -> int:
        """Memory that the weights take, in bytes."""

    def transcribe(
        self, waveforms: Sequence[Waveform], options: TranscribeOptions, cancellation: Cancellation | None = None
    ) -> list[Transcript]:
        """Transcripts of float32 waveforms `(samples,)` at 16,000 Hz, in their order.

        The answer to one does not depend on its neighbours. Raises Cancelled between two batches.
        """


class CTCRecognizer(Recognizer, Protocol):
    """A loaded model that gives the probability of each token in each frame."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What the second axis of `log_probabilities` stands for."""

    @property
    def frame_seconds(self) -> float:
        """From one frame of `log_probabilities` to the next."""

    def log_probabilities(
        self,
        waveforms: Sequence[Waveform],
        *,
        batch_size: int,
        window_seconds: float,
        cancellation: Cancellation | None = None,
    ) -> list[torch.Tensor]:
        """Natural log-probabilities of each waveform, float32 `(frames, vocab)` on the CPU, in their order."""

    def assess(
        self,
        waveforms: Sequence[Waveform],
        references: Sequence[str],
        options: TranscribeOptions,
        decoder: Decoder | None = None,
        cancellation: Cancellation | None = None,
    ) -> list[Assessment]:
        """Transcripts, by `decoder` where there is one, and how well each normalized reference fits its waveform."""


class Facts(Protocol):
    """What a checkpoint's files say of a model, without loading it."""

    @property
    def folder(self) -> Path: ...

    @property
    def parameters(self) -> int: ...

    @property
    def weight_bytes(self) -> int:
        """On the disk."""

    @property
    def layers(self) -> int:
        """Of the transformer."""

    @property
    def hidden(self) -> int:
        """Width of a frame in the transformer."""

    @property
    def vocabulary(self) -> Vocabulary | None:
        """None for a model that was only pretrained."""

    @property
    def normalizer(self) -> Normalizer | None: ...

    @property
    def base_vocabulary(self) -> Vocabulary | None:
        """The checkpoint's own, where `vocabulary` is one that training would make."""

    @property
    def features_per_second(self) -> float:
        """Numbers that the widest layer of the feature encoder makes of a second of audio."""

    @property
    def flops_per_second(self) -> float:
        """Floating-point operations of a forward pass over one second of audio."""

    @property
    def encoder_share(self) -> float:
        """The part of `flops_per_second` that a feature encoder takes which training can freeze."""

    def frames(self, samples: int) -> int:
        """How many frames the model makes of so many samples."""

    def training_sizes(self, options: TrainOptions) -> TrainingSizes:
        """What the memory that training takes depends on."""


class Family(Protocol):
    """A kind of model: a package with these, found by the `model_type` of a checkpoint's config.json.

    `checkpoint` is a folder, or a hub id. All raise ThanoSQLModelError for files that are missing or damaged.
    """

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def load(self, checkpoint: str, options: TranscribeOptions) -> Recognizer:
        """The recognizer of a checkpoint, a CTCRecognizer with Capability.CTC."""

    def normalizer(self, checkpoint: str) -> Normalizer:
        """What is done to texts before the checkpoint learns from them, or is measured against them."""

    def import_checkpoint(self, checkpoint: str, folder: Path) -> None:
        """Put a checkpoint's files into `folder`, checked."""

    def facts(self, checkpoint: str) -> Facts | None:
        """What can be said of a checkpoint without loading it; None when its files are not on this machine."""


class AdapterFamily(Family, Protocol):
    """A family with Capability.ADAPTERS: some of its checkpoints have adapters of several languages.

    Options name the language where a door takes options.
    """

    def languages(self, checkpoint: str) -> Languages | None:
        """The languages of a checkpoint; None for one without adapters, and when its files are not on this machine."""

    def normalizer(self, checkpoint: str, language: str | None = None) -> Normalizer: ...

    def facts(self, checkpoint: str, language: str | None = None) -> Facts | None: ...


class TrainableFamily(Family, Protocol):
    """A family with Capability.TRAINING."""

    def prepare(self, checkpoint: str, texts: Iterable[tuple[int, str]], options: TrainOptions) -> None:
        """Check the texts (row number, text) against the vocabulary that is trained, before anything is trained."""

    def facts_for_training(self, checkpoint: str, texts: Iterable[str], options: TrainOptions) -> Facts:
        """The facts of a checkpoint, with the vocabulary and normalizer that training on the texts would give it."""

    def train(
        self, task: TrainTask, progress: Callable[[TrainingProgress], None], cancellation: Cancellation, ranks: Ranks
    ) -> TrainingReport:
        """Do what the task says, as one of its `ranks`; `progress` hears of every step. Raises Cancelled after the step
        in which it was asked."""
