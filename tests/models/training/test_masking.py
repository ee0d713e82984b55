from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanosql.models.training.masking import SpecAugment, channel_mask, time_mask
from thanosql.models.training.seeding import generator

CONFIG = SpecAugment(
    channels=32,
    mask_time_prob=0.05,
    mask_time_length=10,
    mask_time_min_masks=2,
    mask_feature_prob=0.1,
    mask_feature_length=10,
    mask_feature_min_masks=0,
)


@given(frames=st.integers(0, 2_000), seed=st.integers(0, 1_000))
def test_an_utterance_of_any_length_gets_a_mask_that_leaves_most_of_it(frames: int, seed: int) -> None:
    mask = time_mask(frames, CONFIG, generator("test", seed))
    assert mask.shape == (frames,)
    assert mask.dtype == bool
    assert mask.sum() <= max(1, 0.4 * frames)


@pytest.mark.parametrize(("frames", "low", "high"), [(20, 0.03, 0.25), (500, 0.03, 0.06)])
def test_about_the_share_that_was_asked_for_is_hidden(frames: int, low: float, high: float) -> None:
    share = np.mean([time_mask(frames, CONFIG, generator("test", seed)).mean() for seed in range(400)])
    assert low < share < high


def test_long_utterances_get_the_spans_of_the_configuration() -> None:
    mask = time_mask(1_000, CONFIG, generator("test", 3))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    runs = edges[1::2] - edges[::2]
    assert runs.min() >= 10


def test_a_share_of_zero_hides_nothing() -> None:
    off = replace(CONFIG, mask_time_prob=0.0)
    assert not time_mask(1_000, off, generator("test", 0)).any()


def test_channels_are_hidden_in_spans_that_fit_a_small_model() -> None:
    shares = [channel_mask(CONFIG, generator("test", seed)).mean() for seed in range(400)]
    assert 0.04 < np.mean(shares) < 0.2
