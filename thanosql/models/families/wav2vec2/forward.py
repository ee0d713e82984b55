"""Prepared waveforms in, log-probabilities a frame out, whatever stands beside them in a batch.

A Wav2Vec2 of the base kind normalizes its first layer over time, so padding changes its answers even with a mask. The
convolutional feature encoder therefore hears every utterance alone and unpadded; its frames are padded and go through
the transformer with a mask, or, on a CPU, one utterance after the other: there batching gains nothing, and an answer
alone is the same to the last bit whatever its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from thanosql.models.devices import exact_float32
from thanosql.models.families.wav2vec2.convolutions import frames
from thanosql.models.families.wav2vec2.cpu_model import CPUModel, is_supported

if TYPE_CHECKING:
    from transformers import Wav2Vec2ForCTC


def forward(model: Wav2Vec2ForCTC, device: torch.device, dtype: torch.dtype) -> Forward | CPUModel:
    """The fastest forward pass that there is for a model on a device; both take and give the same."""
    if device.type == "cpu" and is_supported(model):
        _fold_weight_norm(model)
        return CPUModel(model, dtype)
    return Forward(model, device, dtype)


class Forward:
    """A model on its device, in its arithmetic; made once, called with one batch after the other."""

    def __init__(self, model: Wav2Vec2ForCTC, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        self.config: Any = model.config
        # An adapter shortens time after the transformer: such models are rare, and go one by one.
        self.one_by_one = device.type == "cpu" or bool(self.config.add_adapter)
        _fold_weight_norm(model)
        self.model = model.to(device=device, dtype=dtype).eval().requires_grad_(False)

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(weight.numel() * weight.element_size() for weight in self.model.parameters())

    def frames(self, samples: int) -> int:
        """How many frames so many samples give, before any adapter; 0 when they are too few for one."""
        return frames(samples, self.config.conv_kernel, self.config.conv_stride)

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[torch.Tensor]:
        """Natural log-probabilities, float32 `(frames, vocab)` on the CPU, of prepared waveforms `(samples,)`."""
        with torch.inference_mode(), exact_float32(self.device):
            found: dict[int, torch.Tensor] = {}
            heard = [index for index, waveform in enumerate(waveforms) if self.frames(len(waveform)) > 0]
            for group in [[index] for index in heard] if self.one_by_one else [heard] if heard else []:
                logits = self._logits([waveforms[index] for index in group])
                found.update(zip(group, logits, strict=True))
            empty = torch.empty(0, self.config.vocab_size)
            return [found.get(index, empty) for index in range(len(waveforms))]

    def _logits(self, waveforms: Sequence[np.ndarray]) -> list[torch.Tensor]:
        wav2vec2 = self.model.wav2vec2
        encoded = [self._encode(waveform) for waveform in waveforms]
        lengths = [len(one) for one in encoded]
        mask = None
        if len(set(lengths)) > 1:
            places = torch.arange(max(lengths), device=self.device)
            mask = places[None] < torch.tensor(lengths, device=self.device)[:, None]  # bool: 0 and 1 would be added
        hidden = torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True)
        hidden = wav2vec2.encoder(hidden, attention_mask=mask).last_hidden_state
        if wav2vec2.adapter is not None:
            hidden = wav2vec2.adapter(hidden)
            lengths = [hidden.shape[1]]
        logs = torch.log_softmax(self.model.lm_head(hidden).float(), dim=-1).cpu()
        return [one[:length] for one, length in zip(logs, lengths, strict=True)]

    def _encode(self, waveform: np.ndarray) -> torch.Tensor:
        """Projected frames of one utterance, `(frames, hidden)`."""
        heard = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
        heard = heard.to(device=self.device, dtype=self.dtype)
        wav2vec2 = self.model.wav2vec2
        features = wav2vec2.feature_extractor(heard[None]).transpose(1, 2)
        projected, _ = wav2vec2.feature_projection(features)
        return projected[0]  # type: ignore[no-any-return]


def _fold_weight_norm(model: Wav2Vec2ForCTC) -> None:
    """Compute the normalized weight of the positional convolution once; without it, it is computed at every call."""
    from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

    convolution = model.wav2vec2.encoder.pos_conv_embed.conv
    if is_parametrized(convolution, "weight"):
        remove_parametrizations(convolution, "weight")
