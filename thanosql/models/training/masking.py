"""The number of frames of an utterance and a random generator in; SpecAugment's mask, fitted to its length, out.

Park et al. 2019, "SpecAugment", as wav2vec 2.0 applies it to hidden states: spans of frames are replaced by a learned
vector, spans of channels by zero. transformers' own masks raise where a span is longer than the sequence and take most
of a one-word utterance where it is not; these shrink with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_LONGEST_SHARE = 5  # a span hides at most one fifth of an utterance


@dataclass(frozen=True, kw_only=True)
class SpecAugment:
    """What a model's config says of its masks, in transformers' names; a share of 0 masks nothing.

    `channels` is the width of a frame.
    """

    channels: int
    mask_time_prob: float = 0.05
    mask_time_length: int = 10
    mask_time_min_masks: int = 2
    mask_feature_prob: float = 0.0
    mask_feature_length: int = 10
    mask_feature_min_masks: int = 0


def time_mask(frames: int, config: SpecAugment, generator: np.random.Generator) -> np.ndarray:
    """Which frames are hidden, bool `(frames,)`, by `config.mask_time_prob`, `_length` and `_min_masks`.

    The minimum number of spans holds only as far as it hides no more than a fifth of the utterance.
    """
    length = max(1, min(config.mask_time_length, frames // _LONGEST_SHARE))
    minimum = min(config.mask_time_min_masks, frames // (_LONGEST_SHARE * length))
    return _spans(frames, config.mask_time_prob, length, minimum, generator)


def channel_mask(config: SpecAugment, generator: np.random.Generator) -> np.ndarray:
    """Which channels are hidden for the whole utterance, bool `(channels,)`, by `config.mask_feature_…`."""
    length = max(1, min(config.mask_feature_length, config.channels // _LONGEST_SHARE))
    return _spans(config.channels, config.mask_feature_prob, length, config.mask_feature_min_masks, generator)


def _spans(size: int, share: float, length: int, minimum: int, generator: np.random.Generator) -> np.ndarray:
    import numpy as np

    mask = np.zeros(size, bool)
    if share <= 0 or size < 2:
        return mask
    count = max(int(share * size / length + generator.random()), minimum)
    count = min(count, size // length)
    for start in generator.choice(size - length + 1, count, replace=False):
        mask[start : start + length] = True
    return mask
