"""A purpose and numbers in; a random generator of their own out, whatever was drawn before."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def generator(purpose: str, seed: int, *numbers: int) -> np.random.Generator:
    """The generator for, say, the sound of example 7 in epoch 2: the same whenever and wherever it is asked for."""
    import numpy as np

    return np.random.default_rng(_entropy(purpose, seed, *numbers))


def torch_seed(purpose: str, seed: int, *numbers: int) -> int:
    """A seed for torch (63 bits), which has one generator a device instead of one a purpose."""
    import numpy as np

    state = np.random.SeedSequence(_entropy(purpose, seed, *numbers)).generate_state(1, np.uint64)
    return int(state[0] >> 1)


def _entropy(purpose: str, *numbers: int) -> list[int]:
    # The count keeps (1,) and (1, 0) apart, which NumPy takes for the same.
    return [zlib.crc32(purpose.encode()), len(numbers), *numbers]
