"""Prepared waveforms in, log-probabilities a frame out, whatever stands beside them in a batch.

A model of Wav2Vec2's base kind normalizes its first layer over time, so padding changes its answers even with a mask. The
convolutional feature encoder therefore hears every utterance alone and unpadded; its frames are padded and go through
the transformer with a mask where the architecture allows it, or, on a CPU, one utterance after the other: an answer is then
the same to the last bit whatever its neighbours. There the feature encoder is the folded one, and the transformer's
products are packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from thanosql.models.audio.waveform import SAMPLING_RATE
from thanosql.models.ctc.packed_modules import pack, packed_bytes
from thanosql.models.devices import exact_float32
from thanosql.models.families.waveform_ctc.architectures import Architecture
from thanosql.models.families.waveform_ctc.convolutions import geometry
from thanosql.models.families.waveform_ctc.cpu_model import CPUModel, is_supported
from thanosql.models.families.waveform_ctc.feature_encoder import FeatureEncoder
from thanosql.models.families.waveform_ctc.steps import (
    base_of,
    contextualize,
    fold_weight_norms,
    frame_count,
    has_adapter,
    project,
    squeeze,
)


def forward(model: Any, architecture: Architecture, device: torch.device, dtype: torch.dtype) -> Forward | CPUModel:
    """The fastest forward pass that there is for a model on a device; both take and give the same."""
    if device.type == "cpu" and architecture.cpu_model and is_supported(model):
        fold_weight_norms(model)
        return CPUModel(model, dtype)
    return Forward(model, architecture, device, dtype)


class Forward:
    """A model on its device, in its arithmetic; made once, called with one batch after the other."""

    def __init__(self, model: Any, architecture: Architecture, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        self.config: Any = model.config
        self.windowed = not has_adapter(self.config)  # an adapter's frames are not those of the feature encoder
        # An adapter shortens time after the transformer: such models are rare, and go one by one.
        self.one_by_one = device.type == "cpu" or not self.windowed or not architecture.padded
        fold_weight_norms(model)
        self.model = model.to(device=device, dtype=dtype).eval().requires_grad_(False)
        self._encoder: FeatureEncoder | None = None
        if device.type == "cpu":
            base = base_of(model)
            with torch.inference_mode():
                self._encoder = FeatureEncoder(base.feature_extractor, self.config, dtype)
                base.feature_extractor = torch.nn.Identity()  # its weights may go
                pack(model, dtype)

    @property
    def squeeze(self) -> int:
        """How many frames the model merges into one."""
        return squeeze(self.config)

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        own: int = sum(weight.numel() * weight.element_size() for weight in self.model.parameters())
        encoder = 0 if self._encoder is None else sum(product.nbytes for product in self._encoder.products)
        return own + packed_bytes(self.model) + encoder

    @cached_property
    def geometry(self) -> tuple[int, int]:
        """Samples that one frame sees, and samples from one frame to the next."""
        return geometry(self.config.conv_kernel, self.config.conv_stride)

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next: 20 ms, more where an adapter shortens time after the transformer."""
        shortened = self.config.adapter_stride**self.config.num_adapter_layers if not self.windowed else 1
        return float(self.geometry[1] * shortened / SAMPLING_RATE)

    def frames(self, samples: int) -> int:
        """How many frames so many samples give, before any adapter; 0 when they are too few for one."""
        return frame_count(self.config, samples)

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[torch.Tensor]:
        """Natural log-probabilities, float32 `(frames, vocab)` on the CPU, of prepared waveforms `(samples,)`."""
        with torch.inference_mode(), exact_float32(self.device):
            found: dict[int, torch.Tensor] = {}
            nonempty = [index for index, waveform in enumerate(waveforms) if self.frames(len(waveform)) > 0]
            for group in [[index] for index in nonempty] if self.one_by_one else [nonempty] if nonempty else []:
                logits = self._logits([waveforms[index] for index in group])
                found.update(zip(group, logits, strict=True))
            empty = torch.empty(0, self.config.vocab_size)
            return [found.get(index, empty) for index in range(len(waveforms))]

    def _logits(self, waveforms: Sequence[np.ndarray]) -> list[torch.Tensor]:
        base = base_of(self.model)
        encoded = [self._encode(waveform) for waveform in waveforms]
        lengths = [len(one) for one in encoded]
        present = None
        if len(set(lengths)) > 1:
            places = torch.arange(max(lengths), device=self.device)
            present = places[None] < torch.tensor(lengths, device=self.device)[:, None]
        hidden = contextualize(base, torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True), present)
        if not self.windowed:
            hidden = base.adapter(hidden)
            lengths = [hidden.shape[1]]
        logs = torch.log_softmax(self.model.lm_head(hidden).float(), dim=-1).cpu()
        return [one[:length] for one, length in zip(logs, lengths, strict=True)]

    def _encode(self, waveform: np.ndarray) -> torch.Tensor:
        """Projected frames of one utterance, `(frames, hidden)`."""
        samples = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
        base = base_of(self.model)
        if self._encoder is not None:
            return project(base, self._encoder(samples)[None].to(self.dtype))[0]
        samples = samples.to(device=self.device, dtype=self.dtype)
        return project(base, base.feature_extractor(samples[None]).transpose(1, 2))[0]
