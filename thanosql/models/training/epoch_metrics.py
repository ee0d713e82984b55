"""How a run stands: what its epoch has come to, and which epoch was the best so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from thanosql.models.results import Epoch

if TYPE_CHECKING:
    import torch


@dataclass
class EpochMetrics:
    """What an epoch has come to so far; `spoken` counts frames whose most probable token is not the blank."""

    loss: float = 0.0
    utterances: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    spoken: int = 0

    def epoch(self, number: int) -> Epoch:
        rtfx = self.audio_seconds / max(self.seconds, 1e-9)
        return Epoch(epoch=number, loss=self.loss / self.utterances, seconds=self.seconds, rtfx=rtfx)


@dataclass
class Best:
    """The best epoch so far by the WER on the validation set, and its weights; `waited` epochs have been no better."""

    epoch: int = 0
    score: tuple[float, float] = (math.inf, math.inf)  # WER, and the loss where that is equal
    waited: int = 0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
