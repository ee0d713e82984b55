"""Waveforms in, log-probabilities a frame out, whatever stands beside them in a batch.

The features of an utterance are normalized over its own time, and convolutions of the encoder reach over its end: so one
utterance goes after the other, as transformers hears it alone, and an answer is the same to the last bit whatever its
neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.packed_modules import pack, packed_bytes
from thanosql.models.devices import exact_float32
from thanosql.models.families.log_mel_ctc.geometry import Geometry


class Forward:
    """A model on its device, in its arithmetic: a FrameForward."""

    squeeze = 1

    def __init__(
        self, model: Any, extractor: Any, geometry: Geometry, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.config: Any = model.config
        self.windowed = geometry.adapted == 1
        self.geometry = (geometry.reach, geometry.step)
        self.frame_seconds = geometry.frame_seconds
        self._geometry = geometry
        self._extractor = extractor
        self.model = model.to(device=device, dtype=dtype).eval().requires_grad_(False)
        if device.type == "cpu":
            with torch.inference_mode():
                pack(self.model, dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        own: int = sum(weight.numel() * weight.element_size() for weight in self.model.parameters())
        return own + packed_bytes(self.model)

    def frames(self, samples: int) -> int:
        """How many frames so many samples give, before any adapter; 0 when they are too few for one."""
        return self._geometry.frames(samples)

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[torch.Tensor]:
        """Natural log-probabilities, float32 `(frames, vocab)` on the CPU, of waveforms `(samples,)`."""
        with torch.inference_mode(), exact_float32(self.device):
            return [self._one(waveform) for waveform in waveforms]

    def _one(self, waveform: np.ndarray) -> torch.Tensor:
        count = self.frames(len(waveform))
        if count == 0:
            return torch.empty(0, self.config.vocab_size)
        samples = np.ascontiguousarray(waveform, dtype=np.float32)
        found = self._extractor(samples, sampling_rate=SAMPLING_RATE, return_tensors="pt", return_attention_mask=True)
        logits = self.model(
            input_features=found["input_features"].to(device=self.device, dtype=self.dtype),
            attention_mask=found["attention_mask"].to(self.device),
        ).logits[0]
        logs = torch.log_softmax(logits.float(), dim=-1).cpu()
        return logs[:count] if self.windowed else logs
