"""Forced alignment: the best of all alignments, held against a search through every one of them."""

from __future__ import annotations

import warnings
from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thanosql.models.ctc import alignment
from thanosql.models.ctc.alignment import AlignmentError, align, best_path, frames_needed


def log_probabilities(seed: int, frames: int, vocabulary: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=2, size=(frames, vocabulary))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def collapsed(path: tuple[int, ...]) -> list[int]:
    return [label for label, _ in groupby(path) if label != 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.lists(st.integers(1, 2), max_size=4))
def test_no_alignment_of_the_text_is_likelier(seed: int, frames: int, labels: list[int]) -> None:
    logs = log_probabilities(seed, frames, 3)
    paths = [path for path in product(range(3), repeat=frames) if collapsed(path) == labels]
    if not paths:
        assert frames < frames_needed(labels)
        with pytest.raises(AlignmentError, match=f"the audio has {frames}"):
            best_path(logs, labels, blank=0)
        return
    best = max(paths, key=lambda path: logs[np.arange(frames), path].sum())
    assert best_path(logs, labels, blank=0).tolist() == list(best)


def test_the_path_is_that_of_torchaudios_forced_align() -> None:
    try:  # pip install torchaudio; one that does not fit the torch beside it raises OSError or RuntimeError
        import torch
        from torchaudio.functional import forced_align
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"torchaudio does not load: {error}")
    random = np.random.default_rng(3)
    for seed in range(60):
        vocabulary = int(random.integers(2, 40))
        labels = random.integers(1, vocabulary, size=int(random.integers(1, 60))).tolist()
        frames = frames_needed(labels) + int(random.integers(0, 200))
        logs = log_probabilities(seed, frames, vocabulary).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that forced_align is to leave torchaudio
            theirs, _ = forced_align(torch.from_numpy(logs)[None], torch.tensor([labels]), blank=0)
        assert best_path(logs, labels, blank=0).tolist() == theirs[0].tolist()


def test_the_blank_may_be_any_label() -> None:
    logs = log_probabilities(1, 9, 4)
    swapped = logs[:, [3, 1, 2, 0]]
    path = best_path(swapped, [1, 2, 2], blank=3)
    assert path.tolist() == [{0: 3}.get(label, label) for label in best_path(logs, [1, 2, 2], blank=0).tolist()]


@pytest.mark.parametrize("frames", [7, 8, 9, 50])
def test_audio_longer_than_a_block_is_aligned_as_in_one(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = log_probabilities(frames, frames, 5)
    labels = [1, 1, 2, 4][: frames // 2]
    whole = best_path(logs, labels, blank=0).tolist()
    monkeypatch.setattr(alignment, "HELD", 4 * (2 * len(labels) + 1))
    assert best_path(logs, labels, blank=0).tolist() == whole


def test_spans_say_how_likely_their_label_is() -> None:
    logs = np.log([[0.1, 0.8, 0.1], [0.2, 0.5, 0.3], [0.9, 0.05, 0.05], [0.1, 0.2, 0.7]])
    first, second = align(logs, [1, 2], blank=0)
    assert (first.label, first.start, first.end) == (1, 0, 2)
    assert (first.peak, first.mean) == pytest.approx((np.log(0.8), np.log([0.8, 0.5]).mean()))
    assert (second.label, second.start, second.end) == (2, 3, 4)


def test_no_text_is_all_blank_and_no_audio_holds_no_text() -> None:
    assert best_path(log_probabilities(0, 5, 3), [], blank=0).tolist() == [0] * 5
    assert align(np.empty((0, 3)), [], blank=0) == ()
    with pytest.raises(AlignmentError, match="needs 1 frames, and the audio has 0"):
        align(np.empty((0, 3)), [1], blank=0)


def test_the_same_label_twice_needs_a_frame_between() -> None:
    assert best_path(log_probabilities(0, 3, 3), [1, 1], blank=0).tolist() == [1, 0, 1]
    with pytest.raises(AlignmentError, match="needs 3 frames"):
        best_path(log_probabilities(0, 2, 3), [1, 1], blank=0)


def test_a_text_without_any_probability_is_refused() -> None:
    with pytest.raises(AlignmentError, match="a probability of zero"):
        best_path(np.log(np.array([[1.0, 1e-300], [1.0, 1e-300]])) * np.array([0, np.inf]) + 0.0, [1], blank=0)


@pytest.mark.parametrize("label", [0, 3, -1])
def test_a_label_that_is_none_is_a_defect(label: int) -> None:
    with pytest.raises(ValueError):
        best_path(log_probabilities(0, 4, 3), [label], blank=0)
