from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thanosql.models.training.batches import split, steps
from thanosql.models.training.seeding import generator

lengths = st.lists(st.floats(0.1, 30.0), min_size=1, max_size=300)


@given(seconds=lengths, size=st.integers(1, 40), seed=st.integers(0, 100))
def test_an_epoch_has_each_utterance_once_in_steps_of_exactly_the_batch_size(
    seconds: list[float], size: int, seed: int
) -> None:
    found = steps(seconds, size, generator("order", seed))
    assert sorted(index for step in found for index in step) == list(range(len(seconds)))
    assert all(len(step) == size for step in found[:-1])
    assert len(found) == -(-len(seconds) // size)


def test_epochs_differ_in_order_and_one_seed_gives_one_order() -> None:
    seconds = list(np.linspace(1, 20, 200))
    first, again, other = (steps(seconds, 8, generator("order", 0, epoch)) for epoch in (1, 1, 2))
    assert first == again
    assert first != other


def test_utterances_of_like_length_stand_together() -> None:
    seconds = generator("lengths", 0).uniform(1, 20, 2_000).tolist()
    padded = sum(max(seconds[index] for index in step) * len(step) for step in steps(seconds, 16, generator("o", 0)))
    assert padded < 1.05 * sum(seconds)


@given(seconds=lengths, limit=st.floats(1.0, 100.0))
def test_a_step_is_split_into_passes_within_the_limit_with_padding_counted(seconds: list[float], limit: float) -> None:
    passes = split(seconds, limit)
    assert sorted(index for part in passes for index in part) == list(range(len(seconds)))
    for part in passes:
        assert len(part) == 1 or max(seconds[index] for index in part) * len(part) <= limit
