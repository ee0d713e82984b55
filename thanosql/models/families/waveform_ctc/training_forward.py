"""A CTC model and waveforms in, the logits of each frame, to learn from, out.

Equal to transformers' own forward pass but for the padding: the convolutions never see any where a group norm would (its
mean runs over time), and attention is told of it in a bool mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from thanosql.models.families.waveform_ctc.convolutions import frames
from thanosql.models.families.waveform_ctc.steps import base_of, contextualize, normalizes_over_time, project

if TYPE_CHECKING:
    import numpy as np
    import torch

    from thanosql.models.families.waveform_ctc.feature_encoder import FeatureEncoder


def learns_features(model: Any) -> bool:
    """Whether any of the feature encoder is trained."""
    return any(parameter.requires_grad for parameter in base_of(model).feature_extractor.parameters())


def encode(model: Any, waveforms: Sequence[torch.Tensor], encoder: FeatureEncoder | None = None) -> list[torch.Tensor]:
    """The feature encoder's frames of each waveform `(samples,)`, float32 `(frames, conv_dim[-1])`.

    Gradients are kept unless all of the encoder is frozen; then `encoder` may do its work.
    """
    import torch

    if encoder is not None:
        with torch.no_grad():
            return [encoder(waveform).float() for waveform in waveforms]
    encoder = base_of(model).feature_extractor
    with nullcontext() if learns_features(model) else torch.no_grad():
        if normalizes_over_time(encoder):
            return [encoder(waveform[None])[0].T for waveform in waveforms]
        # With layer norms a frame depends on its own samples alone: what is padded after it cannot reach it.
        padded = torch.nn.utils.rnn.pad_sequence(list(waveforms), batch_first=True)
        features = _channels_last(encoder, padded)
    return [
        features[index, : frames(len(waveform), model.config.conv_kernel, model.config.conv_stride)]
        for index, waveform in enumerate(waveforms)
    ]


def _channels_last(encoder: Any, waveforms: torch.Tensor) -> torch.Tensor:
    """The feature encoder of layer norms over waveforms `(batch, samples)`: features `(batch, frames, channels)`.

    As transformers' own, with the channels in the last axis, where the norms read them: half again as fast on a CPU.
    """
    hidden = waveforms[:, :, None]
    for layer in encoder.conv_layers:
        hidden = layer.activation(layer.layer_norm(_convolved(hidden, layer.conv)))
    return hidden


def _convolved(hidden: torch.Tensor, convolution: Any) -> torch.Tensor:
    """A convolution without padding of hidden `(batch, frames, channels)`, as matrix products over views of the frames."""
    import torch

    outputs, channels, kernel = convolution.weight.shape
    stride = convolution.stride[0]
    if not stride <= kernel <= 2 * stride:
        return torch.nn.functional.conv1d(
            hidden.transpose(1, 2), convolution.weight, convolution.bias, stride
        ).transpose(1, 2)
    count = (hidden.shape[1] - kernel) // stride + 1
    weight = convolution.weight.transpose(1, 2).reshape(outputs, kernel * channels)
    # A kernel of at most two strides is a block of `stride` frames and a part of the next one.
    blocks = count + (kernel > stride)
    if hidden.shape[1] < blocks * stride:
        hidden = torch.nn.functional.pad(hidden, (0, 0, 0, blocks * stride - hidden.shape[1]))
    blocked = hidden[:, : blocks * stride].reshape(hidden.shape[0], blocks, stride * channels)
    here = torch.nn.functional.linear(blocked[:, :count], weight[:, : stride * channels], convolution.bias)
    if kernel == stride:
        return here
    rest = blocked[:, 1:, : (kernel - stride) * channels]
    return here + torch.nn.functional.linear(rest, weight[:, stride * channels :])


def frame_logits(
    model: Any,
    features: Sequence[torch.Tensor],
    hidden_frames: Sequence[np.ndarray] | None = None,
    hidden_channels: Sequence[np.ndarray] | None = None,
    *,
    padded: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits float32 `(batch, frames, vocab)` of features `(frames, conv_dim[-1])` each, and their lengths `(batch,)`.

    `hidden_frames` (bool `(frames,)` each) and `hidden_channels` (bool `(hidden_size,)` each) are SpecAugment's masks.
    Not `padded`, the transformer has one utterance after the other, as an architecture needs that hears the padding.
    """
    import torch

    lengths = torch.tensor([len(feature) for feature in features], device=features[0].device)
    if padded:
        return _logits(model, features, hidden_frames, hidden_channels), lengths
    alone = [
        _logits(
            model,
            [feature],
            None if hidden_frames is None else [hidden_frames[index]],
            None if hidden_channels is None else [hidden_channels[index]],
        )[0]
        for index, feature in enumerate(features)
    ]
    return torch.nn.utils.rnn.pad_sequence(alone, batch_first=True), lengths


def _logits(
    model: Any,
    features: Sequence[torch.Tensor],
    hidden_frames: Sequence[np.ndarray] | None,
    hidden_channels: Sequence[np.ndarray] | None,
) -> torch.Tensor:
    import torch

    base = base_of(model)
    device = features[0].device
    lengths = torch.tensor([len(feature) for feature in features], device=device)
    padded = torch.nn.utils.rnn.pad_sequence(list(features), batch_first=True)
    present = torch.arange(padded.shape[1], device=device) < lengths[:, None]
    hidden = project(base, padded)
    if hidden_frames is not None:
        mask = torch.zeros(present.shape, dtype=torch.bool)
        for index, hide in enumerate(hidden_frames):
            mask[index, : len(hide)] = torch.from_numpy(hide)
        hidden = torch.where(mask.to(device)[..., None], base.masked_spec_embed.to(hidden.dtype), hidden)
    if hidden_channels is not None:
        channels = torch.stack([torch.from_numpy(hide) for hide in hidden_channels]).to(device)
        hidden = hidden.masked_fill(channels[:, None], 0.0)
    # Without padding no mask at all: attention takes its fastest way then.
    hidden = contextualize(base, hidden, present if len({len(feature) for feature in features}) > 1 else None)
    logits: torch.Tensor = model.lm_head(model.dropout(hidden)).float()
    return logits
