"""The lengths of the utterances in; who stands in which step of an epoch, and in which forward pass of a step, out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_POOL = 50  # batches that are sorted by length together: enough to pad little, few enough to stay random


def steps(seconds: Sequence[float], size: int, generator: np.random.Generator) -> list[list[int]]:
    """One epoch as lists of indices, each one optimizer step of exactly `size` utterances, the epoch's rest the last.

    Utterances of like length stand together (sorted within random pools), and the steps come in random order.
    """
    import numpy as np

    order = generator.permutation(len(seconds))
    lengths = np.asarray(seconds)
    batches: list[list[int]] = []
    for start in range(0, len(order), size * _POOL):
        pool = order[start : start + size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        # The pool's short rest is cut off at a random place, so that it is not always the longest that stand in it.
        rest = len(pool) % size
        if rest:
            at = int(generator.integers(len(pool) - rest + 1))
            batches.append(pool[at : at + rest].tolist())
            pool = np.concatenate([pool[:at], pool[at + rest :]])
        batches += [pool[first : first + size].tolist() for first in range(0, len(pool), size)]
    short = [batch for batch in batches if len(batch) < size]
    full = [batch for batch in batches if len(batch) == size]
    return [full[index] for index in generator.permutation(len(full))] + short


def split(
    seconds: Sequence[float],
    max_seconds: float,
    size: int | None = None,
    fits: Callable[[Sequence[float]], bool] = lambda lengths: True,
) -> list[list[int]]:
    """Utterances as forward passes of at most `max_seconds` each, padding counted, of at most `size` utterances, whose
    lengths together `fits` approves.

    One that is longer goes alone.

    >>> split([1.0, 9.0, 2.0, 8.0], 20.0)
    [[1, 3], [2, 0]]
    """
    passes: list[list[int]] = []
    for index in sorted(range(len(seconds)), key=lambda index: -seconds[index]):
        longest = seconds[passes[-1][0]] if passes else 0.0
        room = passes and longest * (len(passes[-1]) + 1) <= max_seconds
        if (
            room
            and (size is None or len(passes[-1]) < size)
            and fits([*(seconds[one] for one in passes[-1]), seconds[index]])
        ):
            passes[-1].append(index)
        else:
            passes.append([index])
    return passes
