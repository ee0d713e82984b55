"""What the training loop asks of a model: two protocols that a family implements, and nothing else of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.models.ctc.vocabulary import Vocabulary
    from thanosql.models.text import Normalizer
    from thanosql.models.training.masking import SpecAugment
    from thanosql.models.training.memory import TrainingSizes


class FrameCount(Protocol):
    """How samples become frames."""

    def frames(self, samples: int) -> int:
        """How many frames the model makes of so many samples (0 when they are too few)."""

    def samples_needed(self, frames: int) -> int:
        """The fewest samples that make so many frames."""


class TrainableModel(Protocol):
    """A loaded model with a CTC head, in torch's own words where it has them."""

    @property
    def spec_augment(self) -> SpecAugment | None:
        """How frames are masked while it learns; None where nothing is."""

    def encode(self, waveforms: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The feature encoder's frames of each waveform `(samples,)`, float32 `(frames, features)`, each by itself.

        Gradients are kept unless the encoder is frozen.
        """

    def logits(
        self,
        features: Sequence[torch.Tensor],
        hidden_frames: Sequence[np.ndarray] | None = None,
        hidden_channels: Sequence[np.ndarray] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits float32 `(batch, frames, vocab)` of features `(frames, features)` each, and their lengths `(batch,)`.

        `hidden_frames` (bool `(frames,)` each) and `hidden_channels` (bool `(channels,)` each) are SpecAugment's masks.
        """

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]: ...

    def to(self, device: torch.device) -> Self: ...

    def train(self) -> Self:
        """In training mode, with dropout."""

    def eval(self) -> Self:
        """In evaluation mode."""

    def recompute(self, on: bool) -> None:
        """Whether its layers are computed anew for their gradients, for a quarter more time, instead of being kept."""


class TrainableCheckpoint(FrameCount, Protocol):
    """A checkpoint's files, from which a model to train is loaded, and into which it is saved."""

    @property
    def folder(self) -> Path: ...

    @property
    def normalizes(self) -> bool:
        """Whether each waveform is brought to mean 0 and variance 1."""

    @property
    def feature_width(self) -> int:
        """Numbers in one frame of the feature encoder."""

    @property
    def sizes(self) -> TrainingSizes:
        """What the memory that training takes depends on."""

    def load(self, vocabulary: Vocabulary | None, *, freeze_feature_encoder: bool) -> TrainableModel:
        """The model, its head made for `vocabulary` where one is given; its weights are copies.

        Raises ThanoSQLModelError for a model that training cannot start from.
        """

    def save(self, model: TrainableModel, folder: Path, vocabulary: Vocabulary, normalizer: Normalizer) -> None:
        """Leave a Hugging Face folder. Raises ThanoSQLModelError when it cannot be written."""
